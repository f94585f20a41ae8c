/**
 * Whole command lines against our own server in this process: what they change, what they print.
 *
 * That the text is Open vSwitch's is for test/interop/vsctl.test.ts to show.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runVsctl } from '../../../src/cli/vsctl/index.js';
import { WarpClock } from '../../../src/common/clock.js';
import { Database, OvsdbServer, openVSwitchSchema } from '../../../src/ovsdb/index.js';
import { MemoryIo } from '../../support/memory-io.js';

let directory: string;
let server: OvsdbServer;
let socket: string;
let count = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-vsctl-'));
});

beforeEach(async () => {
  await server?.close();
  const database = new Database(openVSwitchSchema());
  server = new OvsdbServer({ databases: [database], clock: new WarpClock(), selfTimed: true });
  count += 1;
  socket = join(directory, `db${count}.sock`);
  await server.listenUnix(socket);
});

afterAll(async () => {
  await server?.close();
  await rm(directory, { recursive: true, force: true });
});

async function vsctl(line: string, wait = false) {
  const io = new MemoryIo('ovs-vsctl', {});
  const argv = [`--db=unix:${socket}`, '--timeout=10', ...line.split(' ')];
  const status = await runVsctl(wait ? argv : ['--no-wait', ...argv], io);
  return { status, out: io.takeOut(), err: io.takeErr() };
}

describe('vsctl', () => {
  it('configures a bond in one line', async () => {
    const line =
      'add-br br0 -- add-bond br0 bond0 e0 e1 bond_mode=balance-slb -- add-port br0 p1 tag=5 ' +
      '-- set Interface p1 type=internal -- set-fail-mode br0 secure';
    expect(await vsctl(line)).toEqual({ status: 0, out: '', err: '' });
    expect((await vsctl('list-ports br0')).out).toBe('bond0\np1\n');
    expect((await vsctl('list-ifaces br0')).out).toBe('e0\ne1\np1\n');
    expect((await vsctl('get Port bond0 bond_mode -- get Port p1 tag')).out).toBe(
      'balance-slb\n5\n',
    );
    const { out } = await vsctl('show');
    expect(out.split('\n').slice(1, 3)).toEqual(['    Bridge br0', '        fail_mode: secure']);
    expect(out).toContain('            tag: 5\n');
  });

  it('changes all or nothing', async () => {
    const failed = await vsctl('add-br br0 -- add-br br0');
    expect(failed).toMatchObject({ status: 1, out: '' });
    expect(failed.err).toBe(
      'ovs-vsctl: cannot create a bridge named br0 because a bridge named br0 already exists\n',
    );
    expect((await vsctl('list-br')).out).toBe('');
  });

  it('sees in later commands what earlier ones did', async () => {
    const line =
      'add-br a -- add-port a p -- del-port p -- add-port a q -- list-ports a -- del-br a';
    expect(await vsctl(`${line} -- list-br`)).toEqual({ status: 0, out: 'q\n', err: '' });
  });

  it('deletes a bridge with its sets of collectors, so that its name is free again', async () => {
    const withSet = (bridge: string, ...ids: number[]) => {
      const sets = ids.map((id) => `-- create Flow_Sample_Collector_Set bridge=@b id=${id}`);
      return vsctl(`add-br ${bridge} -- --id=@b get Bridge ${bridge} ${sets.join(' ')}`);
    };
    expect(await withSet('br0', 1, 2)).toMatchObject({ status: 0, err: '' });
    expect(await withSet('br1', 3)).toMatchObject({ status: 0, err: '' });
    expect((await vsctl('del-br br0')).status).toBe(0);
    const sets = await vsctl('--bare --columns=id list Flow_Sample_Collector_Set');
    expect(sets.out).toBe('3\n');
    expect(await vsctl('add-br br0')).toEqual({ status: 0, out: '', err: '' });
  });

  it('warns of rows that will not stay', async () => {
    const { status, err } = await vsctl('--id=@m create Mirror name=m');
    expect(status).toBe(0);
    expect(err).toMatch(
      /\|vsctl\|WARN\|row id "@m" was created but no reference to it was inserted/,
    );
  });

  it('exits with status 2 for a bridge that does not exist', async () => {
    expect(await vsctl('br-exists br9')).toEqual({ status: 2, out: '', err: '' });
  });

  it('commits again when the database changed in between', async () => {
    await vsctl('add-br br0');
    const lines = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6'].map((port) => vsctl(`add-port br0 ${port}`));
    for (const { status } of await Promise.all(lines)) expect(status).toBe(0);
    expect((await vsctl('list-ports br0')).out).toBe('p1\np2\np3\np4\np5\np6\n');
  });

  it('waits for the switch unless told not to', async () => {
    const waiting = vsctl('add-br br0', true);
    let state = 'waiting';
    void waiting.then(() => {
      state = 'done';
    });
    expect((await vsctl('wait-until Bridge br0')).status).toBe(0);
    expect(state).toBe('waiting');
    expect((await vsctl('get Open_vSwitch . next_cfg')).out).toBe('1\n');
    await vsctl('set Interface br0 ofport=65534 -- set Open_vSwitch . cur_cfg=1');
    expect(await waiting).toEqual({ status: 0, out: '', err: '' });
  });

  it('does not wait when it changed nothing', async () => {
    await vsctl('add-br br0');
    expect((await vsctl('--may-exist add-br br0', true)).status).toBe(0);
  });

  it('says why the server cannot be reached', async () => {
    const io = new MemoryIo('ovs-vsctl', { OVS_RUNDIR: '/nonexistent' });
    expect(await runVsctl(['list-br'], io)).toBe(1);
    expect(io.takeErr()).toBe(
      'ovs-vsctl: unix:/nonexistent/db.sock: database connection failed ' +
        '(No such file or directory)\n',
    );
  });

  it('fails when the server goes away while it waits', async () => {
    const waiting = vsctl('wait-until Bridge never');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.close();
    const { status, err } = await waiting;
    expect(status).toBe(1);
    expect(err).toMatch(/database connection failed \(End of file\)\n$/);
  });
});
