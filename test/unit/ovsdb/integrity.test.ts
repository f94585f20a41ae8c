/** References, garbage collection and indexes. */

import { beforeEach, expect, test } from 'vitest';
import type { JsonValue } from '../../../src/common/json.js';
import { Database } from '../../../src/ovsdb/index.js';
import { houseSchema, rows, run, uuidOf } from './harness.js';

let db: Database;
let doorA: string;
let doorB: string;

/** A hall with doors A (locked) and B, a sign to both and a plate to B. */
beforeEach(() => {
  db = new Database(houseSchema());
  const results = run(
    db,
    { op: 'insert', table: 'Lock', 'uuid-name': 'l', row: { code: '1' } },
    { op: 'insert', table: 'Door', 'uuid-name': 'a', row: { lock: ['named-uuid', 'l'] } },
    { op: 'insert', table: 'Door', 'uuid-name': 'b', row: { colour: 'red' } },
    {
      op: 'insert',
      table: 'Room',
      row: {
        name: 'hall',
        doors: [
          'set',
          [
            ['named-uuid', 'a'],
            ['named-uuid', 'b'],
          ],
        ],
      },
    },
    {
      op: 'insert',
      table: 'Sign',
      row: {
        to: [
          'set',
          [
            ['named-uuid', 'a'],
            ['named-uuid', 'b'],
          ],
        ],
      },
    },
    { op: 'insert', table: 'Plate', row: { must: ['named-uuid', 'b'] } },
  );
  doorA = uuidOf(results[1]);
  doorB = uuidOf(results[2]);
});

const count = (table: string) => db.tables.get(table)!.rows.size;
const mutateDoors = (mutator: string, door: string) => ({
  op: 'mutate',
  table: 'Room',
  where: [['name', '==', 'hall']],
  mutations: [['doors', mutator, ['uuid', door]]],
});
const lastError = (results: JsonValue[]) => results.at(-1) as { error: string; details: string };

test('a row goes with its last strong reference, and takes along what only it kept', () => {
  run(db, mutateDoors('delete', doorA));
  expect([count('Door'), count('Lock')]).toEqual([1, 0]);
  expect(rows(db, 'Sign', ['to'])).toEqual([{ to: ['uuid', doorB] }]);
});

test('a row that something else refers to stays', () => {
  run(db, {
    op: 'insert',
    table: 'Room',
    row: { name: 'yard', by_number: ['map', [[1, ['uuid', doorA]]]] },
  });
  run(db, mutateDoors('delete', doorA));
  expect(count('Door')).toBe(2);
  run(db, { op: 'delete', table: 'Room', where: [['name', '==', 'yard']] });
  expect(count('Door')).toBe(1);
});

test('a row that nothing refers to never comes to be', () => {
  const [result] = run(db, { op: 'insert', table: 'Door', row: {} });
  expect(uuidOf(result)).toMatch(/-/);
  expect(count('Door')).toBe(2);
  expect(db.sequence).toBe(1);
});

test('a row that is referred to cannot be deleted', () => {
  const results = run(db, {
    op: 'delete',
    table: 'Door',
    where: [['_uuid', '==', ['uuid', doorA]]],
  });
  expect(lastError(results)).toEqual({
    error: 'referential integrity violation',
    details: `cannot delete Door row ${doorA} because of 1 remaining reference(s)`,
  });
  expect([count('Door'), count('Lock')]).toEqual([2, 1]);
});

test('a strong reference must be to a row', () => {
  const nowhere = '00000000-0000-4000-8000-000000000000';
  const results = run(db, mutateDoors('insert', nowhere));
  expect(lastError(results).error).toBe('referential integrity violation');
  expect(lastError(results).details).toContain(
    `references nonexistent row ${nowhere} in table Door`,
  );
});

test('weak references to rows that are not there are dropped, also at once', () => {
  const nowhere = '00000000-0000-4000-8000-000000000000';
  run(db, {
    op: 'update',
    table: 'Sign',
    where: [],
    row: {
      to: [
        'set',
        [
          ['uuid', nowhere],
          ['uuid', doorA],
        ],
      ],
    },
  });
  expect(rows(db, 'Sign', ['to'])).toEqual([{ to: ['uuid', doorA] }]);
});

