/**
 * VLANs of ports under NORMAL: a frame is sent into one port, and what comes out of every other
 * port is compared with what the port's mode says.
 *
 *     access10  tag=10                      trunkall  no setting: a trunk of all VLANs
 *     access20  tag=20                      trunk10   trunks=10,30
 *     tagged    vlan_mode=native-tagged tag=10 trunks=20
 *     untagged  vlan_mode=native-untagged tag=10 trunks=20
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { Lab } from '../support/lab.js';
import { BROADCAST, ethernet, sourceOf, type Tag, vidsOf } from '../support/packets.js';

const PORTS: Record<string, string[]> = {
  access10: ['tag=10'],
  access20: ['tag=20'],
  trunkall: [],
  trunk10: ['trunks=10,30'],
  tagged: ['vlan_mode=native-tagged', 'tag=10', 'trunks=20'],
  untagged: ['vlan_mode=native-untagged', 'tag=10', 'trunks=20'],
};
const NAMES = Object.keys(PORTS);

let lab: Lab;
const sockets: Record<string, FrameSocket> = {};
let sequence = 0;

beforeAll(async () => {
  lab = await Lab.start();
  await lab.sw.addBridge('br0');
  for (const name of NAMES) {
    const host = await lab.addHost(name, { port: name });
    const settings = PORTS[name].length > 0 ? ['--', 'set', 'port', name, ...PORTS[name]] : [];
    await lab.sw.vsctl('add-port', 'br0', name, ...settings);
    sockets[name] = await lab.frames(host);
  }
}, 90_000);

afterAll(() => lab?.close());

beforeEach(() => {
  for (const name of NAMES) sockets[name].clear();
});

/** A source address of its own for each frame, so that nothing learned before matters. */
function newSource(): string {
  sequence += 1;
  return `02:00:00:00:${(sequence >> 8).toString(16).padStart(2, '0')}:${(sequence & 255)
    .toString(16)
    .padStart(2, '0')}`;
}

/** Sends a broadcast into a port; returns, for each port it left by, the tags it had there. */
async function flood(from: string, tags: Tag[]): Promise<Record<string, number[]>> {
  const src = newSource();
  sockets[from].send(ethernet({ dst: BROADCAST, src, tags }));
  await sleep(400);
  const out: Record<string, number[]> = {};
  for (const name of NAMES) {
    const copies = sockets[name].received.filter((frame) => sourceOf(frame) === src);
    expect(copies.length, `copies out of ${name}`).toBeLessThanOrEqual(1);
    if (copies.length === 1) out[name] = vidsOf(copies[0]);
  }
  return out;
}

it.each<[string, string, number[], Record<string, number[]>]>([
  [
    'untagged into an access port: its VLAN, tagged on trunks',
    'access10',
    [],
    { trunkall: [10], trunk10: [10], tagged: [10], untagged: [] },
  ],
  [
    'untagged into the other access port',
    'access20',
    [],
    { trunkall: [20], tagged: [20], untagged: [20] },
  ],
  ['tagged into an access port: dropped', 'access10', [10], {}],
  [
    'tagged 10 into a trunk: untagged on the access port of 10',
    'trunkall',
    [10],
    { access10: [], trunk10: [10], tagged: [10], untagged: [] },
  ],
  [
    'tagged 30 into a trunk: to the trunks that carry 30 alone',
    'trunkall',
    [30],
    { trunk10: [30] },
  ],
  ['untagged into a trunk of all: VLAN 0, which no other port carries', 'trunkall', [], {}],
  ['tagged 20 into a trunk without 20: dropped', 'trunk10', [20], {}],
  ['untagged into a trunk without VLAN 0: dropped', 'trunk10', [], {}],
  [
    'untagged into native-tagged: belongs to its tag',
    'tagged',
    [],
    { access10: [], trunkall: [10], trunk10: [10], untagged: [] },
  ],
  [
    'untagged into native-untagged: belongs to its tag',
    'untagged',
    [],
    { access10: [], trunkall: [10], trunk10: [10], tagged: [10] },
  ],
  [
    'tagged 20 into native-untagged: a trunk for 20',
    'untagged',
    [20],
    { access20: [], trunkall: [20], tagged: [20] },
  ],
  ['tagged 30 into native-untagged, which does not carry it', 'untagged', [30], {}],
  [
    'two tags into a trunk: the outer one decides, the inner one stays',
    'trunkall',
    [10, 77],
    { access10: [77], trunk10: [10, 77], tagged: [10, 77], untagged: [77] },
  ],
])('%s', async (_name, from, vids, expected) => {
  const tags = vids.map((vid) => ({ vid }));
  expect(await flood(from, tags)).toEqual(expected);
});

it('learns addresses per VLAN', async () => {
  const src = '02:00:00:00:aa:01';
  sockets.access10.send(ethernet({ dst: BROADCAST, src }));
  sockets.access20.send(ethernet({ dst: BROADCAST, src }));
  const table = async () => await lab.sw.appctl('fdb/show', 'br0');
  const both = async () => (await table()).match(/02:00:00:00:aa:01/g)?.length === 2;
  await eventually('two entries for one address', both, 3000);
  const rows = (await table()).split('\n').filter((row) => row.includes(src));
  expect(rows.map((row) => row.trim().split(/\s+/)[1]).sort()).toEqual(['10', '20']);

  // Unicast to it, tagged 20, goes to the access port of 20 alone.
  for (const name of NAMES) sockets[name].clear();
  const sender = newSource();
  sockets.trunkall.send(ethernet({ dst: src, src: sender, tags: [{ vid: 20 }] }));
  await sockets.access20.waitFor('the frame', (frame) => sourceOf(frame) === sender);
  for (const name of NAMES.filter((each) => each !== 'access20')) {
    expect(sockets[name].received.filter((frame) => sourceOf(frame) === sender)).toEqual([]);
  }
});

it('keeps the priority bits of a tag on its way through', async () => {
  const src = newSource();
  sockets.trunkall.send(ethernet({ dst: BROADCAST, src, tags: [{ vid: 10, pcp: 5 }] }));
  const frame = await sockets.trunk10.waitFor('the frame', (each) => sourceOf(each) === src);
  expect(frame.readUInt16BE(14)).toBe((5 << 13) | 10);
});
