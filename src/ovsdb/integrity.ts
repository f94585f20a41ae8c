/**
 * What must hold of a database after every transaction (RFC 7047, section 3.2):
 *
 *   1. strong references name rows that exist, and rows that are referred to stay;
 *   2. rows that nothing refers to go, except in root tables;
 *   3. no table has more rows than it may;
 *   4. weak references to rows that are gone go too, as far as the column may become empty;
 *   5. no two rows have the same values in the columns of an index.
 *
 * Only rows that the transaction touches, and those that refer to them, are looked at.
 *
 * Not for: constraints on single values (types.ts).
 */
import { type Atom, ZERO_UUID } from './atom.js';
import type { Datum } from './datum.js';
import { constraintViolation, OvsdbError } from './error.js';
import { COLUMN_VERSION, type ColumnSchema } from './schema.js';
import type { Row, Table } from './table.js';
import type { Transaction, TransactionRow } from './transaction.js';
import type { BaseType } from './types.js';

/** Collects garbage, drops weak references, and throws OvsdbError when the rest cannot be. */
export function checkIntegrity(transaction: Transaction): void {
  // Counting references touches further rows, which land at the end of the same list.
  for (const row of transaction.rows) updateRefCounts(transaction, row);
  for (const row of transaction.rows) checkRefCount(row);
  for (const row of transaction.rows) {
    if (row.current && row.refCount === 0) collectGarbage(transaction, row);
  }
  for (const table of transaction.tables) checkMaxRows(table);
  for (const row of transaction.rows) dropWeakRefs(transaction, row);
  checkIndexes(transaction);
}

function updateRefCounts(transaction: Transaction, row: TransactionRow): void {
  const { old, current } = row;
  for (const column of row.table.schema.strongColumns) {
    if (old && current && !row.changed[column.index]) continue;
    const before = old?.fields[column.index];
    const after = current?.fields[column.index];
    const removed = before && (after ? before.subtract(after) : before);
    const added = after && (before ? after.subtract(before) : after);
    if (removed && removed.size > 0) adjustRefCounts(transaction, row, column, removed, -1);
    if (added && added.size > 0) adjustRefCounts(transaction, row, column, added, 1);
  }
}

/**
 * Counts the strong references in a column's value; those to the row itself are none.
 *
 * @param unreferenced takes the rows that nothing refers to any more
 */
function adjustRefCounts(
  transaction: Transaction,
  row: TransactionRow,
  column: ColumnSchema,
  datum: Datum,
  step: 1 | -1,
  unreferenced: TransactionRow[] | null = null,
): void {
  const { key, value } = column.type;
  for (const [base, atoms] of [
    [key, datum.keys],
    [value, datum.values],
  ] as const) {
    if (!base?.isStrongRef || !atoms) continue;
    const target = row.table.target(base);
    for (const uuid of atoms as readonly string[]) {
      if (uuid === row.uuid && target === row.table) continue;
      const referred = transaction.find(target, uuid);
      if (!referred) {
        if (step > 0) throw nonexistentRow(row, column, target, uuid);
        continue;
      }
      referred.refCount += step;
      if (unreferenced && referred.refCount === 0 && !target.schema.isRoot) {
        unreferenced.push(referred);
      }
    }
  }
}

function nonexistentRow(
  row: TransactionRow,
  column: ColumnSchema,
  target: Table,
  uuid: string,
): OvsdbError {
  return new OvsdbError(
    'referential integrity violation',
    `Table ${row.table.name} column ${column.name} row ${row.uuid} ` +
      `references nonexistent row ${uuid} in table ${target.name}.`,
  );
}

function checkRefCount(row: TransactionRow): void {
  if (row.current || row.refCount === 0) return;
  throw new OvsdbError(
    'referential integrity violation',
    `cannot delete ${row.table.name} row ${row.uuid} ` +
      `because of ${row.refCount} remaining reference(s)`,
  );
}

/** Deletes a row that nothing refers to, and whatever only it kept. */
function collectGarbage(transaction: Transaction, garbage: TransactionRow): void {
  if (garbage.table.schema.isRoot) return;
  const unreferenced = [garbage];
  for (let row = unreferenced.pop(); row; row = unreferenced.pop()) {
    const current = row.current;
    if (!current) continue;
    row.current = null;
    row.table.rows.delete(row.uuid);
    row.table.deletedRows.set(row.uuid, row);
    for (const column of row.table.schema.strongColumns) {
      const datum = current.fields[column.index];
      if (datum.size > 0) adjustRefCounts(transaction, row, column, datum, -1, unreferenced);
    }
  }
}

function checkMaxRows(table: Table): void {
  const { maxRows } = table.schema;
  if (table.rows.size <= maxRows) return;
  throw constraintViolation(
    `transaction causes "${table.name}" table to contain ${table.rows.size} rows, ` +
      `greater than the schema-defined limit of ${maxRows} row(s)`,
  );
}

