/** Operations of a transaction: results, and errors in the words that clients know. */
import { beforeEach, expect, test } from 'vitest';
import type { JsonValue } from '../../../src/common/json.js';
import { Database } from '../../../src/ovsdb/index.js';
import { houseSchema, rows, run, uuidOf } from './harness.js';

let db: Database;

beforeEach(() => {
  db = new Database(houseSchema());
  run(
    db,
    { op: 'insert', table: 'Room', row: { name: 'hall', area: 20, tags: ['set', ['a', 'b']] } },
    { op: 'insert', table: 'Room', row: { name: 'attic', area: 5, floor: 2, height: 1.5 } },
  );
});

const select = (where: JsonValue) => rows(db, 'Room', ['name'], where).map((row) => row.name);
const error = (results: JsonValue[]) => {
  const found = results.find((result) => (result as { error?: string } | null)?.error);
  return found as { error: string; details: string; syntax?: string };
};

test('insert fills in defaults', () => {
  const [row] = rows(db, 'Room', ['name', 'doors', 'area', 'heated', 'floor', 'options', 'tags']);
  expect(row).toEqual({
    name: 'attic',
    doors: ['set', []],
    area: 5,
    heated: false,
    floor: 2,
    options: ['map', []],
    tags: ['set', []],
  });
});

test.each([
  [[['area', '<', 20]], ['attic']],
  [[['area', '>=', 5]], ['attic', 'hall']],
  [[['floor', '<', 5]], ['attic']],
  [[['floor', '==', ['set', []]]], ['hall']],
  [[['floor', '!=', 2]], ['hall']],
  [[['tags', 'includes', 'a']], ['hall']],
  [[['tags', 'excludes', ['set', ['b', 'z']]]], ['attic']],
  [[['tags', '==', ['set', ['b', 'a']]]], ['hall']],
  [[['name', 'excludes', 'hall']], ['attic']],
  [[true], ['attic', 'hall']],
  [[false], []],
  [
    [
      ['area', '>', 1],
      ['height', '==', 1.5],
    ],
    ['attic'],
  ],
] as [JsonValue, string[]][])('where %j selects %j', (where, expected) => {
  expect(select(where)).toEqual(expected);
});

test('select without _uuid drops duplicates', () => {
  expect(rows(db, 'Room', ['heated'])).toEqual([{ heated: false }]);
});

test('update counts rows that match, and gives a new _version only to those that change', () => {
  const before = rows(db, 'Room', ['name', '_version']);
  const update = { op: 'update', table: 'Room', where: [], row: { area: 20 } };
  expect(run(db, update)).toEqual([{ count: 2 }]);
  const after = rows(db, 'Room', ['name', '_version']);
  expect(after[0]._version).not.toEqual(before[0]._version);
  expect(after[1]._version).toEqual(before[1]._version);
});

test.each([
  ['area', '+=', 3, 8],
  ['area', '-=', 3, 2],
  ['area', '*=', 3, 15],
  ['area', '/=', 2, 2],
  ['area', '%=', 3, 2],
  ['height', '*=', 2.5, 3.75],
  ['visitors', '/=', -7, 0],
] as [string, string, number, number][])('mutate %s %s %d gives %d', (column, mutator, by, to) => {
  run(db, {
    op: 'mutate',
    table: 'Room',
    where: [['name', '==', 'attic']],
    mutations: [[column, mutator, by]],
  });
  expect(rows(db, 'Room', [column], [['name', '==', 'attic']])).toEqual([{ [column]: to }]);
});

test('insert and delete mutators work on sets, pairs and keys', () => {
  const mutate = (...mutations: JsonValue[]) =>
    run(db, { op: 'mutate', table: 'Room', where: [['name', '==', 'hall']], mutations });
  mutate([
    'options',
    'insert',
    [
      'map',
      [
        ['k', '1'],
        ['l', '2'],
        ['m', '3'],
      ],
    ],
  ]);
  mutate(['options', 'insert', ['map', [['k', 'ignored']]]]);
  mutate(['options', 'delete', ['map', [['l', 'other']]]], ['options', 'delete', ['set', ['m']]]);
  mutate(['tags', 'delete', 'a'], ['tags', 'insert', ['set', ['c', 'd']]]);
  expect(rows(db, 'Room', ['options', 'tags'], [['name', '==', 'hall']])).toEqual([
    {
      options: [
        'map',
        [
          ['k', '1'],
          ['l', '2'],
        ],
      ],
      tags: ['set', ['b', 'c', 'd']],
    },
  ]);
});

