/**
 * Open vSwitch's own tools against our database server, its server on our files: Debian packages
 * openvswitch-common and openvswitch-switch.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WarpClock } from '../../dist/common/clock.js';
import {
  type Database,
  OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
} from '../../dist/ovsdb/index.js';

const SCHEMA_FILE = '/usr/share/openvswitch/vswitch.ovsschema';

let directory: string;
let file: string;
let remote: string;
let database: Database;
let server: OvsdbServer;
let children: ChildProcess[];

async function start(): Promise<void> {
  database = openDatabaseFile(file, { schema: openVSwitchSchema(), wallNow: Date.now });
  server = new OvsdbServer({ databases: [database], clock: new WarpClock(), selfTimed: true });
  await server.listenUnix(path.join(directory, 'db.sock'));
}

async function stop(): Promise<void> {
  await server.close();
  database.close();
}

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-interop-'));
  file = path.join(directory, 'conf.db');
  remote = `unix:${directory}/db.sock`;
  children = [];
  await start();
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await stop();
  fs.rmSync(directory, { recursive: true });
});

interface Output {
  status: number;
  out: string;
  err: string;
}

function tool(program: string, ...args: string[]): Promise<Output> {
  const env = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory, LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile(program, args, { env, timeout: 20_000 }, (error, out, err) => {
      resolve({ status: error ? Number(error.code ?? 99) : 0, out, err });
    });
  });
}

const vsctl = (...args: string[]) => tool('ovs-vsctl', '--no-wait', `--db=${remote}`, ...args);
const transact = async (...operations: object[]) => {
  const request = JSON.stringify(['Open_vSwitch', ...operations]);
  return JSON.parse((await tool('ovsdb-client', 'transact', remote, request)).out);
};

/** Starts a program that runs until the test ends; returns its output so far. */
function background(program: string, ...args: string[]): () => string {
  const env = { ...process.env, OVS_RUNDIR: directory };
  const child = spawn(program, args, { env });
  children.push(child);
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    out += chunk;
  });
  return () => out;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it does not happen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What schema 8.8.0 has and 8.3.1, Debian's, has not. */
const SINCE = {
  Mirror: ['filter'],
  IPFIX: ['stats_interval', 'template_interval'],
  Flow_Sample_Collector_Set: ['local_group_id'],
  Datapath: ['ct_zone_default_limit'],
  CT_Zone: ['limit'],
};

test('the schema is the one that clients know, and a few columns of later versions', async () => {
  const { out } = await tool('ovsdb-client', 'get-schema', remote);
  const normal = path.join(directory, 'known.db');
  await tool('ovsdb-tool', 'create', normal, SCHEMA_FILE);
  const known = JSON.parse(fs.readFileSync(normal, 'utf8').split('\n')[1]);
  const ours = JSON.parse(out);
  for (const [table, columns] of Object.entries(SINCE)) {
    for (const column of columns) {
      expect(ours.tables[table].columns[column].type).toMatchObject({ min: 0 });
      delete ours.tables[table].columns[column];
    }
  }
  expect(ours.tables.Flow_Table.columns.prefixes.type.max).toBe(4);
  known.tables.Flow_Table.columns.prefixes.type.max = 4;
  expect(ours.tables).toEqual(known.tables);
  const version = await tool('ovsdb-client', 'get-schema-version', remote);
  expect(version.out).toBe('8.8.0\n');
  expect((await tool('ovsdb-client', 'list-dbs', remote)).out).toBe('Open_vSwitch\n_Server\n');
});

test('ovs-vsctl: bridges, bonds, ports, and what show says of them', async () => {
  expect(await vsctl('init')).toMatchObject({ status: 0 });
  expect(await vsctl('add-br', 'br0')).toMatchObject({ status: 0, err: '' });
  const bond = ['add-bond', 'br0', 'bond0', 'eth1', 'eth2', 'bond_mode=active-backup'];
  expect(await vsctl(...bond)).toMatchObject({ status: 0 });
  expect(await vsctl('add-port', 'br0', 'vlan9', 'tag=9')).toMatchObject({ status: 0 });
  const { out } = await vsctl('show');
  const [id, ...lines] = out.split('\n');
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(lines.filter((line) => line.startsWith('        P')).sort()).toEqual([
    '        Port bond0',
    '        Port br0',
    '        Port vlan9',
  ]);
  expect((await vsctl('get', 'port', 'bond0', 'bond_mode')).out).toBe('active-backup\n');
  expect((await vsctl('list-ports', 'br0')).out).toBe('bond0\nvlan9\n');
  expect(await vsctl('del-port', 'vlan9')).toMatchObject({ status: 0 });
  expect(await vsctl('del-br', 'br0')).toMatchObject({ status: 0 });
  expect((await vsctl('--columns=name', 'list', 'interface')).out).toBe('');
});

