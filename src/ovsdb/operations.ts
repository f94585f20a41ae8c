/**
 * The operations of a `transact` request (RFC 7047, section 5.2).
 *
 * Each reads its members, works on the open transaction, and returns its result or throws
 * OvsdbError. A `wait` that does not hold yet throws WaitUnsatisfied.
 *
 * Not for: running a list of them and committing (execute.ts).
 */
import type { JsonValue } from '../common/json.js';
import { isUuid, type SymbolTable } from './atom.js';
import { Condition } from './condition.js';
import { Datum } from './datum.js';
import { OvsdbError, syntaxError } from './error.js';
import { Mutation } from './mutation.js';
import type { ObjectParser } from './object-parser.js';
import type { RoleAccess } from './rbac.js';
import { COLUMN_UUID, type ColumnSchema, columnSetFromJson } from './schema.js';
import type { Row, Table } from './table.js';
import type { Transaction } from './transaction.js';
import { randomUuid } from './uuid.js';

/** A transaction's execution, as its operations see it. */
export interface Execution {
  readonly tables: ReadonlyMap<string, Table>;
  readonly transaction: Transaction;
  readonly symbols: SymbolTable;
  /** Whole milliseconds since the request came. */
  readonly elapsedMs: number;
  /** Does the client hold the lock? */
  ownsLock(name: string): boolean;
  /** What the client's role lets it change; null: everything. */
  readonly access: RoleAccess | null;
  /** Set by commit. */
  durable: boolean;
}

/** A `wait` does not hold, and its time is not over. */
export class WaitUnsatisfied extends Error {
  /** @param timeoutMs from the request's arrival; undefined: it waits for ever */
  constructor(readonly timeoutMs: number | undefined) {
    super('wait is not satisfied');
  }
}

type Result = { [key: string]: JsonValue };
type Operation = (execution: Execution, parser: ObjectParser) => Result;

export interface OperationEntry {
  readonly readOnly: boolean;
  readonly run: Operation;
}

export const OPERATIONS: ReadonlyMap<string, OperationEntry> = new Map([
  ['insert', { readOnly: false, run: insert }],
  ['select', { readOnly: true, run: select }],
  ['update', { readOnly: false, run: update }],
  ['mutate', { readOnly: false, run: mutate }],
  ['delete', { readOnly: false, run: deleteRows }],
  ['wait', { readOnly: true, run: wait }],
  ['commit', { readOnly: false, run: commit }],
  ['abort', { readOnly: true, run: abort }],
  ['comment', { readOnly: true, run: comment }],
  ['assert', { readOnly: true, run: assertLock }],
]);

function insert(execution: Execution, parser: ObjectParser): Result {
  const table = tableOf(execution, parser);
  const uuidJson = parser.optional('uuid', 'string') as string | undefined;
  const name = parser.optional('uuid-name', 'id') as string | undefined;
  const rowJson = parser.required('row', 'object');
  parser.finish();
  const uuid = newUuid(execution, table, uuidJson, name);
  const row = table.newRow(uuid);
  fillRow(row, rowJson, execution.symbols);
  for (const { index, type } of table.unfitDefaults) row.fields[index].check(type);
  execution.access?.check('insert', table, [row]);
  execution.transaction.insert(row);
  return { uuid: ['uuid', uuid] };
}

function newUuid(
  execution: Execution,
  table: Table,
  uuidJson: string | undefined,
  name: string | undefined,
): string {
  const given = uuidJson?.toLowerCase();
  if (uuidJson !== undefined && given !== undefined) {
    if (!isUuid(given)) throw syntaxError(uuidJson, 'bad uuid');
    if (!execution.transaction.mayInsert(table, given)) {
      throw syntaxError(
        uuidJson,
        'This UUID would duplicate a UUID already present within the table or deleted within ' +
          'the same transaction.',
        'duplicate uuid',
      );
    }
  }
  if (name === undefined) return given ?? randomUuid();
  const uuid = execution.symbols.create(name, given);
  if (uuid !== null) return uuid;
  throw syntaxError(
    name,
    'This "uuid-name" appeared on an earlier "insert" operation.',
    'duplicate uuid-name',
  );
}

function select(execution: Execution, parser: ObjectParser): Result {
  const table = tableOf(execution, parser);
  const where = parser.requiredArray('where');
  const columnsJson = parser.optionalArray('columns');
  const sortJson = parser.optionalArray('sort');
  parser.finish();
  const condition = Condition.fromJson(table.schema, where, execution.symbols);
  const columns = columnSetFromJson(table.schema, columnsJson);
  const sort = sortJson && columnSetFromJson(table.schema, sortJson);
  let rows = query(table, condition);
  if (!columns.some((column) => column.index === COLUMN_UUID)) {
    rows = [...new Map(rows.map((row) => [row.keyOf(columns), row])).values()];
  }
  if (sort) rows.sort((a, b) => compareRows(a, b, sort));
  return {
    rows: rows.map((row) =>
      Object.fromEntries(columns.map((column) => [column.name, row.json(column)])),
    ),
  };
}

