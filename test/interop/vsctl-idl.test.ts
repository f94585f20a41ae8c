/**
 * The OVSDB client against Debian's ovsdb-server: others' changes, a restart of the server, and the
 * loss of a cluster's leader.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as ClockModule from '../../src/common/clock.js';
import type * as LoopModule from '../../src/common/poll-loop.js';
import type * as IdlModule from '../../src/ovsdb/idl/index.js';
import { BackgroundProcess, eventually, must } from '../support/command.js';
import { OvsdbServer } from '../support/ovsdb-server.js';

const dist = process.env.TAPSWITCH_DIST ?? new URL('../../dist', import.meta.url).pathname;
const { WarpClock } = (await import(`${dist}/common/clock.js`)) as typeof ClockModule;
const { PollLoop } = (await import(`${dist}/common/poll-loop.js`)) as typeof LoopModule;
const { Idl, IdlTxn } = (await import(`${dist}/ovsdb/idl/index.js`)) as typeof IdlModule;

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const clock = new WarpClock();
const loop = new PollLoop(clock);
const closing: (() => unknown)[] = [];

function connect(remote: string | string[]): IdlModule.Idl {
  const idl = new Idl({ remote, clock, onWake: () => loop.wake() });
  const remove = loop.add(idl);
  closing.push(() => {
    remove();
    idl.close();
  });
  return idl;
}

async function until(idl: IdlModule.Idl, reached: () => boolean): Promise<void> {
  const late = performance.now() + 30_000;
  while (!reached()) {
    if (performance.now() > late) throw new Error(`still ${idl.state}: ${idl.lastError}`);
    await Promise.race([idl.nextEvent(), new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

const bridgeNames = (idl: IdlModule.Idl) =>
  [...idl.table('Bridge')].map((row) => row.get<string>('name')).sort();

async function addBridge(idl: IdlModule.Idl, name: string): Promise<string> {
  const txn = new IdlTxn(idl);
  const ovs = idl.table('Open_vSwitch').first() ?? txn.insert('Open_vSwitch');
  const iface = txn.insert('Interface', { name, type: 'internal' });
  const port = txn.insert('Port', { name, interfaces: [iface] });
  const bridge = txn.insert('Bridge', { name, ports: [port] });
  txn.mutate(ovs, 'bridges', 'insert', [bridge]);
  return (await txn.commit()).status;
}

beforeAll(() => loop.start());

afterAll(() => {
  for (const close of closing) close();
  loop.stop();
});

describe('one server', () => {
  let server: OvsdbServer;

  beforeAll(async () => {
    server = await OvsdbServer.start();
  });
  afterAll(() => server?.stop());

  it('is followed through changes of others and a restart', async () => {
    const idl = connect(server.remote);
    await until(idl, () => idl.live);
    const vsctl = (...argv: string[]) =>
      must(['ovs-vsctl', '--no-wait', ...argv], { env: server.env });
    await vsctl('add-br', 'br0', '--', 'set', 'Bridge', 'br0', 'other_config:a="b c"');
    await until(idl, () => idl.table('Bridge').size === 1);
    const bridge = idl.table('Bridge').find('name', 'br0') as IdlModule.IdlRow;
    await until(idl, () => bridge.get<Map<string, string>>('other_config').get('a') === 'b c');

    await server.pause();
    await until(idl, () => !idl.live);
    expect(bridgeNames(idl)).toEqual(['br0']);
    await server.restart();
    await vsctl('add-br', 'br1', '--', 'clear', 'Bridge', 'br0', 'other_config');
    await until(idl, () => idl.live && idl.table('Bridge').size === 2);
    expect(idl.table('Bridge').find('name', 'br0')).toBe(bridge);
    await until(idl, () => bridge.get<Map<string, string>>('other_config').size === 0);

    expect(await addBridge(idl, 'br2')).toBe('success');
    expect((await vsctl('list-br')).split('\n')).toEqual(['br0', 'br1', 'br2', '']);
  });

  it('gives a lock to one client at a time', async () => {
    const [first, second] = [connect(server.remote), connect(server.remote)];
    await until(first, () => first.live && second.live);
    first.setLock('one');
    await until(first, () => first.hasLock);
    second.setLock('one');
    await until(second, () => second.lockContended);
    const txn = new IdlTxn(second);
    txn.insert('Queue', { dscp: 1 });
    expect((await txn.commit()).status).toBe('not locked');
    first.setLock(null);
    await until(second, () => second.hasLock);
    const again = new IdlTxn(second);
    again.insert('Queue', { dscp: 1 });
    expect((await again.commit()).status).toBe('success');
  });
});

describe('a cluster of three', () => {
  const members: BackgroundProcess[] = [];
  let directory: string;
  const remotes: string[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tapswitch-raft-'));
    const raft = (i: number) => `unix:${directory}/raft${i}`;
    for (const i of [0, 1, 2]) {
      const file = join(directory, `db${i}`);
      const how =
        i === 0
          ? ['create-cluster', file, SCHEMA, raft(0)]
          : ['join-cluster', file, 'Open_vSwitch', raft(i), raft(0)];
      await must(['ovsdb-tool', ...how]);
      const argv = [
        ...['ovsdb-server', '-vconsole:off', `--remote=punix:${directory}/s${i}`],
        ...[`--unixctl=${directory}/c${i}`, file],
      ];
      const env = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory };
      members.push(BackgroundProcess.start(argv, { env }));
      remotes.push(`unix:${directory}/s${i}`);
      await eventually('the member to listen', () => existsSync(`${directory}/s${i}`));
      const joined = ['ovsdb-client', '-t', '10', 'wait', remotes[i], 'Open_vSwitch', 'connected'];
      await must(joined, { timeoutMs: 15_000 });
    }
  });

  afterAll(async () => {
    for (const member of members) await member.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  it('survives the loss of its leader', async () => {
    // A member that only follows comes first: the client must move on to the leader.
    const idl = connect([remotes[2], remotes[1], remotes[0]]);
    await until(idl, () => idl.live);
    expect(idl.remoteName).toBe(remotes[0]);
    expect(await addBridge(idl, 'before')).toBe('success');
    await members[0].stop('SIGKILL');
    await until(idl, () => !idl.live);
    expect(bridgeNames(idl)).toEqual(['before']);
    await until(idl, () => idl.live);
    expect(bridgeNames(idl)).toEqual(['before']);
    expect(await addBridge(idl, 'after')).toBe('success');
    expect(bridgeNames(idl)).toEqual(['after', 'before']);
  });
});
