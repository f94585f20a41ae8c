/**
 * MAC learning and flooding under NORMAL: who gets what, what fdb/show says, and that an address
 * follows its host.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { Lab } from '../support/lab.js';
import { BROADCAST, ethernet, sourceOf } from '../support/packets.js';

const PORTS = ['p1', 'p2', 'p3'];
let lab: Lab;
const sockets: Record<string, FrameSocket> = {};

beforeAll(async () => {
  lab = await Lab.start();
  await lab.sw.addBridge('br0');
  for (const name of PORTS) {
    const host = await lab.addHost(name, { port: name });
    await lab.sw.vsctl('add-port', 'br0', name);
    sockets[name] = await lab.frames(host);
  }
}, 60_000);

afterAll(() => lab?.close());

beforeEach(async () => {
  await lab.sw.appctl('fdb/flush', 'br0');
  for (const name of PORTS) sockets[name].clear();
});

/** Sends one frame; returns the ports it came out of. A broadcast behind it tells when to look. */
async function send(from: string, src: string, dst: string): Promise<string[]> {
  for (const name of PORTS) sockets[name].clear();
  const mark = ethernet({ dst: BROADCAST, src: `02:00:00:00:ff:0${PORTS.indexOf(from)}` });
  sockets[from].send(ethernet({ dst, src }), mark);
  for (const name of PORTS.filter((each) => each !== from)) {
    await sockets[name].waitFor('the frame behind it', (frame) => frame.equals(mark));
  }
  await sleep(50);
  return PORTS.filter((name) => sockets[name].received.some((frame) => sourceOf(frame) === src));
}

/** The same until the result is as expected: flows in place are revised a moment after a change. */
async function expectSoon(from: string, src: string, dst: string, ports: string[]): Promise<void> {
  const same = async () => (await send(from, src, dst)).join() === ports.join();
  await eventually(`${dst} to go to ${ports.join()}`, same, 3000);
}

it('floods what it does not know, to all ports but the one it came from', async () => {
  expect(await send('p1', '02:00:00:00:01:01', '02:00:00:00:01:99')).toEqual(['p2', 'p3']);
  expect(await send('p1', '02:00:00:00:01:01', BROADCAST)).toEqual(['p2', 'p3']);
  expect(await send('p1', '02:00:00:00:01:01', '01:00:5e:00:00:fb')).toEqual(['p2', 'p3']);
});

it('sends to the learned port alone', async () => {
  await send('p2', '02:00:00:00:02:02', BROADCAST);
  expect(await send('p1', '02:00:00:00:02:01', '02:00:00:00:02:02')).toEqual(['p2']);
  const table = await lab.sw.appctl('fdb/show', 'br0');
  expect(table.split('\n')[0]).toBe(' port  VLAN  MAC                Age');
  const row = new RegExp(`^ +${await lab.sw.ofport('p2')} +0  02:00:00:00:02:02 +\\d+$`, 'm');
  expect(table).toMatch(row);
});

it('follows an address that moves to another port', async () => {
  const host = '02:00:00:00:03:02';
  await send('p2', host, BROADCAST);
  expect(await send('p1', '02:00:00:00:03:01', host)).toEqual(['p2']);
  await send('p3', host, BROADCAST);
  await expectSoon('p1', '02:00:00:00:03:01', host, ['p3']);
});

it('drops a frame whose destination is on the port it came from', async () => {
  await send('p1', '02:00:00:00:04:01', BROADCAST);
  expect(await send('p1', '02:00:00:00:04:02', '02:00:00:00:04:01')).toEqual([]);
});

it('never learns a multicast source', async () => {
  await send('p1', '03:00:00:00:05:01', BROADCAST);
  expect(await lab.sw.appctl('fdb/show', 'br0')).not.toContain('03:00:00:00:05:01');
});

it('forgets what is flushed, and floods again', async () => {
  await send('p2', '02:00:00:00:06:02', BROADCAST);
  expect(await send('p1', '02:00:00:00:06:01', '02:00:00:00:06:02')).toEqual(['p2']);
  await lab.sw.appctl('fdb/flush', 'br0');
  await expectSoon('p1', '02:00:00:00:06:01', '02:00:00:00:06:02', ['p2', 'p3']);
});

it('forgets the addresses of a port that is removed', async () => {
  const extra = await lab.addHost('p4', { port: 'p4' });
  await lab.sw.vsctl('add-port', 'br0', 'p4');
  const socket = await lab.frames(extra);
  socket.send(ethernet({ dst: BROADCAST, src: '02:00:00:00:07:04' }));
  const known = async () => (await lab.sw.appctl('fdb/show', 'br0')).includes('02:00:00:00:07:04');
  await eventually('the address to be learned', known, 3000);
  await lab.sw.vsctl('del-port', 'p4');
  await eventually('the address to be forgotten', async () => !(await known()), 3000);
  await expectSoon('p1', '02:00:00:00:07:01', '02:00:00:00:07:04', ['p2', 'p3']);
});

it('keeps to the size that mac-table-size sets', async () => {
  await lab.sw.vsctl('set', 'bridge', 'br0', 'other_config:mac-table-size=10');
  for (let index = 0; index < 30; index += 1) {
    const src = `02:00:00:00:08:${index.toString(16).padStart(2, '0')}`;
    sockets.p1.send(ethernet({ dst: BROADCAST, src }));
  }
  await sleep(500);
  const rows = (await lab.sw.appctl('fdb/show', 'br0')).match(/02:00:00:00:08:/g) ?? [];
  expect(rows.length).toBe(10);
  await lab.sw.vsctl('remove', 'bridge', 'br0', 'other_config', 'mac-table-size');
});