function compareRows(a: Row, b: Row, columns: ColumnSchema[]): number {
  for (const { index } of columns) {
    const order = a.fields[index].compare(b.fields[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function update(execution: Execution, parser: ObjectParser): Result {
  const table = tableOf(execution, parser);
  const where = parser.requiredArray('where');
  const rowJson = parser.required('row', 'object');
  parser.finish();
  const values = rowFromJson(table, rowJson, execution.symbols);
  for (const [column] of values) {
    if (column.mutable) continue;
    throw syntaxError(
      parser.json,
      `Cannot update immutable column ${column.name} in table ${table.name}.`,
      'constraint violation',
    );
  }
  const rows = query(table, Condition.fromJson(table.schema, where, execution.symbols));
  const { access } = execution;
  if (access)
    access.check(
      'update',
      table,
      rows,
      values.map(([column]) => column),
    );
  for (const row of rows) {
    if (values.every(([{ index }, datum]) => datum.equals(row.fields[index]))) continue;
    const copy = execution.transaction.modify(row);
    for (const [{ index }, datum] of values) copy.fields[index] = datum;
  }
  return { count: rows.length };
}

function mutate(execution: Execution, parser: ObjectParser): Result {
  const table = tableOf(execution, parser);
  const where = parser.requiredArray('where');
  const mutationsJson = parser.requiredArray('mutations');
  parser.finish();
  const mutations = mutationsJson.map((json) =>
    Mutation.fromJson(table.schema, json, execution.symbols),
  );
  const rows = query(table, Condition.fromJson(table.schema, where, execution.symbols));
  const { access } = execution;
  if (access)
    access.check(
      'mutate',
      table,
      rows,
      mutations.map(({ column }) => column),
    );
  for (const row of rows) {
    const copy = execution.transaction.modify(row);
    for (const mutation of mutations) mutation.apply(copy);
  }
  return { count: rows.length };
}

function deleteRows(execution: Execution, parser: ObjectParser): Result {
  const where = parser.requiredArray('where');
  const table = tableOf(execution, parser);
  parser.finish();
  const rows = query(table, Condition.fromJson(table.schema, where, execution.symbols));
  execution.access?.check('delete', table, rows);
  for (const row of rows) execution.transaction.delete(row);
  return { count: rows.length };
}

function wait(execution: Execution, parser: ObjectParser): Result {
  const timeoutJson = parser.optional('timeout', 'integer') as number | undefined;
  const where = parser.requiredArray('where');
  const columnsJson = parser.optionalArray('columns');
  const until = parser.requiredString('until');
  const rowsJson = parser.requiredArray('rows');
  const table = tableOf(execution, parser);
  parser.finish();
  const condition = Condition.fromJson(table.schema, where, execution.symbols);
  const columns = columnSetFromJson(table.schema, columnsJson);
  if (timeoutJson !== undefined && timeoutJson < 0) {
    throw syntaxError(timeoutJson, 'timeout must be nonnegative');
  }
  if (until !== '==' && until !== '!=') {
    throw syntaxError(until, '"until" must be "==" or "!="');
  }
  const expected = new Set<string>();
  for (const rowJson of rowsJson) {
    const row = table.newRow();
    for (const [{ index }, datum] of rowFromJson(table, rowJson, execution.symbols)) {
      row.fields[index] = datum;
    }
    expected.add(row.keyOf(columns));
  }
  const actual = new Set(query(table, condition).map((row) => row.keyOf(columns)));
  const equal = actual.size === expected.size && [...actual].every((key) => expected.has(key));
  if (equal === (until === '==')) return {};
  if (timeoutJson === undefined || execution.elapsedMs < timeoutJson) {
    throw new WaitUnsatisfied(timeoutJson);
  }
  throw new OvsdbError(
    'timed out',
    execution.elapsedMs > 0
      ? `"wait" timed out after ${execution.elapsedMs} ms`
      : '"where" clause test failed',
  );
}

function commit(execution: Execution, parser: ObjectParser): Result {
  const durable = parser.required('durable', 'boolean');
  parser.finish();
  if (durable) execution.durable = true;
  return {};
}

function abort(_execution: Execution, parser: ObjectParser): Result {
  parser.finish();
  throw new OvsdbError('aborted', 'aborted by request');
}

function comment(execution: Execution, parser: ObjectParser): Result {
  const text = parser.requiredString('comment');
  parser.finish();
  execution.transaction.addComment(text);
  return {};
}

function assertLock(execution: Execution, parser: ObjectParser): Result {
  const lock = parser.requiredString('lock', 'id');
  parser.finish();
  if (execution.ownsLock(lock)) return {};
  throw new OvsdbError('not owner', `Asserted lock ${lock} not held.`);
}

function tableOf(execution: Execution, parser: ObjectParser): Table {
  const name = parser.requiredString('table', 'id');
  const table = execution.tables.get(name);
  if (!table) throw parser.error(`No table named ${name}.`);
  return table;
}

/** The rows that satisfy every clause, as an array: the caller may change the table. */
function query(table: Table, condition: Condition): Row[] {
  const { uuid } = condition;
  if (uuid !== null) {
    const row = table.rows.get(uuid);
    return row && condition.matchesEvery(row) ? [row] : [];
  }
  const rows: Row[] = [];
  for (const row of table.rows.values()) if (condition.matchesEvery(row)) rows.push(row);
  return rows;
}

/** The columns and values of a `<row>`. Throws OvsdbError. */
export function rowFromJson(
  table: Table,
  json: JsonValue,
  symbols?: SymbolTable,
): [ColumnSchema, Datum][] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw syntaxError(json, 'row must be JSON object');
  }
  return Object.keys(json).map((name) => {
    const column = columnNamed(table, name, json);
    return [column, Datum.fromJson(column.type, json[name], symbols)];
  });
}

function columnNamed(table: Table, name: string, json: JsonValue): ColumnSchema {
  const column = table.schema.columns.get(name);
  if (column) return column;
  throw syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column');
}

/** Puts the values of a `<row>` that is known to be an object into a new row. */
function fillRow(row: Row, json: JsonValue, symbols: SymbolTable): void {
  const values = json as { [column: string]: JsonValue };
  for (const name of Object.keys(values)) {
    const { index, type } = columnNamed(row.table, name, json);
    const datum = Datum.fromJson(type, values[name], symbols);
    if (index !== COLUMN_UUID) row.fields[index] = datum;
  }
}
