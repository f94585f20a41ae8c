/**
 * Random transactions on a small schema: integrity holds after each, whoever only watches knows the
 * same rows, and so does whoever reads the file.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonValue, parseJson } from '../../src/common/json.js';
import { Database, Datum, openDatabaseFile, ZERO_UUID } from '../../src/ovsdb/index.js';
import { Monitor, UpdateCache } from '../../src/ovsdb/monitor.js';
import { houseSchema } from '../unit/ovsdb/harness.js';

type Rows = Record<string, Record<string, JsonValue>>;

/** UUIDs of rows: few, so that transactions meet each other's rows. */
const uuids = Array.from({ length: 6 }, (_, i) => `00000000-0000-4000-8000-00000000000${i}`);
const uuid = fc.constantFrom(...uuids);
const reference = uuid.map((text) => ['uuid', text]);
const references = (min = 0) =>
  fc
    .uniqueArray(reference, { selector: ([, text]) => text, minLength: min })
    .map((members) => ['set', members]);
const name = fc.constantFrom('a', 'b', 'c', 'd');
const area = fc.nat(103);

const room = fc.record(
  {
    doors: references(),
    area,
    tags: fc.uniqueArray(name, { maxLength: 3 }).map((t) => ['set', t]),
  },
  { requiredKeys: [] },
);
const door = fc.record({ lock: fc.option(reference).map((lock) => lock ?? ['set', []]) });
const sign = fc.record({ to: references(), must: references(1) }, { requiredKeys: ['must'] });
const where = fc.oneof(
  uuid.map((text) => [['_uuid', '==', ['uuid', text]]]),
  fc.constant([]),
);
const insert = (table: string, row: fc.Arbitrary<object>) =>
  fc.record({ op: fc.constant('insert'), table: fc.constant(table), uuid, row });

const operation: fc.Arbitrary<object> = fc.oneof(
  insert(
    'Room',
    fc.tuple(room, name).map(([row, text]) => ({ ...row, name: text })),
  ),
  insert('Door', door),
  insert('Lock', fc.constant({})),
  insert('Sign', sign),
  fc.record({ op: fc.constant('update'), table: fc.constant('Room'), where, row: room }),
  fc.record({ op: fc.constant('update'), table: fc.constant('Sign'), where, row: sign }),
  fc.record({
    op: fc.constant('mutate'),
    table: fc.constant('Room'),
    where,
    mutations: fc.tuple(
      fc.oneof(
        fc.tuple(fc.constant('doors'), fc.constantFrom('insert', 'delete'), reference),
        fc.tuple(fc.constant('area'), fc.constantFrom('+=', '*='), fc.nat(5)),
      ),
    ),
  }),
  fc.record({ op: fc.constant('delete'), table: fc.constantFrom('Room', 'Sign', 'Door'), where }),
);
const mutateDoors = (mutator: string, id: string, rows: unknown[] = []) => ({
  op: 'mutate',
  table: 'Room',
  where: rows,
  mutations: [['doors', mutator, ['uuid', id]]],
});
const doorWithLock = (id: string, lock: string) => [
  { op: 'insert', table: 'Lock', uuid: lock, row: {} },
  { op: 'insert', table: 'Door', uuid: id, row: { lock: ['uuid', lock] } },
];

/** Operations that make sense together, most of the time. */
const step: fc.Arbitrary<object[]> = fc.oneof(
  fc.tuple(uuid, uuid, name).map(([id, doorId, text]) => [
    { op: 'insert', table: 'Door', uuid: doorId, row: {} },
    { op: 'insert', table: 'Room', uuid: id, row: { name: text, doors: ['uuid', doorId] } },
  ]),
  fc
    .tuple(uuid, uuid, where)
    .map(([id, lock, rows]) => [...doorWithLock(id, lock), mutateDoors('insert', id, rows)]),
  uuid.map((id) => [mutateDoors('delete', id)]),
  fc
    .tuple(uuid, uuid)
    .map(([id, doorId]) => [
      {
        op: 'insert',
        table: 'Sign',
        uuid: id,
        row: { to: ['uuid', doorId], must: ['uuid', doorId] },
      },
    ]),
  uuid.map((id) => [{ op: 'delete', table: 'Sign', where: [['_uuid', '==', ['uuid', id]]] }]),
  uuid.map((id) => [{ op: 'delete', table: 'Room', where: [['_uuid', '==', ['uuid', id]]] }]),
  operation.map((one) => [one]),
);
const transactions = fc.array(
  fc.array(step, { minLength: 1, maxLength: 2 }).map((steps) => steps.flat()),
  { minLength: 10, maxLength: 40, size: 'max' },
);