test('named-uuid and uuid name rows before they are there', () => {
  const uuid = '00000000-0000-4000-8000-00000000ABCD';
  const results = run(
    db,
    { op: 'update', table: 'Room', where: [], row: { doors: ['named-uuid', 'd'] } },
    { op: 'insert', table: 'Door', 'uuid-name': 'd', uuid, row: {} },
  );
  // The name was used before the insert gave it a UUID of its own: the reference is to nothing.
  expect(error(results).error).toBe('referential integrity violation');
  const inOrder = run(
    db,
    { op: 'insert', table: 'Door', 'uuid-name': 'd', uuid, row: {} },
    { op: 'update', table: 'Room', where: [], row: { doors: ['named-uuid', 'd'] } },
  );
  expect(inOrder).toEqual([{ uuid: ['uuid', uuid.toLowerCase()] }, { count: 2 }]);
});

const FAULTS: [JsonValue, string, string][] = [
  [{ op: 'insert', table: 'Room', row: { area: 101 } }, 'constraint violation', '101 is not in'],
  [{ op: 'insert', table: 'Room', row: { nme: 'x' } }, 'unknown column', 'No column nme in table'],
  [{ op: 'insert', table: 'Rom', row: {} }, 'syntax error', 'No table named Rom.'],
  [{ op: 'insert', table: 'Room' }, 'syntax error', "Required 'row' member is missing."],
  [{ op: 'insert', table: 'Room', row: {}, x: 1 }, 'syntax error', "Member 'x' is present"],
  [{ op: 'insert', table: 'Room', row: { area: 'big' } }, 'syntax error', 'expected integer'],
  [{ op: 'insert', table: 'Room', row: { area: 1.5 } }, 'syntax error', 'expected integer'],
  [
    { op: 'insert', table: 'Room', row: { tags: ['set', ['a', 'b', 'c', 'd']] } },
    'syntax error',
    'set must have 0 to 3 members but 4 are present',
  ],
  [
    { op: 'insert', table: 'Room', row: { tags: ['set', ['a', 'a']] } },
    'ovsdb error',
    'set contains duplicate',
  ],
  [
    { op: 'insert', table: 'Door', row: { colour: 'blue' } },
    'constraint violation',
    'blue is not one of the allowed values ([green, red])',
  ],
  [
    { op: 'insert', table: 'Lock', row: { code: '12345' } },
    'constraint violation',
    '"12345" length 5 is greater than maximum allowed length 4',
  ],
  [
    { op: 'update', table: 'Room', where: [], row: { name: 'x' } },
    'constraint violation',
    'Cannot update immutable column name in table Room.',
  ],
  [
    { op: 'mutate', table: 'Room', where: [], mutations: [['name', 'insert', 'x']] },
    'constraint violation',
    'Cannot mutate immutable column name in table Room.',
  ],
  [
    { op: 'mutate', table: 'Room', where: [], mutations: [['area', '+=', 90]] },
    'constraint violation',
    '110 is not in the valid range 0 to 100 (inclusive)',
  ],
  [
    { op: 'mutate', table: 'Room', where: [], mutations: [['area', '/=', 0]] },
    'domain error',
    'Division by zero.',
  ],
  [
    {
      op: 'mutate',
      table: 'Room',
      where: [],
      mutations: [
        ['visitors', '+=', 1],
        ['visitors', '*=', 9223372036854775807n],
        ['visitors', '+=', 1],
      ],
    },
    'range error',
    'Result of "+=" operation is out of range.',
  ],
  [
    { op: 'mutate', table: 'Room', where: [], mutations: [['options', '+=', 1]] },
    'syntax error',
    'Type mismatch: "+=" operator may not be applied to column options of type map of ' +
      '(string, string) pairs.',
  ],
  [
    {
      op: 'mutate',
      table: 'Room',
      where: [],
      mutations: [['tags', 'insert', ['set', ['x', 'y', 'z']]]],
    },
    'constraint violation',
    'Attempted to store 5 elements in set of up to 3 strings.',
  ],
  [
    { op: 'mutate', table: 'Room', where: [], mutations: [['area', '**', 1]] },
    'unknown mutator',
    'No mutator named **.',
  ],
  [
    { op: 'select', table: 'Room', where: [['name', '<', 'x']] },
    'syntax error',
    'Type mismatch: "<" operator may not be applied to column name of type string.',
  ],
  [
    { op: 'select', table: 'Room', where: [['name', 'like', 'x']] },
    'unknown function',
    'No function named like.',
  ],
  [{ op: 'select', table: 'Room', where: [['name']] }, 'syntax error', 'Parse error in condition.'],
  [{ op: 'explode' }, 'syntax error', 'No operation "explode"'],
  [{ op: 'abort' }, 'aborted', 'aborted by request'],
  [{ op: 'assert', lock: 'l' }, 'not owner', 'Asserted lock l not held.'],
  [7, 'syntax error', 'Object expected.'],
];
const faults = FAULTS.map(([operation, tag, details]) => ({ operation, tag, details }));

