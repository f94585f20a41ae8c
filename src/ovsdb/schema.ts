/**
 * Schemas: a database's tables and their columns (RFC 7047, section 3.2), read from and written to
 * JSON.
 *
 * Every table also has the columns `_uuid` (position 0) and `_version` (position 1), which clients
 * may read and never write.
 *
 * Not for: the Open_vSwitch schema itself (open-vswitch-schema.ts), rows (table.ts).
 */
import type { JsonValue } from '../common/json.js';
import { syntaxError } from './error.js';
import { isId, ObjectParser } from './object-parser.js';
import { BaseType, ColumnType, UNLIMITED } from './types.js';

type JsonObject = { [key: string]: JsonValue };

/** Positions of the columns that every table has. */
export const COLUMN_UUID = 0;
export const COLUMN_VERSION = 1;

export class ColumnSchema {
  constructor(
    readonly name: string,
    readonly type: ColumnType,
    readonly mutable: boolean,
    /** Written to the file? Ephemeral columns are not. */
    public persistent: boolean,
    /** Position in a row's fields. */
    readonly index: number,
  ) {}

  get isStrongRef(): boolean {
    return this.type.key.isStrongRef || (this.type.value?.isStrongRef ?? false);
  }

  get isWeakRef(): boolean {
    return this.type.key.isWeakRef || (this.type.value?.isWeakRef ?? false);
  }

  static fromJson(name: string, json: JsonValue, index: number): ColumnSchema {
    const parser = new ObjectParser(json, `schema for column ${name}`);
    const mutable = parser.optionalBoolean('mutable', true);
    const ephemeral = parser.optionalBoolean('ephemeral', false);
    const typeJson = parser.required('type', 'string', 'object');
    parser.finish();
    const type = ColumnType.fromJson(typeJson);
    // A weak reference cannot be immutable: it goes when the row that it names is deleted.
    const isWeak = type.key.isWeakRef || (type.value?.isWeakRef ?? false);
    return new ColumnSchema(name, type, mutable || isWeak, !ephemeral, index);
  }

  toJson(): JsonValue {
    const json: JsonObject = {};
    if (!this.mutable) json.mutable = false;
    if (!this.persistent) json.ephemeral = true;
    json.type = this.type.toJson();
    return json;
  }
}

export class TableSchema {
  /** By name, `_uuid` and `_version` among them, in the order of their positions. */
  readonly columns = new Map<string, ColumnSchema>();
  /** By position. */
  readonly columnList: ColumnSchema[] = [];
  readonly strongColumns: ColumnSchema[] = [];
  readonly weakColumns: ColumnSchema[] = [];
  /** Sets of columns whose values together are unique. */
  readonly indexes: ColumnSchema[][] = [];
  isRoot = false;
  maxRows = UNLIMITED;

  constructor(readonly name: string) {
    const uuid = new ColumnType(new BaseType('uuid'));
    this.add(new ColumnSchema('_uuid', uuid, false, true, COLUMN_UUID));
    this.add(new ColumnSchema('_version', uuid, false, false, COLUMN_VERSION));
  }

  private add(column: ColumnSchema): void {
    this.columns.set(column.name, column);
    this.columnList.push(column);
    if (column.isStrongRef) this.strongColumns.push(column);
    if (column.isWeakRef) this.weakColumns.push(column);
  }

  static fromJson(name: string, json: JsonValue): TableSchema {
    const parser = new ObjectParser(json, `table schema for table ${name}`);
    const columns = parser.required('columns', 'object') as JsonObject;
    parser.optionalBoolean('mutable', true);
    const maxRows = parser.optional('maxRows', 'integer') as number | undefined;
    const table = new TableSchema(name);
    table.isRoot = parser.optionalBoolean('isRoot', false);
    const indexes = parser.optionalArray('indexes');
    parser.finish();
    if (maxRows !== undefined && maxRows <= 0) {
      throw syntaxError(json, 'maxRows must be at least 1');
    }
    table.maxRows = Math.min(maxRows ?? UNLIMITED, UNLIMITED);
    const names = Object.keys(columns);
    if (names.length === 0) throw syntaxError(json, 'table must have at least one column');
    for (const column of names) {
      checkName(column, json);
      table.add(ColumnSchema.fromJson(column, columns[column], table.columnList.length));
    }
    for (const index of indexes ?? []) table.addIndex(index, json);
    return table;
  }

