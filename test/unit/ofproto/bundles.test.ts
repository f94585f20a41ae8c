/** Bundles as a controller sees them: all or nothing, in order, and no trouble for anybody else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUNDLE_IDLE_MS } from '../../../src/ofproto/connmgr/bundles.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { encodeMessage } from '../../../src/openflow/codec/index.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import type { BundleType } from '../../../src/openflow/messages-bundle.js';
import { formatFlowStats } from '../../../src/openflow/syntax/flow-format.js';
import { parseFlow, parseFlowStatsRequest } from '../../../src/openflow/syntax/flow-parse.js';
import { parseGroupMod } from '../../../src/openflow/syntax/group-parse.js';
import { parseFlowMonitor } from '../../../src/openflow/syntax/monitor-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { W_REG0 } from '../../../src/packet/flow-layout.js';
import { TestSwitch } from './support/bridge.js';

const OF13 = 4;
const OF14 = 5;
const FLAGS = 3;

let dir: string;
let sw: TestSwitch;
let br: Ofproto;
let open: OfConnection[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tapswitch-bundle-'));
  sw = new TestSwitch(true);
  open = [];
  br = sw.bridge('br0');
  for (const name of ['p1', 'p2']) sw.port(br, name);
  br.setFailMode('secure');
  await br.listenMgmt(join(dir, 'br0.mgmt'));
});

afterEach(() => {
  for (const connection of open) connection.close();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

/** A controller's end, with the asynchronous messages that it got. */
class Client {
  readonly events: OfMessage[] = [];
  private constructor(readonly connection: OfConnection) {}

  static async open(version = OF14): Promise<Client> {
    const events: OfMessage[] = [];
    const connection = new OfConnection(connect(join(dir, 'br0.mgmt')), {
      versions: [version],
      onMessage: (msg) => events.push(msg),
    });
    open.push(connection);
    await connection.whenOpen();
    const client = new Client(connection);
    Object.assign(client, { events });
    return client;
  }

  async control(ctrl: BundleType, bundle = 1, flags = FLAGS): Promise<string> {
    const [reply] = await this.connection.request({ type: 'bundle_control', bundle, ctrl, flags });
    if (reply.type === 'error') return reply.error;
    return reply.type === 'bundle_control' ? `${reply.ctrl}` : reply.type;
  }

  add(msg: OfMessage, bundle = 1, flags = FLAGS): void {
    const { connection } = this;
    const xid = connection.nextXid();
    const frame = encodeMessage(connection.version, msg, xid);
    connection.send({ type: 'bundle_add_message', bundle, flags, frame }, xid);
  }

  flow(text: string, bundle = 1): void {
    this.add(parseFlow(text, 'file', NO_NAMES).flow, bundle);
  }

  async barrier(): Promise<void> {
    await this.connection.request({ type: 'barrier_request' });
  }

  async flows(): Promise<string[]> {
    const { request } = parseFlowStatsRequest('', false, NO_NAMES);
    const parts = await this.connection.request(request);
    const entries = parts.flatMap((p) => (p.type === 'flow_stats_reply' ? p.entries : []));
    return entries.map((e) => formatFlowStats(e, NO_NAMES, false)).sort();
  }

  errors(): string[] {
    return this.events.flatMap((msg) => (msg.type === 'error' ? [msg.error] : []));
  }
}

const BEFORE = [
  'cookie=0x1, priority=5,in_port=1 actions=output:2',
  'cookie=0x2, send_flow_rem priority=6,in_port=2 actions=output:1',
];

async function withFlows(version = OF14): Promise<Client> {
  const client = await Client.open(version);
  // Service connections hear of events once they have said how much of a packet they want.
  client.connection.send({ type: 'set_config', fragHandling: 0, missSendLen: 128 });
  for (const text of [
    'cookie=1,priority=5,in_port=1,actions=output:2',
    'cookie=2,priority=6,send_flow_rem,in_port=2,actions=output:1',
  ]) {
    client.connection.send(parseFlow(text, 'add', NO_NAMES).flow);
  }
  await client.barrier();
  expect(await client.flows()).toEqual(BEFORE);
  return client;
}

