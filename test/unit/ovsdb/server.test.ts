/** Sessions: methods, locks, waiting transactions, databases that come and go, bad clients. */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { Database, DatabaseSchema, OvsdbServer } from '../../../src/ovsdb/index.js';
import { Client, HOUSE, house, houseSchema, run, settle } from './harness.js';

const waitForRoom = (name: string, timeout?: number) => ({
  op: 'wait',
  table: 'Room',
  where: [['name', '==', name]],
  columns: ['name'],
  until: '==',
  rows: [{ name }],
  ...(timeout === undefined ? {} : { timeout }),
});
const insertRoom = (name: string) => ({ op: 'insert', table: 'Room', row: { name } });

test('the server tells what it has', async () => {
  const { server, client } = house();
  const one = client();
  expect(await one.request('list_dbs')).toEqual(['_Server', 'House']);
  expect(await one.request('get_server_id')).toBe(server.serverId);
  expect(await one.request('get_schema', 'House')).toEqual(houseSchema().toJson());
  expect(await one.request('echo', 1, 'two')).toEqual([1, 'two']);
  await expect(one.request('sing')).rejects.toMatchObject({ error: 'unknown method' });
  await expect(one.request('get_schema', 'Hut')).rejects.toMatchObject({
    error: { error: 'unknown database' },
  });
  const select = { op: 'select', table: 'Database', where: [], columns: ['name', 'connected'] };
  expect(await one.request('transact', '_Server', select)).toEqual([
    { rows: expect.arrayContaining([{ name: 'House', connected: true }]) },
  ]);
  const write = { op: 'delete', table: 'Database', where: [] };
  expect(await one.request('transact', '_Server', write)).toEqual([
    expect.objectContaining({ error: 'not allowed' }),
  ]);
});

test('a wait is over when another client makes it true', async () => {
  const { client } = house();
  const [one, two] = [client(), client()];
  const waiting = one.transact(waitForRoom('hall'), insertRoom('attic'));
  await two.transact(insertRoom('cellar'));
  await two.transact(insertRoom('hall'));
  expect(await waiting).toEqual([{}, { uuid: expect.anything() }]);
});

test('a wait is over when its time is', async () => {
  const { clock, server, client } = house();
  const waiting = client().transact(waitForRoom('hall', 100));
  await settle();
  expect(server.nextWake()).toBe(100);
  clock.advance(99);
  server.run(clock.now());
  clock.advance(1);
  server.run(clock.now());
  expect(await waiting).toEqual([{ error: 'timed out', details: '"wait" timed out after 100 ms' }]);
});

test('a waiting transaction can be canceled, and ends with its client', async () => {
  const { database, client } = house();
  const [one, two] = [client(), client()];
  const id = one.connection.nextRequestId;
  const waiting = one.transact(waitForRoom('hall'));
  one.connection.notify('cancel', [id]);
  await expect(waiting).rejects.toMatchObject({ error: 'canceled' });
  void two.transact(waitForRoom('hall'), insertRoom('attic')).catch(() => {});
  await settle();
  two.connection.close();
  await settle();
  run(database, insertRoom('hall'));
  await settle();
  expect(database.tables.get('Room')!.rows.size).toBe(1);
});

test('locks go from one to the next', async () => {
  const { client } = house();
  const [one, two, three] = [client(), client(), client()];
  expect(await one.request('lock', 'l')).toEqual({ locked: true });
  expect(await two.request('lock', 'l')).toEqual({ locked: false });
  await expect(one.request('lock', 'l')).rejects.toMatchObject({
    error: { details: 'must issue "unlock" before new "lock"' },
  });
  const assertion = { op: 'assert', lock: 'l' };
  expect(await one.transact(assertion)).toEqual([{}]);
  expect(await two.transact(assertion)).toMatchObject([{ error: 'not owner' }]);
  expect(await one.request('unlock', 'l')).toEqual({});
  await settle();
  expect(two.take()).toEqual([['locked', ['l']]]);
  expect(await three.request('steal', 'l')).toEqual({ locked: true });
  await settle();
  expect(two.take()).toEqual([['stolen', ['l']]]);
  expect(await one.request('steal', 'l')).toEqual({ locked: true });
  await settle();
  expect(three.take()).toEqual([['stolen', ['l']]]);
  one.connection.close();
  await settle();
  // Two asked for it and may have it again; three stole it and may not.
  expect(two.take()).toEqual([['locked', ['l']]]);
  await expect(one.request('lock', '5')).rejects.toThrow();
  await expect(two.request('unlock', 'other')).rejects.toMatchObject({
    error: { details: 'unlock: "unlock" without "lock" or "steal"' },
  });
});

