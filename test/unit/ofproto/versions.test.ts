/** What differs from version to version of OpenFlow, in requests, answers and refusals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../src/openflow/codec/index.js';
import type { FlowMod, OfMessage } from '../../../src/openflow/messages.js';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { TestSwitch } from './support/bridge.js';

let dir: string;
let sw: TestSwitch;
let peers: OfConnection[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tapswitch-versions-'));
  sw = new TestSwitch(true);
  peers = [];
  await sw.bridge('br0').listenMgmt(join(dir, 'br0.mgmt'));
});

afterEach(() => {
  for (const peer of peers) peer.close();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

async function ask(version: number, msg: OfMessage): Promise<OfMessage> {
  const peer = new OfConnection(connect(join(dir, 'br0.mgmt')), { versions: [version] });
  peers.push(peer);
  await peer.whenOpen();
  return (await peer.request(msg))[0];
}

async function refusal(version: number, msg: OfMessage): Promise<string | undefined> {
  const peer = new OfConnection(connect(join(dir, 'br0.mgmt')), { versions: [version] });
  peers.push(peer);
  await peer.whenOpen();
  return (await peer.transactNoReply([msg]))?.error.error;
}

it.each([
  [2, 0xcf, 0x01ffe7ff],
  [3, 0x4f, 0x03ff8001],
  [5, 0x24f, 0x03ff8001],
])('version %i claims no more than there is', async (version, capabilities, actions) => {
  expect(await ask(version, { type: 'features_request' })).toMatchObject({ capabilities });
  expect(await ask(version, { type: 'group_features_request' })).toMatchObject({
    actions: [actions, actions, actions, actions],
  });
});

it.each([
  [1, 'OFPBRC_BAD_LEN'],
  [3, 'OFPBRC_BAD_LEN'],
  [4, 'OFPBRC_BAD_PACKET'],
])('version %i has an error for a packet without header: %s', async (version, error) => {
  const packet = { bufferId: 0xffffffff, inPort: 1, actions: [], data: new Uint8Array(5) };
  expect(await refusal(version, { type: 'packet_out', ...packet })).toBe(error);
});

it('does not let the table of the switch itself be configured', async () => {
  const mod = { type: 'table_mod', table: 254, config: 0 } as const;
  expect(await refusal(5, mod)).toBe('OFPTMFC_EPERM');
});

/** The error that answers bytes of one's own. */
async function refusalOf(version: number, body: string): Promise<string | undefined> {
  const errors: OfMessage[] = [];
  const peer = new OfConnection(connect(join(dir, 'br0.mgmt')), {
    versions: [version],
    onMessage: (msg) => errors.push(msg),
  });
  peers.push(peer);
  await peer.whenOpen();
  const length = (body.length / 2 + 7).toString(16).padStart(4, '0');
  const [type, rest] = [body.slice(0, 2), body.slice(2)];
  peer.sendFrame(Buffer.from(`0${version}${type}${length}00001234${rest}`, 'hex'));
  await peer.request({ type: 'barrier_request' });
  return errors.flatMap((msg) => (msg.type === 'error' ? [msg.error] : []))[0];
}

it.each([
  ['what only switches say, whatever is in it', 4, '06ff', 'OFPBRC_BAD_TYPE'],
  ['flags of set_config that there are none of', 4, '0900040080', 'OFPSCFC_BAD_FLAGS'],
  ['flags of set_config, before 1.3', 3, '0900080080', 'OFPSCFC_BAD_FLAGS'],
  ['a flag that OpenFlow 1.2 has', 3, '0900040080', undefined],
  [
    'bytes behind a match of NXM',
    1,
    `10ffff00000000232000000000000000000000000000000000${'00'.repeat(8)}`,
    'OFPBRC_BAD_LEN',
  ],
  ['padding that is not zero', 4, '040000232000000014000000000100000a', 'NXBRC_MUST_BE_ZERO'],
  ['padding that is', 4, '040000232000000014000000000000000a', undefined],
])('refuses %s', async (_, version, body, error) => {
  expect(await refusalOf(version, body)).toBe(error);
});

it('has no packet in a buffer for a flow-mod', async () => {
  const { flow } = parseFlow('in_port=1,actions=drop', 'add', NO_NAMES);
  expect(await refusal(4, { ...flow, bufferId: 5 })).toBe('OFPBRC_BUFFER_UNKNOWN');
  const { flow: gone } = parseFlow('in_port=1', 'delete', NO_NAMES);
  expect(await refusal(4, { ...gone, bufferId: 5 })).toBeUndefined();
});

it("answers a request for a role in the request's form", async () => {
  const asked = { type: 'role_request', role: 'primary' } as const;
  expect(await ask(4, { ...asked, nx: true })).toEqual({
    ...{ type: 'role_reply', role: 'primary', nx: true },
  });
  expect(await ask(4, { ...asked, generationId: 3n })).toMatchObject({ generationId: 3n });
});

describe('flow-mods of OpenFlow 1.1', () => {
  const flow = (text: string, command: FlowMod['command']): FlowMod =>
    parseFlow(text, command, NO_NAMES).flow;
  const sent = (msg: FlowMod): FlowMod => decodeMessage(2, encodeMessage(2, msg, 1)).msg as FlowMod;

  it('are never about all tables', () => {
    expect(sent(flow('', 'delete')).table).toBe(0);
    const frame = encodeMessage(2, flow('', 'delete'), 1);
    frame[8 + 16] = 255;
    expect(decodeMessage(2, frame).error).toBe('OFPFMFC_BAD_TABLE_ID');
    expect(decodeMessage(3, encodeMessage(3, flow('', 'delete'), 1)).msg).toMatchObject({
      table: 255,
    });
  });

  it('carry the cookie of what a change may add', () => {
    const added = sent(flow('cookie=5,in_port=1,actions=drop', 'modify'));
    expect(added).toMatchObject({ newCookie: 5n, cookieMask: 0n });
    const chosen = sent(flow('cookie=6/-1,in_port=1,actions=drop', 'modify'));
    expect(chosen).toMatchObject({ newCookie: null, cookie: 6n });
  });
});