describe.each([OF13, OF14])('bundles of version %i', (version) => {
  it('execute in order when they are committed, and not before', async () => {
    const client = await withFlows(version);
    expect(await client.control('open_request')).toBe('open_reply');
    client.flow('delete');
    client.flow('add priority=9,in_port=1,actions=output:1');
    client.flow('modify in_port=1,actions=output:2');
    await client.barrier();
    expect(await client.flows()).toEqual(BEFORE);
    expect(await client.control('commit_request')).toBe('commit_reply');
    expect(await client.flows()).toEqual(['priority=9,in_port=1 actions=output:2']);
    expect(client.events.map((msg) => msg.type)).toEqual(['flow_removed']);
  });

  it('change nothing at all when one message is refused', async () => {
    const client = await withFlows(version);
    client.flow('add priority=9,in_port=1,actions=output:1');
    client.flow('modify in_port=1,cookie=7,actions=drop');
    client.flow('add priority=5,in_port=1,cookie=9,actions=drop');
    client.flow('delete in_port=2');
    client.add(parseGroupMod('group_id=1,type=all,bucket=output:1', 'add', NO_NAMES).msg);
    client.flow('add priority=1,actions=group:77');
    client.flow('add priority=2,actions=drop');
    await client.barrier();
    expect(client.errors()).toEqual([]);
    expect(await client.control('commit_request')).toBe('OFPBFC_MSG_FAILED');
    expect(client.errors()).toEqual(['OFPBAC_BAD_OUT_GROUP']);
    expect(await client.flows()).toEqual(BEFORE);
    const [groups] = await client.connection.request({
      type: 'group_desc_request',
      group: 0xfffffffc,
    });
    expect(groups).toMatchObject({ type: 'group_desc_reply', entries: [] });
    // What was undone was not told to anybody.
    expect(client.events.map((msg) => msg.type)).toEqual(['error']);
  });
});

describe('what bundles of all connections hold', () => {
  const ADDS = 6000;

  it('is counted, and no more when they are committed, given up or left', async () => {
    const { bundled } = sw.backer;
    const clients = [await Client.open(), await Client.open(), await Client.open()];
    for (const client of clients) {
      client.flow('add priority=9,in_port=1,actions=output:1');
      await client.barrier();
    }
    expect(bundled.messages).toBe(3);
    expect(bundled.bytes).toBeGreaterThan(3 * 56);
    expect(bundled.entries).toBe(3);
    expect(await clients[0].control('commit_request')).toBe('commit_reply');
    expect(await clients[1].control('discard_request')).toBe('discard_reply');
    expect(bundled.messages).toBe(1);
    clients[2].connection.close();
    await expect.poll(() => bundled).toEqual({ messages: 0, bytes: 0, entries: 0 });
  });

  it('makes no entries of long messages, nor without end, and commits both', async () => {
    const { bundled } = sw.backer;
    const client = await Client.open();
    const long = Array.from({ length: 100 }, () => 'output:1').join();
    client.flow(`add priority=9,in_port=1,actions=${long}`);
    await client.barrier();
    expect(bundled.messages).toBe(1);
    expect(bundled.entries).toBe(0);
    bundled.entries = 1_000_000;
    client.flow('add priority=8,in_port=1,actions=output:1');
    await client.barrier();
    expect(bundled).toMatchObject({ messages: 2, entries: 1_000_000 });
    expect(await client.control('commit_request')).toBe('commit_reply');
    expect(await client.flows()).toEqual([
      'priority=8,in_port=1 actions=output:1',
      `priority=9,in_port=1 actions=${long}`,
    ]);
  });

  it('has an end, but each connection may have a few', async () => {
    // As if others had bundles without end.
    sw.backer.bundled.messages = 2_000_000;
    const client = await Client.open();
    for (let i = 0; i < ADDS; i++) client.flow('add priority=9,in_port=1,actions=output:1');
    await client.barrier();
    expect(new Set(client.errors())).toEqual(new Set(['OFPBFC_MSG_TOO_MANY']));
    expect(client.errors()).toHaveLength(1000);
    expect(await client.control('discard_request')).toBe('discard_reply');
    expect(sw.backer.bundled.messages).toBe(2_000_000);
  });
});

