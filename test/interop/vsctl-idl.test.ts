/**
 * The OVSDB client against Debian's ovsdb-server: others' changes, a restart of the server, and the
 * loss of a cluster's leader.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as ClockModule from '../../src/common/clock.js';
import type * as LoopModule from '../../src/common/poll-loop.js';
import type * as IdlModule from '../../src/ovsdb/idl/index.js';
import { must } from '../support/command.js';
import { OvsdbServer } from '../support/ovsdb-server.js';
import { RaftCluster } from '../support/raft-cluster.js';

const dist = process.env.TAPSWITCH_DIST ?? new URL('../../dist', import.meta.url).pathname;
const { WarpClock } = (await import(`${dist}/common/clock.js`)) as typeof ClockModule;
const { PollLoop } = (await import(`${dist}/common/poll-loop.js`)) as typeof LoopModule;
const { Idl, IdlTxn } = (await import(`${dist}/ovsdb/idl/index.js`)) as typeof IdlModule;

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
  let cluster: RaftCluster;

  beforeAll(async () => {
    cluster = await RaftCluster.start();
  });
  afterAll(() => cluster?.stop());

  it('survives the loss of its leader', async () => {
    // A member that only follows comes first: the client must move on to the leader.
    const { members, remotes } = cluster;
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
