/**
 * A transaction: changes to rows that all happen or none.
 *
 * While it is open its changes are visible in the tables, so later operations see earlier ones;
 * `abort` puts everything back. Only one is open at a time, and only within one call.
 *
 *     TransactionRow   old    new
 *     inserted         null   row
 *     modified         row    changed copy
 *     referred to      row    the same row (its reference count may change)
 *     deleted          row    null
 *     came and went    null   null
 *
 * Not for: what clients may ask (operations.ts), integrity (integrity.ts), the file (file-txn.ts).
 */
import type { Datum } from './datum.js';
import { checkIntegrity } from './integrity.js';
import { COLUMN_VERSION } from './schema.js';
import { type Row, Table } from './table.js';
import type { BaseType, ColumnType } from './types.js';
import { randomUuid } from './uuid.js';

const NOTHING_CHANGED: readonly boolean[] = [];

/** What a transaction does to one row. */
export class TransactionRow {
  /** Strong references that will be left. */
  refCount: number;
  /** By column position: does its value differ? Filled for modified rows; empty: none differs. */
  changed: readonly boolean[] = NOTHING_CHANGED;
  /** Of a modified row: does any value differ? */
  private differs = false;

  constructor(
    readonly table: Table,
    readonly uuid: string,
    readonly old: Row | null,
    public current: Row | null,
  ) {
    this.refCount = old?.refCount ?? 0;
  }

  setChanged(column: number, differs: boolean): void {
    const changed = this.changed.slice();
    changed[column] = differs;
    this.changed = changed;
    this.differs = differs || changed.includes(true);
  }

  /** Compares the row with what it was. A copy that is the same gives way to the original. */
  determineChanges(): void {
    const { old, current, table } = this;
    if (!old || !current || old === current) return;
    const { fields } = old;
    let changed: boolean[] | null = null;
    for (let i = 0; i < fields.length; i++) {
      if (fields[i].equals(current.fields[i])) continue;
      changed ??= new Array<boolean>(fields.length).fill(false);
      changed[i] = true;
    }
    if (changed) {
      this.changed = changed;
      this.differs = true;
      return;
    }
    current.transactionRow = null;
    table.rows.set(this.uuid, old);
    this.current = old;
  }

  /** True when the row is inserted, deleted or has a column that differs. */
  get isChange(): boolean {
    if (this.old === null) return this.current !== null;
    return this.current === null || this.differs;
  }
}

/** A change to a row that a commit made; `old` null: inserted, `current` null: deleted. */
export interface RowChange {
  readonly table: Table;
  readonly uuid: string;
  readonly old: Row | null;
  readonly current: Row | null;
  /** By column position; filled for modified rows. */
  readonly changed: readonly boolean[];
}

export class Transaction {
  /** In the order in which they were touched; integrity checks append to it while they go. */
  readonly rows: TransactionRow[] = [];
  readonly tables = new Set<Table>();
  private readonly comments: string[] = [];

  addComment(comment: string): void {
    this.comments.push(comment);
  }

  get comment(): string | undefined {
    return this.comments.length > 0 ? this.comments.join('\n') : undefined;
  }

  /** May a row with this UUID be inserted: neither there nor deleted in this transaction? */
  mayInsert(table: Table, uuid: string): boolean {
    return !table.rows.has(uuid) && !table.deletedRows.has(uuid);
  }

  insert(row: Row): void {
    Table.setVersion(row, randomUuid());
    this.track(row.table, row.uuid, null, row);
    row.table.rows.set(row.uuid, row);
  }

  /** The copy of `row` that this transaction may change. */
  modify(row: Row): Row {
    const tracked = row.transactionRow ?? this.touch(row);
    if (tracked.current === null) throw new Error('modifying a deleted row');
    if (tracked.current === tracked.old) {
      tracked.current = tracked.old.clone();
      tracked.current.transactionRow = tracked;
      row.table.rows.set(row.uuid, tracked.current);
    }
    return tracked.current;
  }

  delete(row: Row): void {
    const tracked = row.transactionRow ?? this.touch(row);
    tracked.current = null;
    row.table.rows.delete(row.uuid);
    // A row that this transaction inserted is as if it had never been.
    if (tracked.old) row.table.deletedRows.set(row.uuid, tracked);
  }

  /** Puts `row` in the place of one that this transaction has deleted. */
  restore(deleted: TransactionRow, row: Row): void {
    row.table.deletedRows.delete(row.uuid);
    row.fields[COLUMN_VERSION] = (deleted.old as Row).fields[COLUMN_VERSION];
    row.refCount = deleted.refCount;
    row.transactionRow = deleted;
    deleted.current = row;
    row.table.rows.set(row.uuid, row);
  }