describe('what a bundle refuses', () => {
  it.each([
    ['commit_request', 'OFPBFC_BAD_ID'],
    ['discard_request', 'OFPBFC_BAD_ID'],
    ['close_request', 'OFPBFC_BAD_ID'],
    ['open_reply', 'OFPBFC_BAD_TYPE'],
  ] as const)('%s of none: %s', async (ctrl, error) => {
    const client = await Client.open();
    expect(await client.control(ctrl)).toBe(error);
  });

  it('opening twice, other flags, and more after closing', async () => {
    const client = await Client.open();
    await client.control('open_request');
    expect(await client.control('open_request')).toBe('OFPBFC_BAD_ID');
    await client.control('open_request', 2);
    expect(await client.control('commit_request', 2, 0)).toBe('OFPBFC_BAD_FLAGS');
    await client.control('open_request', 3);
    expect(await client.control('close_request', 3)).toBe('close_reply');
    client.flow('add actions=drop', 3);
    await client.barrier();
    expect(client.errors()).toEqual(['OFPBFC_BUNDLE_CLOSED']);
  });

  it('messages that change nothing, and too many bundles', async () => {
    const client = await Client.open();
    client.add({ type: 'barrier_request' });
    await client.barrier();
    expect(client.errors()).toEqual(['OFPBFC_MSG_UNSUP']);
    let last = '';
    for (let i = 10; i < 100; i++) last = await client.control('open_request', i);
    expect(last).toBe('OFPBFC_OUT_OF_BUNDLES');
  });

  it('waiting too long', async () => {
    const client = await Client.open();
    await client.control('open_request');
    sw.advance(BUNDLE_IDLE_MS);
    await client.barrier();
    expect(client.errors()).toEqual(['OFPBFC_TIMEOUT']);
    expect(await client.control('commit_request')).toBe('OFPBFC_BAD_ID');
  });
});

it('a peer that goes away in the middle leaves the tables alone and others served', async () => {
  const other = await withFlows();
  const client = await Client.open();
  await client.control('open_request');
  for (let i = 0; i < 500; i++) client.flow(`add priority=${i},in_port=1,actions=drop`);
  client.connection.close();
  expect(await other.flows()).toEqual(BEFORE);
  other.flow('add priority=1,actions=drop');
  expect(await other.control('commit_request')).toBe('commit_reply');
  expect((await other.flows()).length).toBe(3);
});

