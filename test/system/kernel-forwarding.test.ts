/**
 * other_config:hw-offload: flows that the kernel forwards. What comes out, and what is counted,
 * must be the same as from workers.
 *
 *     west  -- port1  tag=10          south -- port3  trunk
 *     east  -- port2  tag=10          br0 itself: the internal TAP, 10.0.0.9, tag=10
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { checksum, ethernet, ipv4, sourceOf, vidsOf } from '../support/packets.js';
import type { Switch } from '../support/switch.js';
import { transferIntact } from '../support/traffic.js';

const OFFLOAD = 'other_config:hw-offload';

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;
let south: Host;
const sockets: Record<string, FrameSocket> = {};

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24'] });
  east = await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24'] });
  south = await lab.addHost('south', { port: 'port3' });
  await sw.vsctl('set', 'Open_vSwitch', '.', `${OFFLOAD}=true`);
  await sw.addBridge('br0');
  const ports = ['port1 tag=10', 'port2 tag=10', 'port3'].flatMap((port) => {
    return ['--', 'add-port', 'br0', ...port.split(' ')];
  });
  await sw.vsctl(...ports, '--', 'set', 'port', 'br0', 'tag=10');
  // Else its address is that of the port with the lowest, and changes when that goes.
  await sw.vsctl('set', 'bridge', 'br0', 'other_config:hwaddr=02:00:00:00:00:99');
  await lab.namespace.ip('addr', 'add', '10.0.0.9/24', 'dev', 'br0');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  for (const host of [west, east, south]) sockets[host.port] = await lab.frames(host);
}, 90_000);

afterAll(() => lab?.close());

/** Lines of dpctl/dump-flows -m that the kernel forwards. */
async function offloaded(pattern: RegExp): Promise<string[]> {
  const lines = (await sw.appctl('dpctl/dump-flows', '-m')).split('\n');
  return lines.filter((line) => line.includes('offloaded:yes, dp:tc') && pattern.test(line));
}