  private addIndex(index: JsonValue, json: JsonValue): void {
    const columns = columnSetFromJson(this, index);
    if (columns.length === 0) throw syntaxError(json, 'index must have at least one column');
    const ephemeral = columns.find((column) => !column.persistent);
    if (ephemeral) {
      throw syntaxError(json, `ephemeral columns (such as ${ephemeral.name}) may not be indexed`);
    }
    this.indexes.push(columns);
  }

  toJson(defaultIsRoot: boolean): JsonValue {
    const columns: JsonObject = {};
    for (const column of this.columnList) {
      if (!column.name.startsWith('_')) columns[column.name] = column.toJson();
    }
    const json: JsonObject = { columns };
    if (this.maxRows !== UNLIMITED) json.maxRows = this.maxRows;
    if (this.isRoot !== defaultIsRoot) json.isRoot = this.isRoot;
    if (this.indexes.length > 0) {
      json.indexes = this.indexes.map((index) => index.map((column) => column.name));
    }
    return json;
  }
}

/** The columns that a JSON array of names lists; all of them for undefined. Throws OvsdbError. */
export function columnSetFromJson(table: TableSchema, json: JsonValue | undefined): ColumnSchema[] {
  if (json === undefined) return table.columnList;
  const distinct = 'array of distinct column names expected';
  if (!Array.isArray(json)) throw syntaxError(json, distinct);
  const set = new Set<ColumnSchema>();
  for (const name of json) {
    if (typeof name !== 'string') throw syntaxError(json, distinct);
    const column = table.columns.get(name);
    if (!column) throw syntaxError(json, `${name} is not a valid column name`);
    if (set.has(column)) throw syntaxError(json, distinct);
    set.add(column);
  }
  return [...set];
}

export class DatabaseSchema {
  readonly tables = new Map<string, TableSchema>();

  constructor(
    readonly name: string,
    readonly version: string,
    readonly cksum: string,
  ) {}

  /** Reads a `<database-schema>`. Throws OvsdbError. */
  static fromJson(json: JsonValue): DatabaseSchema {
    const parser = new ObjectParser(json, 'database schema');
    const name = parser.requiredString('name', 'id');
    const version = (parser.optional('version', 'string') as string | undefined) ?? '';
    const cksum = (parser.optional('cksum', 'string') as string | undefined) ?? '';
    const tables = parser.required('tables', 'object') as JsonObject;
    parser.finish();
    if (version !== '' && !/^\d+\.\d+\.\d+$/.test(version)) {
      throw syntaxError(json, `schema version "${version}" not in format x.y.z`);
    }
    const schema = new DatabaseSchema(name, version, cksum);
    for (const table of Object.keys(tables)) {
      checkName(table, json);
      schema.tables.set(table, TableSchema.fromJson(table, tables[table]));
    }
    schema.finish();
    return schema;
  }

  /** Settles what needs all tables: the root set and references. */
  private finish(): void {
    const tables = [...this.tables.values()];
    // Schemas from before garbage collection name no roots: every table of theirs is one.
    if (!tables.some((table) => table.isRoot)) for (const table of tables) table.isRoot = true;
    for (const table of tables) {
      for (const column of table.columnList) {
        this.checkReference(column, column.type.key, 'key');
        if (column.type.value) this.checkReference(column, column.type.value, 'value');
      }
    }
  }

  private checkReference(column: ColumnSchema, base: BaseType, part: string): void {
    if (base.refTable === null) return;
    const target = this.tables.get(base.refTable);
    if (!target) {
      throw syntaxError(
        undefined,
        `column ${column.name} ${part} refers to undefined table ${base.refTable}`,
      );
    }
    // Without the reference in the file, the next start would collect the row as garbage.
    if (base.isStrongRef && !target.isRoot) column.persistent = true;
  }

  toJson(): JsonValue {
    const tables = [...this.tables.values()];
    const defaultIsRoot = tables.every((table) => table.isRoot);
    const tablesJson: JsonObject = {};
    for (const table of tables) tablesJson[table.name] = table.toJson(defaultIsRoot);
    const json: JsonObject = { name: this.name };
    if (this.version !== '') json.version = this.version;
    if (this.cksum !== '') json.cksum = this.cksum;
    json.tables = tablesJson;
    return json;
  }
}

function checkName(name: string, json: JsonValue): void {
  if (name.startsWith('_')) throw syntaxError(json, 'names beginning with "_" are reserved');
  if (!isId(name)) throw syntaxError(json, 'name must be a valid id');
}
