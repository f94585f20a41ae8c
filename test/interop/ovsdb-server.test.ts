/**
 * `tapswitch ovsdb-server` with Debian's ovs-vsctl, ovs-appctl and ovsdb-server around it: remotes
 * that come and go, a file that one server has at a time.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, must, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

let directory: string;
let env: NodeJS.ProcessEnv;
let server: BackgroundProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-ovsdb-'));
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
  server = BackgroundProcess.start(
    [
      ...[tapswitchBin, 'ovsdb-server', '--create', '--pidfile', '--remote=punix:db.sock'],
      '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
    ],
    { env },
  );
  await eventually('the server to answer', async () => (await appctl('version')).status === 0);
  await must(['ovs-vsctl', '--no-wait', 'init'], { env });
});

afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const appctl = (...args: string[]): Promise<Finished> =>
  run(['ovs-appctl', '-t', 'ovsdb-server', ...args], { env });

const vsctl = (...args: string[]): Promise<Finished> =>
  run(['ovs-vsctl', '--no-wait', '--timeout=2', ...args], { env });

/** A TCP port that nobody uses at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

it('listens where the database says, as long as it says so', async () => {
  const port = await freePort();
  const db = `--db=tcp:127.0.0.1:${port}`;
  expect((await vsctl('add-br', 'br0')).status).toBe(0);
  expect((await vsctl('set-manager', `ptcp:${port}:127.0.0.1`)).status).toBe(0);
  await eventually('the new port', async () => (await vsctl(db, 'list-br')).stdout === 'br0\n');
  expect((await vsctl('del-manager')).status).toBe(0);
  await eventually('its end', async () => (await vsctl(db, 'list-br')).status !== 0);
});

it('adds, lists and removes remotes on request, with those who are connected', async () => {
  const port = await freePort();
  const remote = `ptcp:${port}:127.0.0.1`;
  expect(await appctl('ovsdb-server/add-remote', remote)).toMatchObject({ status: 0, stdout: '' });
  expect((await appctl('ovsdb-server/list-remotes')).stdout).toBe(
    `db:Open_vSwitch,Open_vSwitch,manager_options\n${remote}\npunix:db.sock\n`,
  );
  const watcher = BackgroundProcess.start(
    ['ovsdb-client', 'monitor', `tcp:127.0.0.1:${port}`, 'Open_vSwitch', 'Bridge', 'name'],
    { env },
  );
  await vsctl('add-br', 'br7');
  await eventually('the change to be seen', () => watcher.text.includes('br7'));
  expect((await appctl('ovsdb-server/remove-remote', remote)).status).toBe(0);
  expect((await watcher.finished(5000)).status).not.toBe(0);
  const again = await appctl('ovsdb-server/remove-remote', remote);
  expect(again.stderr).toContain('no such remote\n');
});

it('refuses remotes that it cannot serve', async () => {
  for (const [remote, why] of [
    ['pssl:6640', 'Private key must be configured to use SSL'],
    ['ptpc:6640', 'ptpc:6640: the database server has no such remote'],
    ['db:x,y,z', '"db:x,y,z": no database named x'],
    ['db:Open_vSwitch,y,z', '"db:Open_vSwitch,y,z": no table named y'],
    ['db:Open_vSwitch', '"db:Open_vSwitch": invalid syntax'],
  ]) {
    const answer = await appctl('ovsdb-server/add-remote', remote);
    expect(answer.status).toBe(2);
    expect(answer.stderr).toContain(why);
    const { stdout } = await appctl('ovsdb-server/list-remotes');
    expect(stdout.split('\n')).not.toContain(remote);
  }
});

it('keeps another server, of either make, from its file', async () => {
  const ours = await run([tapswitchBin, 'ovsdb-server', '--unixctl=other.ctl'], { env });
  expect(ours.status).toBe(1);
  expect(ours.stderr).toContain('[E_OVSDB_LOCKED]');
  const debian = await run(['ovsdb-server', '--unixctl=other.ctl', join(directory, 'conf.db')], {
    env,
  });
  expect(debian.status).not.toBe(0);
  expect(debian.stderr).toContain('cannot lock file');
});

it('refuses a file that is not there, as ovsdb-server does, and says how to make it', async () => {
  const file = join(directory, 'none.db');
  const start = (program: string[]) => run([...program, '--unixctl=other.ctl', file], { env });
  const ours = await start([tapswitchBin, 'ovsdb-server']);
  const debian = await start(['ovsdb-server']);
  const error = `ovsdb-server: I/O error: ${file}: open failed (No such file or directory)`;
  expect(debian).toMatchObject({ status: 1, stderr: `${error}\n` });
  expect(ours.status).toBe(1);
  const [first, hint] = ours.stderr.split('\n');
  expect(first).toBe(error);
  expect(hint).toContain('--create');
  expect(existsSync(file)).toBe(false);
});

it('ends with clients connected, leaves its file, and serves it again', async () => {
  await vsctl('add-br', 'br0');
  const watcher = BackgroundProcess.start(
    ['ovsdb-client', 'monitor', `unix:${directory}/db.sock`, 'Open_vSwitch', 'Bridge', 'name'],
    { env },
  );
  await eventually('the client', () => watcher.text.includes('br0'));
  expect(await server.stop()).toBe(0);
  await watcher.finished(5000);
  expect(existsSync(join(directory, 'db.sock'))).toBe(false);
  expect(existsSync(join(directory, 'ovsdb-server.pid'))).toBe(false);
  const file = join(directory, 'conf.db');
  expect(await must(['ovsdb-tool', 'query', file, queryBridges], { env })).toContain('"br0"');
});

const queryBridges =
  '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name"]}]';