test.each(faults)('$tag: $details', ({ operation, tag, details }) => {
  const before = rows(db, 'Room', ['name', 'area', 'visitors', '_version']);
  const insert = { op: 'insert', table: 'Room', row: { name: 'cellar' } };
  const results = run(db, insert, operation, { op: 'comment', comment: 'never' });
  expect(results).toHaveLength(3);
  expect(results[2]).toBeNull();
  expect(error(results).error).toBe(tag);
  expect(error(results).details).toContain(details);
  expect(rows(db, 'Room', ['name', 'area', 'visitors', '_version'])).toEqual(before);
});

test('integers of 64 bits are exact', () => {
  const big = 9007199254740993n;
  run(db, { op: 'update', table: 'Room', where: [], row: { visitors: big } });
  run(db, { op: 'mutate', table: 'Room', where: [], mutations: [['visitors', '+=', 2]] });
  expect(rows(db, 'Room', ['visitors'])).toEqual([{ visitors: 9007199254740995n }]);
});

test('wait compares rows as sets', () => {
  const wait = (until: string, names: string[], timeout?: number) =>
    db.execute([
      {
        op: 'wait',
        table: 'Room',
        where: [],
        columns: ['name'],
        until,
        rows: names.map((name) => ({ name })),
        ...(timeout === undefined ? {} : { timeout }),
      },
    ]);
  expect(wait('==', ['hall', 'attic'], 0)).toMatchObject({ kind: 'done', results: [{}] });
  expect(wait('==', ['hall'])).toEqual({ kind: 'wait', timeoutMs: undefined });
  expect(wait('!=', ['hall', 'attic'], 50)).toEqual({ kind: 'wait', timeoutMs: 50 });
  expect(wait('==', ['hall'], 0)).toMatchObject({
    results: [{ error: 'timed out', details: '"where" clause test failed' }],
  });
});

test('operations see what earlier ones did, a failed transaction leaves nothing behind', () => {
  const results = run(
    db,
    { op: 'delete', table: 'Room', where: [['name', '==', 'hall']] },
    { op: 'select', table: 'Room', where: [], columns: ['name'] },
    { op: 'insert', table: 'Cellar', row: {} },
    { op: 'insert', table: 'Cellar', row: {} },
  );
  expect(results[1]).toEqual({ rows: [{ name: 'attic' }] });
  expect(results).toHaveLength(5);
  expect(error(results).details).toBe(
    'transaction causes "Cellar" table to contain 2 rows, greater than the schema-defined limit ' +
      'of 1 row(s)',
  );
  expect(select([])).toEqual(['attic', 'hall']);
  expect(rows(db, 'Cellar', ['depth'])).toEqual([]);
});

test('a UUID may be given once', () => {
  const uuid = '00000000-0000-4000-8000-000000000001';
  const insert = { op: 'insert', table: 'Sign', uuid, row: {} };
  const [result] = run(db, { op: 'insert', table: 'Cellar', uuid, row: {} });
  expect(uuidOf(result)).toBe(uuid);
  expect(error(run(db, { ...insert, table: 'Cellar' })).error).toBe('duplicate uuid');
  expect(error(run(db, { ...insert, uuid: 'x' })).details).toBe('bad uuid');
});
