/**
 * The kernel forwards what it can without being asked, and nobody notices: dumps, counters,
 * captures, frames too long, ports that go down, a daemon that is killed, one that may not load
 * programs.
 *
 *     west 10.0.0.1 -- port1   east 10.0.0.2 -- port2   south -- port3
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, run } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { checksum, ethernet, sourceOf } from '../support/packets.js';
import { type Switch, tapswitchBin } from '../support/switch.js';
import { transferIntact } from '../support/traffic.js';

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;
let westSocket: FrameSocket;
let eastSocket: FrameSocket;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24'] });
  east = await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'port1', '--', 'add-port', 'br0', 'port2');
  await sw.vsctl('--if-exists', 'remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload');
  westSocket = await lab.frames(west);
  eastSocket = await lab.frames(east);
}, 60_000);

afterAll(() => lab?.close());

/** Flows that the kernel forwards: shown to who asks for them. */
async function inKernel(pattern: RegExp): Promise<string[]> {
  const text = await sw.appctl('dpctl/dump-flows', '-m', 'type=offloaded');
  return text.split('\n').filter((line) => line.includes('offloaded:yes') && pattern.test(line));
}

async function untilInKernel(): Promise<void> {
  await eventually('pings to be forwarded by the kernel', async () => {
    await west.ping('10.0.0.2', 3, 0.01);
    const there = await inKernel(/in_port\(port1\).*eth_type\(0x0800\).*actions:port2/);
    const back = await inKernel(/in_port\(port2\).*eth_type\(0x0800\).*actions:port1/);
    return there.length > 0 && back.length > 0;
  });
}

/** A UDP datagram in a frame of so many bytes, from west to east. */
function datagram(bytes: number, dst = east.mac): Buffer {
  const udp = Buffer.alloc(bytes - 34);
  udp.writeUInt16BE(4000, 0);
  udp.writeUInt16BE(4000, 2);
  udp.writeUInt16BE(udp.length, 4);
  const ip = Buffer.from('4500000000004000401100000a0000010a000002', 'hex');
  ip.writeUInt16BE(20 + udp.length, 2);
  ip.writeUInt16BE(checksum(ip), 10);
  const payload = Buffer.concat([ip, udp]);
  return ethernet({ dst, src: west.mac, type: 0x0800, payload });
}

const arrived = (bytes: number) =>
  eastSocket.received.filter((frame) => frame.length === bytes && sourceOf(frame) === west.mac);

async function countersOfFlow(match: string): Promise<number> {
  const flows = await sw.ofctl('dump-flows', 'br0', match);
  return Number(flows.match(/n_packets=(\d+)/)?.[1]);
}