test('a weak reference that must not be empty keeps its target from going', () => {
  const results = run(db, mutateDoors('delete', doorB));
  expect(lastError(results).error).toBe('constraint violation');
  expect(lastError(results).details).toContain('Deletion of 1 weak reference(s)');
  expect(count('Door')).toBe(2);
  const inserted = run(db, { op: 'insert', table: 'Plate', row: {} });
  expect(lastError(inserted).details).toContain('contained all-zeros UUID');
});

test('replacing the owner and its door in one transaction works', () => {
  run(
    db,
    { op: 'delete', table: 'Room', where: [] },
    { op: 'insert', table: 'Door', 'uuid-name': 'c', row: {} },
    { op: 'update', table: 'Plate', where: [], row: { must: ['named-uuid', 'c'] } },
    { op: 'insert', table: 'Room', row: { name: 'hall', doors: ['named-uuid', 'c'] } },
  );
  expect([count('Room'), count('Door'), count('Lock')]).toEqual([1, 1, 0]);
  expect(rows(db, 'Sign', ['to'])).toEqual([{ to: ['set', []] }]);
});

test('an index keeps values unique, whatever the order of changes', () => {
  const insert = (name: string) => ({ op: 'insert', table: 'Room', row: { name } });
  const again = run(db, insert('hall'));
  expect(lastError(again).error).toBe('constraint violation');
  expect(lastError(again).details).toContain(
    'Transaction causes multiple rows in "Room" table to have identical values (hall) for index ' +
      'on column "name".',
  );
  expect(lastError(run(db, insert('x'), insert('x'))).error).toBe('constraint violation');
  const swap = run(db, { op: 'delete', table: 'Room', where: [] }, insert('hall'));
  // The plate keeps door B, which only the deleted hall had.
  expect(lastError(swap).details).toContain('weak reference');
  run(db, { op: 'delete', table: 'Plate', where: [] });
  expect(run(db, { op: 'delete', table: 'Room', where: [] }, insert('hall'))).toHaveLength(2);
  expect(count('Room')).toBe(1);
});

test('a transaction that changes nothing is no commit', () => {
  const commits: unknown[] = [];
  db.onCommit((commit) => commits.push(commit));
  run(db, { op: 'update', table: 'Room', where: [], row: { area: 0 } });
  run(
    db,
    { op: 'update', table: 'Room', where: [], row: { area: 1 } },
    { op: 'update', table: 'Room', where: [], row: { area: 0 } },
  );
  expect(commits).toEqual([]);
});

test('a row inserted and deleted in one transaction leaves no trace', () => {
  const commits: unknown[] = [];
  db.onCommit((commit) => commits.push(commit));
  const uuid = '00000000-0000-4000-8000-000000000007';
  const cellar = { op: 'insert', table: 'Cellar', uuid, row: {} };
  const remove = { op: 'delete', table: 'Cellar', where: [] };
  expect(run(db, cellar, remove, cellar, remove)).toHaveLength(4);
  expect(commits).toEqual([]);
  expect(count('Cellar')).toBe(0);
});

test('rows of two tables may have the same UUID, and still refer to each other', () => {
  const uuid = '00000000-0000-4000-8000-000000000007';
  run(
    db,
    { op: 'insert', table: 'Door', uuid, row: {} },
    { op: 'insert', table: 'Room', uuid, row: { name: 'yard', doors: ['uuid', uuid] } },
  );
  expect(count('Door')).toBe(3);
  run(db, { op: 'delete', table: 'Room', where: [['name', '==', 'yard']] });
  expect(count('Door')).toBe(2);
});

test('referrers of two tables with the same UUID are both told when a row goes', () => {
  const uuid = '00000000-0000-4000-8000-000000000007';
  const both = (door: string): JsonValue[] => [
    { op: 'insert', table: 'Sign', uuid, row: { to: ['uuid', door] } },
    { op: 'insert', table: 'Plate', uuid, row: { must: ['uuid', door] } },
  ];
  run(db, ...both(doorA));
  const results = run(db, mutateDoors('delete', doorA));
  expect(lastError(results).error).toBe('constraint violation');
});