function dropWeakRefs(transaction: Transaction, row: TransactionRow): void {
  if (row.current) {
    if (row.isChange) dropFromColumns(transaction, row);
    return;
  }
  for (const { table, uuid } of row.table.weakRefs.get(row.uuid)?.values() ?? []) {
    const referrer = transaction.find(table, uuid);
    if (referrer?.current) dropFromColumns(transaction, referrer);
  }
}

/** Takes weak references to rows that are not there out of a row. */
function dropFromColumns(transaction: Transaction, row: TransactionRow): void {
  for (const column of row.table.schema.weakColumns) {
    const { index, type } = column;
    const before = (row.current as Row).fields[index];
    const after = before.filter(
      (key, value) => exists(row.table, type.key, key) && exists(row.table, type.value, value),
    );
    if (after === before) continue;
    if (after.size < type.min) throw emptiedColumn(row, column, before, after);
    transaction.modify(row.current as Row).fields[index] = after;
    if (row.old) row.setChanged(index, !after.equals(row.old.fields[index]));
  }
}

function exists(table: Table, base: BaseType | null, atom: Atom | undefined): boolean {
  return !base?.isWeakRef || table.target(base).rows.has(atom as string);
}

function emptiedColumn(
  row: TransactionRow,
  column: ColumnSchema,
  before: Datum,
  after: Datum,
): OvsdbError {
  const { name } = row.table;
  if (!row.old && (before.keys.includes(ZERO_UUID) || before.values?.includes(ZERO_UUID))) {
    return constraintViolation(
      `Weak reference column "${column.name}" in "${name}" row ${row.uuid} (inserted within ` +
        'this transaction) contained all-zeros UUID (probably as the default value for this ' +
        'column) but deleting this value caused a constraint volation because this column is ' +
        'not allowed to be empty.',
    );
  }
  return constraintViolation(
    `Deletion of ${before.size - after.size} weak reference(s) to deleted (or never-existing) ` +
      `rows from column "${column.name}" in "${name}" row ${row.uuid} ` +
      `${row.old ? '' : '(inserted within this transaction) '}caused this column to become ` +
      'empty, but constraints on this column disallow an empty column.',
  );
}

function checkIndexes(transaction: Transaction): void {
  for (const table of transaction.tables) {
    table.schema.indexes.forEach((columns, i) => {
      const seen = new Map<string, Row>();
      for (const tracked of transaction.rows) {
        const row = tracked.current;
        if (!row || tracked.table !== table || !tracked.isChange) continue;
        const key = row.keyOf(columns);
        const twin = seen.get(key) ?? untouched(table.indexes[i].get(key));
        if (twin) throw duplicateRows(columns, twin, row);
        seen.set(key, row);
      }
    });
  }
}

/** A committed row, unless the transaction changes it: then its new values count. */
function untouched(row: Row | undefined): Row | undefined {
  return row?.transactionRow?.isChange ? undefined : row;
}

function duplicateRows(columns: ColumnSchema[], a: Row, b: Row): OvsdbError {
  const [first, second] = compareContents(a, b) < 0 ? [b, a] : [a, b];
  const names = columns.map((column) => `"${column.name}"`);
  return constraintViolation(
    `Transaction causes multiple rows in "${a.table.name}" table to have identical values ` +
      `(${valuesText(a, columns)}) for index on column${names.length > 1 ? 's' : ''} ` +
      `${englishList(names)}.  First row, with UUID ${first.uuid}, ` +
      `${rowOrigin(columns, first)}  Second row, with UUID ${second.uuid}, ` +
      rowOrigin(columns, second),
  );
}

/** An order of rows that does not depend on their UUIDs, so that messages do not either. */
function compareContents(a: Row, b: Row): number {
  for (let i = COLUMN_VERSION + 1; i < a.fields.length; i++) {
    const order = a.fields[i].compare(b.fields[i]);
    if (order !== 0) return order;
  }
  return a.uuid < b.uuid ? -1 : 1;
}

function rowOrigin(columns: ColumnSchema[], row: Row): string {
  const tracked = row.transactionRow;
  if (!tracked?.isChange) {
    return (
      'existed in the database before this transaction and was not modified by the ' +
      'transaction.'
    );
  }
  const { old } = tracked;
  if (!old) return 'was inserted by this transaction.';
  if (columns.every(({ index }) => !tracked.changed[index])) {
    return (
      "existed in the database before this transaction, which modified some of the row's " +
      'columns but not any columns in this index.'
    );
  }
  const values = valuesText(old, columns);
  return `had the following index values before the transaction: ${values}.`;
}

function valuesText(row: Row, columns: ColumnSchema[]): string {
  return englishList(columns.map(({ index, type }) => row.fields[index].toText(type)));
}

function englishList(words: string[]): string {
  if (words.length <= 2) return words.join(' and ');
  return `${words.slice(0, -1).join(', ')}, and ${words[words.length - 1]}`;
}
