/**
 * How a schema is declared in TypeScript, so that its rows have types.
 *
 *     const tables = {
 *       Port: table({ name: immutable(string), tag: optional(range(0, 4095)) }),
 *     };
 *     type PortRow = RowOf<typeof tables.Port>;   // { name: string; tag: number | undefined }
 *
 * The declarations are data: `declareSchema` makes of them the DatabaseSchema that the server uses.
 *
 * Not for: schemas that come in files (DatabaseSchema.fromJson).
 */
import type { JsonValue } from '../common/json.js';
import { DatabaseSchema } from './schema.js';

type JsonObject = { [key: string]: JsonValue };

/** A base type whose values are `T` in TypeScript. */
export interface Base<T> {
  readonly base: JsonValue;
  readonly valueType?: T;
}

/** A column whose values are `T` in TypeScript. */
export interface Column<T> {
  readonly column: JsonObject;
  readonly valueType?: T;
}

export const string: Base<string> = { base: 'string' };
export const integer: Base<number> = { base: 'integer' };
export const real: Base<number> = { base: 'real' };
export const boolean: Base<boolean> = { base: 'boolean' };
export const uuid: Base<string> = { base: 'uuid' };

/** An integer from `min` to `max`, inclusive. */
export function range(min: number, max?: number): Base<number> {
  const json: JsonObject = { type: 'integer', minInteger: min };
  if (max !== undefined) json.maxInteger = max;
  return { base: json };
}

/** A string that is one of `values`. */
export function oneOf<const T extends string>(...values: T[]): Base<T> {
  return { base: { type: 'string', enum: ['set', values] } };
}

/** The UUID of a row of table `T`. */
export type Ref<T extends string> = string & { readonly refTable?: T };

/** A row of `table`, which lives as long as it is referred to. */
export function ref<const T extends string>(table: T): Base<Ref<T>> {
  return { base: { type: 'uuid', refTable: table } };
}

/** A row of `table`; the reference goes when the row goes. */
export function weakRef<const T extends string>(table: T): Base<Ref<T>> {
  return { base: { type: 'uuid', refTable: table, refType: 'weak' } };
}

export function optional<T>(base: Base<T>): Column<T | undefined> {
  return { column: { type: { key: base.base, min: 0, max: 1 } } };
}

export function set<T>(base: Base<T>, counts: { min?: 0 | 1; max?: number } = {}): Column<T[]> {
  const max = counts.max ?? 'unlimited';
  return { column: { type: { key: base.base, min: counts.min ?? 0, max } } };
}

export function map<K, V>(key: Base<K>, value: Base<V>): Column<Map<K, V>> {
  const type = { key: key.base, value: value.base, min: 0, max: 'unlimited' };
  return { column: { type } };
}

/** A column that is not written to the file. */
export function ephemeral<T>(column: Base<T> | Column<T>): Column<T> {
  return { column: { ...columnOf(column), ephemeral: true } };
}

/** A column that only an insert can write. */
export function immutable<T>(column: Base<T> | Column<T>): Column<T> {
  return { column: { ...columnOf(column), mutable: false } };
}

function columnOf(column: Base<unknown> | Column<unknown>): JsonObject {
  return 'column' in column ? column.column : { type: scalarType(column.base) };
}

function scalarType(base: JsonValue): JsonValue {
  return typeof base === 'string' ? base : { key: base };
}

export type Columns = Record<string, Base<unknown> | Column<unknown>>;

export interface TableOptions {
  isRoot?: boolean;
  maxRows?: number;
  indexes?: string[][];
}

export interface TableDeclaration<C extends Columns> {
  readonly columns: C;
  readonly options: TableOptions;
}

export function table<C extends Columns>(
  columns: C,
  options: TableOptions = {},
): TableDeclaration<C> {
  return { columns, options };
}

/** The TypeScript type of a declared table's rows: optional values, arrays and Maps. */
export type RowOf<T> =
  T extends TableDeclaration<infer C>
    ? { -readonly [K in keyof C]: C[K] extends Base<infer V> | Column<infer V> ? V : never }
    : never;

/** Makes the schema of declared tables. */
export function declareSchema(
  id: { name: string; version: string; cksum: string },
  tables: Record<string, TableDeclaration<Columns>>,
): DatabaseSchema {
  const tablesJson: JsonObject = {};
  for (const [name, { columns, options }] of Object.entries(tables)) {
    const columnsJson: JsonObject = {};
    for (const [column, declared] of Object.entries(columns)) {
      columnsJson[column] = columnOf(declared);
    }
    tablesJson[name] = { columns: columnsJson, ...(options as JsonObject) };
  }
  return DatabaseSchema.fromJson({ ...id, tables: tablesJson });
}
