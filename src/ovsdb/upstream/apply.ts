/**
 * Puts what another server says of its rows into a database here.
 *
 *     update    { "new": {...} }  { "old": {...}, "new": {...} }  { "old": {...} }
 *     update2   { "initial" | "insert": {...} }  { "modify": differences }  { "delete": null }
 *
 * Not for: replicas of clients (../idl/updates.ts), records of files (../file-transaction.ts).
 */
import type { JsonValue } from '../../common/json.js';
import { isUuid } from '../atom.js';
import { Datum } from '../datum.js';
import { OvsdbError, syntaxError } from '../error.js';
import type { Row, Table } from '../table.js';
import type { Transaction } from '../transaction.js';

type JsonObject = { [key: string]: JsonValue };

/** Makes the changes of `<table-updates>` in an open transaction. Throws OvsdbError. */
export function applyTableUpdates(
  transaction: Transaction,
  tables: ReadonlyMap<string, Table>,
  format: 'update' | 'update2',
  json: JsonValue,
): void {
  const apply = format === 'update' ? applyUpdate : applyUpdate2;
  for (const [name, rowsJson] of Object.entries(objectOf(json))) {
    const table = tables.get(name);
    if (!table) throw new OvsdbError('unknown table', `unknown table ${name}`);
    for (const [text, rowJson] of Object.entries(objectOf(rowsJson))) {
      if (!isUuid(text)) throw syntaxError(rowsJson, '<table-update> names must be UUIDs');
      apply(transaction, table, text.toLowerCase(), objectOf(rowJson));
    }
  }
}

/** Deletes all rows, except those of tables in `kept`. */
export function deleteAllRows(
  transaction: Transaction,
  tables: ReadonlyMap<string, Table>,
  kept: ReadonlySet<string> = new Set(),
): void {
  for (const table of tables.values()) {
    if (kept.has(table.name)) continue;
    for (const row of [...table.rows.values()]) transaction.delete(row);
  }
}

function applyUpdate(
  transaction: Transaction,
  table: Table,
  uuid: string,
  update: JsonObject,
): void {
  if (update.new === undefined) remove(transaction, table, uuid);
  else if (update.old === undefined) insert(transaction, table, uuid, update.new);
  else fill(transaction.modify(existing(table, uuid)), update.new, false);
}

function applyUpdate2(
  transaction: Transaction,
  table: Table,
  uuid: string,
  update: JsonObject,
): void {
  if (update.modify !== undefined) {
    fill(transaction.modify(existing(table, uuid)), update.modify, true);
  } else if (update.delete !== undefined) remove(transaction, table, uuid);
  else insert(transaction, table, uuid, update.insert ?? update.initial ?? null);
}

function existing(table: Table, uuid: string): Row {
  const row = table.rows.get(uuid);
  if (row) return row;
  throw new OvsdbError('consistency violation', `there is no row ${uuid} in table ${table.name}`);
}

function remove(transaction: Transaction, table: Table, uuid: string): void {
  transaction.delete(existing(table, uuid));
}

/** A row that was deleted a moment ago in the same transaction becomes another one. */
function insert(transaction: Transaction, table: Table, uuid: string, json: JsonValue): void {
  if (table.rows.has(uuid)) {
    const details = `table ${table.name} has a row ${uuid} already`;
    throw new OvsdbError('consistency violation', details);
  }
  const row = table.newRow(uuid);
  fill(row, json, false);
  const deleted = table.deletedRows.get(uuid);
  if (deleted) transaction.restore(deleted, row);
  else transaction.insert(row);
}

function fill(row: Row, json: JsonValue, isDiff: boolean): void {
  for (const [name, value] of Object.entries(objectOf(json))) {
    const column = row.table.schema.columns.get(name);
    if (!column) throw new OvsdbError('unknown column', `${row.table.name} has no column ${name}`);
    const { index, type } = column;
    if (name.startsWith('_')) continue;
    if (isDiff && type.isComposite) {
      const diff = Datum.fromJson(type.withCounts(0, 2 * type.max), value);
      row.fields[index] = row.fields[index].applyDiff(diff, type);
    } else row.fields[index] = Datum.fromJson(type, value);
  }
}

function objectOf(json: JsonValue | undefined): JsonObject {
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json;
  throw syntaxError(json ?? null, 'object expected');
}
