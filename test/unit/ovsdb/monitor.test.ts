/** Monitors: initial rows, deltas, conditions, resuming, and clients that do not listen. */

import { expect, test } from 'vitest';
import type { JsonValue } from '../../../src/common/json.js';
import { ZERO_UUID } from '../../../src/ovsdb/index.js';
import { Client, house, run, settle, uuidOf } from './harness.js';

const insertRoom = (name: string, row: Record<string, JsonValue> = {}) => ({
  op: 'insert',
  table: 'Room',
  row: { name, ...row },
});
const updateRoom = (name: string, row: Record<string, JsonValue>) => ({
  op: 'update',
  table: 'Room',
  where: [['name', '==', name]],
  row,
});
const deleteRoom = (name: string) => ({
  op: 'delete',
  table: 'Room',
  where: [['name', '==', name]],
});

test('version 1 tells old and new values', async () => {
  const { database, client } = house();
  const hall = uuidOf(run(database, insertRoom('hall', { area: 3 }))[0]);
  const watcher = client();
  const request = { Room: { columns: ['name', 'area'] } };
  expect(await watcher.request('monitor', 'House', 'm', request)).toEqual({
    Room: { [hall]: { new: { name: 'hall', area: 3 } } },
  });
  run(database, updateRoom('hall', { area: 4 }));
  await settle();
  run(database, updateRoom('hall', { heated: true }));
  const attic = uuidOf(run(database, insertRoom('attic'))[0]);
  await settle();
  run(database, deleteRoom('hall'));
  await settle();
  expect(watcher.take()).toEqual([
    ['update', ['m', { Room: { [hall]: { old: { area: 3 }, new: { name: 'hall', area: 4 } } } }]],
    ['update', ['m', { Room: { [attic]: { new: { name: 'attic', area: 0 } } } }]],
    ['update', ['m', { Room: { [hall]: { old: { name: 'hall', area: 4 } } } }]],
  ]);
});

test('select chooses the kinds of change, also by column', async () => {
  const { database, client } = house();
  run(database, insertRoom('hall'));
  const watcher = client();
  const reply = await watcher.request('monitor', 'House', null, {
    Room: [
      { columns: ['name'], select: { initial: false, modify: false } },
      { columns: ['area'], select: { initial: false, insert: false, delete: false } },
    ],
  });
  expect(reply).toEqual({});
  const attic = uuidOf(run(database, insertRoom('attic', { area: 1 }))[0]);
  await settle();
  run(database, updateRoom('attic', { area: 2 }));
  await settle();
  run(database, deleteRoom('attic'));
  await settle();
  expect(watcher.take().map(([, params]) => params[1])).toEqual([
    { Room: { [attic]: { new: { name: 'attic' } } } },
    { Room: { [attic]: { old: { area: 1 }, new: { area: 2 } } } },
    { Room: { [attic]: { old: { name: 'attic' } } } },
  ]);
});

test('version 2 tells differences of sets and maps, and leaves out defaults', async () => {
  const { database, client } = house();
  const options = (...pairs: [string, string][]) => ['map', pairs];
  const row = { tags: ['set', ['a', 'b']], options: options(['k', '1'], ['l', '2']) };
  const hall = uuidOf(run(database, insertRoom('hall', row))[0]);
  const watcher = client();
  const columns = ['name', 'tags', 'options', 'area', 'floor'];
  expect(await watcher.request('monitor_cond', 'House', 1, { Room: [{ columns }] })).toEqual({
    Room: { [hall]: { initial: { name: 'hall', ...row } } },
  });
  run(
    database,
    updateRoom('hall', {
      tags: ['set', ['b', 'c']],
      options: options(['k', '9'], ['m', '3']),
      floor: 2,
    }),
  );
  await settle();
  run(database, updateRoom('hall', { floor: ['set', []] }));
  await settle();
  run(database, deleteRoom('hall'));
  await settle();
  expect(watcher.take()).toEqual([
    [
      'update2',
      [
        1,
        {
          Room: {
            [hall]: {
              modify: {
                tags: ['set', ['a', 'c']],
                options: options(['k', '9'], ['l', '2'], ['m', '3']),
                floor: 2,
              },
            },
          },
        },
      ],
    ],
    ['update2', [1, { Room: { [hall]: { modify: { floor: ['set', []] } } } }]],
    ['update2', [1, { Room: { [hall]: { delete: null } } }]],
  ]);
});

test('rows come and go as they begin and cease to satisfy the condition', async () => {
  const { database, client } = house();
  const watcher = client();
  const where = [['area', '>', 10]];
  const request = { Room: [{ columns: ['name'], where }] };
  expect(await watcher.request('monitor_cond', 'House', 'm', request)).toEqual({});
  const hall = uuidOf(run(database, insertRoom('hall', { area: 5 }))[0]);
  for (const area of [15, 16, 6]) {
    await settle();
    run(database, updateRoom('hall', { area }));
  }
  await settle();
  const updates = watcher.take().map(([, params]) => params[1]);
  expect(updates).toEqual([
    { Room: { [hall]: { insert: { name: 'hall' } } } },
    { Room: { [hall]: { delete: null } } },
  ]);
  const change = { Room: [{ where: [['area', '<', 10]] }] };
  expect(await watcher.request('monitor_cond_change', 'm', 'n', change)).toEqual({});
  expect(watcher.take()).toEqual([
    ['update2', ['n', { Room: { [hall]: { insert: { name: 'hall' } } } }]],
  ]);
  await expect(watcher.request('monitor_cancel', 'm')).rejects.toMatchObject({
    error: 'unknown monitor',
  });
  expect(await watcher.request('monitor_cancel', 'n')).toEqual({});
  run(database, updateRoom('hall', { area: 50 }));
  await settle();
  expect(watcher.take()).toEqual([]);
});