  /** What this transaction does to a row; made if it has not touched it. Null: no such row. */
  find(table: Table, uuid: string): TransactionRow | null {
    const row = table.rows.get(uuid);
    if (row) return row.transactionRow ?? this.touch(row);
    return table.deletedRows.get(uuid) ?? null;
  }

  private touch(row: Row): TransactionRow {
    return this.track(row.table, row.uuid, row, row);
  }

  private track(table: Table, uuid: string, old: Row | null, current: Row | null): TransactionRow {
    const tracked = new TransactionRow(table, uuid, old, current);
    if (old) old.transactionRow = tracked;
    if (current) current.transactionRow = tracked;
    this.tables.add(table);
    this.rows.push(tracked);
    return tracked;
  }

  /**
   * Finds what really changed and checks that the database may be so. Throws OvsdbError when not:
   * the caller must then abort. False: nothing changes.
   */
  prepare(): boolean {
    for (const row of this.rows) row.determineChanges();
    if (!this.rows.some((row) => row.isChange)) return false;
    checkIntegrity(this);
    for (const row of this.rows) {
      if (!row.isChange || !row.old || !row.current) continue;
      row.setChanged(COLUMN_VERSION, true);
      Table.setVersion(row.current, randomUuid());
    }
    return true;
  }

  /** Makes the changes last, after prepare(). Returns them. */
  complete(): RowChange[] {
    for (const row of this.rows) if (row.old && row.isChange) removeFromIndexes(row.old);
    for (const row of this.rows) {
      if (row.current && row.isChange) addToIndexes(row.current);
      if (row.isChange) updateWeakRefs(row);
      if (row.current) row.current.refCount = row.refCount;
    }
    this.forget();
    return this.rows.filter((row) => row.isChange);
  }

  /** Puts every row back. */
  abort(): void {
    for (const { table, uuid, old, current } of this.rows) {
      if (old) table.rows.set(uuid, old);
      else if (current) table.rows.delete(uuid);
    }
    this.forget();
  }

  private forget(): void {
    for (const { old, current } of this.rows) {
      if (old) old.transactionRow = null;
      if (current) current.transactionRow = null;
    }
    for (const table of this.tables) table.deletedRows.clear();
  }
}

function removeFromIndexes(row: Row): void {
  const { schema, indexes } = row.table;
  for (let i = 0; i < indexes.length; i++) {
    const key = row.keyOf(schema.indexes[i]);
    if (indexes[i].get(key) === row) indexes[i].delete(key);
  }
}

function addToIndexes(row: Row): void {
  const { schema, indexes } = row.table;
  for (let i = 0; i < indexes.length; i++) indexes[i].set(row.keyOf(schema.indexes[i]), row);
}

/** Keeps `weakRefs` of the tables that this row refers to in step with its change. */
function updateWeakRefs(row: TransactionRow): void {
  for (const column of row.table.schema.weakColumns) {
    const { index } = column;
    if (row.old && row.current && !row.changed[index]) continue;
    if (row.old) countWeakRefsIn(row, column.type, row.old.fields[index], -1);
    if (row.current) countWeakRefsIn(row, column.type, row.current.fields[index], 1);
  }
}

function countWeakRefsIn(row: TransactionRow, type: ColumnType, datum: Datum, step: 1 | -1): void {
  if (datum.size === 0) return;
  countWeakRefs(row, type.key, datum.keys, step);
  if (type.value && datum.values) countWeakRefs(row, type.value, datum.values, step);
}

function countWeakRefs(
  row: TransactionRow,
  base: BaseType,
  uuids: readonly unknown[],
  step: 1 | -1,
): void {
  const target = base.isWeakRef ? row.table.target(base) : null;
  if (!target) return;
  for (const uuid of uuids as string[]) {
    let referrers = target.weakRefs.get(uuid);
    if (!referrers) {
      if (step < 0) continue;
      referrers = new Map();
      target.weakRefs.set(uuid, referrers);
    }
    const key = `${row.uuid}${row.table.name}`;
    const referrer = referrers.get(key) ?? { table: row.table, uuid: row.uuid, count: 0 };
    referrer.count += step;
    if (referrer.count > 0) referrers.set(key, referrer);
    else referrers.delete(key);
    if (referrers.size === 0) target.weakRefs.delete(uuid);
  }
}