describe('a bundle of many messages', () => {
  const MANY = 15_000;

  /** Sends the bundle, and asks for its commit. @returns what is answered, once it is under way */
  async function commitMany(client: Client): Promise<{ answer: Promise<string> }> {
    const { flow } = parseFlow('add priority=5,reg0=1,actions=drop', 'file', NO_NAMES);
    for (let i = 0; i < MANY; i++) {
      flow.match.flow[W_REG0] = i;
      client.add(flow);
    }
    const answer = client.control('commit_request');
    while (br.draft === null) await new Promise((resolve) => setImmediate(resolve));
    return { answer };
  }

  const activeFlows = async (client: Client): Promise<number> => {
    const { request } = parseFlowStatsRequest('', true, NO_NAMES);
    const [reply] = await client.connection.request(request);
    return reply.type === 'aggregate_stats_reply' ? reply.flows : -1;
  };

  it('lets others be served, who see nothing of it before the end', async () => {
    const client = await withFlows();
    const other = await Client.open();
    const { answer } = await commitMany(client);
    // The connection itself answers for its life meanwhile.
    const alive = client.connection.request({ type: 'echo_request', data: new Uint8Array(0) });
    expect(await activeFlows(other)).toBe(BEFORE.length);
    await alive;
    expect(br.draft).not.toBe(null);
    expect(await answer).toBe('commit_reply');
    expect(await activeFlows(other)).toBe(BEFORE.length + MANY);
  });

  it('has the changes of others, and flow monitors, wait for it', async () => {
    const client = await withFlows();
    const other = await Client.open();
    const { answer } = await commitMany(client);
    other.connection.send(parseFlow('delete reg0=7', 'file', NO_NAMES).flow);
    other.connection.send(
      parseFlow('add priority=5,reg0=8,actions=output:1', 'file', NO_NAMES).flow,
    );
    expect(await activeFlows(await Client.open())).toBe(BEFORE.length);
    expect(br.draft).not.toBe(null);
    const { msg: monitor } = parseFlowMonitor('reg0=8', NO_NAMES, 1);
    const [seen] = await other.connection.request(monitor);
    expect(br.draft).toBe(null);
    expect(seen).toMatchObject({ entries: [{ actions: [{ type: 'output', port: 1 }] }] });
    expect(await answer).toBe('commit_reply');
    expect(await activeFlows(other)).toBe(BEFORE.length + MANY - 1);
  });

  it('is carried out although its connection ends, and at once for a flush', async () => {
    const client = await withFlows();
    const other = await Client.open();
    const { answer } = await commitMany(client);
    answer.catch(() => {});
    client.connection.close();
    await other.barrier();
    while (br.draft !== null) await new Promise((resolve) => setImmediate(resolve));
    expect(await activeFlows(other)).toBe(BEFORE.length + MANY);
    const again = await commitMany(await Client.open());
    br.flushFlows();
    expect(br.draft).toBe(null);
    expect(await again.answer).toBe('commit_reply');
    expect(await activeFlows(other)).toBe(0);
  });
});

it('deleting many entries lets others be served, who see all of them or none', async () => {
  const client = await withFlows();
  const MANY = 30_000;
  const { flow } = parseFlow('add priority=5,reg0=1,actions=drop', 'file', NO_NAMES);
  flow.newCookie = 7n;
  for (let i = 0; i < MANY; i++) {
    flow.match.flow[W_REG0] = i;
    client.connection.send(flow);
  }
  await client.barrier();
  client.connection.send(parseFlow('delete cookie=7/-1', 'file', NO_NAMES).flow);
  const over = client.barrier();
  const aTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  while (br.draft === null) await aTurn();
  const seen: number[] = [];
  for (; br.draft !== null; await aTurn()) seen.push(br.tables[0].cls.size);
  await over;
  expect(seen[0]).toBe(BEFORE.length + MANY);
  expect(seen.at(-1)).toBe(BEFORE.length);
  expect(new Set(seen).size).toBe(2);
  expect(await client.flows()).toEqual(BEFORE);
  // What is wrong is told as ever.
  client.connection.send(parseFlow('modify actions=group:9', 'file', NO_NAMES).flow);
  await client.barrier();
  expect(client.errors()).toEqual(['OFPBAC_BAD_OUT_GROUP']);
});

it('a refused bundle that changed a group leaves the entries that use it', async () => {
  const client = await withFlows();
  const group = (command: 'add' | 'modify', port: number) =>
    parseGroupMod(`group_id=1,type=all,bucket=output:${port}`, command, NO_NAMES).msg;
  client.connection.send(group('add', 1));
  client.connection.send(parseFlow('add priority=9,actions=group:1', 'file', NO_NAMES).flow);
  client.add(group('modify', 2));
  client.flow('add priority=1,actions=group:77');
  expect(await client.control('commit_request')).toBe('OFPBFC_MSG_FAILED');
  expect(await client.flows()).toContain('priority=9 actions=group:1');
  expect(br.groups.get(1)?.buckets[0].actions).toMatchObject([{ port: 1 }]);
});
