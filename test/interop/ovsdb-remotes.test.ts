/**
 * `tapswitch ovsdb-server` over TLS and with managers, Debian's ovs-vsctl and ovsdb-client (and
 * ours) at the other end.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, must, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

/** Keys: a CA and two certificates that it signed. */
let keys: string;
let directory: string;
let env: NodeJS.ProcessEnv;
let server: BackgroundProcess | null = null;

beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), 'tapswitch-keys-'));
  const ca = ['-keyout', `${keys}/ca.key`, '-out', `${keys}/ca.pem`, '-subj', '/CN=ca'];
  await must(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...ca]);
  for (const name of ['server', 'client']) {
    const request = ['-keyout', `${keys}/${name}.key`, '-out', `${keys}/${name}.csr`];
    await must([
      'openssl',
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      ...request,
      '-subj',
      `/CN=${name}`,
    ]);
    const sign = ['-CA', `${keys}/ca.pem`, '-CAkey', `${keys}/ca.key`, '-CAcreateserial'];
    const files = ['-in', `${keys}/${name}.csr`, '-out', `${keys}/${name}.pem`];
    await must(['openssl', 'x509', '-req', '-days', '2', ...sign, ...files]);
  }
});

afterAll(() => rm(keys, { recursive: true, force: true }));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-remotes-'));
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
});

afterEach(async () => {
  await server?.stop();
  server = null;
  await rm(directory, { recursive: true, force: true });
});

const pki = (name: string): string[] => [
  `--private-key=${keys}/${name}.key`,
  `--certificate=${keys}/${name}.pem`,
];

/** Starts our server; every one listens on db.sock and follows the managers. */
async function start(...options: string[]): Promise<void> {
  const own = ['--create', '--pidfile', '--remote=punix:db.sock', '--log-file', '-vconsole:off'];
  const managers = '--remote=db:Open_vSwitch,Open_vSwitch,manager_options';
  server = BackgroundProcess.start([tapswitchBin, 'ovsdb-server', ...own, managers, ...options], {
    env,
  });
  await eventually('the server', async () => (await vsctl('init')).status === 0);
}

const vsctl = (...args: string[]): Promise<Finished> =>
  run(['ovs-vsctl', '--no-wait', '--timeout=5', ...args], { env });

/** The port that the server says it listens on. */
function port(): Promise<string> {
  return eventually('the port', () => {
    const log = readFileSync(join(directory, 'ovsdb-server.log'), 'utf8');
    return /listening on port (\d+)/.exec(log)?.[1] ?? '';
  });
}

it.each([
  ['ovs-vsctl', (): string[] => ['ovs-vsctl']],
  ['tapswitch vsctl', (): string[] => [tapswitchBin, 'vsctl']],
])('serves %s over TLS, and nobody without a certificate', async (_name, program) => {
  await start(...pki('server'), `--ca-cert=${keys}/ca.pem`, '--remote=pssl:0:127.0.0.1');
  const db = `--db=ssl:127.0.0.1:${await port()}`;
  const call = (...args: string[]): Promise<Finished> =>
    run([...program(), '--no-wait', '--timeout=5', db, ...args], { env });
  const trust = `--ca-cert=${keys}/ca.pem`;
  expect(await call(...pki('client'), trust, 'add-br', 'br0')).toMatchObject({ status: 0 });
  expect((await call(...pki('client'), trust, 'list-br')).stdout).toBe('br0\n');
  expect((await call(trust, 'list-br')).status).not.toBe(0);
});

it('takes the CA certificate from the server at first, and trusts nobody else later', async () => {
  await start(...pki('server'), `--ca-cert=${keys}/ca.pem`, '--remote=pssl:0:127.0.0.1');
  const file = join(directory, 'learned.pem');
  const args = [`--db=ssl:127.0.0.1:${await port()}`, ...pki('client')];
  const call = (): Promise<Finished> =>
    run([tapswitchBin, 'vsctl', '--timeout=5', ...args, `--bootstrap-ca-cert=${file}`, 'list-br'], {
      env,
    });
  // As ovs-vsctl: the first attempt learns and fails, the next one checks.
  expect((await call()).status).toBe(1);
  expect(existsSync(file)).toBe(true);
  expect(await call()).toMatchObject({ status: 0 });
});