/** A UDP frame of 60 bytes with a number in it. */
function datagram(src: string, dst: string, port: number, n: number): Buffer {
  const udp = Buffer.alloc(26);
  udp.writeUInt16BE(port, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(26, 4);
  udp.writeUInt32BE(n, 8);
  const ip = Buffer.concat([
    Buffer.from([0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]),
    ipv4('10.0.0.1'),
    ipv4('10.0.0.77'),
  ]);
  ip.writeUInt16BE(checksum(ip), 10);
  return ethernet({ dst, src, type: 0x0800, payload: Buffer.concat([ip, udp]) });
}

async function pingsUntilOffloaded(host: Host, address: string, inPort: string): Promise<void> {
  await eventually(`pings to ${address} to be forwarded by the kernel`, async () => {
    await host.ping(address, 3, 0.01);
    return (await offloaded(new RegExp(`in_port\\(${inPort}\\).*0x0800`))).length > 0;
  });
}

describe('with hw-offload', () => {
  it('forwards pings in the kernel, and counts every one', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    const before = await sw.portCounters('br0', 'port2');
    expect(await west.ping('10.0.0.2', 500, 0.002)).toBe(500);
    const after = await sw.portCounters('br0', 'port2');
    expect(after['tx pkts'] - before['tx pkts']).toBeGreaterThanOrEqual(500);
    await eventually('the flow table to count them', async () => {
      const flows = await sw.ofctl('dump-flows', 'br0');
      return Number(flows.match(/n_packets=(\d+)/)?.[1]) >= 1000;
    });
    const [line] = await offloaded(/in_port\(port1\).*0x0800/);
    expect(Number(line.match(/packets:(\d+)/)?.[1])).toBeGreaterThanOrEqual(500);
    expect(line).toMatch(/used:[0-9.]+s/);
  });

  it('counts at the interface what is passed to hosts beside it', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    const count = async () => {
      const text = await sw.vsctl('get', 'Interface', 'port2', 'statistics:tx_packets');
      return Number(text);
    };
    const seen = async () => {
      const text = await lab.namespace.must(['cat', '/sys/class/net/port2/statistics/tx_packets']);
      return Number(text);
    };
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:stats-update-interval=1000');
    const [before, seenBefore] = [await count(), await seen()];
    expect(await west.ping('10.0.0.2', 200, 0.002)).toBe(200);
    // The way around the interface was taken at all.
    expect((await seen()) - seenBefore).toBeLessThan(100);
    await eventually('the row to count them', async () => (await count()) - before >= 200, 12_000);
  }, 30_000);

  it('does not give a host frames that are for another as its own', async () => {
    const other = '02:00:00:00:0e:99';
    const flow = `priority=9,in_port=port1,dl_dst=${other},actions=output:port2`;
    await sw.ofctl('add-flow', 'br0', flow);
    // Neither answers when it is asked by the address of another.
    await west.namespace.ip(
      'neigh',
      'replace',
      '10.0.0.2',
      'lladdr',
      other,
      'dev',
      west.device,
      'nud',
      'permanent',
    );
    expect(await west.ping('10.0.0.2', 20, 0.01, '-W', '1')).toBe(0);
    expect(await offloaded(/in_port\(port1\).*dst=02:00:00:00:0e:99/)).not.toHaveLength(0);
    await west.namespace.ip('neigh', 'del', '10.0.0.2', 'dev', west.device);
    await sw.ofctl('del-flows', 'br0', `dl_dst=${other}`);
    expect(await west.ping('10.0.0.2', 3)).toBe(3);
  }, 30_000);

  it('follows a host that changes its address', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    const ip = (...args: string[]) => east.namespace.ip('link', 'set', east.device, ...args);
    await ip('address', '02:00:00:00:0e:02');
    await eventually(
      'pings to the new address',
      async () => (await west.ping('10.0.0.2', 3)) === 3,
    );
    await ip('address', east.mac);
    await eventually('pings to the old one', async () => (await west.ping('10.0.0.2', 3)) === 3);
  }, 40_000);

  it('shows what the kernel forwards by its type, and how many flows that is', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    const dump = (type: string) => sw.appctl('dpctl/dump-flows', '-m', `type=${type}`);
    const flow = /in_port\(port1\).*0x0800.*offloaded:yes, dp:tc/;
    expect(await dump('offloaded')).toMatch(flow);
    expect(await dump('tc')).toMatch(flow);
    expect(await dump('offloaded')).not.toContain('dp:ovs');
    for (const type of ['ovs', 'non-offloaded']) expect(await dump(type)).not.toMatch(/dp:tc/);
    expect(await dump('partially-offloaded')).toBe('');
    const stats = await sw.appctl('dpctl/offload-stats-show');
    expect(Number(stats.match(/Inserted offloads: +(\d+)/)?.[1])).toBeGreaterThan(0);
    const ports = await sw.appctl('dpctl/show', '-s');
    expect(ports).toMatch(/ aborted:\d+ carrier:\d+\n/);
  });

  it('carries TCP, every byte unchanged, segments whole', async () => {
    const { namespace, device } = east;
    const receiver = { namespace, device, address: '10.0.0.2' };
    const { bytes, meanFrameBytes } = await transferIntact(west.namespace, receiver);
    expect(bytes).toBe(32 << 20);
    expect(meanFrameBytes).toBeGreaterThan(3000);
  });

  it('reaches the host itself, and is reached by it', async () => {
    await pingsUntilOffloaded(west, '10.0.0.9', 'br0');
    expect(await west.ping('10.0.0.9', 100, 0.005)).toBe(100);
    expect(await offloaded(/in_port\(port1\).*actions:br0/)).not.toHaveLength(0);
  });

  it('puts on and takes off VLAN tags as workers do', async () => {
    const src = '02:00:00:00:00:41';
    const back = '02:00:00:00:00:42';
    sockets.port3.clear();
    sockets.port1.clear();
    sockets.port3.send(ethernet({ dst: src, src: back, tags: [{ vid: 10 }] }));
    await sleep(100);
    const sent = Array.from({ length: 60 }, (_, n) => datagram(src, back, 4000, n));
    for (const frame of sent) {
      sockets.port1.send(frame);
      await sleep(4);
    }
    const all = () => sockets.port3.received.filter((frame) => sourceOf(frame) === src);
    await eventually('sixty frames', () => all().length === sent.length);
    all().forEach((frame, n) => {
      expect(vidsOf(frame)).toEqual([10]);
      expect(Buffer.concat([frame.subarray(0, 12), frame.subarray(16)])).toEqual(sent[n]);
    });
    expect(await offloaded(/push_vlan\(vid=10,pcp=0\),port3/)).not.toHaveLength(0);
    sockets.port1.clear();
    for (let n = 0; n < 60; n++) {
      sockets.port3.send(tagged(datagram(back, src, 4001, n)));
      await sleep(4);
    }
    const replies = () => sockets.port1.received.filter((frame) => sourceOf(frame) === back);
    await eventually('sixty replies', () => replies().length === 60);
    replies().forEach((frame, n) => {
      expect(frame).toEqual(datagram(back, src, 4001, n));
    });
    expect(await offloaded(/pop_vlan,port1/)).not.toHaveLength(0);
  });
});

