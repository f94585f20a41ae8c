/**
 * A database: tables in memory, transactions on them, and who wants to know of commits.
 *
 *     execute(operations) -> Transaction -> prepare -> file record -> complete -> listeners
 *
 * A commit is visible to everybody as soon as its record is written; the answer to a client that
 * asked for durability waits until the record is on the disk.
 *
 * Not for: sessions and the protocol (session.ts), files (database-file.ts).
 */
import type { JsonValue } from '../common/json.js';
import { SymbolTable, ZERO_UUID } from './atom.js';
import { OvsdbError } from './error.js';
import { applyRecord, changesToText, tablesToJson } from './file-transaction.js';
import { ObjectParser } from './object-parser.js';
import { type Execution, OPERATIONS, WaitUnsatisfied } from './operations.js';
import { roleAccess } from './rbac.js';
import type { DatabaseSchema } from './schema.js';
import { Table } from './table.js';
import { type RowChange, Transaction } from './transaction.js';
import { randomUuid } from './uuid.js';

/** Where commits are kept. */
export interface Storage {
  /** @param record JSON text */
  append(record: string): void;
  sync(): Promise<void>;
  replace(records: JsonValue[]): void;
  readonly worthCompacting: boolean;
  close(): void;
}

/** A committed transaction. */
export interface Commit {
  readonly database: Database;
  /** Counts the commits of this database. */
  readonly sequence: number;
  readonly transactionId: string;
  readonly changes: readonly RowChange[];
}

/** Where a database is changed that is only shown here. */
export interface Forwarder {
  /**
   * Resolves with the results; rejects when there are none.
   *
   * @param isWanted whether somebody waits for them still
   */
  forward(operations: readonly JsonValue[], isWanted: () => boolean): Promise<JsonValue>;
}

/** Who executes a transaction. */
export interface ExecutionContext {
  readOnly?: boolean;
  /** Milliseconds since the request came. */
  elapsedMs?: number;
  ownsLock?(name: string): boolean;
  /** The client's role, and its name; '' and undefined: it may change everything. */
  role?: string;
  clientId?: string | null;
}

/** Results for the client, or a wait that must be tried again after a commit or at its timeout. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly results: JsonValue[];
      /** When the client may be told; null: at once. */
      readonly durable: Promise<void> | null;
    }
  | { readonly kind: 'wait'; readonly timeoutMs: number | undefined };

export interface DatabaseOptions {
  /** Milliseconds since 1970, for the dates in the file. */
  wallNow?: () => number;
  /**
   * Commits that are remembered for clients that come back. Default 0: none, as ovsdb-server has it
   * for all but clusters and relays; a client that comes back is then told everything anew.
   */
  historyLength?: number;
}

/** Rows in the history, beyond as many as the database has. */
const HISTORY_ROWS_MIN = 1000;

export class Database {
  tables: ReadonlyMap<string, Table>;
  schema: DatabaseSchema;
  sequence = 0;
  /** Executes what changes the database, when that is elsewhere. */
  forwarder: Forwarder | null = null;
  private readonly listeners = new Set<(commit: Commit) => void>();
  private readonly history: Commit[] = [];
  private historyRows = 0;
  private storage: Storage | undefined;
  private readonly wallNow: () => number;
  private historyLength: number;

  constructor(schema: DatabaseSchema, options: DatabaseOptions = {}) {
    this.schema = schema;
    this.tables = emptyTables(schema);
    this.wallNow = options.wallNow ?? (() => 0);
    this.historyLength = options.historyLength ?? 0;
  }

  get name(): string {
    return this.schema.name;
  }

  /** An empty one with the same schema, in memory. */
  sibling(): Database {
    return new Database(this.schema, { wallNow: this.wallNow });
  }

  /** Keeps every commit from now on in `storage`. */
  attach(storage: Storage): void {
    this.storage = storage;
  }

