/**
 * Mirrors in real namespaces: what the analyser captures is compared with the traffic, frame by
 * frame and in order; through VLANs, a bond and a patch cable.
 *
 *     h1 -- p1 (VLAN 10) [br1] bond1 { a0 == b0 } bond2 [br2] p4 (VLAN 10) -- far
 *     h2 -- p2 (VLAN 10)             { a1 == b1 }             p5 (VLAN 99) -- probe
 *     trunk -- p3 (all VLANs)   spy -- s1
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { BROADCAST, ETH_EXPERIMENTAL, ethernet, type Tag, vidsOf } from '../support/packets.js';
import type { Switch } from '../support/switch.js';

const HOSTS: [name: string, port: string][] = [
  ['h1', 'p1'],
  ['h2', 'p2'],
  ['trunk', 'p3'],
  ['spy', 's1'],
  ['far', 'p4'],
  ['probe', 'p5'],
];
const FRAMES = 300;

let lab: Lab;
let sw: Switch;
const hosts: Record<string, Host> = {};
const sockets: Record<string, FrameSocket> = {};
let run = 0;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  for (const [name, port] of HOSTS) hosts[name] = await lab.addHost(name, { port });
  for (const [one, other] of [
    ['a0', 'b0'],
    ['a1', 'b1'],
  ]) {
    await lab.addWire(one, other);
  }
  await sw.addBridge('br1');
  await sw.addBridge('br2');
  const primary = (name: string): string => `other_config:bond-primary=${name}`;
  await sw.vsctl('add-bond', 'br1', 'bond1', 'a0', 'a1', primary('a0'));
  await sw.vsctl('add-bond', 'br2', 'bond2', 'b0', 'b1', primary('b0'));
  for (const port of ['p1', 'p2']) await sw.vsctl('add-port', 'br1', port, 'tag=10');
  for (const port of ['p3', 's1']) await sw.vsctl('add-port', 'br1', port);
  await sw.vsctl('add-port', 'br2', 'p4', 'tag=10');
  await sw.vsctl('add-port', 'br2', 'p5', 'tag=99');
  await sw.vsctl('set', 'bridge', 'br2', 'flood_vlans=99');
  for (const [name] of HOSTS) sockets[name] = await lab.frames(hosts[name]);
  await sw.waitForActiveMember('bond1', 'a0');
  await sw.waitForActiveMember('bond2', 'b0');
}, 90_000);

afterAll(() => lab?.close());

beforeEach(async () => {
  // Everybody says once where he is.
  for (const name of ['h1', 'h2', 'far']) {
    sockets[name].send(ethernet({ dst: BROADCAST, src: hosts[name].mac, type: 0x88b6 }));
    const heard = name === 'far' ? 'h1' : 'far';
    await sockets[heard].waitFor('the greeting', (frame) => hosts[name].mac === source(frame));
  }
  for (const socket of Object.values(sockets)) socket.clear();
});

afterEach(async () => {
  await sw.vsctl('clear', 'bridge', 'br1', 'mirrors');
  await sw.vsctl('clear', 'bridge', 'br2', 'mirrors');
});

const source = (frame: Buffer): string =>
  (frame.toString('hex', 6, 12).match(/../g) as string[]).join(':');

/** Numbered frames of many lengths from one host to another, as they are on a wire. */
function frames(from: string, to: string, tags: Tag[] = []): Buffer[] {
  run += 1;
  return Array.from({ length: FRAMES }, (_unused, i) => {
    const payload = Buffer.alloc(50 + ((i * 137) % 1400), i & 0xff);
    payload.writeUInt32BE(run * 1_000_000 + i);
    return ethernet({ dst: hosts[to].mac, src: hosts[from].mac, tags, payload });
  });
}

/**
 * Sends frames from one host to another when their flows are installed: the first frames of a flow
 * take another way, on which later ones may overtake them.
 *
 * @param flows how many flows they pass
 */