describe('forwarding in the kernel that nobody asked for', () => {
  it('counts every packet, and does not appear in dumps', async () => {
    await untilInKernel();
    await sw.ofctl('add-flow', 'br0', 'priority=7,icmp,nw_dst=10.0.0.2,actions=normal');
    await untilInKernel();
    const before = await countersOfFlow('icmp');
    expect(await west.ping('10.0.0.2', 300, 0.002)).toBe(300);
    await eventually('the flow to count them', async () => {
      return (await countersOfFlow('icmp')) === before + 300;
    });
    const all = await sw.appctl('dpctl/dump-flows', '-m');
    expect(all).toContain('dp:ovs');
    expect(all).not.toMatch(/dp:tc|offloaded/);
    const stats = await sw.try('appctl', 'dpctl/offload-stats-show');
    expect(stats.stdout + stats.stderr).toContain('Invalid argument');
    await sw.ofctl('del-flows', 'br0', 'icmp');
  });

  it('keeps the TCP flags of flows that look at ports', async () => {
    await sw.ofctl('add-flow', 'br0', 'priority=7,tcp,tp_dst=7,actions=drop');
    const { namespace, device } = east;
    await transferIntact(west.namespace, { namespace, device, address: '10.0.0.2' });
    // What begins a connection goes through workers, what ends it does not.
    const flags = (await inKernel(/proto=6/)).map((line) => /flags:(\S+),/.exec(line)?.[1] ?? '');
    expect(flags.some((seen) => seen.includes('F') && seen.includes('.'))).toBe(true);
    await sw.ofctl('del-flows', 'br0', 'tcp');
  });

  it('shows frames to captures at both ports', async () => {
    await untilInKernel();
    const capture = (port: string) =>
      lab.namespace.run(['timeout', '10', 'tcpdump', '-lnqi', port, '-c', '20', 'icmp']);
    const captures = [capture('port1'), capture('port2')];
    const done = Promise.all(captures);
    let finished = false;
    void done.then(() => {
      finished = true;
    });
    await eventually('twenty frames at each', async () => {
      await west.ping('10.0.0.2', 20, 0.01);
      return finished;
    });
    for (const { status } of await done) expect(status).toBe(0);
  });

  it('leaves frames that are too long for a port to workers, which count them', async () => {
    const { namespace } = lab;
    await namespace.ip('link', 'set', 'port1', 'mtu', '3000');
    await west.namespace.ip('link', 'set', 'eth0', 'mtu', '3000');
    await untilInKernel();
    eastSocket.clear();
    const [flow] = await inKernel(/in_port\(port1\).*eth_type\(0x0800\).*actions:port2/);
    expect(flow).toBeDefined();
    for (let n = 0; n < 5; n++) westSocket.send(datagram(1515));
    for (let n = 0; n < 5; n++) westSocket.send(datagram(1514));
    await eventually('the frames that fit', () => arrived(1514).length === 5);
    expect(arrived(1515)).toHaveLength(0);
    await namespace.ip('link', 'set', 'port2', 'mtu', '3000');
    await east.namespace.ip('link', 'set', 'eth0', 'mtu', '3000');
    await untilInKernel();
    for (let n = 0; n < 5; n++) westSocket.send(datagram(3014));
    await eventually('longer ones to pass', () => arrived(3014).length === 5);
  });

  it('has no flows to a port that is down, and takes them up again', async () => {
    await untilInKernel();
    await lab.namespace.ip('link', 'set', 'port2', 'down');
    await eventually('the kernel to have none', async () => {
      return (await inKernel(/actions:port2/)).length === 0;
    });
    expect(await west.ping('10.0.0.2', 3, 0.02)).toBe(0);
    await lab.namespace.ip('link', 'set', 'port2', 'up');
    await untilInKernel();
  });

  it('follows a port that is renamed away and back', async () => {
    await untilInKernel();
    await lab.namespace.ip('link', 'set', 'port2', 'name', 'other2');
    await eventually('the kernel to have none', async () => {
      return (await inKernel(/in_port\(port1\).*0x0800.*actions:\d/)).length === 0;
    });
    await lab.namespace.ip('link', 'set', 'other2', 'name', 'port2');
    await lab.namespace.ip('link', 'set', 'port2', 'up');
    await untilInKernel();
  });

  it('shares its work among the CPUs of kernel-cpu-mask, until that is taken away', async () => {
    const file = '/sys/class/net/port1/queues/rx-0/rps_cpus';
    const mask = async () => parseInt(await lab.namespace.must(['cat', file]), 16);
    expect(await mask()).toBe(0);
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:kernel-cpu-mask=1');
    expect(await mask()).toBe(1);
    await untilInKernel();
    expect(await west.ping('10.0.0.2', 50, 0.005)).toBe(50);
    await sw.vsctl('remove', 'Open_vSwitch', '.', 'other_config', 'kernel-cpu-mask');
    expect(await mask()).toBe(0);
  });

  it('takes no more memory however often it ends and begins again', async () => {
    const maps = () => readFileSync(`/proc/${sw.pid}/maps`, 'utf8').split('bpf-map').length;
    await untilInKernel();
    const before = maps();
    for (let n = 0; n < 4; n++) {
      await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:hw-offload=false');
      await sw.vsctl('remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload');
      await untilInKernel();
    }
    expect(maps()).toBe(before);
  });

  it('leaves nothing behind when the daemon is killed', async () => {
    await untilInKernel();
    const links = () => run(['bpftool', 'net', 'show']).then(({ stdout }) => stdout);
    await sw.kill();
    expect(await west.ping('10.0.0.2', 3, 0.02)).toBe(0);
    // The host's own stack sees the port again.
    await lab.namespace.ip('addr', 'add', '10.0.0.33/24', 'dev', 'port1');
    await eventually('the host to answer', async () => {
      return (await west.ping('10.0.0.33', 2, 0.02)) === 2;
    });
    await lab.namespace.ip('addr', 'del', '10.0.0.33/24', 'dev', 'port1');
    expect(await links()).not.toContain('tapswitch');
    await sw.start();
    await untilInKernel();
  });

  it('does without where it may not load programs, and says so once', async () => {
    await sw.stop();
    const caps = ['setpriv', '--inh-caps=-all', '--bounding-set=-bpf,-sys_admin,-perfmon'];
    const env = sw.environment;
    const daemon = lab.namespace.start([...caps, tapswitchBin, 'start'], { env });
    lab.onClose('the daemon without rights', () => daemon.stop('SIGKILL'));
    await eventually('pings to pass', async () => (await west.ping('10.0.0.2', 2, 0.05)) === 2);
    const said = () => daemon.text.match(/^.*cannot be forwarded in the kernel.*$/gm) ?? [];
    await eventually('the log to say so', () => said().length > 0);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain('|INFO|');
    expect(await inKernel(/./)).toHaveLength(0);
    expect(await west.ping('10.0.0.2', 20, 0.01)).toBe(20);
    await daemon.stop();
  });
});
