/**
 * The control socket as Debian's ovs-appctl sees it, and our appctl beside it: the same answers,
 * the same errors, the same exit statuses.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

const idleDaemon = join(dirname(fileURLToPath(import.meta.url)), '../support/idle-daemon.mjs');
const clients = [
  { name: 'ovs-appctl of Debian', argv: ['ovs-appctl'] },
  { name: 'tapswitch appctl', argv: [tapswitchBin, 'appctl'] },
];

let directory: string;
let env: NodeJS.ProcessEnv;
let daemon: BackgroundProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-appctl-'));
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
  const argv = [process.execPath, idleDaemon, '--enable-dummy', '--log-file'];
  daemon = BackgroundProcess.start(argv, { env });
  const answers = async () => (await run(['ovs-appctl', 'version'], { env })).status === 0;
  await eventually('the control socket to answer', answers);
});

afterAll(async () => {
  await daemon.stop();
  await rm(directory, { recursive: true, force: true });
});

describe.each(clients)('$name', ({ argv }) => {
  const ask = (...args: string[]): Promise<Finished> => run([...argv, ...args], { env });

  it('prints the answer, with a line end', async () => {
    const answer = await ask('test/echo', 'a b', 'ü"\\');
    expect(answer).toEqual({ status: 0, stdout: 'a b\nü"\\\n', stderr: '' });
  });

  it('names the program and its version as Open vSwitch does', async () => {
    const { stdout } = await ask('version');
    expect(stdout).toMatch(/^ovs-vswitchd \(Open vSwitch\) 3\.1\.1\ntapswitch \d+\.\d+\.\d+\n$/);
  });

  it('reaches the daemon through its socket, too', async () => {
    const socket = join(directory, `ovs-vswitchd.${daemon.pid}.ctl`);
    expect((await ask('-t', socket, 'test/echo', 'x')).stdout).toBe('x\n');
  });

  it('tells of a command that does not exist, with status 2', async () => {
    const answer = await ask('bond/shwo');
    expect(answer.status).toBe(2);
    expect(answer.stderr).toBe(
      '"bond/shwo" is not a valid command (use "list-commands" to see a list of valid commands)\n' +
        'ovs-appctl: ovs-vswitchd: server returned an error\n',
    );
  });

  it('tells of too few and too many arguments', async () => {
    const few = await ask('test/echo');
    expect(few.stderr).toContain('"test/echo" command requires at least 1 arguments\n');
    const many = await ask('test/echo', '1', '2', '3', '4');
    expect(many.stderr).toContain('"test/echo" command takes at most 3 arguments\n');
  });

  it('waits for an answer that comes later', async () => {
    expect((await ask('test/later', '30')).stdout).toBe('after 30\n');
  });

  it('gives up after --timeout', async () => {
    const answer = await ask('--timeout=1', 'test/later', '20000');
    expect(answer.status).not.toBe(0);
    expect(answer.stdout).toBe('');
  });

  it('lists commands in order, with their usage', async () => {
    const { stdout } = await ask('list-commands');
    const [title, ...rows] = stdout.trimEnd().split('\n');
    expect(title).toBe('The available commands are:');
    expect(rows).toContain('  exit                    [--cleanup]');
    expect(rows).toContain('  vlog/set                {spec | PATTERN:destination:pattern}');
    expect(rows).toEqual([...rows].sort());
  });

  it('sets and lists log levels', async () => {
    expect((await ask('vlog/set', 'unixctl:file:dbg')).stdout).toBe('');
    const { stdout } = await ask('vlog/list');
    expect(stdout).toMatch(/^ {17}console {4}syslog {4}file\n {17}-{7} {4}-{6} {4}-{6}\n/);
    expect(stdout).toContain('unixctl           INFO       INFO        DBG\n');
    const wrong = await ask('vlog/set', 'nonsense');
    expect(wrong.stderr).toContain('no destination, level, or module "nonsense"\n');
    expect(wrong.status).toBe(2);
  });

  it('reads a daemon that is not there as Open vSwitch does', async () => {
    const answer = await ask('-t', 'nobody', 'version');
    expect(answer.status).toBe(1);
    const file = join(directory, 'nobody.pid');
    expect(answer.stderr).toContain(
      `ovs-appctl: cannot read pidfile "${file}" (No such file or directory)\n`,
    );
  });
});

describe('time', () => {
  const ask = async (...args: string[]): Promise<string> =>
    (await run(['ovs-appctl', ...args], { env })).stdout;

  it('stands still after time/stop and moves with time/warp alone', async () => {
    await ask('time/stop');
    const before = Number(await ask('test/elapsed'));
    expect(Number(await ask('test/elapsed'))).toBe(before);
    const turns = Number(await ask('test/turns'));
    expect(await ask('time/warp', '5000', '500')).toBe('warped\n');
    expect(Number(await ask('test/elapsed'))).toBe(before + 5000);
    expect(Number(await ask('test/turns'))).toBeGreaterThanOrEqual(turns + 10);
    const wrong = await run(['ovs-appctl', 'time/warp', '0'], { env });
    expect(wrong.stderr).toContain('invalid MSECS\n');
  });
});
