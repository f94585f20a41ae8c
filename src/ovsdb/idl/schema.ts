/**
 * A database schema as `get_schema` returns it (RFC 7047 section 3.2), parsed for the replica.
 *
 *     DbSchema -> tables: name -> TableSchema -> columns: name -> ColumnSchema -> ColumnType
 *
 * Tables and columns are kept in alphabetical order, in which Open vSwitch's tools print them.
 *
 * Not for: the declaration of the Open_vSwitch schema, or the checks that a server makes.
 */

import { TapswitchError } from '../../common/errors.js';
import type { JsonValue } from '../../common/json.js';
import { ColumnType } from '../types.js';

export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
  readonly mutable: boolean;
  readonly ephemeral: boolean;
}

export interface TableSchema {
  readonly name: string;
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  readonly maxRows: number;
  /** Rows stay without a reference. True everywhere in a schema that never says so. */
  readonly isRoot: boolean;
}

export interface DbSchema {
  readonly name: string;
  readonly version: string;
  readonly tables: ReadonlyMap<string, TableSchema>;
}

type JsonObject = { [key: string]: JsonValue };

function object(json: JsonValue | undefined, what: string): JsonObject {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new TapswitchError('E_OVSDB_SCHEMA', `the server's schema is not valid: ${what}`);
}

function sortedEntries(json: JsonObject): [string, JsonValue][] {
  return Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1));
}

function parseTable(name: string, json: JsonValue, anyRoot: boolean): TableSchema {
  const table = object(json, `table ${name}`);
  const columns = new Map<string, ColumnSchema>();
  for (const [column, value] of sortedEntries(object(table.columns, name))) {
    const { type, mutable, ephemeral } = object(value, `${name}.${column}`);
    columns.set(column, {
      name: column,
      type: ColumnType.fromJson(type ?? null),
      mutable: mutable !== false,
      ephemeral: ephemeral === true,
    });
  }
  const maxRows = typeof table.maxRows === 'number' ? table.maxRows : Number.POSITIVE_INFINITY;
  return { name, columns, maxRows, isRoot: !anyRoot || table.isRoot === true };
}

/** Parses what `get_schema` returned. Throws E_OVSDB_SCHEMA or OvsdbError if it is no schema. */
export function parseSchema(json: JsonValue): DbSchema {
  const schema = object(json, 'not an object');
  const tablesJson = object(schema.tables, 'tables');
  const anyRoot = Object.values(tablesJson).some((table) => object(table, 'table').isRoot === true);
  const tables = new Map<string, TableSchema>();
  for (const [name, table] of sortedEntries(tablesJson)) {
    tables.set(name, parseTable(name, table, anyRoot));
  }
  return { name: String(schema.name), version: String(schema.version ?? ''), tables };
}
