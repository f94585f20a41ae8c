/** What the role of a remote lets its clients change. */
import { beforeEach, expect, test } from 'vitest';
import type { JsonValue } from '../../../src/common/json.js';
import { Database, DatabaseSchema } from '../../../src/ovsdb/index.js';
import { run } from './harness.js';

const names = { key: 'string', min: 0, max: 'unlimited' };
const SCHEMA: JsonValue = {
  name: 'Paint',
  tables: {
    RBAC_Role: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        permissions: {
          type: {
            key: 'string',
            value: { type: 'uuid', refTable: 'RBAC_Permission', refType: 'weak' },
            min: 0,
            max: 'unlimited',
          },
        },
      },
    },
    RBAC_Permission: {
      isRoot: true,
      columns: {
        table: { type: 'string' },
        authorization: { type: names },
        insert_delete: { type: 'boolean' },
        update: { type: names },
      },
    },
    Color: {
      isRoot: true,
      columns: {
        owner: { type: 'string' },
        owners: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        name: { type: 'string' },
        value: { type: 'integer' },
      },
    },
  },
};

let db: Database;

beforeEach(() => {
  db = new Database(DatabaseSchema.fromJson(SCHEMA));
});

/** Gives role `painter` a permission for the colors. */
function permit(row: { [column: string]: JsonValue }): void {
  const permissions = ['map', [['Color', ['named-uuid', 'p']]]];
  run(
    db,
    { op: 'insert', table: 'RBAC_Permission', 'uuid-name': 'p', row },
    { op: 'insert', table: 'RBAC_Role', row: { name: 'painter', permissions } },
  );
}

/** The result of one operation of a client with a role; its error's tag if it has one. */
function attempt(clientId: string | null, operation: JsonValue, role = 'painter'): unknown {
  const outcome = db.execute([operation], { role, clientId });
  if (outcome.kind !== 'done') throw new Error('the transaction waits');
  const [result] = outcome.results as { error?: string; details?: string }[];
  return result.error ? `${result.error}: ${result.details}` : 'done';
}

const insert = (row: { [column: string]: JsonValue }) => ({ op: 'insert', table: 'Color', row });
const refused = (deed: string, client = 'ann') =>
  `permission error: RBAC rules for client "${client}" role "painter" prohibit ${deed} ` +
  'table "Color".';

test('who owns a row may change it, as far as the permission goes', () => {
  permit({ authorization: 'owner', insert_delete: true, update: ['set', ['value']] });
  expect(attempt('ann', insert({ owner: 'ann', name: 'red' }))).toBe('done');
  expect(attempt('ann', insert({ owner: 'bob' }))).toBe(refused('row insertion into'));
  const where = [['name', '==', 'red']];
  const update = (row: JsonValue) => ({ op: 'update', table: 'Color', where, row });
  expect(attempt('ann', update({ value: 1 }))).toBe('done');
  expect(attempt('ann', update({ name: 'pink' }))).toBe(refused('modification of'));
  expect(attempt('bob', update({ value: 2 }))).toBe(refused('modification of', 'bob'));
  const mutate = { op: 'mutate', table: 'Color', where, mutations: [['value', '+=', 1]] };
  expect(attempt('ann', mutate)).toBe('done');
  expect(attempt('bob', mutate)).toBe(refused('mutate operation on', 'bob'));
  const remove = { op: 'delete', table: 'Color', where };
  expect(attempt('bob', remove)).toBe(refused('row deletion from', 'bob'));
  expect(attempt('bob', { op: 'select', table: 'Color', where: [] })).toBe('done');
  expect(attempt('ann', remove)).toBe('done');
});

test('a map may name the owner, and an empty name is everybody', () => {
  permit({ authorization: 'owners:main', insert_delete: true });
  const owners: JsonValue = ['map', [['main', 'ann']]];
  expect(attempt('ann', insert({ owners }))).toBe('done');
  expect(attempt('bob', insert({ owners }))).toBe(refused('row insertion into', 'bob'));
  run(db, { op: 'update', table: 'RBAC_Permission', where: [], row: { authorization: '' } });
  expect(attempt('bob', insert({}))).toBe('done');
});

test('no permission, no role of that name, no certificate: nothing may be changed', () => {
  permit({ authorization: '', insert_delete: false });
  expect(attempt('ann', insert({}))).toBe(refused('row insertion into'));
  expect(attempt(null, insert({}))).toBe(refused('row insertion into', '(null)'));
  expect(attempt('ann', insert({}), 'guest')).toContain('role "guest"');
  expect(attempt('ann', { op: 'delete', table: 'RBAC_Role', where: [] })).toContain('RBAC_Role');
});

test('without a role everything may be changed', () => {
  permit({ authorization: 'owner' });
  expect(attempt(null, insert({ owner: 'bob' }), '')).toBe('done');
});
