/**
 * The client's conversation with a server: which monitor it asks for, what it makes of updates, how
 * it comes back after a connection is lost.
 */

import { describe, expect, it } from 'vitest';
import type { IdlState } from '../../../src/ovsdb/idl/idl.js';
import { Idl, type IdlRow, MonitorSpec, parseSchema } from '../../../src/ovsdb/idl/index.js';
import { client, FakeServer, liveClient, Refusal, SCHEMA, until } from './fake-server.js';

const A = 'aaaaaaaa-0000-4000-8000-000000000001';
const B = 'bbbbbbbb-0000-4000-8000-000000000002';
const ROOT = 'cccccccc-0000-4000-8000-000000000003';
const TXN1 = '00000000-0000-0000-0000-000000000001';
const TXN2 = '00000000-0000-0000-0000-000000000002';

const uuid = (id: string) => ['uuid', id];
const set = (...members: unknown[]) => ['set', members];
const map = (...pairs: unknown[]) => ['map', pairs];

const DUMP = {
  Root: { [ROOT]: { initial: { counter: 7, parts: set(uuid(A), uuid(B)) } } },
  Part: {
    [A]: { initial: { name: 'a', size: 3, next: uuid(B), tags: set('y', 'x') } },
    [B]: { initial: { name: 'b', good: true, weight: 1.5, options: map(['k', 'v']) } },
  },
};

function serverWithDump(): FakeServer {
  const server = new FakeServer();
  server.answers.monitor_cond_since = () => [false, TXN1, DUMP] as never;
  return server;
}

describe('contents', () => {
  it('are JavaScript values, with defaults for what the server left out', async () => {
    const { idl } = await liveClient(serverWithDump());
    const a = idl.table('Part').find('name', 'a') as IdlRow;
    expect(a.uuid).toBe(A);
    expect(a.get('size')).toBe(3);
    expect(a.get('weight')).toBe(0);
    expect(a.get('good')).toBe(false);
    expect(a.get('tags')).toEqual(['x', 'y']);
    expect(a.get('options')).toEqual(new Map());
    const b = a.get<IdlRow>('next');
    expect(b.get('name')).toBe('b');
    expect(b.get('size')).toBeNull();
    expect(b.get('options')).toEqual(new Map([['k', 'v']]));
    const root = idl.table('Root').first() as IdlRow;
    expect(root.get<IdlRow[]>('parts')).toEqual([a, b]);
    expect(root.json('counter')).toBe(7);
  });

  it('leave out references that lead nowhere', async () => {
    const server = new FakeServer();
    const parts = { Root: { [ROOT]: { initial: { parts: set(uuid(A)) } } } };
    server.answers.monitor_cond_since = () => [false, TXN1, parts] as never;
    const { idl } = await liveClient(server);
    const root = idl.table('Root').first() as IdlRow;
    expect(root.get('parts')).toEqual([]);
    expect(root.datum('parts').keys).toEqual([A]);
  });

  it('have no unknown tables and columns', async () => {
    const { idl } = await liveClient(serverWithDump());
    expect(() => idl.table('Nope')).toThrow('no table Nope');
    expect(() => idl.table('Part').first()?.get('nope')).toThrow('no column nope');
  });
});

