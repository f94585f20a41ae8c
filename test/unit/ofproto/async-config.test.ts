/** Asynchronous settings of OpenFlow 1.4: properties change what they name, and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../src/openflow/codec/index.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { TestSwitch } from './support/bridge.js';

it.each([5, 6])('version %i', async (version) => {
  const dir = mkdtempSync(join(tmpdir(), 'tapswitch-async-'));
  const sw = new TestSwitch(true);
  const br = sw.bridge('br0');
  await br.listenMgmt(join(dir, 'br0.mgmt'));
  const peer = new OfConnection(connect(join(dir, 'br0.mgmt')), { versions: [version] });
  await peer.whenOpen();
  const get = async (): Promise<OfMessage> =>
    (await peer.request({ type: 'get_async_request' }))[0];
  const before = await get();
  peer.send({
    type: 'set_async_properties',
    changes: [
      { kind: 'portStatus', secondary: false, mask: 1 },
      { kind: 'roleStatus', secondary: true, mask: 3 },
    ],
  });
  expect(await get()).toEqual({ ...before, portStatus: [1, 7], roleStatus: [0, 3] });
  peer.close();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

it('is told in answers to whoever set it by the message of OpenFlow 1.3', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tapswitch-async-'));
  const sw = new TestSwitch(true);
  await sw.bridge('br0').listenMgmt(join(dir, 'br0.mgmt'));
  const peer = new OfConnection(connect(join(dir, 'br0.mgmt')), { versions: [4] });
  await peer.whenOpen();
  const get = async (): Promise<OfMessage> =>
    (await peer.request({ type: 'get_async_request' }))[0];
  const defaults = { packetIn: [3, 0], portStatus: [7, 7], flowRemoved: [15, 0] };
  expect(await get()).toEqual({ type: 'get_async_reply', ...defaults });
  const wanted = { packetIn: [2, 0], portStatus: [1, 0], flowRemoved: [0, 1] } as const;
  peer.send({ type: 'set_async', ...structuredClone(wanted) } as OfMessage);
  expect(await get()).toEqual({ type: 'get_async_reply', ...wanted });
  peer.close();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

it.each([
  [{ kind: 'portStatus', secondary: false, mask: 8 }, 'OFPACFC_INVALID'],
  [{ kind: 'packetIn', secondary: true, mask: 0x40 }, 'OFPACFC_INVALID'],
] as const)('a reason that there is none of is refused: %o', (change, error) => {
  const frame = encodeMessage(5, { type: 'set_async_properties', changes: [change] }, 1);
  expect(decodeMessage(5, frame).error).toBe(error);
});
