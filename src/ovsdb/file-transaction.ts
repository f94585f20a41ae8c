/**
 * Transactions as the database file holds them: JSON that names only what changed.
 *
 *     { "Port": { "<uuid>": { "tag": 5 },      inserted or modified: the columns that changed
 *                 "<uuid>": null },            deleted
 *       "_is_diff": true,                      modified sets and maps are differences
 *       "_comment": "ovs-vsctl: ...", "_date": 1700000000000 }
 *
 * Not for: the records around it (log-record.ts), reading and writing files (log-file.ts).
 */
import { type JsonValue, stringifyJson } from '../common/json.js';
import { isUuid } from './atom.js';
import { Datum } from './datum.js';
import { OvsdbError, syntaxError } from './error.js';
import type { ColumnSchema } from './schema.js';
import type { Row, Table } from './table.js';
import type { RowChange, Transaction } from './transaction.js';

type JsonObject = { [key: string]: JsonValue };

/** What a record says beside the rows. */
export interface Annotation {
  comment?: string;
  /** Wall clock, milliseconds since 1970. */
  dateMs: number;
}

/** A commit as JSON text; null when it changes nothing that is kept in the file. */
export function changesToText(
  changes: readonly RowChange[],
  annotation: Annotation,
): string | null {
  // An object with UUIDs as its keys would take longer to make than its text.
  const tables = new Map<Table, string>();
  for (const change of changes) {
    const row = rowToText(change);
    if (row === null) continue;
    const rows = tables.get(change.table);
    tables.set(change.table, `${rows === undefined ? '' : `${rows},`}"${change.uuid}":${row}`);
  }
  if (tables.size === 0) return null;
  let text = '';
  for (const [table, rows] of tables) text += `"${table.name}":{${rows}},`;
  return `{${text}${stringifyJson(annotate({}, annotation)).slice(1)}`;
}

/** All rows of a database as one transaction, for a compacted file. */
export function tablesToJson(tables: Iterable<Table>, annotation: Annotation): JsonObject {
  const json: JsonObject = {};
  for (const table of tables) {
    if (table.rows.size === 0) continue;
    const rows: JsonObject = {};
    for (const row of table.rows.values()) rows[row.uuid] = insertedToJson(row);
    json[table.name] = rows;
  }
  return annotate(json, annotation);
}

function annotate(json: JsonObject, { comment, dateMs }: Annotation): JsonObject {
  if (comment !== undefined) json._comment = comment;
  json._is_diff = true;
  json._date = Math.floor(dateMs);
  return json;
}

/** What of a change is kept; null: nothing. */
function rowToText({ old, current, changed }: RowChange): string | null {
  if (!current) return 'null';
  let text = '';
  for (const { index, name, type } of current.table.storedColumns) {
    const datum = current.fields[index];
    const before = old?.fields[index];
    if (before ? !changed[index] : current.table.isDefault(index, datum)) continue;
    // Whoever reads this takes what follows a default value for the whole value.
    const whole = !before || current.table.isDefault(index, before);
    const kept = whole ? datum : before.diffTo(datum, type);
    text += `${text === '' ? '' : ','}"${name}":${kept.toJsonText(type)}`;
  }
  return old && text === '' ? null : `{${text}}`;
}

function insertedToJson(row: Row): JsonObject {
  const json: JsonObject = {};
  for (const column of row.table.storedColumns) {
    if (row.table.isDefault(column.index, row.fields[column.index])) continue;
    json[column.name] = row.json(column);
  }
  return json;
}

/**
 * Makes the changes of a record in an open transaction. Throws OvsdbError when they do not fit.
 *
 * @param lenient skip tables and columns that the schema does not have
 */
export function applyRecord(
  transaction: Transaction,
  tables: ReadonlyMap<string, Table>,
  json: JsonValue,
  lenient = false,
): void {
  const record = objectOf(json, 'object expected');
  const isDiff = record._is_diff === true;
  for (const [name, rowsJson] of Object.entries(record)) {
    const table = tables.get(name);
    if (!table) {
      if (['_date', '_is_diff', '_comment'].includes(name) || lenient) continue;
      throw syntaxError(json, `No table named ${name}.`, 'unknown table');
    }
    for (const [uuid, rowJson] of Object.entries(objectOf(rowsJson, 'object expected'))) {
      if (!isUuid(uuid)) throw syntaxError(undefined, `"${uuid}" is not a valid UUID`);
      applyRow(transaction, table, uuid.toLowerCase(), rowJson, { isDiff, lenient });
    }
  }
}

function applyRow(
  transaction: Transaction,
  table: Table,
  uuid: string,
  json: JsonValue,
  options: { isDiff: boolean; lenient: boolean },
): void {
  const existing = table.rows.get(uuid);
  if (json === null) {
    if (!existing) {
      throw new OvsdbError('syntax error', `transaction deletes row ${uuid} that does not exist`);
    }
    transaction.delete(existing);
    return;
  }
  const row = existing ? transaction.modify(existing) : table.newRow(uuid);
  for (const [name, value] of Object.entries(objectOf(json, 'row must be JSON object'))) {
    const column = table.schema.columns.get(name);
    if (!column) {
      if (options.lenient) continue;
      throw syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column');
    }
    row.fields[column.index] = newValue(table, row, column, value, options.isDiff);
  }
  if (!existing) transaction.insert(row);
}

function newValue(
  table: Table,
  row: Row,
  column: ColumnSchema,
  json: JsonValue,
  isDiff: boolean,
): Datum {
  const { type } = column;
  const before = row.fields[column.index];
  if (!isDiff || !type.isComposite || table.isDefault(column.index, before)) {
    return Datum.fromJson(type, json);
  }
  // A difference may have fewer or more members than the column itself.
  const diff = Datum.fromJson(type.withCounts(0, 2 * type.max), json);
  return before.applyDiff(diff, type);
}

function objectOf(json: JsonValue, complaint: string): JsonObject {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw syntaxError(json, complaint);
  }
  return json;
}