  /** Calls `listener` after every commit, until the returned function is called. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Runs the operations of a `transact` request: the parameters after the database's name. */
  execute(operations: readonly JsonValue[], context: ExecutionContext = {}): Outcome {
    const transaction = new Transaction();
    const execution: Execution = {
      tables: this.tables,
      transaction,
      symbols: new SymbolTable(),
      elapsedMs: context.elapsedMs ?? 0,
      ownsLock: context.ownsLock ?? (() => false),
      access: roleAccess(this.tables, context.role ?? '', context.clientId ?? null),
      durable: false,
    };
    const results: JsonValue[] = [];
    try {
      operations.forEach((operation, i) => {
        const title = () => `ovsdb operation ${i + 1} of ${operations.length}`;
        results.push(this.runOperation(execution, operation, title, context.readOnly ?? false));
      });
    } catch (error) {
      transaction.abort();
      if (error instanceof WaitUnsatisfied) return { kind: 'wait', timeoutMs: error.timeoutMs };
      if (!(error instanceof OvsdbError)) throw error;
      results.push(error.toJson());
      while (results.length < operations.length) results.push(null);
      return { kind: 'done', results, durable: null };
    }
    return this.commit(transaction, results, execution.durable);
  }

  private runOperation(
    execution: Execution,
    json: JsonValue,
    title: () => string,
    readOnly: boolean,
  ): JsonValue {
    const parser = new ObjectParser(json, title);
    const name = parser.requiredString('op', 'id');
    const operation = OPERATIONS.get(name);
    if (!operation) throw parser.error(`No operation "${name}"`);
    const result = operation.run(execution, parser);
    if (!operation.readOnly && readOnly) {
      throw new OvsdbError(
        'not allowed',
        `${name} operation not allowed when database server is in read only mode`,
      );
    }
    if (!operation.readOnly && this.name.startsWith('_')) {
      throw new OvsdbError(
        'not allowed',
        `${name} operation not allowed on table in reserved database ${this.name}`,
      );
    }
    return result;
  }

  private commit(transaction: Transaction, results: JsonValue[], durable: boolean): Outcome {
    try {
      this.commitTransaction(transaction);
    } catch (error) {
      if (!(error instanceof OvsdbError)) throw error;
      results.push(error.toJson());
      return { kind: 'done', results, durable: null };
    }
    const synced = durable && this.storage ? this.storage.sync() : null;
    return { kind: 'done', results, durable: synced };
  }

  /**
   * Commits what `change` does in a transaction of its own. Throws OvsdbError.
   *
   * @param transactionId what the commit is called; by default, a new name
   */
  transact(change: (transaction: Transaction) => void, transactionId?: string): void {
    const transaction = new Transaction();
    try {
      change(transaction);
    } catch (error) {
      transaction.abort();
      throw error;
    }
    this.commitTransaction(transaction, transactionId);
  }

  /** Commits or, throwing OvsdbError, aborts. */
  private commitTransaction(transaction: Transaction, transactionId?: string): void {
    try {
      if (!transaction.prepare()) {
        transaction.abort();
        return;
      }
      const changes = transaction.rows.filter((row) => row.isChange);
      const annotation = { comment: transaction.comment, dateMs: this.wallNow() };
      const record = this.storage && changesToText(changes, annotation);
      if (record) this.storage?.append(record);
    } catch (error) {
      transaction.abort();
      throw error;
    }
    this.announce(transaction, transactionId);
  }

  private announce(transaction: Transaction, transactionId?: string): void {
    const changes = transaction.complete();
    if (changes.length === 0) return;
    this.sequence += 1;
    const commit: Commit = {
      database: this,
      sequence: this.sequence,
      transactionId: transactionId ?? (this.historyLength > 0 ? randomUuid() : ZERO_UUID),
      changes,
    };
    this.remember(commit);
    for (const listener of this.listeners) listener(commit);
  }

