/**
 * Relays and backups between our database server and Open vSwitch's, either way round, and a relay
 * of ours on a cluster that loses its leader.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackgroundProcess, eventually, must, run } from '../support/command.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { tapswitchBin } from '../support/switch.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const OURS = [tapswitchBin, 'ovsdb-server'];
const THEIRS = ['ovsdb-server'];

let directory: string;
let env: NodeJS.ProcessEnv;
let servers: BackgroundProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-upstream-'));
  env = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory, NODE_OPTIONS: '' };
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
  await rm(directory, { recursive: true, force: true });
});

const remote = (name: string): string => `unix:${directory}/${name}.sock`;

/** Starts a server whose sockets are called `name`. */
async function start(program: string[], name: string, ...args: string[]): Promise<void> {
  const own = [`--remote=punix:${directory}/${name}.sock`, `--unixctl=${directory}/${name}.ctl`];
  const argv = [...program, ...own, '-vconsole:off', ...args];
  servers.push(BackgroundProcess.start(argv, { env }));
  await eventually('the server to listen', () => existsSync(`${directory}/${name}.sock`));
}

/** A database file of its own. */
async function file(name: string): Promise<string> {
  const path = join(directory, `${name}.db`);
  await must(['ovsdb-tool', 'create', path, SCHEMA]);
  return path;
}

const vsctl = (name: string, ...args: string[]) => {
  const options = ['--no-wait', '--no-leader-only', '--retry', '--timeout=20'];
  return must(['ovs-vsctl', ...options, `--db=${remote(name)}`, ...args], { env });
};
const dump = (name: string) => must(['ovsdb-client', 'dump', remote(name), 'Open_vSwitch']);
const appctl = (name: string, command: string) =>
  must(['ovs-appctl', '-t', join(directory, `${name}.ctl`), `ovsdb-server/${command}`], { env });

describe.each([
  ['ours on theirs', OURS, THEIRS],
  ['theirs on ours', THEIRS, OURS],
])('%s', (_title, program, main) => {
  it('as a relay shows what there is, and passes on what is asked', async () => {
    await start(main, 'main', await file('main'));
    await start(program, 'relay', `relay:Open_vSwitch:${remote('main')}`);
    await vsctl('relay', 'init', '--', 'add-br', 'br0', '--', 'add-port', 'br0', 'p1');
    expect(await vsctl('main', 'list-ports', 'br0')).toBe('p1\n');
    await vsctl('main', 'add-br', 'br1');
    expect(await vsctl('relay', 'list-br')).toBe('br0\nbr1\n');
    await eventually('the same rows', async () => (await dump('relay')) === (await dump('main')));
  });

  it('as a backup copies, refuses changes, and takes over when told to', async () => {
    await start(main, 'main', await file('main'));
    await vsctl('main', 'init', '--', 'add-br', 'br0');
    const copy = await file('copy');
    await start(program, 'copy', `--sync-from=${remote('main')}`, copy);
    await eventually('the copy', async () => (await dump('copy')) === (await dump('main')));
    await vsctl('main', 'add-br', 'br1');
    await eventually('the change', async () => (await dump('copy')) === (await dump('main')));
    expect(await appctl('copy', 'sync-status')).toBe(
      `state: backup\nreplicating: ${remote('main')}\ndatabase: Open_vSwitch\n`,
    );
    const attempt = ['ovs-vsctl', '--no-wait', `--db=${remote('copy')}`, 'add-br', 'br2'];
    expect((await run(attempt, { env })).stderr).toContain('not allowed');
    await servers[0].stop();
    await appctl('copy', 'disconnect-active-ovsdb-server');
    await vsctl('copy', 'add-br', 'br2');
    expect(await vsctl('copy', 'list-br')).toBe('br0\nbr1\nbr2\n');
    const log = await must(['ovsdb-tool', '-m', 'show-log', copy]);
    expect(log).toContain('table Bridge insert row "br2"');
  });
});

describe('ours on a cluster', () => {
  let cluster: RaftCluster;
  beforeEach(async () => {
    cluster = await RaftCluster.start();
  });
  afterEach(() => cluster.stop());

  it('as a relay survives the loss of the member that it is connected to', async () => {
    await start(OURS, 'relay', `relay:Open_vSwitch:${cluster.remotes.join(',')}`);
    await vsctl('relay', 'init', '--', 'add-br', 'br0');
    await cluster.members[0].stop('SIGKILL');
    expect(await vsctl('relay', 'list-br')).toBe('br0\n');
    await eventually(
      'a change through another member',
      async () => {
        const options = ['--no-wait', '--no-leader-only', '--timeout=10'];
        const add = ['ovs-vsctl', ...options, `--db=${remote('relay')}`, 'add-br', 'br1'];
        return (await run(add, { env })).status === 0;
      },
      40_000,
    );
    expect(await vsctl('relay', 'list-br')).toBe('br0\nbr1\n');
  });
});