function tagged(frame: Buffer): Buffer {
  const tag = Buffer.from([0x81, 0, 0, 10]);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

describe('when something changes', () => {
  it('obeys a new flow at once', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    await sw.ofctl('add-flow', 'br0', 'priority=9,icmp,nw_dst=10.0.0.2,actions=drop');
    expect(await west.ping('10.0.0.2', 20, 0.01)).toBe(0);
    await eventually('the drop to be counted', async () => {
      const flows = await sw.ofctl('dump-flows', 'br0', 'icmp');
      return Number(flows.match(/n_packets=(\d+)/)?.[1]) === 20;
    });
    await sw.ofctl('del-flows', 'br0', 'icmp');
    expect(await west.ping('10.0.0.2', 20, 0.01)).toBe(20);
  });

  it('goes back to workers when it is switched off, without losing a count', async () => {
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    const before = await sw.portCounters('br0', 'port1');
    await sw.vsctl('set', 'Open_vSwitch', '.', `${OFFLOAD}=false`);
    expect(await offloaded(/./)).toHaveLength(0);
    expect(await west.ping('10.0.0.2', 100, 0.005)).toBe(100);
    const after = await sw.portCounters('br0', 'port1');
    expect(after['rx pkts'] - before['rx pkts']).toBeGreaterThanOrEqual(100);
    // New flows, in the places of those that the kernel had, begin at nothing.
    await sw.appctl('dpctl/del-flows');
    expect(await west.ping('10.0.0.2', 10, 0.01)).toBe(10);
    const counted = (await sw.appctl('dpctl/dump-flows')).matchAll(/0x0800.*packets:(\d+)/g);
    for (const [, packets] of counted) expect(Number(packets)).toBeLessThan(100);
    await sw.vsctl('set', 'Open_vSwitch', '.', `${OFFLOAD}=true`);
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
  });

  it('loses no ping when it is switched on and off under way', async () => {
    const pings = west.ping('10.0.0.2', 600, 0.005);
    for (let i = 0; i < 6; i++) {
      await sleep(300);
      await sw.vsctl('set', 'Open_vSwitch', '.', `${OFFLOAD}=${i % 2 === 1}`);
    }
    expect(await pings).toBe(600);
  });

  it('forwards beside two workers, and learns nothing from what it sends itself', async () => {
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:pmd-cpu-mask=0x3');
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    expect(await west.ping('10.0.0.2', 300, 0.005)).toBe(300);
    const learned = (await sw.appctl('fdb/show', 'br0')).split('\n');
    const portOf = (mac: string) =>
      learned
        .find((line) => line.includes(mac))
        ?.trim()
        .split(/ +/)[0];
    expect([portOf(west.mac), portOf(east.mac)]).toEqual(['1', '2']);
    await sw.vsctl('remove', 'Open_vSwitch', '.', 'other_config', 'pmd-cpu-mask');
  });

  it('survives a port that goes away, and one that vanishes', async () => {
    await sw.vsctl('del-port', 'port3');
    await pingsUntilOffloaded(west, '10.0.0.2', 'port1');
    expect(await west.ping('10.0.0.2', 20, 0.01)).toBe(20);
    await lab.namespace.ip('link', 'del', 'port2');
    expect(await west.ping('10.0.0.2', 5, 0.05)).toBe(0);
    expect(await west.ping('10.0.0.9', 20, 0.01)).toBe(20);
    expect(sw.running).toBe(true);
  });
});
