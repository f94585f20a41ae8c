/**
 * `tapswitch ovsdb-server` when things go wrong around it: a disk without room, a crash that
 * `--monitor` answers with a new server.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, must, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

let directory: string;
let env: NodeJS.ProcessEnv;
let server: BackgroundProcess | null = null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-life-'));
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
});

afterEach(async () => {
  await server?.stop();
  server = null;
  await rm(directory, { recursive: true, force: true });
});

const OPTIONS = '--create --remote=punix:db.sock --unixctl=server.ctl';
const SERVER = `'${tapswitchBin}' ovsdb-server ${OPTIONS}`;

const vsctl = (...args: string[]): Promise<Finished> =>
  run(['ovs-vsctl', '--no-wait', '--timeout=5', ...args], { env });

async function start(command: string): Promise<BackgroundProcess> {
  const started = BackgroundProcess.start(['sh', '-c', command], { env });
  await eventually('the server', async () => (await vsctl('init')).status === 0);
  return started;
}

it('refuses what a full disk has no room for, and goes on', async () => {
  const disk = join(directory, 'disk');
  const make = `mkdir ${disk} && mount -t tmpfs -o size=1m none ${disk}`;
  const command = `${make} && exec ${SERVER} ${disk}/conf.db`;
  server = BackgroundProcess.start(['unshare', '-m', 'sh', '-c', command], { env });
  await eventually('the server', async () => (await vsctl('init')).status === 0);

  const large = 'x'.repeat(60_000);
  let bridges = 0;
  let refused: Finished;
  for (;;) {
    const name = `br${bridges}`;
    refused = await vsctl('add-br', name, '--', 'set', 'bridge', name, `external_ids:x=${large}`);
    if (refused.status !== 0) break;
    bridges += 1;
  }
  expect(bridges).toBeGreaterThan(5);
  expect(refused.stderr).toContain('conf.db: write failed (No space left on device)');
  expect((await vsctl('list-br')).stdout.trim().split('\n')).toHaveLength(bridges);
  const compact = ['ovs-appctl', '-t', join(directory, 'server.ctl'), 'ovsdb-server/compact'];
  expect((await run(compact, { env })).stderr).toContain('No space left on device');
  expect((await vsctl('set', 'bridge', 'br0', 'external_ids:small=1')).status).toBe(0);

  const inside = ['nsenter', '-t', String(server.pid), '-m'];
  expect(await must([...inside, 'ls', disk])).toBe('conf.db\n');
  await must([...inside, 'mount', '-o', 'remount,size=8m', disk]);
  expect((await vsctl('add-br', 'later')).status).toBe(0);
  const file = `/proc/${server.pid}/root${disk}/conf.db`;
  const records = await must(['ovsdb-tool', '-m', 'show-log', file]);
  expect(records.match(/table Bridge insert row/g)).toHaveLength(bridges + 1);
});

it('is started again after a crash, with the remotes that were added', async () => {
  const pidFile = join(directory, 'ovsdb-server.pid');
  server = await start(`exec ${SERVER} --pidfile --monitor`);
  const pid = async () => Number(await readFile(pidFile, 'utf8').catch(() => '0'));
  const first = await pid();
  expect(first).not.toBe(server.pid);
  expect(await readFile(`/proc/${first}/comm`, 'utf8')).toBe('ovsdb-server\n');
  const add = ['ovsdb-server/add-remote', 'punix:other.sock'];
  await must(['ovs-appctl', '-t', join(directory, 'server.ctl'), ...add], { env });
  expect((await vsctl('add-br', 'br0')).status).toBe(0);

  process.kill(first, 'SIGSEGV');
  await eventually('another process', async () => ![0, first].includes(await pid()));
  const second = await pid();
  const other = `--db=unix:${join(directory, 'other.sock')}`;
  await eventually('its answer', async () => (await vsctl(other, 'list-br')).stdout === 'br0\n');

  process.kill(second, 'SIGTERM');
  expect((await server.finished(10_000)).status).toBe(0);
  expect(await readdir(directory)).not.toContain('ovsdb-server.pid');
});