  private remember(commit: Commit): void {
    if (this.historyLength === 0) return;
    this.history.push(commit);
    this.historyRows += commit.changes.length;
    let rows = 0;
    for (const table of this.tables.values()) rows += table.rows.size;
    const rowsMax = Math.max(rows, HISTORY_ROWS_MIN);
    while (
      this.history.length > 1 &&
      (this.history.length > this.historyLength || this.historyRows > rowsMax)
    ) {
      this.historyRows -= (this.history.shift() as Commit).changes.length;
    }
  }

  /** Remembers as many commits from now on; another length forgets those that there are. */
  setHistoryLength(length: number): void {
    if (length === this.historyLength) return;
    this.historyLength = length;
    this.history.length = 0;
    this.historyRows = 0;
  }

  /** Takes another schema, without rows. Monitors, and whoever holds on to tables, begin anew. */
  adopt(schema: DatabaseSchema): void {
    this.schema = schema;
    this.tables = emptyTables(schema);
    this.history.length = 0;
    this.historyRows = 0;
  }

  /** The last commit's id; all zeros when none is known. */
  get lastTransactionId(): string {
    return this.history.at(-1)?.transactionId ?? ZERO_UUID;
  }

  /** The commits after the one with this id, or null when it is not remembered. */
  commitsAfter(transactionId: string): readonly Commit[] | null {
    const at = this.history.findIndex((commit) => commit.transactionId === transactionId);
    return at < 0 ? null : this.history.slice(at + 1);
  }

  /** Applies a record from the file. Throws OvsdbError when it does not fit. */
  replay(record: JsonValue, lenient = false): void {
    const transaction = new Transaction();
    try {
      applyRecord(transaction, this.tables, record, lenient);
      if (transaction.prepare()) transaction.complete();
      else transaction.abort();
    } catch (error) {
      transaction.abort();
      throw error;
    }
  }

  /**
   * Brings the rows to another schema, as far as it has their tables and columns, and rewrites the
   * file. Monitors, and whoever holds on to tables, must begin anew.
   *
   * Throws OvsdbError when they do not fit; the database is then as it was.
   */
  convert(schema: DatabaseSchema): void {
    const converted = new Database(schema, { wallNow: this.wallNow });
    converted.replay(this.snapshot()[1], true);
    this.storage?.replace(converted.snapshot('converted by ovsdb-server'));
    this.schema = schema;
    // Rows know their tables, and tables each other: they are taken over as they are.
    this.tables = converted.tables;
    this.history.length = 0;
    this.historyRows = 0;
  }

  /** Columns of all rows, and the values in them. */
  size(): { cells: number; atoms: number } {
    let cells = 0;
    let atoms = 0;
    for (const table of this.tables.values()) {
      cells += table.rows.size * table.schema.columnList.length;
      for (const row of table.rows.values()) {
        for (const { keys, values } of row.fields) atoms += keys.length + (values?.length ?? 0);
      }
    }
    return { cells, atoms };
  }

  /** The database as a file of its own would hold it: the schema, then all rows. */
  snapshot(comment?: string): JsonValue[] {
    const annotation = { comment, dateMs: this.wallNow() };
    return [this.schema.toJson(), tablesToJson(this.tables.values(), annotation)];
  }

  /** True when compact() would make the file much smaller. */
  get worthCompacting(): boolean {
    return this.storage?.worthCompacting ?? false;
  }

  /** Rewrites the file without what has been overwritten. Throws OvsdbError (I/O error). */
  compact(): void {
    this.storage?.replace(this.snapshot('compacting database online'));
  }

  /** Writes everything to the disk and closes the file. */
  close(): void {
    this.storage?.close();
  }
}

function emptyTables(schema: DatabaseSchema): Map<string, Table> {
  const tables = new Map<string, Table>();
  for (const table of schema.tables.values()) tables.set(table.name, new Table(table, tables));
  return tables;
}