describe('updates', () => {
  it('by difference change sets, maps and scalars, and are told once each', async () => {
    const server = serverWithDump();
    const made = await liveClient(server);
    const { idl, log } = made;
    expect(log).toEqual(['Part +2 ~[] -0; Root +1 ~[] -0']);
    const before = idl.seqno;
    server.connection?.notify('update3', [
      ['monid', 'tapswitch'],
      TXN2,
      {
        Part: {
          [A]: { modify: { size: set(), tags: set('x', 'z'), options: map(['n', '1']) } },
          [B]: { modify: { options: map(['k', 'v2']), weight: 2 } },
        },
      },
    ]);
    await until(made, () => idl.seqno > before);
    const a = idl.table('Part').row(A) as IdlRow;
    expect(a.get('size')).toBeNull();
    expect(a.get('tags')).toEqual(['y', 'z']);
    expect(a.get('options')).toEqual(new Map([['n', '1']]));
    expect(idl.table('Part').row(B)?.get('options')).toEqual(new Map([['k', 'v2']]));
    expect(log.slice(1)).toEqual(['Part +0 ~[options,options,size,tags,weight] -0']);
  });

  it('insert and delete rows; a deleted row keeps its contents', async () => {
    const server = serverWithDump();
    const deleted: string[] = [];
    const made = await liveClient(server, {
      onChange: (changes) => {
        for (const row of changes.get('Part')?.deleted ?? []) deleted.push(row.get('name'));
      },
    });
    const updates = { Part: { [A]: { delete: null } }, Free: { [B]: { insert: { n: 5 } } } };
    server.connection?.notify('update2', [['monid', 'tapswitch'], updates]);
    await until(made, () => deleted.length > 0);
    expect(deleted).toEqual(['a']);
    expect(made.idl.table('Free').first()?.get('n')).toBe(5);
  });

  it('that come in one piece with the first dump are applied after it', async () => {
    const server = serverWithDump();
    server.answers.monitor_cond_since = () => {
      // Sent right behind the reply: both arrive in one chunk.
      queueMicrotask(() => {
        const updates = { Part: { [A]: { modify: { size: 9 } } } };
        server.connection?.notify('update3', [['monid', 'tapswitch'], TXN2, updates as never]);
      });
      return [false, TXN1, DUMP] as never;
    };
    const made = await liveClient(server);
    await until(made, () => made.idl.table('Part').row(A)?.get('size') === 9);
    expect(made.idl.live).toBe(true);
  });

  it('that make no sense lead to a new connection and a new dump', async () => {
    const server = serverWithDump();
    const made = await liveClient(server);
    const unknown = { Part: { [ROOT]: { modify: { size: 1 } } } };
    server.connection?.notify('update3', [['monid', 'tapswitch'], TXN2, unknown]);
    await until(made, () => !made.idl.live);
    made.clock.advance(1000);
    await until(made, () => made.idl.live);
    expect(server.connections).toBe(2);
    expect(server.last('monitor_cond_since')[3]).toBe('00000000-0000-0000-0000-000000000000');
    expect(made.log).toHaveLength(1);
  });

  it('are told to a follower whose failure does not harm the replica', async () => {
    const server = serverWithDump();
    const made = await liveClient(server, {
      onChange: () => {
        throw new Error('follower failed');
      },
    });
    expect(made.idl.live).toBe(true);
    expect(made.idl.table('Part').size).toBe(2);
  });
});

describe('monitors', () => {
  it('fall back to monitor_cond', async () => {
    const server = new FakeServer();
    server.answers.monitor_cond_since = () => {
      throw new Refusal('unknown method');
    };
    server.answers.monitor_cond = () => DUMP as never;
    const { idl } = await liveClient(server);
    expect(idl.table('Part').size).toBe(2);
  });

  it('fall back to monitor, whose updates are whole rows', async () => {
    const server = new FakeServer();
    delete server.answers.monitor_cond_since;
    const old = { Part: { [A]: { new: { name: 'a', size: 3, tags: set(), options: map() } } } };
    server.answers.monitor = () => old as never;
    const made = await liveClient(server);
    const updates = {
      Part: { [A]: { old: { size: 3 }, new: { name: 'a', size: set(), tags: set('t') } } },
    };
    server.connection?.notify('update', [['monid', 'tapswitch'], updates as never]);
    await until(made, () => made.log.length === 2);
    expect(made.log[1]).toBe('Part +0 ~[size,tags] -0');
    server.connection?.notify('update', [['monid', 'tapswitch'], { Part: { [A]: { old: {} } } }]);
    await until(made, () => made.idl.table('Part').size === 0);
  });

  it('ask for chosen columns, and the rows of what they refer to', async () => {
    const server = new FakeServer();
    await liveClient(server, { monitor: (spec) => spec.columns('Root', 'by_name', 'nope') });
    expect(server.last('monitor_cond_since')[2]).toEqual({
      Root: [{ columns: ['by_name'] }],
      Part: [{ columns: [] }],
    });
  });

  it('can leave out columns', () => {
    const spec = new MonitorSpec(parseSchema(SCHEMA)).all({ Free: ['n'] });
    expect(spec.requests()).toMatchObject({ Free: [{ columns: [] }] });
  });
});

