/**
 * A transaction on a replica: collects changes, sees its own writes, commits them as one.
 *
 *     replica row ── datum() ──> what this transaction wrote, else what the replica holds
 *     commit      ── wait ops (verify), insert, delete, update, mutate, increment, comment
 *
 * Rows that it inserts have a UUID of its own making until the commit; references to them travel as
 * named-uuid, and the server's UUIDs come back with the result. Deleting a row of a table that is
 * not in the root set sends nothing: the server collects it once nothing refers to it, and would
 * refuse the deletion before that.
 *
 * Not for: retrying. On 'try again' wait for `idl.seqno` to change and make a new transaction.
 */

import { randomUUID } from 'node:crypto';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { stringifyJson } from '../../common/json.js';
import { JsonRpcReplyError } from '../../common/jsonrpc.js';
import { getLogger } from '../../common/log.js';
import { Datum } from '../datum.js';
import { ColumnType, UNLIMITED } from '../types.js';
import type { Idl } from './idl.js';
import { datumToValue, IdlRow, IdlTable, type Resolve, type RowValue } from './replica.js';
import { parseTransactReply, type TxnResult } from './txn-reply.js';
import {
  type ColumnValue,
  datumFromValue,
  datumToJson,
  type HasUuid,
  type NamedUuid,
} from './value.js';

const log = getLogger('ovsdb_idl');

export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete';

export interface TxnOptions {
  /** The server checks everything, then aborts: the result is 'success' without an effect. */
  readonly dryRun?: boolean;
  /**
   * True: a write of the value that is already there is sent too, as long as anything else changes,
   * so that it holds against other clients. Default false: such a write is none.
   */
  readonly keepUnchanged?: boolean;
}

interface RowEdit {
  readonly row: IdlRow;
  readonly kind: 'insert' | 'update' | 'delete';
  /** insert: the row has this UUID for good, instead of one that the server makes up. */
  readonly persistUuid: boolean;
  readonly written: Map<string, Datum>;
  readonly mutations: [column: string, mutator: Mutator, operand: unknown][];
}

type Operation = Record<string, unknown>;

/** A transaction. Use once: after `commit` it only answers `insertedUuid`. */
export class IdlTxn {
  private readonly edits = new Map<string, RowEdit>();
  private readonly verified = new Map<IdlRow, Set<string>>();
  private readonly comments: string[] = [];
  private counter: { row: IdlRow; column: string; force: boolean } | null = null;
  private result: TxnResult | null = null;
  private committing = false;
  private readonly resolve: Resolve = (table, uuid) => this.row(table, uuid);
  private readonly named: NamedUuid = (uuid) => {
    const edit = this.edits.get(uuid);
    if (edit?.kind !== 'insert' || edit.persistUuid) return null;
    return `row${uuid.replaceAll('-', '_')}`;
  };

  constructor(
    readonly idl: Idl,
    private readonly options: TxnOptions = {},
  ) {}

  /**
   * A new row of `table`, with `columns` set; the others take their defaults.
   * @param identity `uuid`: known in this transaction by that UUID; `persist`: and for good
   * @returns the row, to refer to it and to write more of it
   */
  insert(
    table: string,
    columns: Readonly<Record<string, ColumnValue>> = {},
    identity: { readonly uuid?: string; readonly persist?: boolean } = {},
  ): IdlRow {
    const { schema } = this.idl.table(table);
    const row = new IdlRow(
      // Not the replica's table: its references may be to rows of this transaction.
      new IdlTable(schema, this.resolve),
      identity.uuid ?? randomUUID(),
      new Map(),
    );
    this.edit(row, 'insert', identity.persist);
    for (const [column, value] of Object.entries(columns)) this.set(row, column, value);
    return row;
  }

  /** Writes a column: see `datumFromValue` for what a value may be. */
  set(row: IdlRow, column: string, value: ColumnValue): void {
    this.setDatum(row, column, datumFromValue(value, row.table.column(column).type));
  }

  /** Writes a column as a datum. Throws E_OVSDB_DELETED if this transaction deletes the row. */
  setDatum(row: IdlRow, column: string, datum: Datum): void {
    const name = row.table.column(column).name;
    if (!this.options.keepUnchanged && this.datum(row, column).equals(datum)) return;
    const edit = this.edit(row, 'update');
    edit.written.set(name, datum);
    if (edit.kind === 'insert') row.data.set(name, datum);
  }

  /** The column as a value (see IdlRow.get), with what this transaction wrote, not mutated. */
  get<T = RowValue>(row: IdlRow, column: string): T {
    return datumToValue(this.datum(row, column), row.table.column(column).type, this.resolve) as T;
  }

