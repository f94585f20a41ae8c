/**
 * What transactions send, what they see of themselves, and what they make of the answer.
 */

import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/common/json.js';
import { type IdlRow, IdlTxn } from '../../../src/ovsdb/idl/index.js';
import { FakeServer, liveClient, Refusal } from './fake-server.js';

const A = 'aaaaaaaa-0000-4000-8000-000000000001';
const ROOT = 'cccccccc-0000-4000-8000-000000000003';
const FREE = 'dddddddd-0000-4000-8000-000000000004';
const NEW = 'eeeeeeee-0000-4000-8000-000000000005';
const byUuid = (id: string) => [['_uuid', '==', ['uuid', id]]];

const DUMP = {
  Root: { [ROOT]: { initial: { counter: 7, parts: ['uuid', A] } } },
  Part: { [A]: { initial: { name: 'a', options: ['map', [['k', 'v']]] } } },
  Free: { [FREE]: { initial: { n: 1 } } },
};

async function connected(results: JsonValue | Refusal = []) {
  const server = new FakeServer();
  server.answers.monitor_cond_since = () => [false, NEW, DUMP] as never;
  server.answers.transact = () => {
    if (results instanceof Refusal) throw results;
    return results;
  };
  const { idl } = await liveClient(server);
  return {
    server,
    idl,
    root: idl.table('Root').first() as IdlRow,
    part: idl.table('Part').first() as IdlRow,
    free: idl.table('Free').first() as IdlRow,
    operations: () => server.last('transact').slice(1),
  };
}

describe('operations', () => {
  it('insert rows that refer to each other, and count', async () => {
    const { idl, root, operations } = await connected([
      { uuid: ['uuid', NEW] },
      {},
      { count: 1 },
      { rows: [{ counter: 8 }] },
      {},
    ]);
    const txn = new IdlTxn(idl);
    const part = txn.insert('Part', { name: 'b', size: null, tags: ['t'], weight: 0 });
    txn.mutate(root, 'parts', 'insert', [part]);
    txn.increment(root, 'counter');
    txn.comment('first');
    txn.comment('second');
    const result = await txn.commit();
    expect(result).toMatchObject({ status: 'success', incremented: 8 });
    expect(txn.insertedUuid(part)).toBe(NEW);
    const name = `row${part.uuid.replaceAll('-', '_')}`;
    expect(operations()).toEqual([
      { op: 'insert', table: 'Part', 'uuid-name': name, row: { name: 'b', tags: 't' } },
      {
        ...{ op: 'mutate', table: 'Root', where: byUuid(ROOT) },
        mutations: [['parts', 'insert', ['named-uuid', name]]],
      },
      {
        ...{ op: 'mutate', table: 'Root', where: byUuid(ROOT) },
        mutations: [['counter', '+=', 1]],
      },
      { op: 'select', table: 'Root', where: byUuid(ROOT), columns: ['counter'] },
      { op: 'comment', comment: 'first\nsecond' },
    ]);
  });

  it('verify before they update', async () => {
    const { idl, part, operations } = await connected([{}, { count: 1 }]);
    const txn = new IdlTxn(idl);
    txn.verify(part, 'options');
    txn.set(part, 'options', { k: 'w' });
    txn.verify(part, 'options');
    await txn.commit();
    expect(operations()).toEqual([
      {
        ...{ op: 'wait', table: 'Part', where: byUuid(A), timeout: 0, until: '==' },
        ...{ columns: ['options'], rows: [{ options: ['map', [['k', 'v']]] }] },
      },
      { op: 'update', table: 'Part', where: byUuid(A), row: { options: ['map', [['k', 'w']]] } },
    ]);
  });

  it('delete rows of root tables; other rows go when nothing refers to them', async () => {
    const { idl, root, part, free, operations } = await connected([{}, {}]);
    const txn = new IdlTxn(idl);
    txn.delete(part);
    txn.delete(free);
    txn.set(root, 'parts', []);
    expect(txn.rows('Part')).toEqual([]);
    await txn.commit();
    expect(operations()).toEqual([
      { op: 'delete', table: 'Free', where: byUuid(FREE) },
      { op: 'update', table: 'Root', where: byUuid(ROOT), row: { parts: ['set', []] } },
    ]);
  });

  it('insert the only row of a table if it is still the only one', async () => {
    const server = new FakeServer();
    server.answers.transact = (): JsonValue => [{}, { uuid: ['uuid', NEW] }];
    const { idl } = await liveClient(server);
    const txn = new IdlTxn(idl);
    txn.insert('Root');
    expect((await txn.commit()).status).toBe('success');
    expect(server.last('transact')[1]).toEqual({
      ...{ op: 'wait', table: 'Root', where: [], timeout: 0, until: '==', rows: [] },
    });
  });

  it('keep a UUID that was asked for', async () => {
    const { idl, operations } = await connected([{ uuid: ['uuid', NEW] }]);
    const txn = new IdlTxn(idl);
    txn.insert('Free', { n: 2 }, { uuid: NEW, persist: true });
    await txn.commit();
    expect(operations()).toEqual([{ op: 'insert', table: 'Free', uuid: NEW, row: { n: 2 } }]);
  });

  it('assert the lock and end with an abort in a dry run', async () => {
    const { server, idl, free, operations } = await connected([{}, {}, { error: 'aborted' }]);
    server.answers.lock = () => ({ locked: true });
    idl.setLock('l');
    while (!idl.hasLock) await idl.nextEvent();
    const txn = new IdlTxn(idl, { dryRun: true });
    txn.set(free, 'n', 2);
    expect((await txn.commit()).status).toBe('success');
    const [first, , last] = operations();
    expect(first).toEqual({ op: 'assert', lock: 'l' });
    expect(last).toEqual({ op: 'abort' });
  });
});