it('finds its keys in the database', async () => {
  await start(
    '--private-key=db:Open_vSwitch,SSL,private_key',
    '--certificate=db:Open_vSwitch,SSL,certificate',
    '--ca-cert=db:Open_vSwitch,SSL,ca_cert',
  );
  await vsctl('set-ssl', `${keys}/server.key`, `${keys}/server.pem`, `${keys}/ca.pem`);
  await vsctl('set-manager', 'pssl:0:127.0.0.1');
  const db = `ssl:127.0.0.1:${await port()}`;
  const args = [...pki('client'), `--ca-cert=${keys}/ca.pem`];
  expect((await run(['ovsdb-client', ...args, 'list-dbs', db], { env })).stdout).toContain(
    'Open_vSwitch\n',
  );
});

it('connects to a manager, which asks it, and says so in the Manager table', async () => {
  await start();
  await vsctl('add-br', 'br0');
  await vsctl('set-manager', `unix:${directory}/manager.sock`);
  const state = async (): Promise<string> =>
    (await vsctl('--columns=is_connected,status', '-f', 'csv', 'list', 'Manager')).stdout;
  await eventually('a failure', async () => (await state()).includes('last_error'));
  expect(await state()).toContain('No such file or directory');
  // ovs-vsctl that listens is a manager.
  const list = ['--columns=name', '--bare', 'list', 'Bridge'];
  const args = [`--db=punix:${directory}/manager.sock`, '--no-wait', '--timeout=20', ...list];
  expect(await run(['ovs-vsctl', ...args], { env })).toMatchObject({ status: 0, stdout: 'br0\n' });
  const manager = BackgroundProcess.start(
    [
      'ovsdb-client',
      'monitor',
      `punix:${directory}/manager.sock`,
      'Open_vSwitch',
      'Bridge',
      'name',
    ],
    { env },
  );
  await eventually(
    'the connection',
    async () => (await state()).startsWith('is_connected'),
    15_000,
  );
  await eventually('the state', async () => /^true,.*ACTIVE/m.test(await state()), 20_000);
  expect(manager.text).toContain('br0');
  await manager.stop();
  await eventually('the end', async () => /^false,/m.test(await state()), 15_000);
});

it('tells the port of a manager that leaves the choice to the server', async () => {
  await start();
  await vsctl('set-manager', 'ptcp:0:127.0.0.1');
  const chosen = await port();
  expect((await vsctl(`--db=tcp:127.0.0.1:${chosen}`, 'add-br', 'br0')).status).toBe(0);
  const told = async (): Promise<string> =>
    (await vsctl('--bare', '--columns=status', 'list', 'Manager')).stdout;
  await eventually('the port', async () => (await told()).includes(`bound_port=${chosen}`));
});

it('tries a schema on a running database, and keeps it', async () => {
  await start();
  await vsctl('add-br', 'br0');
  const file = join(directory, 'schema');
  const text = await must(['ovsdb-client', 'get-schema', `unix:${directory}/db.sock`], { env });
  const schema = JSON.parse(text);
  delete schema.tables.Bridge.columns.flood_vlans;
  schema.version = '9.0.0';
  await import('node:fs').then(({ writeFileSync }) => writeFileSync(file, JSON.stringify(schema)));
  const client = (...args: string[]): Promise<string> =>
    must([tapswitchBin, 'ovsdb', args[0], `unix:${directory}/db.sock`, ...args.slice(1)], { env });
  expect(await client('needs-conversion', file)).toBe('yes\n');
  await client('convert', file);
  expect(await client('needs-conversion', file)).toBe('no\n');
  expect(await client('get-schema-version')).toBe('9.0.0\n');
  expect((await vsctl('list-br')).stdout).toBe('br0\n');
  const rows = ['ovsdb-tool', 'query', join(directory, 'conf.db')];
  await server?.stop();
  const select = '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name"]}]';
  expect(await must([...rows, select], { env })).toContain('br0');
});

it('runs a command and ends with it', async () => {
  const call = (command: string): Promise<Finished> => {
    const own = ['--create', '--remote=punix:db.sock', '--unixctl=ctl', '-vconsole:off'];
    return run([tapswitchBin, 'ovsdb-server', ...own, `--run=${command}`], { env });
  };
  const ok = await call(`ovsdb-client list-dbs unix:${directory}/db.sock`);
  expect(ok).toMatchObject({ status: 0, stdout: 'Open_vSwitch\n_Server\n' });
  const bad = await call('exit 3');
  expect(bad.status).toBe(1);
  expect(bad.stderr).toContain('exit 3: child exited, exit status 3');
});