  datum(row: IdlRow, column: string): Datum {
    return this.edits.get(row.uuid)?.written.get(column) ?? row.datum(column);
  }

  /** The rows of `table`: those that it has, less the deleted, plus the inserted. */
  rows(table: string): IdlRow[] {
    const present = [...this.idl.table(table)].filter((row) => !this.deletes(row));
    const inserted = [...this.edits.values()].filter(
      ({ kind, row }) => kind === 'insert' && row.table.name === table,
    );
    return [...present, ...inserted.map(({ row }) => row)];
  }

  /** The row of `table` with this UUID, inserted ones included, or null. */
  row(table: string, uuid: string): IdlRow | null {
    const edit = this.edits.get(uuid);
    if (edit && edit.row.table.name === table) return edit.kind === 'delete' ? null : edit.row;
    return this.idl.table(table).row(uuid);
  }

  /**
   * Changes a column relative to what the server holds then (RFC 7047 section 5.1), which needs no
   * `verify`: for example 'insert' into a set or map, 'delete' from it, '+=' a number.
   */
  mutate(row: IdlRow, column: string, mutator: Mutator, value: ColumnValue): void {
    const { type } = row.table.column(column);
    const members = mutator === 'insert' || mutator === 'delete';
    const keysOnly = mutator === 'delete' && !(value instanceof Map);
    const operandValue = keysOnly || !members ? null : type.value;
    const operandType = new ColumnType(type.key, operandValue, 0, UNLIMITED);
    const datum = datumFromValue(value, operandType);
    const operand = datumToJson(datum, operandType, this.named);
    this.edit(row, 'update').mutations.push([column, mutator, operand]);
  }

  /** Deletes a row. References to it are the caller's to remove. */
  delete(row: IdlRow): void {
    if (this.inserts(row)) this.edits.delete(row.uuid);
    else this.edits.set(row.uuid, newEdit(row, 'delete', false));
  }

  /** True if this transaction inserts `row`. */
  inserts(row: IdlRow): boolean {
    return this.edits.get(row.uuid)?.kind === 'insert';
  }

  /** True if this transaction deletes `row`. */
  deletes(row: IdlRow): boolean {
    return this.edits.get(row.uuid)?.kind === 'delete';
  }

  /** Commit only if the column still holds what the replica holds now; otherwise 'try again'. */
  verify(row: IdlRow, column: string): void {
    const edit = this.edits.get(row.uuid);
    if (edit?.kind === 'insert' || edit?.written.has(row.table.column(column).name)) return;
    const columns = this.verified.get(row);
    if (columns) columns.add(column);
    else this.verified.set(row, new Set([column]));
  }

  /** Text for the database's log. Several calls make several lines. */
  comment(text: string): void {
    this.comments.push(text);
  }

  /**
   * Adds 1 to an integer column if the transaction changes anything else (or in any case, if
   * `force`). The result's `incremented` is the new value.
   */
  increment(row: IdlRow, column: string, force = false): void {
    this.counter = { row, column, force };
  }

  /** The UUID that the server gave to a row which this transaction inserted, or null. */
  insertedUuid(row: HasUuid | string): string | null {
    const uuid = typeof row === 'string' ? row : row.uuid;
    return this.result?.inserted.get(uuid) ?? null;
  }

  /**
   * Sends the transaction. Never rejects:
   *
   * - 'success': done (with `dryRun`: would have been)
   * - 'unchanged': there was nothing to change, nothing was sent
   * - 'try again': a verified column changed, or there is no connection
   * - 'not locked': the lock that `Idl.setLock` asked for is not held
   * - 'error': the server refused it; `error` says why
   */
  async commit(): Promise<TxnResult> {
    if (this.committing) throw new TapswitchError('E_OVSDB_TXN', 'a transaction commits once');
    this.committing = true;
    this.result = await this.send();
    if (this.result.status === 'error') log.warn(`transaction error: ${this.result.error}`);
    return this.result;
  }

  private async send(): Promise<TxnResult> {
    const none = { inserted: new Map<string, string>(), incremented: null };
    if (!this.idl.live) return { status: 'try again', ...none };
    if (this.idl.lockName !== null && !this.idl.hasLock) return { status: 'not locked', ...none };
    const plan = new OperationPlan();
    if (this.idl.lockName !== null) plan.add({ op: 'assert', lock: this.idl.lockName });
    this.planWaits(plan);
    for (const edit of this.edits.values()) this.planEdit(plan, edit);
    this.planIncrement(plan);
    if (!plan.changesAnything) return { status: 'unchanged', ...none };
    if (this.comments.length > 0) plan.add({ op: 'comment', comment: this.comments.join('\n') });
    if (this.options.dryRun) plan.add({ op: 'abort' });
    try {
      const reply = await this.idl.transact(plan.operations);
      return parseTransactReply(reply, plan, this.options.dryRun ?? false);
    } catch (error) {
      if (!(error instanceof JsonRpcReplyError) || error.error === 'canceled') {
        return { status: 'try again', error: errorMessage(error), ...none };
      }
      return { status: 'error', error: stringifyJson(error.error), ...none };
    }
  }

