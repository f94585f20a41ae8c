/**
 * Frames that no well-behaved host sends. None of them may stop forwarding, and those that carry an
 * Ethernet header travel on unchanged.
 *
 *     h1 -- p1 [br0] p2 -- h2         MTU 9000 throughout
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { BROADCAST, ETH_ARP, ETH_IPV4, ethernet, mac, sourceOf } from '../support/packets.js';

const SRC = '02:00:00:00:66:01';
const DST = '02:00:00:00:66:02';

let lab: Lab;
let h1: Host;
let out: FrameSocket;
let into: FrameSocket;

beforeAll(async () => {
  lab = await Lab.start();
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.4.0.1/24'], mtu: 9000 });
  const h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.4.0.2/24'], mtu: 9000 });
  await lab.sw.addBridge('br0');
  await lab.sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  into = await lab.frames(h1);
  out = await lab.frames(h2);
  await eventually('the ping to pass', async () => (await h1.ping('10.4.0.2', 1)) === 1);
}, 60_000);

afterAll(() => lab?.close());

beforeEach(() => out.clear());

afterEach(async () => {
  expect(lab.sw.running).toBe(true);
  expect(await h1.ping('10.4.0.2', 2, 0.1)).toBe(2);
});

/** Seeded random bytes (xorshift32), the same in every run. */
function randomBytes(seed: number): (length: number) => Buffer {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  return (length) => Buffer.from(Array.from({ length }, next));
}

const header = (type: number) =>
  Buffer.concat([mac(DST), mac(SRC), Buffer.from([type >> 8, type & 255])]);

describe('truncated headers', () => {
  it.each<[string, number, string]>([
    ['no payload at all', 0x88b5, ''],
    ['one byte of payload', 0x88b5, '00'],
    ['a VLAN tag without its TCI', 0x8100, ''],
    ['half a VLAN TCI', 0x8100, '00'],
    ['a VLAN tag without the type behind it', 0x8100, '0005'],
    ['an ARP packet of 8 bytes', ETH_ARP, '0001080006040001'],
    ['an IPv4 header of 10 bytes', ETH_IPV4, '45000014000000004011'],
    ['an IPv4 header length below 5 words', ETH_IPV4, `41000014${'00'.repeat(16)}`],
    ['an IPv4 header longer than the packet', ETH_IPV4, `4f00003c${'00'.repeat(16)}`],
    ['an IPv4 total length beyond the frame', ETH_IPV4, `4500ffff${'00'.repeat(16)}`],
    ['an IPv4 total length of zero', ETH_IPV4, `45000000${'00'.repeat(16)}`],
    [
      'a TCP header of 4 bytes',
      ETH_IPV4,
      `450000180000000040060000${'0a040001'.repeat(2)}00500050`,
    ],
    ['an IPv6 header of 20 bytes', 0x86dd, `6000000000000640${'00'.repeat(12)}`],
    ['an IPv6 hop-by-hop header that never ends', 0x86dd, `600000000010${'00'.repeat(34)}00ff`],
    ['an MPLS label stack without a bottom', 0x8847, '00001040'.repeat(8)],
    ['an LLC length beyond the frame', 0x0400, 'aaaa03'],
  ])('%s', async (_name, type, payload) => {
    const frame = Buffer.concat([header(type), Buffer.from(payload, 'hex')]);
    into.send(frame);
    // Whether it is forwarded is the switch's to decide; that others still are is not.
    const mark = ethernet({ dst: DST, src: SRC, payload: Buffer.from('after') });
    into.send(mark);
    await out.waitFor('the frame behind it', (each) => each.equals(mark));
    const odd = out.received.filter((each) => sourceOf(each) === SRC && !each.equals(mark));
    for (const each of odd) expect(each.subarray(0, frame.length).equals(frame)).toBe(true);
  });
});

describe('sizes', () => {
  it.each([14, 15, 20, 59, 60, 1514, 1518, 2048, 4096, 9014])(
    'forwards a frame of %i bytes as it is',
    async (length) => {
      const payload = randomBytes(length)(length - 14);
      const frame = Buffer.concat([header(0x88b5), payload]);
      into.send(frame);
      const got = await out.waitFor('the frame', (each) => sourceOf(each) === SRC);
      expect(got.subarray(0, length).equals(frame)).toBe(true);
    },
  );

  it('carries jumbo pings without fragments', async () => {
    expect(await h1.ping('10.4.0.2', 3, 0.2, '-M', 'do', '-s', '8972')).toBe(3);
  });
});

it('survives three thousand frames of random bytes', async () => {
  const bytes = randomBytes(4711);
  const types = ['0800', '0806', '86dd', '8100', '88a8', '8847', '8863', '894f', '0000', 'ffff'];
  for (let round = 0; round < 30; round += 1) {
    const frames = Array.from({ length: 100 }, (_unused, index) => {
      const body = bytes((index * 7 + round * 3) % 200);
      const type = Buffer.from(types[index % types.length], 'hex');
      const plausible = Buffer.concat([mac(BROADCAST), mac(SRC), type, body]);
      return index % 2 === 0 ? plausible : bytes(14 + (index % 90));
    });
    into.send(...frames);
  }
  const mark = ethernet({ dst: DST, src: SRC, payload: Buffer.from('the end') });
  // A burst may overrun a queue, and the first mark with it; forwarding has to go on.
  await eventually('forwarding to go on', () => {
    into.send(mark);
    return out.received.some((each) => each.equals(mark));
  });
});

describe('reserved addresses 01:80:c2:00:00:0x', () => {
  const reserved = Array.from(
    { length: 16 },
    (_unused, low) => `01:80:c2:00:00:0${low.toString(16)}`,
  );

  async function forwardedOf(destinations: string[]): Promise<string[]> {
    const frames = destinations.map((dst) => ethernet({ dst, src: SRC }));
    const mark = ethernet({ dst: BROADCAST, src: SRC, payload: Buffer.from('mark') });
    out.clear();
    into.send(...frames, mark);
    await out.waitFor('the frame behind them', (each) => each.equals(mark));
    return destinations.filter((_dst, index) => out.received.some((f) => f.equals(frames[index])));
  }

  it('are not forwarded', async () => {
    expect(await forwardedOf(reserved)).toEqual([]);
  });

  it('are forwarded with other-config:forward-bpdu=true', async () => {
    await lab.sw.vsctl('set', 'bridge', 'br0', 'other-config:forward-bpdu=true');
    // Flows that were installed before are revised a moment after the setting is acknowledged.
    const forwarded = async () => (await forwardedOf(reserved)).length;
    await eventually('all sixteen', async () => (await forwarded()) === 16, 3000);
    await lab.sw.vsctl('remove', 'bridge', 'br0', 'other_config', 'forward-bpdu');
    await eventually('none of them', async () => (await forwarded()) === 0, 3000);
  });

  it('leave their neighbours alone', async () => {
    const near = ['01:80:c2:00:00:10', '01:80:c2:00:01:00', '01:80:c3:00:00:00'];
    expect(await forwardedOf(near)).toEqual(near);
  });
});