test('a client that comes back gets only what it missed, while that is remembered', async () => {
  const { database, client } = house();
  const request = { Room: [{ columns: ['name', 'area'] }] };
  const first = client();
  const reply = await first.request('monitor_cond_since', 'House', 'm', request, ZERO_UUID);
  expect(reply).toEqual([false, ZERO_UUID, {}]);
  const hall = uuidOf(run(database, insertRoom('hall'))[0]);
  await settle();
  const [[method, [, lastId]]] = first.take();
  expect(method).toBe('update3');
  run(database, updateRoom('hall', { area: 1 }));
  run(database, updateRoom('hall', { area: 2 }));
  const again = client();
  const resumed = await again.request('monitor_cond_since', 'House', 'm', request, lastId);
  expect(resumed).toEqual([
    true,
    database.lastTransactionId,
    { Room: { [hall]: { modify: { area: 2 } } } },
  ]);
  for (let i = 0; i < 150; i++) run(database, updateRoom('hall', { area: i % 100 }));
  const late = await client().request('monitor_cond_since', 'House', 'm', request, lastId);
  expect(late).toMatchObject([false, database.lastTransactionId, { Room: { [hall]: {} } }]);
});

test('much that one turn brings is one update, for all who watch the same', async () => {
  const { database, client } = house();
  const request = { Room: [{ columns: ['name', 'area'] }] };
  const watchers = [client(), client()];
  for (const watcher of watchers) await watcher.request('monitor_cond', 'House', 'm', request);
  const guest = uuidOf(run(database, insertRoom('guest'))[0]);
  const hall = uuidOf(run(database, insertRoom('hall'))[0]);
  for (let area = 1; area <= 100; area++) run(database, updateRoom('hall', { area }));
  run(database, deleteRoom('guest'));
  await settle();
  const update = ['update2', ['m', { Room: { [hall]: { insert: { name: 'hall', area: 100 } } } }]];
  for (const watcher of watchers) expect(watcher.take()).toEqual([update]);
  expect(guest).not.toBe(hall);
  // A few are updates of their own.
  for (const area of [1, 2]) run(database, updateRoom('hall', { area }));
  await settle();
  const told = (area: number) => ['update2', ['m', { Room: { [hall]: { modify: { area } } } }]];
  for (const watcher of watchers) expect(watcher.take()).toEqual([told(1), told(2)]);
});

test('a client hears of its own change before it has the answer', async () => {
  const { client } = house();
  const watcher = client();
  await watcher.request('monitor', 'House', 'm', { Room: {} });
  const order: string[] = [];
  const insert = watcher.transact(insertRoom('hall')).then(() => order.push('reply'));
  watcher.notifications.push = (...items) => {
    order.push('update');
    return items.length;
  };
  await insert;
  expect(order).toEqual(['update', 'reply']);
});

test('a client that does not listen holds one change per row, and catches up', async () => {
  const { database, server } = house();
  const socket = server.connectInProcess();
  const text = 'x'.repeat(100_000);
  const request = { method: 'monitor_cond', params: ['House', 'm', { Room: [{}] }], id: 0 };
  socket.write(JSON.stringify(request));
  await settle();
  run(database, insertRoom('hall'));
  for (let i = 0; i < 300; i++) {
    run(database, updateRoom('hall', { tags: `${text}${i}` }));
    if (i % 50 === 0) await settle();
  }
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  for (let i = 0; i < 20; i++) await settle();
  // 300 updates of 100 kB came down to the few that fitted into buffers, and one for the rest.
  expect(received.length).toBeLessThan(2_000_000);
  expect(received).toContain('x299"');
});

test.each([
  ['monitor', ['House', 'm', { Rom: {} }], 'no table named Rom'],
  ['monitor', ['House', 'm', { Room: { columns: ['nme'] } }], 'nme is not a valid column name'],
  ['monitor', ['House', 'm', { Room: { columns: ['name', 'name'] } }], 'mentioned more than once'],
  ['monitor', ['House', 'm', { Room: { where: [] } }], "Member 'where' is present"],
  ['monitor', ['House', 'm', []], 'monitor-requests must be object'],
  ['monitor', ['Hut', 'm', {}], 'monitor request specifies unknown database Hut'],
  ['monitor', [], 'monitor request params must begin with <db-name>'],
  ['monitor_cond', ['House', 'm'], 'invalid parameters'],
  ['monitor_cond', ['House', 'm', { Room: { where: [['x', '==', 1]] } }], 'No column x in table'],
  ['monitor_cond_since', ['House', 'm', {}, 5], 'last-txn-id must be string'],
  ['monitor_cond_since', ['House', 'm', {}, 'x'], 'last-txn-id must be UUID format.'],
  ['monitor_cond_change', ['m', 'm', {}], 'unknown monitor session'],
])('%s %j is refused', async (method, params, details) => {
  const { server } = house();
  const refused = new Client(server).request(method, ...params);
  await expect(refused).rejects.toMatchObject({
    error: { details: expect.stringContaining(details) },
  });
});

test('a monitor that many clients share is the same for each', async () => {
  const { database, client } = house();
  const request = { Room: { columns: ['name'] } };
  const watchers = [client(), client(), client()];
  for (const [i, watcher] of watchers.entries()) {
    expect(await watcher.request('monitor', 'House', i, request)).toEqual({});
  }
  const hall = uuidOf(run(database, insertRoom('hall'))[0]);
  await settle();
  for (const [i, watcher] of watchers.entries()) {
    expect(watcher.take()).toEqual([
      ['update', [i, { Room: { [hall]: { new: { name: 'hall' } } } }]],
    ]);
  }
});