  private planWaits(plan: OperationPlan): void {
    for (const [row, columns] of this.verified) {
      const values = [...columns].map((column) => [column, row.json(column)]);
      plan.add({
        ...whereRow('wait', row),
        timeout: 0,
        until: '==',
        columns: [...columns],
        rows: [Object.fromEntries(values)],
      });
    }
    // The only row of a table that may have just one: lose the race against another insert cleanly.
    for (const { kind, row } of this.edits.values()) {
      const { name, schema } = row.table;
      if (kind !== 'insert' || schema.maxRows !== 1 || this.idl.table(name).size > 0) continue;
      plan.add({ op: 'wait', table: name, where: [], timeout: 0, until: '==', rows: [] });
    }
  }

  private planEdit(plan: OperationPlan, edit: RowEdit): void {
    const { row, kind } = edit;
    if (kind === 'delete') {
      if (row.table.schema.isRoot) plan.add(whereRow('delete', row), true);
      return;
    }
    if (kind === 'insert') this.planInsert(plan, edit);
    else if (edit.written.size > 0) {
      const changed = [...edit.written].some(([name, datum]) => !row.datum(name).equals(datum));
      plan.add({ ...whereRow('update', row), row: this.rowJson(edit) }, changed);
    }
    if (edit.mutations.length > 0) {
      const where = this.whereSelf(row);
      plan.add({ op: 'mutate', ...where, mutations: edit.mutations }, true);
    }
  }

  private planInsert(plan: OperationPlan, edit: RowEdit): void {
    const { row } = edit;
    const name = this.named(row.uuid);
    const identity = name === null ? { uuid: row.uuid } : { 'uuid-name': name };
    plan.inserts.set(row.uuid, plan.operations.length);
    plan.add({ op: 'insert', table: row.table.name, ...identity, row: this.rowJson(edit) }, true);
  }

  private planIncrement(plan: OperationPlan): void {
    if (!this.counter) return;
    const { row, column, force } = this.counter;
    if (!plan.changesAnything && !force) return;
    const where = this.whereSelf(row);
    plan.add({ op: 'mutate', ...where, mutations: [[column, '+=', 1]] }, true);
    plan.increment = { index: plan.operations.length, column };
    plan.add({ op: 'select', ...where, columns: [column] });
  }

  /** The written columns; of an insert only those that differ from their default. */
  private rowJson({ row, kind, written }: RowEdit): Operation {
    const json: Operation = {};
    for (const [name, datum] of written) {
      const { type } = row.table.column(name);
      if (kind === 'insert' && datum.equals(Datum.defaultOf(type))) continue;
      json[name] = datumToJson(datum, type, this.named);
    }
    return json;
  }

  private whereSelf(row: IdlRow): Operation {
    const name = this.named(row.uuid);
    const uuid = name === null ? ['uuid', row.uuid] : ['named-uuid', name];
    return { table: row.table.name, where: [['_uuid', '==', uuid]] };
  }

  private edit(row: IdlRow, kind: 'insert' | 'update', persistUuid = false): RowEdit {
    let edit = this.edits.get(row.uuid);
    if (!edit) {
      edit = newEdit(row, kind, persistUuid);
      this.edits.set(row.uuid, edit);
    }
    if (edit.kind === 'delete') {
      throw new TapswitchError('E_OVSDB_DELETED', `row ${row.uuid} is deleted by the transaction`);
    }
    return edit;
  }
}

function newEdit(row: IdlRow, kind: RowEdit['kind'], persistUuid: boolean): RowEdit {
  return { row, kind, persistUuid, written: new Map(), mutations: [] };
}

function whereRow(op: string, row: IdlRow): Operation {
  return { op, table: row.table.name, where: [['_uuid', '==', ['uuid', row.uuid]]] };
}

/** The operations of one commit, and where in the reply their results will be. */
export class OperationPlan {
  readonly operations: Operation[] = [];
  /** By provisional UUID: index of the insert. */
  readonly inserts = new Map<string, number>();
  increment: { readonly index: number; readonly column: string } | null = null;
  changesAnything = false;

  add(operation: Operation, changes = false): void {
    this.operations.push(operation);
    if (changes) this.changesAnything = true;
  }
}