async function send(from: string, to: string, list: Buffer[], flows: number): Promise<void> {
  const first = Buffer.from(list[0]);
  first.writeUInt32BE(0, 14 + 4 * vidsOf(first).length);
  await eventually(`${flows} flows from ${from} to ${to}`, async () => {
    sockets[from].send(first);
    const all = (await sw.appctl('dpctl/dump-flows')).split('\n');
    const mine = all.filter((f) => f.includes(`eth(src=${hosts[from].mac},dst=${hosts[to].mac})`));
    return mine.filter((flow) => !flow.includes('packets:0,')).length >= flows;
  });
  sockets[from].send(...list);
}

/** The numbered frames that a host has got, in order. */
const got = (name: string): Buffer[] =>
  sockets[name].received.filter((frame) => {
    const at = 12 + 4 * vidsOf(frame).length;
    return frame.readUInt16BE(at) === ETH_EXPERIMENTAL && frame.readUInt32BE(at + 2) !== 0;
  });

/** Waits until a host has got the frames, and compares them, byte by byte. */
async function gets(name: string, wanted: Buffer[]): Promise<void> {
  await eventually(`${wanted.length} frames at ${name}, not ${got(name).length}`, () => {
    return got(name).length >= wanted.length;
  });
  const hex = (list: Buffer[]): string[] => list.map((frame) => frame.toString('hex'));
  expect(hex(got(name))).toEqual(hex(wanted));
}

/** The same frames with a tag. */
const inVlan = (vid: number, list: Buffer[]): Buffer[] =>
  list.map((frame) => {
    const tag = Buffer.from([0x81, 0x00, vid >> 8, vid & 0xff]);
    return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
  });

const mirrorTo = (port: string, ...settings: string[]) => [
  ...['--', '--id=@out', 'get', 'port', port],
  ...['--', '--id=@m', 'create', 'mirror', 'name=span', 'output_port=@out', ...settings],
  ...['--', 'set', 'bridge', 'br1', 'mirrors=@m'],
];

it('SPAN: select_all copies all that passes, once, with its VLAN', async () => {
  await sw.vsctl(...mirrorTo('s1', 'select_all=true'));
  const across = frames('h1', 'far');
  await send('h1', 'far', across, 2);
  await gets('far', across);
  const local = frames('trunk', 'h2', [{ vid: 10 }]);
  await send('trunk', 'h2', local, 1);
  const untagged = local.map((f) => Buffer.concat([f.subarray(0, 12), f.subarray(16)]));
  await gets('h2', untagged);
  await gets('spy', [...inVlan(10, across), ...local]);
  expect(got('probe')).toEqual([]);
  const packets = async () =>
    Number(await sw.vsctl('get', 'mirror', 'span', 'statistics:tx_packets'));
  await eventually('the statistics', async () => (await packets()) >= 2 * FRAMES, 15_000);
}, 60_000);

it('SPAN: a bond is one port, also over a failover', async () => {
  await sw.vsctl(
    ...['--', '--id=@bond', 'get', 'port', 'bond1'],
    ...mirrorTo('s1', 'select_src_port=@bond', 'select_dst_port=@bond'),
  );
  const before = frames('far', 'h1');
  await send('far', 'h1', before, 2);
  await gets('h1', before);
  await lab.namespace.ip('link', 'set', 'a0', 'down');
  await sw.waitForActiveMember('bond1', 'a1');
  await sw.waitForActiveMember('bond2', 'b1');
  const after = frames('far', 'h1');
  await send('far', 'h1', after, 2);
  await gets('h1', [...before, ...after]);
  const back = frames('h1', 'far');
  await send('h1', 'far', back, 2);
  await gets('far', back);
  await gets('spy', inVlan(10, [...before, ...after, ...back]));
  await lab.namespace.ip('link', 'set', 'a0', 'up');
  await sw.waitForActiveMember('bond1', 'a0');
  await sw.waitForActiveMember('bond2', 'b0');
}, 60_000);