test('ovs-vsctl: set, clear, destroy, references by name, and the errors', async () => {
  await vsctl('add-br', 'br0');
  const bad = await vsctl('set', 'port', 'br0', 'tag=5000');
  expect(bad.err).toContain(
    'constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)',
  );
  expect(bad.status).toBe(1);
  const name = await vsctl('set', 'bridge', 'br0', 'name=x');
  expect(name.err).toContain('cannot modify read-only column name in table Bridge');
  const queue = ['--id=@q', 'create', 'queue', 'other-config:max-rate=5'];
  const qos = ['create', 'qos', 'type=linux-htb', 'queues:0=@q'];
  expect((await vsctl(...queue, '--', ...qos)).out.trim().split('\n')).toHaveLength(2);
  expect((await vsctl('--columns=type', 'list', 'qos')).out).toContain('linux-htb');
  await vsctl('--all', 'destroy', 'qos');
  expect((await vsctl('list', 'qos')).out).toBe('');
  const mirror = ['--id=@p', 'get', 'port', 'br0', '--', '--id=@m', 'create', 'mirror', 'name=m'];
  await vsctl(...mirror, 'output-port=@p', '--', 'set', 'bridge', 'br0', 'mirrors=@m');
  expect((await vsctl('--columns=name', 'list', 'mirror')).out).toContain('m');
  await vsctl('clear', 'bridge', 'br0', 'mirrors');
  expect((await vsctl('list', 'mirror')).out).toBe('');
});

test('ovs-vsctl wait-until is woken by another client', async () => {
  const waiting = vsctl('wait-until', 'bridge', 'br7', '--', 'get', 'bridge', 'br7', 'name');
  await until(() => server.connections > 0);
  await vsctl('add-br', 'br7');
  expect(await waiting).toMatchObject({ status: 0, out: 'br7\n' });
});

test('ovsdb-client: transact, dump, lock, wait', async () => {
  await vsctl('add-br', 'br0');
  const [result] = await transact({
    op: 'select',
    table: 'Bridge',
    where: [['name', '==', 'br0']],
    columns: ['name', 'stp_enable'],
  });
  expect(result).toEqual({ rows: [{ name: 'br0', stp_enable: false }] });
  const columns = ['Open_vSwitch', 'Bridge', 'name', 'stp_enable'];
  const dump = await tool('ovsdb-client', '-f', 'csv', 'dump', remote, ...columns);
  expect(dump.out).toBe('Bridge table\nname,stp_enable\nbr0,false\n');
  expect(await tool('ovsdb-client', 'wait', remote, 'Open_vSwitch', 'connected')).toMatchObject({
    status: 0,
  });
  const lock = background('ovsdb-client', 'lock', remote, 'mine');
  await until(() => lock().includes('locked'));
});

test.each([
  ['monitor', []],
  ['monitor-cond', ['[["name","!=","br9"]]']],
  ['monitor-cond-since', ['[["name","!=","br9"]]']],
])('ovsdb-client %s follows changes', async (command, condition) => {
  await vsctl('add-br', 'br0');
  const args = [remote, 'Open_vSwitch', ...condition, 'Bridge', 'name,external_ids'];
  const output = background('ovsdb-client', '-f', 'csv', command, ...args);
  await until(() => output().includes('initial'));
  await vsctl('br-set-external-id', 'br0', 'k', 'v');
  await vsctl('add-br', 'br9');
  await vsctl('del-br', 'br0');
  await until(() => output().includes('delete'));
  expect(output()).toContain('{k=v}');
  expect(output().includes('br9')).toBe(command === 'monitor');
});

test('ovsdb-tool reads and compacts our files, ovsdb-server serves them, we its own', async () => {
  await vsctl('add-br', 'br0');
  await vsctl('set', 'bridge', 'br0', 'external_ids:a=1', 'external_ids:b=2');
  await vsctl('remove', 'bridge', 'br0', 'external_ids', 'a');
  await stop();
  const log = await tool('ovsdb-tool', 'show-log', '-m', file);
  expect(log.out).toContain('"Open_vSwitch" schema, version="8.8.0"');
  expect(log.out).toContain('add-br br0');
  expect(await tool('ovsdb-tool', 'compact', file)).toMatchObject({ status: 0, err: '' });

  const sock = path.join(directory, 'debian.sock');
  const log2 = background('ovsdb-server', `--remote=punix:${sock}`, `--unixctl=${sock}.ctl`, file);
  await until(() => fs.existsSync(sock));
  const theirs = (...args: string[]) =>
    tool('ovs-vsctl', '--no-wait', `--db=unix:${sock}`, ...args);
  expect((await theirs('br-get-external-id', 'br0')).out).toBe('b=2\n');
  await theirs('add-port', 'br0', 'p1', 'tag=3');
  await theirs('set', 'bridge', 'br0', 'external_ids:c=3');
  await theirs('remove', 'bridge', 'br0', 'external_ids', 'b');
  const server2 = children.pop() as ChildProcess;
  const gone = new Promise((resolve) => server2.once('exit', resolve));
  server2.kill('SIGTERM');
  await gone;
  expect(log2()).not.toMatch(/ovsdb\w*\|(WARN|ERR)/);

  await start();
  expect((await vsctl('list-ports', 'br0')).out).toBe('p1\n');
  expect((await vsctl('get', 'port', 'p1', 'tag')).out).toBe('3\n');
  expect((await vsctl('br-get-external-id', 'br0')).out).toBe('c=3\n');
});

test('ovsdb-client backup and our file say the same', async () => {
  await vsctl('add-br', 'br0');
  const backup = path.join(directory, 'backup.db');
  fs.writeFileSync(backup, (await tool('ovsdb-client', 'backup', remote)).out);
  const query = ['Open_vSwitch', { op: 'select', table: 'Bridge', where: [], columns: ['name'] }];
  const result = await tool('ovsdb-tool', 'query', backup, JSON.stringify(query));
  expect(JSON.parse(result.out)).toEqual([{ rows: [{ name: 'br0' }] }]);
});
