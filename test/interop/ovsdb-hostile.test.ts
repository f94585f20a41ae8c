/**
 * A database server among clients that mean it ill, or only sleep: it refuses them, its memory
 * stays within bounds, and a client that behaves never notices.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JsonRpcConnection } from '../../dist/common/jsonrpc.js';
import { BackgroundProcess, eventually, sleep } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

const MB = 1024 * 1024;
/** What a server that runs and has no clients may need, and the messages that it is reading. */
const MEMORY_BYTES_MAX = 900 * MB;
/** The longest that an answer to a client that behaves may take, milliseconds. */
const ANSWER_MS_MAX = 3000;

let directory: string;
let server: BackgroundProcess;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-hostile-'));
  path = join(directory, 'db.sock');
  const env = { ...process.env, OVS_RUNDIR: directory, OVS_DBDIR: directory, NODE_OPTIONS: '' };
  server = BackgroundProcess.start(
    [
      ...[tapswitchBin, 'ovsdb-server', '--create', `--remote=punix:${path}`],
      ...['--unixctl=ctl', '-vconsole:off'],
    ],
    { env: { ...env, OVS_LOGDIR: directory } },
  );
  await eventually('the server', async () => {
    const client = await Polite.connect();
    client.close();
    return true;
  });
});

afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Most memory that the server has had, bytes. */
function peakBytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** A client that behaves: follows the database, changes it, and times the answers. */
class Polite {
  updates = 0;
  slowestMs = 0;
  closed = false;
  private running = true;

  private constructor(private readonly connection: JsonRpcConnection) {}

  static async connect(): Promise<Polite> {
    const socket = net.connect({ path });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    let polite: Polite | null = null;
    const connection = new JsonRpcConnection(socket as never, {
      onRequest() {},
      onNotify: () => {
        if (polite) polite.updates += 1;
      },
      onClose: () => {
        if (polite) polite.closed = true;
      },
    });
    polite = new Polite(connection);
    return polite;
  }

  ask(method: string, ...params: unknown[]): Promise<unknown> {
    return this.connection.request(method, params);
  }

  /** Until stop(): changes a row, and expects an answer and an update each time. */
  async live(): Promise<void> {
    await this.ask('monitor', 'Open_vSwitch', 'm', { QoS: {} });
    for (let i = 0; this.running; i++) {
      const start = performance.now();
      const insert = { op: 'insert', table: 'QoS', row: { type: `polite${i}` } };
      const [result] = (await this.ask('transact', 'Open_vSwitch', insert)) as { uuid: unknown }[];
      expect(result.uuid).toBeDefined();
      this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
      expect(this.updates).toBe(i + 1);
      await sleep(5);
    }
  }

  stop(): void {
    this.running = false;
  }

  close(): void {
    this.connection.close();
  }
}

/** Sends bytes in chunks of the sizes given, in turn; resolves when the server has closed. */
function attack(pieces: Iterable<Buffer>): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    const source = pieces[Symbol.iterator]();
    const next = (): void => {
      while (!socket.destroyed) {
        const { value, done } = source.next();
        if (done) return;
        if (!socket.write(value)) {
          socket.once('drain', next);
          return;
        }
      }
    };
    socket.once('connect', next);
  });
}

function* repeated(piece: Buffer, times: number, first: Buffer): Iterable<Buffer> {
  yield first;
  for (let i = 0; i < times; i++) yield piece;
}

/** Numbers that look random and are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bytes of any value, that no JSON begins with, in chunks of 1 to 4096. */
function* noise(seed: number): Iterable<Buffer> {
  const next = random(seed);
  yield Buffer.from([1 + Math.floor(next() * 8)]);
  for (let i = 0; i < 64; i++) {
    const chunk = Buffer.alloc(1 + Math.floor(next() * 4096));
    for (let k = 0; k < chunk.length; k++) chunk[k] = Math.floor(next() * 256);
    yield chunk;
  }
}

/** A good request with some bytes changed, a few bytes at a time, then something that ends it. */
function* mangled(seed: number): Iterable<Buffer> {
  const next = random(seed);
  const request = { method: 'transact', params: ['Open_vSwitch', { op: 'insert' }], id: seed };
  const bytes = Buffer.from(JSON.stringify(request).repeat(5));
  for (let i = 0; i < 4; i++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(next() * 9);
    yield bytes.subarray(at, at + length);
    at += length;
  }
  // Whatever string or bracket is open: this closes the one, or is too much of the other.
  for (let i = 0; i < 40; i++) yield Buffer.from(`"]}${'['.repeat(50)}`);
}

test('any bytes, deep nesting, endless strings: an error, and nobody else notices', async () => {
  const polite = await Polite.connect();
  const life = polite.live();
  const text = Buffer.alloc(MB, 'x');
  const brackets = Buffer.alloc(64 * 1024, '[');
  const commas = Buffer.alloc(MB, '1,');
  for (let round = 0; round < 20; round++) {
    await Promise.all([
      attack(noise(round)),
      attack(mangled(round)),
      attack(repeated(brackets, 10, Buffer.from('{"params":'))),
      attack([Buffer.from('nonsense')]),
      attack([Buffer.from('{"method":5,"params":[],"id":0}')]),
    ]);
  }
  // A hundred megabytes each, eight at a time; and many small members.
  const strings = () => attack(repeated(text, 100, Buffer.from('{"method":"')));
  await Promise.all(Array.from({ length: 8 }, strings));
  await Promise.all([1, 2].map(() => attack(repeated(commas, 60, Buffer.from('[')))));
  polite.stop();
  await life;
  expect(polite.closed).toBe(false);
  expect(polite.slowestMs).toBeLessThan(ANSWER_MS_MAX);
  expect(peakBytes()).toBeLessThan(MEMORY_BYTES_MAX);
  polite.close();
  expect(server.running).toBe(true);
}, 120_000);

test('clients that follow and do not read cost no more than the database is large', async () => {
  const polite = await Polite.connect();
  const sleepers = Array.from({ length: 20 }, () => {
    const socket = net.connect({ path });
    const tables = { QoS: [{}] };
    const params = ['Open_vSwitch', 'asleep', tables];
    socket.write(JSON.stringify({ method: 'monitor_cond', params, id: 1 }));
    socket.pause();
    return socket;
  });
  const big = 'y'.repeat(20_000);
  const insert = (i: number) => ({ op: 'insert', table: 'QoS', row: { type: `row${i}` } });
  await polite.ask('transact', 'Open_vSwitch', ...Array.from({ length: 10 }, (_, i) => insert(i)));
  const change = (i: number) => ({
    op: 'update',
    table: 'QoS',
    where: [],
    row: { external_ids: ['map', [['big', `${i}${big}`]]] },
  });
  for (let i = 0; i < 500; i++) await polite.ask('transact', 'Open_vSwitch', change(i));
  const before = peakBytes();
  // 500 more are 500 times 200 kB for each of the twenty: two gigabytes, were they kept.
  for (let i = 500; i < 1000; i++) await polite.ask('transact', 'Open_vSwitch', change(i));
  expect(peakBytes() - before).toBeLessThan(150 * MB);
  expect(peakBytes()).toBeLessThan(MEMORY_BYTES_MAX);
  // Who wakes up gets the rows as they are now.
  const [sleeper] = sleepers;
  let received = '';
  sleeper.setEncoding('utf8').on('data', (chunk: string) => {
    received = (received + chunk).slice(-100_000);
  });
  sleeper.resume();
  await eventually('the last value', () => received.includes(`999${big.slice(0, 50)}`));
  for (const socket of sleepers) socket.destroy();
  polite.close();
}, 120_000);
