/**
 * Backup and restore: a database's contents as a database file, taken from and given to a server.
 *
 * Not for: the file's format (src/ovsdb/log-record.ts, file-transaction.ts).
 */
import { type JsonValue, stringifyJson } from '../../common/json.js';
import { Database } from '../../ovsdb/database.js';
import type { Datum } from '../../ovsdb/datum.js';
import { sortedText } from '../../ovsdb/error.js';
import { composeRecord, readRecord } from '../../ovsdb/log-record.js';
import { DatabaseSchema } from '../../ovsdb/schema.js';
import type { Row } from '../../ovsdb/table.js';
import type { BaseType, ColumnType } from '../../ovsdb/types.js';
import { ClientError, type OvsdbClient } from './client.js';

type JsonObject = { [key: string]: JsonValue };

const TABLE_COLUMNS = 2;

/** The bytes of a database file with what the server's database holds. */
export async function backup(
  client: OvsdbClient,
  database: string,
  wallMs: number,
): Promise<Buffer> {
  const schema = await client.schema(database);
  const tables = [...schema.tables.values()];
  const operations = tables.map(({ name, columnList }) => ({
    op: 'select',
    table: name,
    where: [],
    columns: columnList.filter(({ persistent }) => persistent).map((column) => column.name),
  }));
  const results = await client.transact(database, operations);
  const record: JsonObject = {};
  tables.forEach((table, i) => {
    const rows = (results[i] as { rows: JsonObject[] }).rows;
    if (rows.length === 0) return;
    const byUuid: JsonObject = {};
    for (const { _uuid, ...row } of rows) byUuid[(_uuid as string[])[1]] = row;
    record[table.name] = byUuid;
  });
  record._comment = 'produced by "ovsdb-client backup"';
  record._date = wallMs;
  return Buffer.concat([
    composeRecord(stringifyJson(schema.toJson())),
    composeRecord(stringifyJson(record)),
  ]);
}

/** The database that a file holds. Throws ClientError. */
export function readBackup(bytes: Buffer): Database {
  let database: Database | null = null;
  let at = 0;
  for (let read = readRecord(bytes, 0); read; read = readRecord(bytes, at)) {
    if ('damage' in read) throw new ClientError(`the backup is damaged: ${read.damage}`);
    if (database) database.replay(read.json);
    else database = new Database(DatabaseSchema.fromJson(read.json));
    at = read.end;
  }
  if (!database) throw new ClientError('the backup is empty');
  return database;
}

/** Why the backup does not fit the server's database, or null. */
export function schemaDifference(from: DatabaseSchema, online: DatabaseSchema): string | null {
  if (sortedText(from.toJson()) === sortedText(online.toJson())) return null;
  if (from.version !== online.version) {
    return (
      `backup schema has version "${from.version}" but ` +
      `database schema has version "${online.version}"`
    );
  }
  return `backup schema and database schema are both version ${from.version} but still differ`;
}

/** Operations that put a backup's rows in the place of all that there is. */
export function restoreOperations(from: Database): JsonValue[] {
  const operations: JsonValue[] = [];
  for (const { name, rows } of from.tables.values()) {
    operations.push({ op: 'delete', table: name, where: [] });
    for (const row of rows.values()) {
      const insert = { op: 'insert', table: name, 'uuid-name': rowName(row.uuid) };
      operations.push({ ...insert, row: rowValues(row) });
    }
  }
  return operations;
}

/** A row's values, with references to rows by the names that the same transaction gives them. */
function rowValues(row: Row): JsonObject {
  const values: JsonObject = {};
  for (const column of row.table.storedColumns) {
    const datum = row.fields[column.index];
    if (column.index < TABLE_COLUMNS || row.table.isDefault(column.index, datum)) continue;
    values[column.name] = withRowNames(datum, column.type);
  }
  return values;
}

function withRowNames(datum: Datum, type: ColumnType): JsonValue {
  const { key, value } = type;
  if (key.refTable === null && (value?.refTable ?? null) === null) return datum.toJson(type);
  const atom = (base: BaseType, of: unknown): JsonValue =>
    base.refTable === null
      ? ((base.type === 'uuid' ? ['uuid', of] : of) as JsonValue)
      : ['named-uuid', rowName(String(of))];
  const members = datum.keys.map((one, i) =>
    value && datum.values ? [atom(key, one), atom(value, datum.values[i])] : atom(key, one),
  );
  return [value ? 'map' : 'set', members];
}

function rowName(uuid: string): string {
  return `row${uuid.replaceAll('-', '_')}`;
}
