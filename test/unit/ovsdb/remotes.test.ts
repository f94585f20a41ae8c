/** Remotes that a database names: found with their settings, opened, told what became of them. */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { JsonRpcConnection } from '../../../src/common/jsonrpc.js';
import { Database, DatabaseSchema, OvsdbServer, Remotes } from '../../../src/ovsdb/index.js';
import { columnPlace, remotesIn } from '../../../src/ovsdb/remotes/remote-rows.js';
import { secureContextOptions } from '../../../src/ovsdb/tls.js';
import { rows, run } from './harness.js';

const optional = (key: string) => ({ type: { key, min: 0, max: 1 } });
const SCHEMA = {
  name: 'Remotes',
  tables: {
    Root: {
      isRoot: true,
      columns: {
        targets: { type: { key: 'string', min: 0, max: 'unlimited' } },
        managers: {
          type: { key: { type: 'uuid', refTable: 'Manager' }, min: 0, max: 'unlimited' },
        },
      },
    },
    Manager: {
      columns: {
        target: { type: 'string' },
        read_only: optional('boolean'),
        max_backoff: optional('integer'),
        inactivity_probe: optional('integer'),
        is_connected: { type: 'boolean' },
        status: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
      },
    },
  },
};

let directory: string;
let database: Database;
let server: OvsdbServer;
let remotes: Remotes;
const clock = stoppedClock();

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-remotes-'));
  database = new Database(DatabaseSchema.fromJson(SCHEMA));
  server = new OvsdbServer({ databases: [database], clock });
  remotes = new Remotes(server, { runDir: directory });
  remotes.follow(database);
});

afterEach(async () => {
  await remotes.close();
  await server.close();
  fs.rmSync(directory, { recursive: true });
});

function setManager(target: string, row: object = {}): void {
  run(
    database,
    { op: 'delete', table: 'Root', where: [] },
    { op: 'insert', table: 'Manager', 'uuid-name': 'm', row: { target, ...row } },
    { op: 'insert', table: 'Root', row: { managers: ['named-uuid', 'm'] } },
  );
}

const status = () => rows(database, 'Manager', ['is_connected', 'status'])[0];
/** Turns of the event loop, for sockets. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 50));

async function client(name: string): Promise<JsonRpcConnection> {
  const socket = net.connect({ path: path.join(directory, name) });
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const handlers = { onRequest() {}, onNotify() {}, onClose() {} };
  return new JsonRpcConnection(socket as never, handlers);
}

describe('rows', () => {
  const place = () => columnPlace(server.databases, 'db:Remotes,Root,managers');

  it('have targets and settings', () => {
    setManager('ptcp:1', { read_only: true, max_backoff: 3000, inactivity_probe: 0 });
    expect([...remotesIn(place())]).toEqual([
      ['ptcp:1', { readOnly: true, maxBackoffMs: 3000, probeIntervalMs: 0 }],
    ]);
  });

  it('may be strings as well', () => {
    run(database, { op: 'insert', table: 'Root', row: { targets: ['set', ['ptcp:1', 'a']] } });
    const strings = columnPlace(server.databases, 'db:Remotes,Root,targets');
    expect([...remotesIn(strings).keys()]).toEqual(['a', 'ptcp:1']);
  });

  it.each([
    ['db:Remotes', '"db:Remotes": invalid syntax'],
    ['db:X,Root,managers', '"db:X,Root,managers": no database named X'],
    ['db:Remotes,X,managers', '"db:Remotes,X,managers": no table named X'],
    ['db:Remotes,Root,x', '"db:Remotes,Root,x": table "Root" has no column "x"'],
  ])('%s', async (name, message) => {
    await expect(remotes.add(name)).rejects.toThrow(message);
    expect(remotes.list()).toEqual([]);
  });
});

describe('managers', () => {
  it('are listened for while the database wants it, and counted', async () => {
    setManager('punix:a.sock');
    await remotes.add('db:Remotes,Root,managers');
    const [one, two] = [await client('a.sock'), await client('a.sock')];
    await settle();
    clock.advance(2500);
    remotes.run(clock.now());
    expect(status()).toEqual({ is_connected: true, status: ['map', [['n_connections', '2']]] });
    setManager('punix:b.sock');
    await settle();
    expect([one.closed, two.closed]).toEqual([true, true]);
    expect(fs.readdirSync(directory)).toEqual(['b.sock']);
  });

  it('may be allowed to look only, from one moment to the next', async () => {
    setManager('punix:a.sock', { read_only: true });
    await remotes.add('db:Remotes,Root,managers');
    const one = await client('a.sock');
    const insert = { op: 'insert', table: 'Root', row: {} };
    const [refused] = (await one.request('transact', ['Remotes', insert])) as object[];
    expect(refused).toMatchObject({ error: 'not allowed' });
    const select = { op: 'select', table: 'Root', where: [] };
    expect(await one.request('transact', ['Remotes', select])).toHaveLength(1);
    await expect(one.request('convert', ['Remotes', SCHEMA])).rejects.toThrow('read only');
    run(database, { op: 'update', table: 'Manager', where: [], row: { read_only: false } });
    await settle();
    const [allowed] = (await one.request('transact', ['Remotes', insert])) as object[];
    expect(allowed).toHaveProperty('uuid');
  });

  it('are connected to, again and again, and the rows say how it went', async () => {
    setManager(`unix:${directory}/there.sock`);
    await remotes.add('db:Remotes,Root,managers');
    await settle();
    clock.advance(2500);
    const listener = net.createServer().listen(path.join(directory, 'there.sock'));
    remotes.run(clock.now());
    const failed = status().status as [string, [string, string][]];
    expect(failed[1]).toContainEqual(['last_error', 'No such file or directory']);
    await new Promise((resolve) => listener.once('connection', resolve));
    await settle();
    clock.advance(2500);
    remotes.run(clock.now());
    expect(status()).toEqual({
      is_connected: true,
      status: [
        'map',
        [
          ['sec_since_connect', '2'],
          ['state', 'ACTIVE'],
        ],
      ],
    });
    listener.close();
  });

  it('that cannot be opened do not keep others from it', async () => {
    run(database, {
      op: 'insert',
      table: 'Root',
      row: { targets: ['set', ['pssl:0', 'nonsense', 'punix:ok.sock']] },
    });
    await remotes.add('db:Remotes,Root,targets');
    expect((await client('ok.sock')).closed).toBe(false);
  });
});

describe('TLS files', () => {
  it.each([
    ['TLSv1.2', 'TLSv1.2', 'TLSv1.2'],
    ['TLSv1.2,TLSv1.1', 'TLSv1.2', 'TLSv1.2'],
    ['TLSv1.1', 'TLSv1.1', 'TLSv1.1'],
    ['TLSv1.3 TLSv1.2', 'TLSv1.2', 'TLSv1.3'],
  ])('protocols %s', (protocols, minVersion, maxVersion) => {
    expect(secureContextOptions({ protocols })).toMatchObject({ minVersion, maxVersion });
  });

  it('name what is amiss', () => {
    expect(() => secureContextOptions({ protocols: 'SSLv3' })).toThrow('SSLv3: SSL protocol');
    expect(() => secureContextOptions({ privateKey: '/no/key' })).toThrow('/no/key: cannot read');
  });
});
