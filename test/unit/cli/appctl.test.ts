/** appctl and dpctl against a control socket in the same process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runAppctl } from '../../../src/cli/appctl/index.js';
import { runDpctl } from '../../../src/cli/dpctl/index.js';
import { UnixctlError, UnixctlServer } from '../../../src/unixctl/server.js';
import { MemoryIo } from '../../support/memory-io.js';

const server = new UnixctlServer('version text');
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-appctl-'));
  await server.listen(join(directory, `ovs-vswitchd.${process.pid}.ctl`));
  writeFileSync(join(directory, 'ovs-vswitchd.pid'), `${process.pid}\n`);
  server.register('never', '', 0, 0, () => {});
  server.register('test/args', '', 0, 9, (_command, args) => args.join('|'));
  server.register('dpctl/show', '[-s] [dp...]', 0, 9, (_command, args) => args.join('|'));
  server.register('dpctl/get-flow', '[dp] ufid', 1, 2, () => {
    throw new UnixctlError('ovs-vswitchd: failed to get flow (No such file or directory)');
  });
  server.register(
    'dpctl/list-commands',
    '',
    0,
    9,
    () => 'The available commands are:\n  dpctl/show\n',
  );
});

afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

async function appctl(...argv: string[]) {
  const io = new MemoryIo('ovs-appctl', { OVS_RUNDIR: directory });
  const status = await runAppctl(argv, io);
  return { status, out: io.takeOut(), err: io.takeErr() };
}

async function dpctl(...argv: string[]) {
  const io = new MemoryIo('ovs-dpctl', { OVS_RUNDIR: directory });
  const status = await runDpctl(argv, io);
  return { status, out: io.takeOut(), err: io.takeErr() };
}

describe('appctl', () => {
  it('passes arguments on, options among them', async () => {
    const answer = await appctl('-t', 'ovs-vswitchd', '-e', 'test/args', '-s', '--', '--names');
    expect(answer).toEqual({ status: 0, out: '-s|--|--names\n', err: '' });
  });

  it('ends with status 2 on an error answer', async () => {
    const { status, err } = await appctl('test/arsg');
    expect(status).toBe(2);
    expect(err).toMatch(/\novs-appctl: ovs-vswitchd: server returned an error\n$/);
  });

  it.each([
    [[], 'at least one non-option argument is required (use --help for help)'],
    [['-t', 'a', '-t', 'b', 'x'], '-t or --target may be specified only once'],
    [['-T', '0', 'x'], 'value 0 on -T or --timeout is invalid'],
    [['-T', 'soon', 'x'], 'value soon on -T or --timeout is invalid'],
    [['-t', '/nonexistent', 'x'], 'cannot connect to "/nonexistent" (No such file or directory)'],
  ])('refuses %j', async (argv, message) => {
    expect(await appctl(...argv)).toEqual({ status: 1, out: '', err: `ovs-appctl: ${message}\n` });
  });

  it('gives up after --timeout, as if by SIGALRM', async () => {
    expect((await appctl('-T', '1', 'never')).status).toBe(142);
  });

  it('tells of a daemon that goes away before it answers', async () => {
    const brief = new UnixctlServer('');
    const path = join(directory, 'brief.ctl');
    brief.register('die', '', 0, 0, () => void brief.close());
    await brief.listen(path);
    const { status, err } = await appctl('-t', path, 'die');
    expect([status, err]).toEqual([1, `ovs-appctl: ${path}: transaction error (End of file)\n`]);
  });
});

describe('dpctl', () => {
  it('asks the daemon, with its options before its arguments', async () => {
    const answer = await dpctl('show', '-s', 'system@ovs-system', '--names', '-t', '5');
    expect(answer).toEqual({ status: 0, out: '--statistics|--names|system@ovs-system\n', err: '' });
  });

  it('prints errors as ovs-dpctl', async () => {
    expect(await dpctl('get-flow', 'ufid:1')).toEqual({
      status: 1,
      out: '',
      err: 'ovs-dpctl: failed to get flow (No such file or directory)\n',
    });
    expect((await dpctl('frobnicate')).err).toBe(
      "ovs-dpctl: unknown command 'frobnicate'; use --help for help\n",
    );
    expect((await dpctl('get-flow')).err).toBe(
      "ovs-dpctl: 'get-flow' command requires at least 1 arguments\n",
    );
    expect((await dpctl()).err).toBe('ovs-dpctl: missing command name; use --help for help\n');
  });

  it('changes nothing with --read-only', async () => {
    expect((await dpctl('--read-only', 'del-flows')).err).toBe(
      "ovs-dpctl: 'del-flows' command does not work in read only mode\n",
    );
    expect((await dpctl('--read-only', 'show')).status).toBe(0);
  });

  it('lists commands without the prefix that the daemon has', async () => {
    expect((await dpctl('list-commands')).out).toBe('The available commands are:\n  show\n');
  });
});
