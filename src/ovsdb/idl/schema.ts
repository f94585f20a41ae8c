/**
 * A database schema as `get_schema` returns it (RFC 7047 section 3.2), parsed for the replica.
 *
 *     DbSchema -> tables: name -> TableSchema -> columns: name -> ColumnSchema -> ColumnType
 *
 * Columns are kept in alphabetical order, the order in which Open vSwitch's tools print them.
 *
 * Not for: the declaration of the Open_vSwitch schema, or the checks that a server makes.
 */

import { TapswitchError } from '../../common/errors.js';

export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';
const ATOMIC_TYPES: readonly string[] = ['integer', 'real', 'boolean', 'string', 'uuid'];

/** One half of a column's type, with its constraints. Lengths are in characters. */
export interface BaseType {
  readonly type: AtomicType;
  readonly enum: readonly (number | string | boolean)[] | null;
  readonly minInteger: number;
  readonly maxInteger: number;
  readonly minReal: number;
  readonly maxReal: number;
  readonly minLength: number;
  readonly maxLength: number;
  readonly refTable: string | null;
  readonly refType: 'strong' | 'weak';
}

/** `min` to `max` keys (max may be Infinity); a map when `value` is not null. */
export interface ColumnType {
  readonly key: BaseType;
  readonly value: BaseType | null;
  readonly min: 0 | 1;
  readonly max: number;
}

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

type Json = Record<string, unknown>;

function bad(what: string): TapswitchError {
  return new TapswitchError('E_OVSDB_SCHEMA', `the server's schema is not valid: ${what}`);
}

function object(json: unknown, what: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad(what);
  return json as Json;
}

function numberOr(json: unknown, fallback: number): number {
  return typeof json === 'number' || typeof json === 'bigint' ? Number(json) : fallback;
}

function parseEnum(json: unknown): BaseType['enum'] {
  if (json === undefined) return null;
  const atoms = Array.isArray(json) && json[0] === 'set' ? (json[1] as unknown) : [json];
  if (!Array.isArray(atoms)) throw bad('enum');
  return [...atoms].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function parseBase(json: unknown): BaseType {
  const o: Json = typeof json === 'string' ? { type: json } : object(json, 'base type');
  if (typeof o.type !== 'string' || !ATOMIC_TYPES.includes(o.type)) throw bad('atomic type');
  return {
    type: o.type as AtomicType,
    enum: parseEnum(o.enum),
    minInteger: numberOr(o.minInteger, Number.NEGATIVE_INFINITY),
    maxInteger: numberOr(o.maxInteger, Number.POSITIVE_INFINITY),
    minReal: numberOr(o.minReal, Number.NEGATIVE_INFINITY),
    maxReal: numberOr(o.maxReal, Number.POSITIVE_INFINITY),
    minLength: numberOr(o.minLength, 0),
    maxLength: numberOr(o.maxLength, Number.POSITIVE_INFINITY),
    refTable: typeof o.refTable === 'string' ? o.refTable : null,
    refType: o.refType === 'weak' ? 'weak' : 'strong',
  };
}

/** A column's type from its schema notation (RFC 7047 section 3.2, <type>). */
export function parseColumnType(json: unknown): ColumnType {
  if (typeof json === 'string') return { key: parseBase(json), value: null, min: 1, max: 1 };
  const o = object(json, 'column type');
  return {
    key: parseBase(o.key),
    value: o.value === undefined ? null : parseBase(o.value),
    min: o.min === 0 ? 0 : 1,
    max: o.max === 'unlimited' ? Number.POSITIVE_INFINITY : numberOr(o.max, 1),
  };
}

function byName(a: [string, unknown], b: [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

function parseTable(name: string, json: unknown, anyRoot: boolean): TableSchema {
  const o = object(json, `table ${name}`);
  const columns = new Map<string, ColumnSchema>();
  for (const [column, value] of Object.entries(object(o.columns, name)).sort(byName)) {
    const c = object(value, `${name}.${column}`);
    columns.set(column, {
      name: column,
      type: parseColumnType(c.type),
      mutable: c.mutable !== false,
      ephemeral: c.ephemeral === true,
    });
  }
  return {
    name,
    columns,
    maxRows: numberOr(o.maxRows, Number.POSITIVE_INFINITY),
    isRoot: !anyRoot || o.isRoot === true,
  };
}

/** Parses what `get_schema` returned. Throws E_OVSDB_SCHEMA if it is no schema. */
export function parseSchema(json: unknown): DbSchema {
  const o = object(json, 'not an object');
  const tablesJson = object(o.tables, 'tables');
  const anyRoot = Object.values(tablesJson).some((t) => object(t, 'table').isRoot === true);
  const tables = new Map<string, TableSchema>();
  for (const [name, table] of Object.entries(tablesJson).sort(byName)) {
    tables.set(name, parseTable(name, table, anyRoot));
  }
  return { name: String(o.name), version: String(o.version ?? ''), tables };
}
