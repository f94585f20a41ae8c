/**
 * balance-slb against a plain learning switch, which knows nothing of a bond: no frame arrives
 * twice, none comes back, and sources are spread over both members.
 *
 *     h1 10.8.0.1 -- p1 [br1] bond1 { a0 == b0 ; a1 == b1 } plain ports [br2] p2 -- h2 10.8.0.2
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { BROADCAST, ethernet, sourceOf } from '../support/packets.js';
import type { Switch } from '../support/switch.js';

const SOURCES = 64;

let lab: Lab;
let sw: Switch;
let h1: Host;
let h2: Host;
let west: FrameSocket;
let east: FrameSocket;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.8.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.8.0.2/24'] });
  await lab.addWire('a0', 'b0');
  await lab.addWire('a1', 'b1');
  await sw.addBridge('br1');
  await sw.vsctl('add-bond', 'br1', 'bond1', 'a0', 'a1', 'bond_mode=balance-slb');
  await sw.vsctl('add-port', 'br1', 'p1');
  await sw.addBridge('br2');
  for (const port of ['b0', 'b1', 'p2']) await sw.vsctl('add-port', 'br2', port);
  await eventually('the ping to pass', async () => (await h1.ping('10.8.0.2', 1)) === 1);
  west = await lab.frames(h1);
  east = await lab.frames(h2);
}, 60_000);

afterAll(() => lab?.close());

beforeEach(() => {
  west.clear();
  east.clear();
});

const source = (index: number) => `02:00:00:05:1b:${index.toString(16).padStart(2, '0')}`;

it('shows its mode and both members', async () => {
  const text = await sw.appctl('bond/show', 'bond1');
  expect(text).toMatch(/^bond_mode: balance-slb$/m);
  expect(text).toMatch(/^next rebalance: -?\d+ ms$/m);
  expect(text.match(/^member a[01]: enabled$/gm)).toHaveLength(2);
});

it('pings both ways', async () => {
  expect(await h1.ping('10.8.0.2', 3)).toBe(3);
  expect(await h2.ping('10.8.0.1', 3)).toBe(3);
});

describe('broadcasts', () => {
  it('from the bonded side arrive once, and do not come back', async () => {
    const srcs = Array.from({ length: SOURCES }, (_unused, index) => source(index));
    for (const src of srcs) west.send(ethernet({ dst: BROADCAST, src }));
    await sleep(800);
    const copies = srcs.map((src) => east.received.filter((f) => sourceOf(f) === src).length);
    expect(copies).toEqual(srcs.map(() => 1));
    expect(west.received.filter((frame) => srcs.includes(sourceOf(frame)))).toEqual([]);
  });

  it('from the plain side arrive once, though both links carry them', async () => {
    const src = '02:00:00:05:1c:01';
    east.send(ethernet({ dst: BROADCAST, src }));
    await sleep(500);
    expect(west.received.filter((frame) => sourceOf(frame) === src)).toHaveLength(1);
    expect(east.received.filter((frame) => sourceOf(frame) === src)).toEqual([]);
  });
});

it('spreads sources over both members, each source on one', async () => {
  const before = await Promise.all(['a0', 'a1'].map(sent));
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < SOURCES; index += 1) {
      west.send(ethernet({ dst: h2.mac, src: source(index) }));
    }
  }
  const arrived = () => east.received.length >= 3 * SOURCES;
  await eventually('all frames at the far end', arrived, 5000);
  const after = await Promise.all(['a0', 'a1'].map(sent));
  const [a0, a1] = after.map((count, index) => count - before[index]);
  expect(a0 + a1).toBeGreaterThanOrEqual(3 * SOURCES);
  // 64 sources in 256 buckets: fewer than a tenth on one side happens once in 10^11 hashes.
  expect(Math.min(a0, a1)).toBeGreaterThan((3 * SOURCES) / 10);
});

it('moves everything to the other member when one goes down', async () => {
  await lab.namespace.ip('link', 'set', 'a0', 'down');
  const disabled = async () =>
    (await sw.appctl('bond/show', 'bond1')).includes('member a0: disabled');
  await eventually('a0 to be disabled', disabled, 5000);
  await eventually('the ping to pass', async () => (await h1.ping('10.8.0.2', 1)) === 1);
  expect(await h1.ping('10.8.0.2', 3)).toBe(3);
  await lab.namespace.ip('link', 'set', 'a0', 'up');
});

/** Packets that br1 has sent to one of its ports. */
function sent(device: string): Promise<number> {
  return sw.portCounter('br1', device, 'tx pkts');
}