test('databases come and go: who watches is told, others are disconnected', async () => {
  const { server, client } = house();
  const [aware, unaware] = [client(), client()];
  await aware.request('set_db_change_aware', true);
  await unaware.request('list_dbs');
  await aware.request('monitor', '_Server', 's', { Database: { columns: ['name'] } });
  const hut = new Database(DatabaseSchema.fromJson({ ...HOUSE, name: 'Hut' }));
  server.addDatabase(hut);
  await settle();
  expect(unaware.closedWith).toBeNull();
  expect(aware.take()).toMatchObject([['update', ['s', expect.anything()]]]);
  await aware.request('monitor', 'Hut', 'h', { Room: {} });
  const waiting = aware.request('transact', 'Hut', waitForRoom('hall'));
  await settle();
  server.removeDatabase(hut);
  await expect(waiting).rejects.toMatchObject({ error: 'canceled' });
  expect(aware.take().map(([method, params]) => [method, params[0]])).toEqual([
    ['monitor_canceled', 'h'],
    ['update', 's'],
  ]);
  expect(await aware.request('list_dbs')).toEqual(['_Server', 'House']);
});

test('close disconnects everybody and takes no more', async () => {
  const { server, client } = house();
  const one = client();
  await one.request('list_dbs');
  await server.close();
  await settle();
  expect(one.closedWith).toBeNull();
  expect(server.connections).toBe(0);
});

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-server-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

function request(where: net.NetConnectOpts, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = net.connect(where, () => socket.write(text));
    socket.on('data', (chunk) => {
      received += chunk;
      if (received.endsWith('"error":null}')) socket.end();
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}

const LIST = '{"method":"list_dbs","params":[],"id":1}';

test('unix sockets: stale ones are replaced, live ones respected, long paths work', async () => {
  const deep = path.join(directory, 'd'.repeat(100), 'e'.repeat(60));
  fs.mkdirSync(deep, { recursive: true });
  for (const name of [path.join(directory, 'db.sock'), path.join(deep, 'db.sock')]) {
    const { server } = house();
    await server.listenUnix(name);
    expect(fs.statSync(name).mode & 0o777).toBe(0o770);
    const reachable = path.relative(process.cwd(), name).length < 100 || name.length < 100;
    if (reachable) expect(JSON.parse(await request({ path: name }, LIST)).result).toHaveLength(2);
    const second = house().server;
    await expect(second.listenUnix(name)).rejects.toMatchObject({ code: 'E_SOCKET_IN_USE' });
    await server.close();
    expect(fs.existsSync(name)).toBe(false);
  }
  const plain = path.join(directory, 'file');
  fs.writeFileSync(plain, '');
  await expect(house().server.listenUnix(plain)).rejects.toMatchObject({ code: 'E_OVSDB_LISTEN' });
  const nowhere = path.join(directory, 'no', 'db.sock');
  await expect(house().server.listenUnix(nowhere)).rejects.toMatchObject({
    code: 'E_OVSDB_LISTEN',
  });
});

test('TCP: a silent client is probed and dropped, garbage closes its own connection', async () => {
  const clock = stoppedClock();
  const server = new OvsdbServer({ databases: [new Database(houseSchema())], clock });
  const port = await server.listenTcp('127.0.0.1', 0);
  const good = net.connect({ port, host: '127.0.0.1' });
  let received = '';
  good.on('data', (chunk) => {
    received += chunk;
  });
  good.write(LIST);
  for (const garbage of ['hello', '{"a":]', '['.repeat(100_000), '{"method":5}', '[1]']) {
    const answer = await request({ port, host: '127.0.0.1' }, garbage).catch(() => '');
    expect(answer).toBe('');
  }
  while (!received) await settle();
  expect(JSON.parse(received).result).toHaveLength(2);
  expect(server.connections).toBe(1);
  received = '';
  clock.advance(5000);
  server.run(clock.now());
  while (!received) await settle();
  expect(JSON.parse(received)).toEqual({ method: 'echo', params: [], id: 'echo' });
  clock.advance(5000);
  server.run(clock.now());
  expect(server.connections).toBe(0);
  await server.close();
});

test('a server has no more than the clients that it may have', async () => {
  const clock = stoppedClock();
  const databases = [new Database(houseSchema())];
  const server = new OvsdbServer({ databases, clock, maxSessions: 1, selfTimed: true });
  const port = await server.listenTcp('127.0.0.1', 0);
  const first = net.connect({ port, host: '127.0.0.1' });
  await new Promise((resolve) => first.once('connect', resolve));
  while (server.connections === 0) await settle();
  expect(await request({ port, host: '127.0.0.1' }, LIST).catch(() => '')).toBe('');
  first.destroy();
  while (server.connections > 0) await settle();
  expect(await request({ port, host: '127.0.0.1' }, LIST)).toContain('House');
  await server.close();
});

test('requests with an id that still waits are refused', async () => {
  const { server } = house();
  const socket = server.connectInProcess();
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const transact = { method: 'transact', params: ['House', waitForRoom('hall')], id: 'same' };
  socket.write(JSON.stringify(transact) + JSON.stringify(transact));
  await settle();
  expect(JSON.parse(received)).toMatchObject({
    id: 'same',
    error: { details: 'transact: duplicate request ID' },
  });
  expect(new Client(server).closedWith).toBeUndefined();
});
