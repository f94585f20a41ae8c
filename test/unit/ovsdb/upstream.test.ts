/** Servers that have their rows from another server: relays and backups. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import type { JsonValue } from '../../../src/common/json.js';
import {
  Database,
  DatabaseSchema,
  ExcludedTables,
  OvsdbServer,
  Relay,
  Replication,
  ZERO_UUID,
} from '../../../src/ovsdb/index.js';
import { Client, HOUSE, houseSchema, rows, run, uuidOf } from './harness.js';

let directory: string;
let socket: string;
const clock = new WarpClock();
const ends: (() => unknown)[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-upstream-'));
  socket = path.join(directory, 'main.sock');
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  fs.rmSync(directory, { recursive: true });
});

const insertRoom = (name: string) => ({ op: 'insert', table: 'Room', row: { name } });
const names = (database: Database) => rows(database, 'Room', ['name']).map(({ name }) => name);

async function mainServer(schema = houseSchema(), historyLength = 0) {
  const database = new Database(schema, { historyLength });
  const server = new OvsdbServer({ databases: [database], clock });
  await server.listenUnix(socket);
  ends.push(() => server.close());
  return { database, server };
}

/** Runs a module as the main loop does. */
function keepRunning(module: { run(now: number): void; close(): void }): void {
  const timer = setInterval(() => module.run(clock.now()), 5);
  ends.push(() => {
    clearInterval(timer);
    module.close();
  });
}

function relayServer() {
  const server = new OvsdbServer({ databases: [], clock });
  const relay = new Relay(server, { database: 'House', remotes: [`unix:${socket}`], clock });
  keepRunning(relay);
  return { database: relay.database, server, client: () => new Client(server) };
}

test('a relay shows the rows, passes changes on, and tells of them before the answer', async () => {
  const main = await mainServer(houseSchema(), 100);
  run(main.database, insertRoom('hall'));
  const { database, client } = relayServer();
  // Asked before there is a connection: it waits for one.
  const early = client().transact(insertRoom('attic'));
  const attic = uuidOf(((await early) as JsonValue[])[0]);
  expect(names(main.database)).toEqual(['attic', 'hall']);
  await vi.waitFor(() => expect(names(database)).toEqual(['attic', 'hall']));

  const watcher = client();
  const request = { Room: [{ columns: ['name', 'area'] }] };
  await watcher.request('monitor_cond_since', 'House', 'm', request, ZERO_UUID);
  const update = {
    op: 'update',
    table: 'Room',
    where: [['name', '==', 'attic']],
    row: { area: 7 },
  };
  expect(await watcher.transact(update)).toEqual([{ count: 1 }]);
  const id = main.database.lastTransactionId;
  expect(id).not.toBe(ZERO_UUID);
  expect(watcher.take()).toEqual([
    ['update3', ['m', id, { Room: { [attic]: { modify: { area: 7 } } } }]],
  ]);
  expect(await watcher.transact(insertRoom('hall'))).toMatchObject([
    {},
    { error: 'constraint violation' },
  ]);
});

test('a relay keeps its rows while the source is away, and takes over what changed', async () => {
  const main = await mainServer();
  run(main.database, insertRoom('hall'), insertRoom('attic'));
  const { database, server, client } = relayServer();
  await vi.waitFor(() => expect(names(database)).toEqual(['attic', 'hall']));
  const watcher = client();
  await watcher.request('monitor_cond', 'House', 'm', { Room: [{ columns: ['name'] }] });

  await main.server.close();
  expect(await watcher.transact({ op: 'select', table: 'Room', where: [] })).toHaveLength(1);
  const states = rows(server.databases.get('_Server') as Database, 'Database', ['name', 'model']);
  expect(states).toContainEqual({ name: 'House', model: 'relay' });

  run(main.database, { op: 'delete', table: 'Room', where: [['name', '==', 'hall']] });
  const again = new OvsdbServer({ databases: [main.database], clock });
  await again.listenUnix(socket);
  ends.push(() => again.close());
  await vi.waitFor(() => expect(names(database)).toEqual(['attic']), 5000);
  await vi.waitFor(() => expect(watcher.notifications).toHaveLength(1));
  const [[, [, updates]]] = watcher.take();
  const changed = Object.values((updates as { Room: { [uuid: string]: JsonValue } }).Room);
  expect(changed).toEqual([{ delete: null }]);
});

