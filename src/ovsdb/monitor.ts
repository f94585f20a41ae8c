/**
 * Monitors: what a client wants to know of a database's changes (RFC 7047, sections 4.1.5 and
 * 4.1.6, and Open vSwitch's monitor_cond and monitor_cond_since, ovsdb-server(7)).
 *
 *     version 1   update    { "old": {...}, "new": {...} }
 *     version 2   update2   { "initial" | "insert" | "modify" | "delete": ... }, with conditions
 *     version 3   update3   the same, with the id of the last transaction
 *
 * While a client takes what it is sent, each commit becomes one update, whose text serves all
 * clients that watch the same. While it does not, or while many watch, commits are merged into one
 * change per row: a slow client costs no more than the database's size.
 *
 * Not for: sending (session.ts).
 */
import { type JsonValue, stringifyJson } from '../common/json.js';
import type { Commit, Database } from './database.js';
import { syntaxError } from './error.js';
import {
  type MonitoredTable,
  parseMonitorRequests,
  parseNewConditions,
  SELECT,
} from './monitor-request.js';
import type { Row, Table } from './table.js';

type JsonObject = { [key: string]: JsonValue };
export type MonitorVersion = 1 | 2 | 3;

/** `<table-updates>` as text, and the last transaction that they tell of. */
export interface Update {
  readonly transactionId: string;
  readonly text: string;
}

/** Commits that become updates of their own. */
const SEPARATE_MAX = 8;
/** Commits that wait as they are; more are merged. */
const COMMITS_MAX = 64;

/** A change to a row as a monitor sees it. */
interface Change {
  readonly table: Table;
  readonly uuid: string;
  readonly old: Row | null;
  readonly current: Row | null;
}

/** Texts of updates that are the same for several clients, until the next commit. */
export class UpdateCache {
  private sequence = -1;
  private readonly texts = new Map<string, string | null>();

  get(sequence: number, key: string, compose: () => string | null): string | null {
    if (sequence !== this.sequence) {
      this.sequence = sequence;
      this.texts.clear();
    }
    let text = this.texts.get(key);
    if (text === undefined) {
      text = compose();
      this.texts.set(key, text);
    }
    return text;
  }
}

export class Monitor {
  private readonly tables: Map<string, MonitoredTable>;
  /** The same for monitors whose updates are the same. */
  private specification: string;
  /** Commits that have not been sent: the latest, and those before them as one change per row. */
  private commits: Commit[] = [];
  private merged: Map<string, Change> | null = null;

  /**
   * @param requests `<monitor-requests>` or `<monitor-cond-requests>`; throws OvsdbError
   * @param cache shared by the monitors of one database
   */
  constructor(
    readonly database: Database,
    readonly version: MonitorVersion,
    requests: JsonValue,
    private readonly cache: UpdateCache,
  ) {
    this.tables = parseMonitorRequests(database.tables, requests, version > 1);
    const columns = [...this.tables].map(([name, { select, columns: monitored }]) => [
      name,
      select,
      monitored.map(({ column, select: columnSelect }) => [column.name, columnSelect]),
    ]);
    this.specification = stringifyJson([version, columns]);
  }

  private get conditional(): boolean {
    for (const { condition } of this.tables.values()) if (!condition.isTrivial) return true;
    return false;
  }

  /** Text of `<table-updates>` with all rows that the client wants to know at first. */
  initialText(): string {
    const compose = () => this.compose(this.allRows(), true) ?? '{}';
    if (this.conditional) return compose();
    const key = `initial ${this.specification}`;
    return this.cache.get(this.database.sequence, key, compose) ?? '{}';
  }

  private *allRows(): Iterable<Change> {
    for (const { table } of this.tables.values()) {
      for (const row of table.rows.values()) {
        yield { table, uuid: row.uuid, old: null, current: row };
      }
    }
  }

  /**
   * Text of `<table-updates>` with what happened since a transaction; null when that is not
   * remembered.
   */
  textSince(transactionId: string): string | null {
    const commits = this.database.commitsAfter(transactionId);
    if (commits === null) return null;
    const merged = new Map<string, Change>();
    for (const commit of commits) this.merge(merged, commit);
    return this.compose(merged.values(), false) ?? '{}';
  }

  /** Takes note of a commit, for the next update. */
  note(commit: Commit): void {
    this.commits.push(commit);
    if (this.commits.length < COMMITS_MAX) return;
    this.merged = this.mergeCommits();
    this.commits = [];
  }

  private mergeCommits(): Map<string, Change> {
    const merged = this.merged ?? new Map<string, Change>();
    for (const commit of this.commits) this.merge(merged, commit);
    return merged;
  }

  private merge(merged: Map<string, Change>, commit: Commit): void {
    for (const change of commit.changes) {
      if (!this.tables.has(change.table.name)) continue;
      const key = `${change.uuid}${change.table.name}`;
      const earlier = merged.get(key);
      const old = earlier ? earlier.old : change.old;
      if (old === null && change.current === null) merged.delete(key);
      else
        merged.set(key, { table: change.table, uuid: change.uuid, old, current: change.current });
    }
  }