function contents(database: Database): Rows {
  const all: Rows = {};
  for (const table of database.tables.values()) {
    for (const row of table.rows.values()) {
      const entries = table.schema.columnList
        .filter((column) => column.persistent)
        .map((column) => [column.name, row.json(column)]);
      all[`${table.name} ${row.uuid}`] = Object.fromEntries(entries);
    }
  }
  return all;
}

/** What must hold after every commit, checked the slow way. */
function checkIntegrity(database: Database): void {
  const counts = new Map<string, number>();
  for (const table of database.tables.values()) {
    for (const row of table.rows.values()) {
      expect(row.transactionRow).toBeNull();
      for (const { index, type } of table.schema.columnList) {
        const datum = row.fields[index];
        expect(datum.size).toBeGreaterThanOrEqual(type.min);
        expect(datum.size).toBeLessThanOrEqual(type.max);
        datum.check(type);
        for (const [base, atoms] of [
          [type.key, datum.keys],
          [type.value, datum.values],
        ] as const) {
          if (!base?.refTable || !atoms) continue;
          for (const atom of atoms) {
            expect(database.tables.get(base.refTable)!.rows.has(atom as string)).toBe(true);
            const key = `${base.refTable} ${atom}`;
            const own = key === `${table.name} ${row.uuid}`;
            if (base.isStrongRef && !own) counts.set(key, (counts.get(key) ?? 0) + 1);
          }
        }
      }
    }
    expect(table.transactionRows.size).toBe(0);
  }
  for (const table of database.tables.values()) {
    for (const row of table.rows.values()) {
      const count = counts.get(`${table.name} ${row.uuid}`) ?? 0;
      expect(row.refCount).toBe(count);
      if (!table.schema.isRoot) expect(count).toBeGreaterThan(0);
    }
  }
  const rooms = database.tables.get('Room')!;
  expect(rooms.indexes[0].size).toBe(rooms.rows.size);
}

/** A replica that knows only what a version 2 monitor tells it. */
class Replica {
  readonly database = new Database(houseSchema());

  update(text: string | null): void {
    if (text === null) return;
    this.database.transact((transaction) => {
      for (const [tableName, updates] of Object.entries(parseJson(text) as object)) {
        const table = this.database.tables.get(tableName)!;
        for (const [id, update] of Object.entries(updates as object)) {
          const existing = table.rows.get(id);
          if ('delete' in update) {
            transaction.delete(existing!);
            continue;
          }
          const row = existing ? transaction.modify(existing) : table.newRow(id);
          const values = update.initial ?? update.insert ?? update.modify;
          for (const [columnName, json] of Object.entries(values)) {
            const column = table.schema.columns.get(columnName)!;
            const relaxed = column.type.withCounts(0, 1000);
            const datum = Datum.fromJson(relaxed, json as JsonValue);
            row.fields[column.index] =
              'modify' in update ? row.fields[column.index].applyDiff(datum, column.type) : datum;
          }
          if (!existing) transaction.insert(row);
        }
      }
    });
  }
}

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-property-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

test('integrity holds; watchers, late watchers and the file all know the same rows', () => {
  let run = 0;
  fc.assert(
    fc.property(transactions, fc.nat(3), (list, laziness) => {
      const file = path.join(directory, `${run++}.db`);
      const database = openDatabaseFile(file, { schema: houseSchema() });
      const request = Object.fromEntries([...database.tables.keys()].map((table) => [table, [{}]]));
      const monitor = new Monitor(database, 2, request, new UpdateCache());
      database.onCommit((commit) => monitor.note(commit));
      const replica = new Replica();
      let resumeAt = ZERO_UUID;
      const late = new Replica();
      list.forEach((operations, i) => {
        const before = contents(database);
        const outcome = database.execute(operations as JsonValue[]);
        if (outcome.kind !== 'done') throw new Error('nothing waits here');
        const failed = outcome.results.some(
          (result) => result !== null && 'error' in (result as object),
        );
        if (failed) expect(contents(database)).toEqual(before);
        checkIntegrity(database);
        if (i % (laziness + 1) === 0) replica.update(monitor.takeUpdate());
        if (i === 5) {
          late.update(monitor.initialText());
          resumeAt = database.lastTransactionId;
        }
      });
      replica.update(monitor.takeUpdate());
      expect(contents(replica.database)).toEqual(contents(database));
      if (resumeAt !== ZERO_UUID) {
        late.update(monitor.textSince(resumeAt));
        expect(contents(late.database)).toEqual(contents(database));
      }
      database.close();
      const again = openDatabaseFile(file, {});
      expect(contents(again)).toEqual(contents(database));
      checkIntegrity(again);
      again.close();
    }),
    { numRuns: 60 },
  );
}, 60_000);
