/**
 * The replica itself: tables of rows, and how their columns look as JavaScript values.
 *
 *     Replica -> IdlTable (one per table of the schema) -> IdlRow (one per row, by UUID)
 *
 * A row keeps its identity for as long as the database has it. A row that is gone keeps its last
 * contents, so whoever hears of the deletion can still read its name.
 *
 * Not for: the conversation with the server (session.ts) or writing (txn.ts).
 */

import { errorMessage, TapswitchError } from '../../common/errors.js';
import type { JsonValue } from '../../common/json.js';
import { getLogger } from '../../common/log.js';
import type { Atom } from '../atom.js';
import { Datum } from '../datum.js';
import type { BaseType, ColumnType } from '../types.js';
import type { ColumnSchema, DbSchema, TableSchema } from './schema.js';

/** One atom as the reader sees it: a reference is the row, an integer a number of any size. */
export type RowAtom = number | string | boolean | IdlRow;

/** scalar: RowAtom; optional: RowAtom or null; set: array; map: Map. */
export type RowValue = RowAtom | null | RowAtom[] | Map<RowAtom, RowAtom>;

/** Finds the row that a reference means, or null where it dangles. */
export type Resolve = (table: string, uuid: string) => IdlRow | null;

/** One row of the replica, or one that a transaction is about to insert. */
export class IdlRow {
  /** @param data the columns that are known; the others read as their default */
  constructor(
    readonly table: IdlTable,
    readonly uuid: string,
    readonly data: Map<string, Datum>,
  ) {}

  /**
   * The column's value. A scalar is the value itself, an optional column the value or null, a set
   * an array, a map a Map. References are rows; those that do not resolve are left out.
   * Throws E_OVSDB_NO_COLUMN if the table has no such column.
   */
  get<T = RowValue>(column: string): T {
    const { type } = this.table.column(column);
    return datumToValue(this.datum(column), type, this.table.resolve) as T;
  }

  /** The column as it is stored: sorted keys and, of a map, values; references are UUIDs. */
  datum(column: string): Datum {
    return this.data.get(column) ?? Datum.defaultOf(this.table.column(column).type);
  }

  /** The column in RFC 7047 notation. */
  json(column: string): JsonValue {
    return this.datum(column).toJson(this.table.column(column).type);
  }
}

/** One table of the replica. Iterates over its rows in the order in which they arrived. */
export class IdlTable implements Iterable<IdlRow> {
  /** By UUID. Written by the replica alone. */
  readonly rows = new Map<string, IdlRow>();

  constructor(
    readonly schema: TableSchema,
    readonly resolve: Resolve,
  ) {}

  get name(): string {
    return this.schema.name;
  }

  get size(): number {
    return this.rows.size;
  }

  [Symbol.iterator](): Iterator<IdlRow> {
    return this.rows.values();
  }

  row(uuid: string): IdlRow | null {
    return this.rows.get(uuid) ?? null;
  }

  /** The first row, for tables that have just one (Open_vSwitch), or null. */
  first(): IdlRow | null {
    for (const row of this.rows.values()) return row;
    return null;
  }

  /** The first row whose scalar `column` holds `value`, or null. */
  find(column: string, value: Atom): IdlRow | null {
    for (const row of this.rows.values()) {
      if (row.datum(column).keys[0] === value) return row;
    }
    return null;
  }

  has(column: string): boolean {
    return this.schema.columns.has(column);
  }

  column(name: string): ColumnSchema {
    const column = this.schema.columns.get(name);
    if (column) return column;
    throw new TapswitchError('E_OVSDB_NO_COLUMN', `table ${this.name} has no column ${name}`);
  }
}

function atomValue(atom: Atom, base: BaseType, resolve: Resolve): RowAtom | null {
  if (base.refTable !== null) return resolve(base.refTable, atom as string);
  return typeof atom === 'bigint' ? Number(atom) : atom;
}