  /**
   * Everything noted so far.
   *
   * @param together one update for all of it; else one for each commit, when they are few
   */
  takeUpdates(together: boolean): Update[] {
    const { commits, merged } = this;
    const updates: Update[] = [];
    const take = (transactionId: string, text: string | null): void => {
      if (text !== null) updates.push({ transactionId, text });
    };
    const composeAll = () => this.compose(this.mergeCommits().values(), false);
    if (merged !== null) {
      take(this.database.lastTransactionId, composeAll());
    } else if (commits.length > (together ? 1 : SEPARATE_MAX)) {
      take(this.database.lastTransactionId, this.shared(commits, composeAll));
    } else {
      for (const commit of commits) {
        const text = this.shared([commit], () => this.compose(commit.changes, false));
        take(commit.transactionId, text);
      }
    }
    if (merged !== null || commits.length > 0) this.commits = [];
    this.merged = null;
    return updates;
  }

  /** The text of an update, which is composed once for all who watch the same. */
  private shared(commits: readonly Commit[], compose: () => string | null): string | null {
    if (this.conditional) return compose();
    const key = `${commits[0].sequence} ${commits.length} ${this.specification}`;
    return this.cache.get(this.database.sequence, key, compose);
  }

  /**
   * Sets new conditions (`monitor_cond_change`); everything noted must have been taken. Returns the
   * text of the update that makes up the difference, or null. Throws OvsdbError.
   */
  changeConditions(requests: JsonValue): string | null {
    const conditions = parseNewConditions(this.tables, requests);
    const updates: JsonObject = {};
    for (const [name, condition] of conditions) {
      const monitored = this.tables.get(name) as MonitoredTable;
      const before = monitored.condition;
      monitored.condition = condition;
      for (const row of monitored.table.rows.values()) {
        const [was, is] = [before.matchesAny(row), condition.matchesAny(row)];
        if (was === is) continue;
        const type = is ? SELECT.insert : SELECT.delete;
        if (!(monitored.select & type)) continue;
        addRow(updates, name, row.uuid, rowUpdate2(monitored, type, null, row));
      }
    }
    return Object.keys(updates).length > 0 ? stringifyJson(updates) : null;
  }

  private compose(changes: Iterable<Change>, initial: boolean): string | null {
    const updates: JsonObject = {};
    let empty = true;
    for (const { table, uuid, old, current } of changes) {
      const monitored = this.tables.get(table.name);
      if (!monitored) continue;
      const type = initial ? SELECT.initial : this.typeOf(monitored, old, current);
      if (!(monitored.select & type)) continue;
      if (initial && !monitored.condition.matchesAny(current as Row)) continue;
      const update =
        this.version === 1
          ? rowUpdate(monitored, type, old, current)
          : rowUpdate2(monitored, type, old, current);
      if (update === null) continue;
      addRow(updates, table.name, uuid, update);
      empty = false;
    }
    return empty ? null : stringifyJson(updates);
  }

  /** What a change is to the client, whose condition may hide the row before or after; or 0. */
  private typeOf({ condition }: MonitoredTable, old: Row | null, current: Row | null): number {
    const was = old !== null && condition.matchesAny(old);
    const is = current !== null && condition.matchesAny(current);
    if (was && is) return SELECT.modify;
    if (is) return SELECT.insert;
    return was ? SELECT.delete : 0;
  }
}

function addRow(updates: JsonObject, table: string, uuid: string, update: JsonValue): void {
  updates[table] ??= {};
  (updates[table] as JsonObject)[uuid] = update;
}

/** A `<row-update>`; null when no monitored column changed. */
function rowUpdate(
  { columns }: MonitoredTable,
  type: number,
  old: Row | null,
  current: Row | null,
): JsonValue {
  const before: JsonObject = {};
  const after: JsonObject = {};
  let changed = type !== SELECT.modify;
  for (const { column, select } of columns) {
    const { index, name } = column;
    const differs = !old || !current || !old.fields[index].equals(current.fields[index]);
    changed ||= differs;
    if (!(select & type)) continue;
    if (old && differs) before[name] = old.json(column);
    if (current) after[name] = current.json(column);
  }
  if (!changed) return null;
  const update: JsonObject = {};
  if (type === SELECT.modify || type === SELECT.delete) update.old = before;
  if (type !== SELECT.delete) update.new = after;
  return update;
}

/** A `<row-update2>`; null when no monitored column changed. */
function rowUpdate2(
  { columns, table }: MonitoredTable,
  type: number,
  old: Row | null,
  current: Row | null,
): JsonValue {
  if (type === SELECT.delete) return { delete: null };
  const row = current as Row;
  const values: JsonObject = {};
  let changed = type !== SELECT.modify;
  for (const { column, select } of columns) {
    const after = row.fields[column.index];
    if (type !== SELECT.modify) {
      if (!(select & type) || table.isDefault(column.index, after)) continue;
      values[column.name] = row.json(column);
      continue;
    }
    const before = (old as Row).fields[column.index];
    if (before.equals(after)) continue;
    changed = true;
    if (select & type) {
      values[column.name] = before.diffTo(after, column.type).toJson(column.type);
    }
  }
  if (!changed) return null;
  if (type === SELECT.modify) return { modify: values };
  return type === SELECT.initial ? { initial: values } : { insert: values };
}

/** Throws OvsdbError unless `json` is a transaction's id. */
export function checkTransactionId(json: JsonValue): string {
  if (typeof json !== 'string') throw syntaxError(json, 'last-txn-id must be string');
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(json)) {
    throw syntaxError(json, 'last-txn-id must be UUID format.');
  }
  return json.toLowerCase();
}