describe('a transaction sees', () => {
  it('its own writes, and the replica does not', async () => {
    const { idl, root, part } = await connected();
    const txn = new IdlTxn(idl);
    const fresh = txn.insert('Part', { name: 'b', next: part });
    txn.set(root, 'parts', [part, fresh]);
    txn.set(root, 'by_name', new Map([['b', fresh]]));
    expect(txn.get<IdlRow[]>(root, 'parts')).toHaveLength(2);
    expect(txn.get<Map<string, IdlRow>>(root, 'by_name').get('b')).toBe(fresh);
    expect(fresh.get('next')).toBe(part);
    expect(txn.rows('Part')).toEqual([part, fresh]);
    expect(txn.inserts(fresh)).toBe(true);
    expect(root.get<IdlRow[]>('parts')).toEqual([part]);
    txn.delete(fresh);
    expect(txn.rows('Part')).toEqual([part]);
    txn.delete(part);
    expect(txn.deletes(part)).toBe(true);
    expect(() => txn.set(part, 'good', true)).toThrow('is deleted');
  });
});

describe('results', () => {
  const change = async (results: JsonValue | Refusal) => {
    const { idl, free } = await connected(results);
    const txn = new IdlTxn(idl);
    txn.set(free, 'n', 2);
    return txn.commit();
  };

  it.each([
    ['success', [{ count: 1 }], undefined],
    ['try again', [{ error: 'timed out' }, null], undefined],
    ['try again', new Refusal('canceled'), 'canceled'],
    ['not locked', [{ error: 'not owner' }, null], undefined],
    ['error', [{ error: 'x', details: 'd' }], '{"details":"d","error":"x"}'],
    ['error', [null, { error: 'x', details: 'd' }], '{"details":"d","error":"x"}'],
    ['error', new Refusal('no'), '"no"'],
    ['error', { not: 'an array' }, '{"not":"an array"}'],
    ['error', [5], '5'],
  ] as [string, JsonValue | Refusal, string | undefined][])(
    '%s for %j',
    async (status, results, error) => {
      const result = await change(results);
      expect(result.status).toBe(status);
      expect(result.error).toBe(error);
    },
  );

  it('is unchanged, without a word to the server, when nothing would change', async () => {
    const { server, idl, root, free } = await connected();
    const txn = new IdlTxn(idl, { keepUnchanged: true });
    txn.set(free, 'n', 1);
    txn.increment(root, 'counter');
    expect((await txn.commit()).status).toBe('unchanged');
    expect(server.received.some(([method]) => method === 'transact')).toBe(false);
  });

  it('sends an unchanged value only with a change beside it, and only if asked to', async () => {
    for (const keepUnchanged of [true, false]) {
      const { idl, free, part, operations } = await connected([{}, {}]);
      const txn = new IdlTxn(idl, { keepUnchanged });
      txn.set(free, 'n', 1);
      txn.set(part, 'good', true);
      await txn.commit();
      expect(operations()).toHaveLength(keepUnchanged ? 2 : 1);
    }
  });

  it('is try again without a connection, and when it ends before the answer', async () => {
    const { server, idl, free } = await connected();
    server.answers.transact = () => {
      server.connection?.close();
      return [];
    };
    for (let i = 0; i < 2; i++) {
      const txn = new IdlTxn(idl);
      txn.set(free, 'n', 2 + i);
      expect((await txn.commit()).status).toBe('try again');
    }
  });

  it('is not locked while somebody else has the lock', async () => {
    const { server, idl, free } = await connected();
    server.answers.lock = () => ({ locked: false });
    idl.setLock('l');
    const txn = new IdlTxn(idl);
    txn.set(free, 'n', 2);
    expect((await txn.commit()).status).toBe('not locked');
    await expect(txn.commit()).rejects.toThrow('commits once');
  });
});

describe('values that do not fit are refused', () => {
  it.each([
    ['size', 'x'],
    ['size', 1.5],
    ['good', 1],
    ['next', 5],
    ['tags', 5],
    ['tags', { a: 'b' }],
    ['options', ['a']],
    ['options', { a: 1 }],
    ['nope', 1],
  ])('%s = %j', async (column, value) => {
    const { idl, part } = await connected();
    expect(() => new IdlTxn(idl).set(part, column, value as never)).toThrow();
  });
});
