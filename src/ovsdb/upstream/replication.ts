/**
 * Replication: a backup server copies the databases of an active one into its own files, and shows
 * them to clients who only look. When the active server is no more, it is told to take its place.
 *
 *     get_server_id ─> list_dbs ─> get_schema of those that are here too ─> monitor ─> updates
 *                                                                              │
 *     a fault that trying again does not mend: this server is active from now on
 *
 * Not for: showing what another server has without a copy (relay.ts).
 */
import type { Clock } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { type JsonValue, stringifyJson } from '../../common/json.js';
import type { JsonRpcConnection } from '../../common/jsonrpc.js';
import { getLogger } from '../../common/log.js';
import type { Database } from '../database.js';
import { sortedText } from '../error.js';
import { DatabaseSchema } from '../schema.js';
import type { OvsdbServer } from '../server.js';
import type { TlsFiles } from '../tls.js';
import { applyTableUpdates, deleteAllRows } from './apply.js';
import { Source } from './source.js';

export interface ReplicationOptions {
  readonly clock: Clock;
  /** The active server. */
  readonly remote: string;
  /** Tables that keep what they have here. */
  readonly excluded: ExcludedTables;
  readonly probeIntervalMs: number;
  /** The databases that are served from files, by name. */
  databases(): ReadonlyMap<string, Database>;
  tls(): TlsFiles;
  /** It cannot be done: this server must be an active one. */
  onFailure(): void;
  onWake(): void;
}

const log = getLogger('replication');

/** Tables by database. */
export class ExcludedTables {
  private readonly tables = new Map<string, Set<string>>();

  /** @param text `DB:TABLE,DB:TABLE...` @throws TapswitchError E_OVSDB_OPTION */
  constructor(text = '') {
    for (const name of text.split(/[ ,]+/)) {
      if (name === '') continue;
      const colon = name.indexOf(':');
      if (colon <= 0 || colon === name.length - 1) {
        throw new TapswitchError('E_OVSDB_OPTION', `Can't parse excluded table: ${name}`);
      }
      const database = name.slice(0, colon);
      const tables = this.tables.get(database) ?? new Set();
      this.tables.set(database, tables.add(name.slice(colon + 1)));
    }
  }

  of(database: string): ReadonlySet<string> {
    return this.tables.get(database) ?? new Set();
  }

  toString(): string {
    const names = [...this.tables].flatMap(([database, tables]) =>
      [...tables].map((table) => `${database}:${table}`),
    );
    return names.sort().join(',');
  }
}

export class Replication {
  private readonly source: Source;
  /** What is copied. */
  private copied: Database[] = [];
  private failed = false;

  constructor(
    private readonly server: OvsdbServer,
    private readonly options: ReplicationOptions,
  ) {
    const { remote, clock, probeIntervalMs } = options;
    this.source = new Source({
      ...{ remotes: [remote], clock, probeIntervalMs },
      tls: () => options.tls(),
      converse: (connection) => this.converse(connection),
      onNotify: (method, params) => this.notified(method, params),
      onLost: () => {},
      onWake: () => options.onWake(),
    });
  }

  run(now: number): void {
    this.source.run(now);
  }

  nextWake(): number {
    return this.source.nextWake();
  }

  setProbeInterval(ms: number): void {
    this.source.setProbeInterval(ms);
  }

  /** For `ovsdb-server/sync-status`. */
  status(): string {
    const { remote, excluded } = this.options;
    if (this.failed) return `Replication to (${remote}) failed\n`;
    if (!this.source.following) return `connecting: ${remote}`;
    const names = this.copied.map(({ name }) => name).sort();
    const exclude = excluded.toString();
    return (
      `replicating: ${remote}\ndatabase: ${names.join(', ')}` +
      (exclude === '' ? '' : `\nexclude: ${exclude}`)
    );
  }

  close(): void {
    this.source.close();
  }

  private async converse(connection: JsonRpcConnection): Promise<void> {
    const id = await connection.request('get_server_id', []);
    if (id === this.server.serverId) {
      this.fail(new Error('Server ID check failed: Self replicating is not allowed'));
      return;
    }
    const names = await connection.request('list_dbs', []);
    if (!Array.isArray(names)) throw new TapswitchError('E_OVSDB_UPDATE', 'list_dbs failed');
    const wanted: [Database, DatabaseSchema][] = [];
    for (const [name, database] of this.options.databases()) {
      if (!names.includes(name)) continue;
      const schema = DatabaseSchema.fromJson(await connection.request('get_schema', [name]));
      if (mayCopy(database.schema, schema)) wanted.push([database, schema]);
    }
    if (wanted.length === 0) {
      this.fail(new Error('Nothing to replicate.'));
      return;
    }
    this.copied = [];
    for (const [database, schema] of wanted) await this.copy(connection, database, schema);
  }

  /** Takes the active server's rows for those here, and asks for every change from now on. */
  private async copy(
    connection: JsonRpcConnection,
    database: Database,
    schema: DatabaseSchema,
  ): Promise<void> {
    const { name } = database;
    const excluded = this.options.excluded.of(name);
    const requests: { [table: string]: JsonValue } = {};
    for (const table of schema.tables.keys()) if (!excluded.has(table)) requests[table] = [{}];
    const rows = await connection.request('monitor', [name, name, requests]);
    log.info('Monitor request received. Resetting the database');
    this.copied.push(database);
    this.apply(database, rows, excluded);
  }

  /** @param kept when all other tables are to have these rows and no others: which those are */
  private apply(database: Database, updates: JsonValue, kept: ReadonlySet<string> | null): void {
    try {
      // One transaction: whoever reads the file finds the old rows or the new ones.
      database.transact((transaction) => {
        if (kept) deleteAllRows(transaction, database.tables, kept);
        applyTableUpdates(transaction, database.tables, 'update', updates);
      });
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private notified(method: string, params: JsonValue[]): void {
    const database = this.copied.find(({ name }) => name === params[0]);
    if (method === 'update' && database && !this.failed) this.apply(database, params[1], null);
  }

  private fail(error: Error): void {
    if (this.failed) return;
    log.err(errorMessage(error));
    this.failed = true;
    this.source.close();
    this.options.onFailure();
  }
}

/** True when the schema here has all tables and columns of the other one, and the same types. */
function mayCopy(local: DatabaseSchema, active: DatabaseSchema): boolean {
  if (stringifyJson(local.toJson()) === stringifyJson(active.toJson())) return true;
  const { name } = active;
  log.info(`Schema version mismatch, checking if ${name} can still be replicated or not.`);
  const obstacle = obstacleTo(local, active);
  if (obstacle !== null) log.info(obstacle);
  log.info(`${name} ${obstacle === null ? 'can' : 'cannot'} be replicated.`);
  return obstacle === null;
}

function obstacleTo(local: DatabaseSchema, active: DatabaseSchema): string | null {
  for (const table of active.tables.values()) {
    const own = local.tables.get(table.name);
    if (!own) return `Table ${table.name} not present in the local db schema`;
    for (const column of table.columnList) {
      const same = own.columns.get(column.name);
      if (!same) {
        return `Column ${column.name} not present in the local db schema table ${table.name}.`;
      }
      if (sortedText(same.toJson()) !== sortedText(column.toJson())) {
        return `Column ${column.name} mismatch in local db schema table ${table.name}.`;
      }
    }
  }
  return null;
}
