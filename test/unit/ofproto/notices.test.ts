/** What controllers are told of one another's requests, of roles and of tables that fill. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/openflow/codec/index.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import type { RoleMessage } from '../../../src/openflow/messages-control.js';
import { BUCKET, type GroupMod, NO_GROUP_PROPS } from '../../../src/openflow/messages-groups.js';
import { Controllers, flow, type Peer } from './support/controllers.js';

let all: Controllers;

beforeEach(async () => {
  all = await Controllers.open();
});
afterEach(() => all.close());

const FORWARD = { kind: 'requestForward', secondary: false, mask: 3 } as const;
const TABLES = { kind: 'tableStatus', secondary: false, mask: 0x18 } as const;

const listen = (peer: Peer): void =>
  peer.send({ type: 'set_async_properties', changes: [FORWARD, TABLES] });

function group(command: GroupMod['command'], buckets: GroupMod['buckets'] = []): GroupMod {
  return {
    ...{ type: 'group_mod', command, groupType: 'all', group: 1, buckets, props: NO_GROUP_PROPS },
    commandBucketId: command.endsWith('bucket') ? BUCKET.LAST : BUCKET.ALL,
  };
}

const bucket = (id: number): GroupMod['buckets'][0] => ({
  ...{ id, weight: 0, watchPort: 0xffffffff, watchGroup: 0xffffffff },
  actions: [{ type: 'output', port: 2, maxLen: 0 }],
});

/** The requests inside forwarded ones. */
function inner(messages: readonly OfMessage[], version: number): OfMessage[] {
  return messages.flatMap((msg) => {
    if (msg.type !== 'requestforward') return [];
    return decodeMessage(version, msg.frame).msg ?? [];
  });
}

it('group-mods are forwarded to those who want them, in the words of their version', async () => {
  const [asker, new_, old, deaf] = [
    ...[await all.join(6), await all.join(6), await all.join(4), await all.join(5)],
  ];
  listen(new_);
  listen(old);
  await Promise.all([new_.settled(), old.settled()]);
  asker.send(group('add', [bucket(0)]), 70);
  asker.send(group('insert_bucket', [bucket(1)]), 71);
  asker.send(group('add_or_mod', [bucket(0)]), 72);
  asker.send(group('insert_bucket', [bucket(0)]), 73);
  const refused = await asker.settled();
  expect(refused).toMatchObject([{ error: 'OFPGMFC_BUCKET_EXISTS' }]);
  const heard = await new_.settled();
  expect(inner(heard, 6)).toMatchObject([
    { command: 'add' },
    { command: 'insert_bucket', buckets: [{ id: 1 }] },
    { command: 'add_or_mod' },
  ]);
  expect(inner(await old.settled(), 4)).toMatchObject([
    { command: 'add', buckets: [{}] },
    { command: 'modify', buckets: [{}, {}] },
    { command: 'modify', buckets: [{}] },
  ]);
  expect(await deaf.settled()).toEqual([]);
});

it('meter-mods are not forwarded to versions without meters', async () => {
  const [asker, old, new_] = [await all.join(4), await all.join(3), await all.join(5)];
  listen(old);
  listen(new_);
  await Promise.all([old.settled(), new_.settled()]);
  const meter = { meter: 1, flags: 1, bands: [] };
  asker.send({ type: 'meter_mod', command: 'add', meter });
  await asker.settled();
  expect(inner(await new_.settled(), 5)).toMatchObject([{ type: 'meter_mod', command: 'add' }]);
  expect(await old.settled()).toEqual([]);
});

it('the primary is told when another takes its place', async () => {
  const primary = (generationId: bigint): RoleMessage => ({
    ...{ type: 'role_request', role: 'primary', generationId },
  });
  const [first, second, old] = [await all.join(4), await all.join(5), await all.join(3)];
  await first.ask(primary(1n));
  await second.ask(primary(2n));
  expect(await first.settled()).toEqual([
    { type: 'role_status', role: 'secondary', reason: 0, generationId: 2n },
  ]);
  await old.ask(primary(3n));
  expect(await second.settled()).toMatchObject([{ type: 'role_status', generationId: 3n }]);
  const [stale] = await first.ask(primary(1n));
  expect(stale).toMatchObject({ type: 'error', error: 'OFPRRFC_STALE' });
  // A version without the message is not told; whoever asks is.
  await first.ask(primary(4n));
  expect(await old.settled()).toEqual([]);
  const [reply] = await old.ask({ ...primary(4n), role: 'nochange' });
  expect(reply).toMatchObject({ type: 'role_reply', role: 'secondary', generationId: 4n });
});

it('tables tell when they fill and when they empty, each once', async () => {
  const [asker, listener] = [await all.join(5), await all.join(6)];
  listen(listener);
  await listener.settled();
  all.br.tables[1].maxFlows = 10;
  const vacancy = { down: 20, up: 80, current: 0 };
  asker.send({ type: 'table_mod', table: 1, config: 8, vacancy });
  for (let i = 0; i < 10; i++) asker.send(flow(`table=1,reg0=${i},actions=drop`));
  await asker.settled();
  expect(await listener.settled()).toMatchObject([
    { type: 'table_status', reason: 3, desc: { table: 1, vacancy: { current: 10 } } },
  ]);
  asker.send(flow('table=1', 'delete'));
  await asker.settled();
  expect(await listener.settled()).toMatchObject([
    { type: 'table_status', reason: 4, desc: { vacancy: { current: 90 } } },
  ]);
  const [desc] = await asker.ask({ type: 'table_desc_request' });
  expect(desc).toMatchObject({ entries: { 1: { config: 8, vacancy: { down: 20, up: 80 } } } });
  const [bad] = await asker.ask({
    ...{ type: 'table_mod', table: 1, config: 8, vacancy: { down: 80, up: 20, current: 0 } },
  });
  expect(bad).toMatchObject({ error: 'OFPBPC_BAD_VALUE' });
});
