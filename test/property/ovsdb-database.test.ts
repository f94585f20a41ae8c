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
import { transactions } from './ovsdb-operations.js';

type Rows = Record<string, Record<string, JsonValue>>;

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
    expect(table.deletedRows.size).toBe(0);
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
  readonly database = new Database(houseSchema(), { historyLength: 100 });

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
        if (i % (laziness + 1) === 0) {
          for (const { text } of monitor.takeUpdates(i % 2 === 0)) replica.update(text);
        }
        if (i === 5) {
          late.update(monitor.initialText());
          resumeAt = database.lastTransactionId;
        }
      });
      for (const { text } of monitor.takeUpdates(true)) replica.update(text);
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
