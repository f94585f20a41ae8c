/**
 * Tables and rows in memory.
 *
 *     Table.rows      uuid -> Row { fields: [ _uuid, _version, column 2, column 3, ... ] }
 *     Table.indexes   one map per index: text of the indexed values -> Row
 *     Table.weakRefs  uuid of a row here -> rows anywhere that refer to it weakly, with counts
 *
 * A committed row never changes: a transaction puts a new Row in its place. So the row before and
 * the row after a change can both be kept, by monitors and by the history, at no cost.
 *
 * Not for: who may change them and when (transaction.ts).
 */
import { ZERO_UUID } from './atom.js';
import { Datum } from './datum.js';
import { COLUMN_UUID, COLUMN_VERSION, type ColumnSchema, type TableSchema } from './schema.js';
import type { TransactionRow } from './transaction.js';
import type { BaseType, ColumnType } from './types.js';

export class Row {
  /** Strong references from other rows. */
  refCount = 0;
  /** What the transaction under way does to this row, if anything. */
  transactionRow: TransactionRow | null = null;

  constructor(
    readonly table: Table,
    readonly uuid: string,
    readonly fields: Datum[],
  ) {}

  clone(): Row {
    const copy = new Row(this.table, this.uuid, this.fields.slice());
    copy.refCount = this.refCount;
    return copy;
  }

  /** Text that is the same for rows with equal values in `columns`. */
  keyOf(columns: readonly ColumnSchema[]): string {
    if (columns.length === 1) return this.fields[columns[0].index].key;
    let key = '';
    for (const { index } of columns) {
      const one = this.fields[index].key;
      // With the length before it, no text can be taken for a part of its neighbour.
      key += `${one.length}:${one}`;
    }
    return key;
  }

  json(column: ColumnSchema) {
    return this.fields[column.index].toJson(column.type);
  }
}

/** A row that refers weakly to another one, and how often. */
export interface WeakReferrer {
  readonly table: Table;
  readonly uuid: string;
  count: number;
}

export class Table {
  readonly rows = new Map<string, Row>();
  readonly indexes: Map<string, Row>[];
  /** Referrers are keyed by UUID and table: rows of two tables may have the same UUID. */
  readonly weakRefs = new Map<string, Map<string, WeakReferrer>>();
  /** Rows that the transaction under way has deleted. */
  readonly deletedRows = new Map<string, TransactionRow>();
  /** The columns that the file has. */
  readonly storedColumns: readonly ColumnSchema[];
  /** Columns whose default value their constraints do not allow: an insert must give another. */
  readonly unfitDefaults: readonly ColumnSchema[];
  private readonly defaults: readonly Datum[];

  /** @param siblings the database's tables by name */
  constructor(
    readonly schema: TableSchema,
    private readonly siblings: ReadonlyMap<string, Table>,
  ) {
    this.indexes = schema.indexes.map(() => new Map());
    this.storedColumns = schema.columnList.filter(
      (column) => column.persistent && column.index !== COLUMN_UUID,
    );
    this.defaults = schema.columnList.map((column) => Datum.defaultOf(column.type));
    this.unfitDefaults = schema.columnList.filter(({ index, type }) => {
      const datum = this.defaults[index];
      return datum.size === 1 && !fits(datum, type);
    });
  }

  get name(): string {
    return this.schema.name;
  }

  /** The table that a reference names. */
  target(base: BaseType): Table {
    return this.siblings.get(base.refTable as string) as Table;
  }

  /** A row with default values that is not in the table yet. */
  newRow(uuid = ZERO_UUID): Row {
    const fields = this.defaults.slice();
    fields[COLUMN_UUID] = Datum.of(uuid);
    return new Row(this, uuid, fields);
  }

  /** @param column its position */
  isDefault(column: number, datum: Datum): boolean {
    const usual = this.defaults[column];
    return datum === usual || datum.equals(usual);
  }

  static setVersion(row: Row, version: string): void {
    row.fields[COLUMN_VERSION] = Datum.of(version);
  }
}

function fits(datum: Datum, type: ColumnType): boolean {
  try {
    datum.check(type);
    return true;
  } catch {
    return false;
  }
}