test('a transaction of a client that has left is not passed on later', async () => {
  const { client, database } = relayServer();
  const hasty = client();
  hasty.transact(insertRoom('hall')).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  hasty.connection.close();
  const main = await mainServer();
  await vi.waitFor(() => expect(database.schema.tables.size).toBeGreaterThan(0), 5000);
  expect(await client().transact(insertRoom('attic'))).toHaveLength(1);
  expect(names(main.database)).toEqual(['attic']);
});

function backup(schema = houseSchema(), exclude = '') {
  const database = new Database(schema);
  const server = new OvsdbServer({ databases: [database], clock });
  const failures: string[] = [];
  const replication = new Replication(server, {
    ...{ clock, remote: `unix:${socket}`, probeIntervalMs: 0 },
    excluded: new ExcludedTables(exclude),
    databases: () => new Map([['House', database]]),
    tls: () => ({}),
    onFailure: () => failures.push('failed'),
    onWake: () => {},
  });
  keepRunning(replication);
  return { database, server, replication, failures };
}

test('a backup takes all rows and every change, except in excluded tables', async () => {
  const main = await mainServer();
  run(main.database, insertRoom('hall'), { op: 'insert', table: 'Sign', row: {} });
  const { database, replication } = backup(houseSchema(), 'House:Sign');
  run(database, insertRoom('stale'), { op: 'insert', table: 'Sign', row: {} });
  const [{ _uuid: own }] = rows(database, 'Sign', ['_uuid']);
  await vi.waitFor(() => expect(names(database)).toEqual(['hall']));
  run(main.database, insertRoom('attic'), { op: 'delete', table: 'Sign', where: [] });
  const area = { op: 'update', table: 'Room', where: [['name', '==', 'hall']], row: { area: 3 } };
  run(main.database, area);
  await vi.waitFor(() =>
    expect(rows(database, 'Room', ['name', 'area'])).toContainEqual({ name: 'hall', area: 3 }),
  );
  expect(rows(database, 'Room', ['_uuid'])).toEqual(rows(main.database, 'Room', ['_uuid']));
  expect(rows(database, 'Sign', ['_uuid'])).toEqual([{ _uuid: own }]);
  expect(replication.status()).toBe(
    `replicating: unix:${socket}\ndatabase: House\nexclude: House:Sign`,
  );
});

test('a backup of a server with other tables fails and says so', async () => {
  const other = DatabaseSchema.fromJson({
    ...HOUSE,
    tables: { ...(HOUSE.tables as object), Garden: { columns: { trees: { type: 'integer' } } } },
  });
  const main = await mainServer(other);
  run(main.database, insertRoom('hall'));
  const { database, failures, replication } = backup();
  await vi.waitFor(() => expect(failures).toEqual(['failed']));
  expect(names(database)).toEqual([]);
  expect(replication.status()).toBe(`Replication to (unix:${socket}) failed\n`);
});

test('a list of excluded tables has databases and tables', () => {
  expect(String(new ExcludedTables('b:y, a:x b:x'))).toBe('a:x,b:x,b:y');
  expect(() => new ExcludedTables('a:x,b')).toThrow("Can't parse excluded table: b");
});

test('of a server that is read only nobody changes anything', async () => {
  const { server } = await mainServer();
  const before = new Client(server);
  expect(await before.request('list_dbs')).toHaveLength(2);
  server.setReadOnly(true);
  await vi.waitFor(() => expect(before.closedWith).not.toBeUndefined());
  const client = new Client(server);
  expect(await client.transact(insertRoom('hall'))).toMatchObject([{ error: 'not allowed' }]);
});
