/**
 * The life of a daemon: one to a run directory, told to go and gone without a trace, or killed and
 * followed by the next one.
 */
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

const idleDaemon = join(dirname(fileURLToPath(import.meta.url)), '../support/idle-daemon.mjs');

let directory: string;
let env: NodeJS.ProcessEnv;
let daemons: BackgroundProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-life-'));
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
  daemons = [];
});

afterEach(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

const argvOf = (...args: string[]): string[] => [
  process.execPath,
  idleDaemon,
  '--enable-dummy',
  ...args,
];

const appctl = (...args: string[]): Promise<Finished> =>
  run([tapswitchBin, 'appctl', ...args], { env });

async function start(...args: string[]): Promise<BackgroundProcess> {
  const daemon = BackgroundProcess.start(argvOf(...args), { env });
  daemons.push(daemon);
  await eventually('the daemon to answer', async () => (await appctl('version')).status === 0);
  return daemon;
}

const files = (): string[] => readdirSync(directory).sort();
const pidFile = (): number =>
  Number(readFileSync(join(directory, 'ovs-vswitchd.pid'), 'latin1').trim());

describe('one daemon to a run directory', () => {
  it('refuses a second one, and names the first and the directory', async () => {
    const first = await start();
    const second = await run(argvOf(), { env });
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('[E_DAEMON_RUNNING]');
    expect(second.stderr).toContain(`already running as pid ${first.pid}`);
    expect(second.stderr).toContain(directory);
    expect(second.stderr).toContain('hint: ');
    expect(pidFile()).toBe(first.pid);
    expect((await appctl('test/echo', 'still here')).stdout).toBe('still here\n');
  });

  it('starts where a killed one left its files, and clears them away', async () => {
    const first = await start();
    await first.stop('SIGKILL');
    const left = `ovs-vswitchd.${first.pid}.ctl`;
    expect(files()).toEqual([left, 'ovs-vswitchd.pid']);
    const second = await start();
    expect(pidFile()).toBe(second.pid);
    expect(files()).not.toContain(left);
  });
});

describe('the end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s leaves nothing behind', async (signal) => {
    const daemon = await start();
    expect(await daemon.stop(signal)).toBe(0);
    expect(files()).toEqual([]);
  });

  it('comes with the exit command, which is answered', async () => {
    const daemon = await start();
    expect(await appctl('exit')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect((await daemon.finished(5000)).status).toBe(0);
    expect(files()).toEqual([]);
  });

  it('comes with an error that the switch cannot survive, which is told', async () => {
    const daemon = await start();
    await appctl('test/fatal');
    const { status, stderr } = await daemon.finished(5000);
    expect(status).toBe(1);
    expect(stderr).toContain('tapswitch: the switch broke [E_TEST]');
    expect(files()).toEqual([]);
  });
});

describe('--detach', () => {
  it('returns when the daemon answers, and leaves it running', async () => {
    const parent = await run(argvOf('--detach', '--log-file'), { env });
    expect(parent.status).toBe(0);
    const pid = pidFile();
    try {
      expect((await appctl('test/echo', 'up')).stdout).toBe('up\n');
    } finally {
      await appctl('exit');
    }
    await eventually('its end', () => !existsSync(`/proc/${pid}`));
    expect(files()).toEqual(['ovs-vswitchd.log']);
  });

  it('fails with the error of a daemon that does not come up', async () => {
    const failing = { ...env, FAIL_START: 'yes' };
    const parent = await run(argvOf('--detach'), { env: failing });
    expect(parent.status).toBe(1);
    expect(parent.stderr).toContain('tapswitch: no switch today [E_TEST]\n  hint: try later\n');
    expect(files()).toEqual([]);
  });
});

describe('the log file', () => {
  it('has lines as Open vSwitch writes them, and is opened again on SIGHUP', async () => {
    const daemon = await start('--log-file', '-vconsole:off');
    const log = join(directory, 'ovs-vswitchd.log');
    const line = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|00001\|vlog\|INFO\|opened log file /;
    expect(readFileSync(log, 'utf8')).toMatch(line);
    renameSync(log, `${log}.1`);
    daemon.child.kill('SIGHUP');
    await eventually('a new log file', () => existsSync(log));
    expect(readFileSync(`${log}.1`, 'utf8')).toMatch(/\|vlog\|INFO\|closing log file\n$/);
    expect(daemon.text).toBe('');
  });
});
