/**
 * The database server is killed in the middle of durable transactions: all that it acknowledged are
 * there afterwards, and its next start needs nobody's help.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JsonRpcConnection } from '../../dist/common/jsonrpc.js';
import { openDatabaseFile } from '../../dist/ovsdb/index.js';

const DIST = path.resolve(import.meta.dirname, '../../dist');
const PROGRAM = `
  const { openDatabaseFile, openVSwitchSchema, OvsdbServer } =
    await import('${DIST}/ovsdb/index.js');
  const { WarpClock } = await import('${DIST}/common/clock.js');
  const [file, socket] = process.argv.slice(1);
  const database = openDatabaseFile(file, {
    schema: openVSwitchSchema(),
    now: () => performance.now(),
  });
  const server = new OvsdbServer({ databases: [database], clock: new WarpClock() });
  await server.listenUnix(socket);
  process.stdout.write('ready');
`;

let directory: string;
let file: string;
let socketName: string;
let child: ChildProcess | null = null;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-crash-'));
  file = path.join(directory, 'conf.db');
  socketName = path.join(directory, 'db.sock');
});
afterEach(() => {
  child?.kill('SIGKILL');
  fs.rmSync(directory, { recursive: true });
});

async function startServer(): Promise<ChildProcess> {
  const args = ['--input-type=module', '-e', PROGRAM, file, socketName];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child = server;
  await new Promise((resolve, reject) => {
    server.stdout?.once('data', resolve);
    server.once('exit', () => reject(new Error('the server does not start')));
  });
  return server;
}

/** Clients that insert rows at the same time. CRASH_ROUNDS: how often the server is killed. */
const CLIENTS = 32;
const TRANSACTIONS = 10_000;
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 8);

/**
 * Clients insert 10,000 rows in durable transactions, each as fast as it is answered, until the
 * server is killed: in the midst of it, after as many answers as `killAfter` says.
 */
async function insertUntilKilled(
  server: ChildProcess,
  round: number,
  killAfter: number,
): Promise<string[]> {
  const acknowledged: string[] = [];
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const socket = net.connect({ path: socketName });
    const handlers = { onRequest() {}, onNotify() {}, onClose() {} };
    const connection = new JsonRpcConnection(socket, handlers);
    for (let i = 0; i < TRANSACTIONS / CLIENTS && !connection.closed; i++) {
      const type = `${round}-${client}-${i}`;
      const insert = { op: 'insert', table: 'QoS', row: { type } };
      const commit = { op: 'commit', durable: true };
      const reply = connection.request('transact', ['Open_vSwitch', insert, commit]);
      const done = await reply.then(
        () => true,
        () => false,
      );
      if (!done) break;
      acknowledged.push(type);
      if (acknowledged.length === killAfter) server.kill('SIGKILL');
    }
  });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  await Promise.all([...clients, gone]);
  return acknowledged;
}

test('no acknowledged transaction is lost to kill -9, many times over', async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const killAfter = 100 + Math.floor(((round * 7919) % ROUNDS) * (TRANSACTIONS / ROUNDS) * 0.9);
    const now = await insertUntilKilled(await startServer(), round, killAfter);
    expect(now.length).toBeGreaterThanOrEqual(killAfter);
    expect(now.length).toBeLessThan(TRANSACTIONS);
    acknowledged.push(...now);
    const database = openDatabaseFile(file, {});
    const table = database.tables.get('QoS');
    const column = table?.schema.columns.get('type')?.index ?? -1;
    const there = new Set(
      [...(table?.rows.values() ?? [])].map((row) => row.fields[column].keys[0]),
    );
    expect(acknowledged.filter((type) => !there.has(type))).toEqual([]);
    database.close();
  }
}, 300_000);