/** A datum as a JavaScript value: see IdlRow.get. */
export function datumToValue(datum: Datum, type: ColumnType, resolve: Resolve): RowValue {
  if (type.isMap) {
    const map = new Map<RowAtom, RowAtom>();
    datum.keys.forEach((key, i) => {
      const k = atomValue(key, type.key, resolve);
      const v = atomValue(datum.values![i], type.value!, resolve);
      if (k !== null && v !== null) map.set(k, v);
    });
    return map;
  }
  if (type.max > 1) {
    const atoms = datum.keys.map((key) => atomValue(key, type.key, resolve));
    return atoms.filter((atom) => atom !== null);
  }
  return datum.keys.length === 0 ? null : atomValue(datum.keys[0], type.key, resolve);
}

/** What happened to one table between two states of the replica. */
export interface TableChanges {
  readonly inserted: Set<IdlRow>;
  /** The names of the columns that changed. */
  readonly modified: Map<IdlRow, Set<string>>;
  readonly deleted: Set<IdlRow>;
}

/** By table name: only tables in which something changed. */
export type Changes = ReadonlyMap<string, TableChanges>;

/** All tables of one database, and the collecting of changes to them. */
export class Replica {
  readonly tables = new Map<string, IdlTable>();
  private changes = new Map<string, TableChanges>();

  constructor(readonly schema: DbSchema) {
    const resolve: Resolve = (table, uuid) => this.tables.get(table)?.row(uuid) ?? null;
    for (const table of schema.tables.values()) {
      this.tables.set(table.name, new IdlTable(table, resolve));
    }
  }

  table(name: string): IdlTable {
    const table = this.tables.get(name);
    if (table) return table;
    throw new TapswitchError('E_OVSDB_NO_TABLE', `the database has no table ${name}`);
  }

  insert(table: IdlTable, uuid: string, data: Map<string, Datum>): void {
    const row = new IdlRow(table, uuid, data);
    table.rows.set(uuid, row);
    this.changesOf(table).inserted.add(row);
  }

  delete(row: IdlRow): void {
    row.table.rows.delete(row.uuid);
    const changes = this.changesOf(row.table);
    changes.modified.delete(row);
    if (!changes.inserted.delete(row)) changes.deleted.add(row);
  }

  /** Stores `datum` and notes the change. */
  modify(row: IdlRow, column: string, datum: Datum): void {
    row.data.set(column, datum);
    const changes = this.changesOf(row.table);
    if (changes.inserted.has(row)) return;
    const columns = changes.modified.get(row);
    if (columns) columns.add(column);
    else changes.modified.set(row, new Set([column]));
  }

  /** Reports the rows of `old`, which had another schema, as deleted. */
  replaces(old: Replica): void {
    for (const table of old.tables.values()) {
      const { deleted } = this.changesOf(table);
      for (const row of table) deleted.add(row);
    }
  }

  /** Hands over the changes since the last call; empty if there were none. */
  takeChanges(): Changes {
    const taken = this.changes;
    this.changes = new Map();
    for (const [name, { inserted, modified, deleted }] of taken) {
      if (inserted.size + modified.size + deleted.size === 0) taken.delete(name);
    }
    return taken;
  }

  private changesOf(table: IdlTable): TableChanges {
    let changes = this.changes.get(table.name);
    if (!changes) {
      changes = { inserted: new Set(), modified: new Map(), deleted: new Set() };
      this.changes.set(table.name, changes);
    }
    return changes;
  }
}

const log = getLogger('ovsdb_idl');

/**
 * Columns of a row as received. Columns that the schema does not have are passed over; so are
 * values that do not fit it, with a warning.
 */
export function parseRow(table: IdlTable, json: JsonValue | undefined): Map<string, Datum> {
  const data = new Map<string, Datum>();
  if (typeof json !== 'object' || json === null) return data;
  for (const [name, value] of Object.entries(json)) {
    const column = table.schema.columns.get(name);
    if (!column) continue;
    try {
      data.set(name, Datum.fromJson(column.type, value));
    } catch (error) {
      log.warn(`error parsing column ${name} in table ${table.name}: ${errorMessage(error)}`);
    }
  }
  return data;
}