describe('reconnecting', () => {
  it('waits 1, 2, 4, 8, 8 seconds between attempts', async () => {
    const opened: number[] = [];
    const server = new FakeServer();
    const made = client(server, {
      remote: () => {
        opened.push(made.clock.now());
        throw new Error('refused');
      },
    });
    const { idl, clock } = made;
    for (let attempt = 1; attempt <= 6; attempt++) {
      await until(made, () => idl.state === 'waiting' && opened.length === attempt);
      clock.advance(Math.max(0, idl.nextWake() - clock.now()));
    }
    expect(opened).toEqual([0, 1000, 3000, 7000, 15000, 23000]);
    expect(idl.lastError?.message).toBe('refused');
  });

  it('without `reconnect` tries each remote once', async () => {
    const idl = new Idl({
      remote: ['unix:/nonexistent/a', 'unix:/nonexistent/b'],
      clock: client(new FakeServer()).clock,
      reconnect: false,
    });
    while (idl.state !== 'dead') {
      idl.run(0);
      if ((idl.state as IdlState) !== 'dead') await idl.nextEvent();
    }
    expect((idl.lastError as NodeJS.ErrnoException).code).toBe('ENOENT');
    expect(idl.remoteName).toBe('unix:/nonexistent/b');
    expect(idl.nextWake()).toBe(Number.POSITIVE_INFINITY);
  });

  it('asks for what happened since the last known transaction', async () => {
    const server = serverWithDump();
    const made = await liveClient(server);
    const free = { Free: { [B]: { insert: { n: 1 } } } };
    server.connection?.notify('update3', [['monid', 'tapswitch'], TXN2, free]);
    await until(made, () => made.log.length === 2);
    const changes = { Part: { [A]: { modify: { size: 4 } } } };
    server.answers.monitor_cond_since = () => [true, TXN2, changes] as never;
    const before = made.idl.seqno;
    server.connection?.close();
    await until(made, () => made.idl.state === 'waiting');
    expect(made.idl.table('Part').size).toBe(2);
    made.clock.advance(1000);
    await until(made, () => made.idl.live);
    expect(server.last('monitor_cond_since')[3]).toBe(TXN2);
    expect(made.log[2]).toBe('Part +0 ~[size] -0');
    expect(made.idl.seqno).toBeGreaterThan(before);
  });

  it('compares a whole dump with what it had', async () => {
    const server = serverWithDump();
    const made = await liveClient(server);
    const a = made.idl.table('Part').row(A);
    const dump = {
      Part: {
        [A]: { initial: { name: 'a', size: 3, next: uuid(B) } },
        [ROOT]: { initial: { name: 'new' } },
      },
    };
    server.answers.monitor_cond_since = () => [false, TXN2, dump] as never;
    server.connection?.close();
    await until(made, () => made.idl.state === 'waiting');
    made.clock.advance(1000);
    await until(made, () => made.idl.live);
    expect(made.log[1]).toBe('Part +1 ~[tags] -1; Root +0 ~[] -1');
    expect(made.idl.table('Part').row(A)).toBe(a);
  });

  it('takes another schema for another database', async () => {
    const server = serverWithDump();
    const made = await liveClient(server);
    const column = { type: 'string' };
    const tables = { Part: { columns: { name: column } }, Extra: { columns: { x: column } } };
    server.answers.get_schema = () => ({ name: 'Test', version: '2.0.0', tables }) as never;
    const dump = { Extra: { [B]: { initial: { x: 'y' } } }, Part: { [A]: { initial: {} } } };
    server.answers.monitor_cond_since = () => [false, TXN2, dump] as never;
    server.connection?.close();
    await until(made, () => made.idl.state === 'waiting');
    made.clock.advance(1000);
    await until(made, () => made.idl.live);
    expect(server.last('monitor_cond_since')[3]).toBe('00000000-0000-0000-0000-000000000000');
    expect(made.idl.schema?.version).toBe('2.0.0');
    expect(made.log[1]).toBe('Extra +1 ~[] -0; Part +1 ~[] -2; Root +0 ~[] -1');
  });

  it('gives up a server that does not answer', async () => {
    const server = new FakeServer();
    const made = client(server, { remote: () => new Promise(() => {}) });
    made.idl.run(0);
    expect(made.idl.state).toBe('connecting');
    made.clock.advance(60_000);
    made.idl.run(made.clock.now());
    expect(made.idl.state).toBe('waiting');
    expect(made.idl.lastError?.message).toBe('timed out');
  });

  it('leaves a member of a cluster that does not lead', async () => {
    const server = serverWithDump();
    const member = (leader: boolean) => ({
      Database: { [A]: { new: { name: 'Test', model: 'clustered', connected: true, leader } } },
    });
    server.answers.monitor = () => member(true);
    const made = await liveClient(server);
    server.connection?.notify('update', ['server', member(false)]);
    await until(made, () => !made.idl.live);
    expect(made.idl.lastError?.message).toBe('server is not the cluster leader');
  });
});

describe('locks', () => {
  it('are asked for on every connection, gained, stolen and given back', async () => {
    const server = serverWithDump();
    server.answers.lock = () => ({ locked: false });
    server.answers.unlock = () => ({});
    const made = await liveClient(server);
    const { idl } = made;
    idl.setLock('l');
    await until(made, () => idl.lockContended);
    expect(idl.hasLock).toBe(false);
    server.connection?.notify('locked', ['l']);
    await until(made, () => idl.hasLock);
    server.connection?.notify('stolen', ['l']);
    await until(made, () => !idl.hasLock);
    server.answers.lock = () => ({ locked: true });
    server.connection?.close();
    await until(made, () => idl.state === 'waiting');
    made.clock.advance(1000);
    await until(made, () => idl.hasLock);
    idl.setLock(null);
    await until(made, () => server.received.some(([method]) => method === 'unlock'));
    expect(idl.hasLock).toBe(false);
  });
});
