/**
 * NetFlow and IPFIX as nfcapd receives and nfdump decodes them, sFlow as sfcapd receives and tshark
 * dissects it: totals over known traffic are those that were sent.
 *
 *     h1 -- p1 [br1] p2 -- h2        collectors on the switch's loopback
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundProcess, eventually, must, sleep } from '../support/command.js';
import { macBytes, tcp4Frame, udp4Frame, udp6Frame } from '../support/frame-builder.js';
import type { FrameSocket } from '../support/frames.js';
import { Lab } from '../support/lab.js';
import { BROADCAST, ETH_EXPERIMENTAL, ethernet } from '../support/packets.js';
import { python, type Switch } from '../support/switch.js';

const BURST = 100;

/** Packets of one flow, by its source port. */
interface Traffic {
  port: number;
  packets: number;
  payload: number;
  v6?: boolean;
}

const TRAFFIC: Traffic[] = [
  { port: 1001, packets: 1200, payload: 20 },
  { port: 1002, packets: 500, payload: 1400 },
  { port: 1003, packets: 1, payload: 100 },
];
const ETH_BYTES = 14;
/** sFlow counts the frame with its check sequence. */
const FCS_BYTES = 4;
/** A collector that takes everything: a port without one answers with errors. */
const SINK = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 6343))
while True: s.recv(2048)`;
const V4 = ['10.0.0.1', '10.0.0.2'];
const V6 = ['fd00::1', 'fd00::2'];

let lab: Lab;
let sw: Switch;
let from: FrameSocket;
let to: FrameSocket;
let macs: [string, string];

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  const h1 = await lab.addHost('h1', { port: 'p1' });
  const h2 = await lab.addHost('h2', { port: 'p2' });
  await sw.addBridge('br1');
  for (const port of ['p1', 'p2']) await sw.vsctl('add-port', 'br1', port);
  from = await lab.frames(h1);
  to = await lab.frames(h2);
  macs = [h1.mac, h2.mac];
  // Both ends are known before anything is counted: no packet is flooded.
  for (const [socket, peer, mac] of [
    [to, from, h2.mac],
    [from, to, h1.mac],
  ] as const) {
    const hello = ethernet({ dst: BROADCAST, src: mac, type: ETH_EXPERIMENTAL });
    socket.send(hello);
    await peer.waitFor('the greeting', (frame) => frame.includes(Buffer.from(macBytes(mac))));
  }
}, 60_000);

afterAll(() => lab?.close());

function frameOf({ port, payload, v6 }: Traffic): Uint8Array {
  const eth = { dst: macBytes(macs[1]), src: macBytes(macs[0]) };
  const ports = { src: port, dst: 2000 };
  const data = new Uint8Array(payload);
  const ip4 = { src: ipv4(V4[0]), dst: ipv4(V4[1]) };
  return v6
    ? udp6Frame(eth, { src: V6_BYTES[0], dst: V6_BYTES[1] }, ports, data)
    : udp4Frame(eth, ip4, ports, data);
}

function ipv4(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

const V6_BYTES = [1, 2].map((last) => {
  const bytes = new Uint8Array(16);
  bytes.set([0xfd, 0]);
  bytes[15] = last;
  return bytes;
});

/** Sends everything, and waits until all of it is at the other end. @returns the frames' bytes */
async function send(traffic: readonly Traffic[]): Promise<void> {
  for (const flow of traffic) {
    const frame = frameOf(flow);
    for (let left = flow.packets; left > 0; left -= BURST) {
      to.clear();
      const n = Math.min(BURST, left);
      from.send(...Array.from({ length: n }, () => frame));
      const arrived = () => to.received.filter((f) => f.length === frame.length).length >= n;
      await eventually(`${n} frames of flow ${flow.port}`, arrived, 10_000, 5);
    }
  }
}

/** A connection's packets: its flags are spread over them, and only the first goes up. */
async function sendTcp(): Promise<void> {
  const eth = { dst: macBytes(macs[1]), src: macBytes(macs[0]) };
  const ip = { src: ipv4(V4[0]), dst: ipv4(V4[1]) };
  for (const flags of [0x02, 0x10, 0x11]) {
    to.clear();
    from.send(tcp4Frame(eth, ip, { src: 1009, dst: 80, flags }, new Uint8Array(40)));
    await to.waitFor('the segment', (frame) => frame[23] === 6);
  }
}

/** nfcapd, or sfcapd, on a port of the switch's loopback; `flows` ends it and reads what it got. */
class Nfcapd {
  private constructor(
    private readonly process: BackgroundProcess,
    private readonly directory: string,
  ) {}

  static async start(port: number, program = 'nfcapd'): Promise<Nfcapd> {
    const directory = join(sw.directory, `${program}-${port}`);
    await mkdir(directory);
    const argv = [program, '-b', '127.0.0.1', '-p', `${port}`, '-w', directory];
    const process = lab.namespace.start(argv);
    const bound = async () =>
      (await lab.namespace.must(['ss', '-Hlun', `sport = :${port}`])).trim() !== '';
    await eventually(`${program} to listen`, bound, 10_000);
    return new Nfcapd(process, directory);
  }

  /** Flags of the TCP flows, after `flows`. */
  tcpFlags(): Promise<string> {
    return must(['nfdump', '-R', this.directory, '-q', '-o', 'fmt:%flg', 'proto tcp']);
  }

  /** Packets and bytes by 'SOURCE ADDRESS SOURCE PORT PROTOCOL', over all records. */
  async flows(): Promise<Map<string, { packets: number; bytes: number }>> {
    await this.process.stop('SIGTERM');
    expect(this.process.text).not.toMatch(/Sequence Errors: [1-9]/);
    const format = 'fmt:%sa %sp %pr %pkt %byt';
    const text = await must(['nfdump', '-R', this.directory, '-q', '-N', '-6', '-o', format]);
    const flows = new Map<string, { packets: number; bytes: number }>();
    for (const line of text.split('\n')) {
      const words = line.trim().split(/\s+/);
      if (words.length !== 5) continue;
      const key = words.slice(0, 3).join(' ');
      const known = flows.get(key) ?? { packets: 0, bytes: 0 };
      flows.set(key, {
        packets: known.packets + Number(words[3]),
        bytes: known.bytes + Number(words[4]),
      });
    }
    return flows;
  }
}

function expectTotals(
  flows: Map<string, { packets: number; bytes: number }>,
  traffic: readonly Traffic[],
  headerBytes: number,
): void {
  const expected = traffic.map((flow) => {
    const bytes = (frameOf(flow).length - headerBytes) * flow.packets;
    const key = `${flow.v6 ? V6[0] : V4[0]} ${flow.port} 17`;
    return [key, { packets: flow.packets, bytes }] as const;
  });
  const got = traffic.map(({ port, v6 }) => {
    const key = `${v6 ? V6[0] : V4[0]} ${port} 17`;
    return [key, flows.get(key)] as const;
  });
  expect(got).toEqual(expected);
}

describe('NetFlow, received by nfcapd', () => {
  it('counts every packet and byte, also of flows that the datapath alone sees', async () => {
    const collector = await Nfcapd.start(9995);
    const create = ['--id=@nf', 'create', 'NetFlow', 'targets="127.0.0.1:9995"'];
    await sw.vsctl('set', 'Bridge', 'br1', 'netflow=@nf', '--', ...create, 'active_timeout=1');
    await send(TRAFFIC);
    await sendTcp();
    const flowsShown = await sw.must('appctl', 'export/show');
    await sw.vsctl('clear', 'Bridge', 'br1', 'netflow');
    await sleep(300);
    // What the switch counts of a packet is its whole frame.
    expectTotals(await collector.flows(), TRAFFIC, 0);
    expect(flowsShown).toMatch(
      /^br1:\n {2}netflow: flows=4, records=\d+, tx pkts=\d+, tx errs=0\n$/,
    );
    expect(await collector.tcpFlags()).toMatch(/A..SF/);
  }, 60_000);
});

describe('IPFIX, received by nfcapd', () => {
  const withV6 = [...TRAFFIC, { port: 1004, packets: 300, payload: 64, v6: true }];

  it('counts what a bridge takes in, IPv4 and IPv6', async () => {
    const collector = await Nfcapd.start(4739);
    const create = ['--id=@ix', 'create', 'IPFIX', 'targets="127.0.0.1:4739"', 'sampling=1'];
    const cache = ['cache_active_timeout=1', 'cache_max_flows=100'];
    const input = 'other_config:enable-output-sampling=false';
    await sw.vsctl('set', 'Bridge', 'br1', 'ipfix=@ix', '--', ...create, ...cache, input);
    await send(withV6);
    await sw.vsctl('clear', 'Bridge', 'br1', 'ipfix');
    await sleep(300);
    expectTotals(await collector.flows(), withV6, ETH_BYTES);
  }, 60_000);

  it('counts what flows sample, and nothing else', async () => {
    const collector = await Nfcapd.start(4740);
    await sw.vsctl(
      ...['--id=@br1', 'get', 'Bridge', 'br1', '--', '--id=@ix', 'create', 'IPFIX'],
      ...['targets="127.0.0.1:4740"', '--', 'create', 'Flow_Sample_Collector_Set', 'id=7'],
      ...['bridge=@br1', 'ipfix=@ix'],
    );
    const sample = 'sample(probability=65535,collector_set_id=7,obs_domain_id=3)';
    await sw.must('ofctl', 'add-flow', 'br1', `udp,tp_src=1001,actions=${sample},NORMAL`);
    await send(TRAFFIC);
    await sleep(500);
    await sw.must('ofctl', 'del-flows', 'br1', 'udp,tp_src=1001');
    await sw.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
    await sleep(300);
    const flows = await collector.flows();
    expectTotals(flows, [TRAFFIC[0]], ETH_BYTES);
    expect(flows.size).toBe(1);
  }, 60_000);
});

describe('sFlow, received by sfcapd', () => {
  it('counts every packet and byte when every packet is a sample', async () => {
    const collector = await Nfcapd.start(6344, 'sfcapd');
    const create = ['--id=@sf', 'create', 'sFlow', 'targets="127.0.0.1:6344"', 'header=128'];
    const settings = ['agent=127.0.0.1', 'sampling=1', 'polling=0'];
    await sw.vsctl('set', 'Bridge', 'br1', 'sflow=@sf', '--', ...create, ...settings);
    await send(TRAFFIC);
    await sleep(1500);
    await sw.vsctl('clear', 'Bridge', 'br1', 'sflow');
    await sleep(300);
    expectTotals(await collector.flows(), TRAFFIC, -FCS_BYTES);
  }, 60_000);
});

describe('sFlow, dissected by tshark', () => {
  const RATE = 10;

  /** What tshark says of the datagrams sent while `during` runs. */
  async function dissect(settings: string[], during: () => Promise<unknown>): Promise<string[]> {
    const capture = join(sw.directory, 'sflow.pcap');
    const argv = ['tcpdump', '-i', 'lo', '-w', capture, '-U', 'udp', 'port', '6343'];
    const sink = lab.namespace.start([python, '-c', SINK]);
    const tcpdump = lab.namespace.start(argv);
    await eventually('tcpdump to listen', () => tcpdump.text.includes('listening'), 10_000);
    const create = ['--id=@sf', 'create', 'sFlow', 'targets="127.0.0.1:6343"', 'header=64'];
    const all = [...create, 'agent=127.0.0.1', ...settings];
    await sw.vsctl('set', 'Bridge', 'br1', 'sflow=@sf', '--', ...all);
    await during();
    // The last samples are fetched, and sent with the next tick.
    await sleep(1500);
    await sw.vsctl('clear', 'Bridge', 'br1', 'sflow');
    await sleep(300);
    await tcpdump.stop('SIGINT');
    await sink.stop('SIGKILL');
    const text = await must(['tshark', '-r', capture, '-d', 'udp.port==6343,sflow', '-V']);
    return text.split('\n');
  }

  const count = (lines: string[], what: RegExp) => lines.filter((line) => what.test(line)).length;

  it('samples one packet in ten, within the binomial bound', async () => {
    const [flow] = [{ port: 1005, packets: 6000, payload: 200 }];
    const lines = await dissect([`sampling=${RATE}`, 'polling=0'], () => send([flow]));
    const samples = count(lines, /Flow sample, seq/);
    const mean = flow.packets / RATE;
    const bound = 5 * Math.sqrt(mean * (1 - 1 / RATE));
    console.log(`${flow.packets} packets, 1:${RATE}: ${samples} samples, ${mean} +- ${bound | 0}`);
    expect(Math.abs(samples - mean)).toBeLessThan(bound);
    expect(count(lines, /Malformed/)).toBe(0);
    // Each sample holds the start of a packet that was sent, and says where it went.
    expect(count(lines, /Source Port: 1005/)).toBe(samples);
    expect(count(lines, /Frame Length: 246/)).toBe(samples);
  }, 90_000);

  it('tells of the counters of interfaces every second', async () => {
    const lines = await dissect([`sampling=${RATE}`, 'polling=1'], () => sleep(2500));
    expect(count(lines, /Counters sample, seq/)).toBeGreaterThan(4);
    expect(count(lines, /Generic interface counters$/)).toBeGreaterThan(2);
    expect(count(lines, /Interface Direction: Full-Duplex/)).toBeGreaterThan(2);
  }, 30_000);
});
