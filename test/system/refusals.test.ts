/**
 * What a person meets on a machine that lacks something: each refusal names the problem and what to
 * do, without a stack trace; and help works without anything.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, must, run } from '../support/command.js';
import { Namespace } from '../support/netns.js';
import { tapswitchBin } from '../support/switch.js';

const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const WITHOUT_CAPABILITIES = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'];
const WITHOUT_TUN = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs none /dev/net && exec "$0" "$@"',
];

let namespace: Namespace;
let directory: string;

beforeAll(async () => {
  namespace = await Namespace.make('refusals');
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-test-'));
});

afterAll(async () => {
  await namespace?.remove();
  await rm(directory, { recursive: true, force: true });
});

function start(prefix: string[]): Promise<Finished> {
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  const argv = [...prefix, tapswitchBin, 'start'];
  return namespace.run(argv, { env: { ...process.env, ...dirs }, timeoutMs: 15_000 });
}

describe('tapswitch start', () => {
  it('says which capabilities it lacks', async () => {
    const { status, stderr } = await start(WITHOUT_CAPABILITIES);
    expect(status).toBe(1);
    expect(stderr).toMatch(/CAP_NET_ADMIN and CAP_NET_RAW.*\[E_NO_CAPABILITY\]/);
    expect(stderr).toMatch(/hint: run as root/);
    expect(stderr).not.toMatch(/\n +at /);
  });

  it('says that /dev/net/tun is missing', async () => {
    const { status, stderr } = await start(WITHOUT_TUN);
    expect(status).toBe(1);
    expect(stderr).toMatch(/\/dev\/net\/tun is missing.*\[E_NO_TUN\]/);
    expect(stderr).toMatch(/hint: .*--device=\/dev\/net\/tun/);
    expect(stderr).not.toMatch(/\n +at /);
  });

  it.each([24, 100])('says that %i open files are too few', async (files) => {
    const { status, stderr } = await start(['sh', '-c', `ulimit -n ${files} && exec "$0" "$@"`]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/may not open enough files.*\[E_TOO_FEW_FILES\]\n +hint: .*ulimit -n/);
    expect(stderr).not.toMatch(/\n +at /);
  });

  it('refuses an option that it does not know', async () => {
    const result = await run([tapswitchBin, 'start', '--no-such-option']);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/no-such-option/);
    expect(result.stderr).not.toMatch(/\n +at /);
  });
});

describe('without root and without the addon', () => {
  let copy: string;
  let bin: string;

  beforeAll(async () => {
    // A copy that any user may read, with what npm installs and tsc builds, but no native build.
    copy = await mkdtemp(join(tmpdir(), 'tapswitch-copy-'));
    const root = dirname(dirname(tapswitchBin));
    for (const part of ['bin', 'dist', 'package.json', 'node_modules/commander']) {
      await cp(join(root, part), join(copy, part), { recursive: true });
    }
    await must(['chmod', '-R', 'a+rX', copy]);
    bin = join(copy, 'bin', 'tapswitch');
  });

  afterAll(() => rm(copy, { recursive: true, force: true }));

  it.each([[['--help']], [['start', '--help']], [['vsctl', '--help']], [['ofctl', '--help']]])(
    'tapswitch %j prints its help',
    async (args) => {
      const { status, stdout, stderr } = await run([...AS_NOBODY, bin, ...args], { cwd: '/' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(stdout).toMatch(/usage/i);
    },
  );

  it('tapswitch --version prints the version', async () => {
    const { status, stdout } = await run([...AS_NOBODY, bin, '--version'], { cwd: '/' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/\d+\.\d+\.\d+/);
  });

  it('tapswitch start says how to build the addon, and that it lacks rights', async () => {
    const dirs = { OVS_RUNDIR: copy, OVS_DBDIR: copy, OVS_LOGDIR: copy };
    const env = { ...process.env, ...dirs };
    const { status, stderr } = await run([...AS_NOBODY, bin, 'start'], { cwd: '/', env });
    expect(status).toBe(1);
    expect(stderr).toMatch(/\[E_ADDON_MISSING\]/);
    expect(stderr).toMatch(/npm run build:native/);
    expect(stderr).toMatch(/\[E_NO_CAPABILITY\]/);
  });
});

describe('the tools without a daemon', () => {
  it.each([
    ['vsctl', ['--timeout=2', 'show'], /db\.sock: database connection failed/],
    ['ofctl', ['show', 'br0'], /br0 is not a bridge or a socket/],
    ['appctl', ['version'], /cannot read pidfile/],
  ])('tapswitch %s says that nothing answers', async (tool, args, message) => {
    const env = { ...process.env, OVS_RUNDIR: directory };
    const result = await run([tapswitchBin, tool, ...args], { env });
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n +at /);
  });
});