it('SPAN: chooses by VLAN, and cuts copies to snaplen', async () => {
  await sw.vsctl(...mirrorTo('s1', 'select_all=true', 'select_vlan=20', 'snaplen=64'));
  const other = frames('trunk', 'h2', [{ vid: 10 }]);
  await send('trunk', 'h2', other, 1);
  await eventually('the other frames', () => got('h2').length === FRAMES);
  const chosen = frames('trunk', 'h2', [{ vid: 20, pcp: 5 }]);
  await send('trunk', 'h2', chosen, 1);
  await gets(
    'spy',
    chosen.map((frame) => frame.subarray(0, 64)),
  );
}, 60_000);

it('RSPAN: copies travel in their own VLAN, and teach nobody', async () => {
  await sw.vsctl(
    ...['--', '--id=@p1', 'get', 'port', 'p1', '--', '--id=@m', 'create', 'mirror', 'name=rspan'],
    ...['select_src_port=@p1', 'select_dst_port=@p1', 'output_vlan=99'],
    ...['--', 'set', 'bridge', 'br1', 'mirrors=@m', 'flood_vlans=99'],
  );
  const there = frames('h1', 'far');
  await send('h1', 'far', there, 3);
  await gets('far', there);
  const back = frames('far', 'h1');
  await send('far', 'h1', back, 3);
  await gets('h1', back);
  await gets('probe', [...there, ...back]);
  // On a port that carries all VLANs the copies are among the rest.
  const copies = got('trunk').filter((frame) => vidsOf(frame)[0] === 99);
  expect(copies).toHaveLength(2 * FRAMES);
  const learned = await sw.appctl('fdb/show', 'br2');
  expect(learned).toMatch(new RegExp(` 10 {2}${hosts.h1.mac}`));
  expect(learned).not.toMatch(/^ +\d+ +99 /m);
  const trace = await sw.appctl('ofproto/trace', 'br1', `in_port=p1,dl_src=${hosts.h1.mac}`);
  expect(trace).toMatch(/^ +-> mirror rspan: copying to VLAN 99$/m);
  await sw.vsctl('clear', 'bridge', 'br1', 'flood_vlans');
}, 60_000);

it('several mirrors, one of them through a patch cable to a bridge for analysis', async () => {
  await sw.vsctl(
    ...['add-br', 'br3', '--', 'del-port', 's1', '--', 'add-port', 'br3', 's1'],
    ...['--', 'add-port', 'br1', 'tap1', '--', 'set', 'interface', 'tap1', 'type=patch'],
    ...['options:peer=tap3', '--', 'add-port', 'br3', 'tap3'],
    ...['--', 'set', 'interface', 'tap3', 'type=patch', 'options:peer=tap1'],
  );
  await sw.vsctl(
    ...['--', '--id=@p1', 'get', 'port', 'p1', '--', '--id=@tap1', 'get', 'port', 'tap1'],
    ...['--', '--id=@p3', 'get', 'port', 'p3', '--', '--id=@m1', 'create', 'mirror', 'name=m1'],
    ...['select_src_port=@p1', 'output_port=@tap1', '--', '--id=@m2', 'create', 'mirror'],
    ...['name=m2', 'select_dst_port=@p1', 'output_port=@p3'],
    ...['--', '--id=@m3', 'create', 'mirror', 'name=m3', 'select_all=true', 'output_port=@tap1'],
    ...['--', 'set', 'bridge', 'br1', 'mirrors=@m1,@m2,@m3'],
  );
  // NORMAL there would learn all addresses on the cable, and send nothing back to it.
  await sw.ofctl('add-flow', 'br3', 'in_port=tap3,actions=output:s1');
  const there = frames('h1', 'h2');
  await send('h1', 'h2', there, 1);
  await gets('h2', there);
  const back = frames('h2', 'h1');
  await send('h2', 'h1', back, 1);
  await gets('h1', back);
  await gets('spy', inVlan(10, [...there, ...back]));
  await gets('trunk', inVlan(10, back));
}, 60_000);
