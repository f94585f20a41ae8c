/**
 * A relay: serves a database that another server has. Who only looks is answered here; what changes
 * the database is passed on, and the answer passed back.
 *
 *     clients ──select, monitor──> Database (in memory) <──update3── source
 *        └─────transact that changes─────────────────────────────────>─┘
 *
 * Not for: copies that are written to a file (replication.ts), clients' replicas (../idl).
 */
import type { Clock } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { type JsonValue, stringifyJson } from '../../common/json.js';
import { type JsonRpcConnection, JsonRpcReplyError } from '../../common/jsonrpc.js';
import { getLogger } from '../../common/log.js';
import { ZERO_UUID } from '../atom.js';
import { Database } from '../database.js';
import { checkServer, SERVER_MONITOR_ID, SERVER_MONITOR_PARAMS } from '../idl/cluster.js';
import { DatabaseSchema } from '../schema.js';
import type { OvsdbServer } from '../server.js';
import type { TlsFiles } from '../tls.js';
import { applyTableUpdates, deleteAllRows } from './apply.js';
import { Source } from './source.js';

export interface RelayOptions {
  /** The database's name. */
  readonly database: string;
  /** Servers that have it; one of a cluster's will do. */
  readonly remotes: readonly string[];
  readonly clock: Clock;
  /** Keys and certificates as they are when a connection is made. */
  readonly tls?: () => TlsFiles;
  readonly probeIntervalMs?: number;
  readonly onWake?: () => void;
}

/** As long as this after the loss of the source clients are not sent elsewhere, milliseconds. */
const PATIENCE_MS = 30_000;
/** Transactions that are remembered for clients that come back. */
const HISTORY_LENGTH = 100;
const METHODS = ['monitor_cond_since', 'monitor_cond', 'monitor'] as const;
/** Transactions that wait for a connection. */
const QUEUE_MAX = 100_000;

const log = getLogger('ovsdb_relay');

const noKeys = (): TlsFiles => ({});

/** A transaction that waits for a connection. */
interface Waiting {
  readonly operations: readonly JsonValue[];
  readonly isWanted: () => boolean;
  readonly resolve: (results: JsonValue) => void;
  readonly reject: (error: Error) => void;
}

export class Relay {
  readonly database: Database;
  private readonly source: Source;
  private schemaText = '';
  private format: 'update' | 'update2' = 'update2';
  private lastId = ZERO_UUID;
  private waiting: Waiting[] = [];
  /** When clients are sent elsewhere unless the source comes back; null: it is there, or gone. */
  private patienceEndsMs: number | null = null;

  constructor(
    private readonly server: OvsdbServer,
    options: RelayOptions,
  ) {
    const { database, remotes, clock, tls = noKeys, probeIntervalMs = 5000 } = options;
    this.database = new Database(new DatabaseSchema(database, '', ''));
    this.database.forwarder = this;
    const onWake = () => options.onWake?.();
    this.source = new Source({
      ...{ remotes, clock, tls, probeIntervalMs, onWake },
      converse: (connection) => this.converse(connection),
      onNotify: (method, params) => this.notified(method, params),
      onLost: () => {
        this.patienceEndsMs = clock.now() + PATIENCE_MS;
      },
    });
    server.addDatabase(this.database, { model: 'relay', connected: false, leader: false });
  }

  /** `now`: monotonic milliseconds. */
  run(now: number): void {
    this.source.run(now);
    if (this.patienceEndsMs === null || now < this.patienceEndsMs) return;
    this.patienceEndsMs = null;
    this.server.setConnected(this.database, false);
  }

  nextWake(): number {
    return Math.min(this.source.nextWake(), this.patienceEndsMs ?? Number.POSITIVE_INFINITY);
  }

  /** Has the source execute a transaction, now or when there is a connection to it. */
  forward(operations: readonly JsonValue[], isWanted: () => boolean): Promise<JsonValue> {
    if (this.source.following) return this.send(operations);
    this.waiting = this.waiting.filter((one) => one.isWanted());
    if (this.waiting.length >= QUEUE_MAX) return Promise.reject(new Error('too many wait'));
    return new Promise((resolve, reject) =>
      this.waiting.push({ operations, isWanted, resolve, reject }),
    );
  }

  close(): void {
    this.source.close();
    for (const { reject } of this.waiting) reject(new Error('closed'));
    this.waiting = [];
    this.server.removeDatabase(this.database);
  }

  private send(operations: readonly JsonValue[]): Promise<JsonValue> {
    return this.source.request('transact', [this.database.name, ...operations]);
  }

  private async converse(connection: JsonRpcConnection): Promise<void> {
    const { name } = this.database;
    try {
      checkServer(name, await connection.request('monitor', SERVER_MONITOR_PARAMS), false);
    } catch (error) {
      // A server without _Server stands alone.
      if (!(error instanceof JsonRpcReplyError)) throw error;
    }
    const schemaJson = await connection.request('get_schema', [name]);
    const schema = DatabaseSchema.fromJson(schemaJson);
    const text = stringifyJson(schemaJson);
    if (text !== this.schemaText) this.lastId = ZERO_UUID;
    const { method, result } = await this.monitor(connection, schema);
    // Not before the rows are here: nobody shall see the database empty.
    if (text !== this.schemaText) {
      this.server.changeSchema(this.database, () => this.database.adopt(schema), {
        // Who came before there was any has seen none.
        isFirst: this.schemaText === '',
      });
      this.schemaText = text;
    }
    this.takeDump(method, result);
    this.patienceEndsMs = null;
    this.server.setConnected(this.database, true);
    queueMicrotask(() => this.sendWaiting());
  }

  /** Asks for all tables in the newest way that the source knows. */
  private async monitor(connection: JsonRpcConnection, schema: DatabaseSchema) {
    const requests: { [table: string]: JsonValue } = {};
    for (const table of schema.tables.keys()) requests[table] = [{}];
    for (const method of METHODS) {
      const params: JsonValue[] = [schema.name, ['monid', schema.name], requests];
      if (method === 'monitor_cond_since') params.push(this.lastId);
      try {
        return { method, result: await connection.request(method, params) };
      } catch (error) {
        if (!(error instanceof JsonRpcReplyError) || method === 'monitor') throw error;
      }
    }
    throw new TapswitchError('E_OVSDB_UPDATE', 'the source has no monitors');
  }

  private takeDump(method: (typeof METHODS)[number], result: JsonValue): void {
    this.format = method === 'monitor' ? 'update' : 'update2';
    let [found, id, updates]: JsonValue[] = [false, ZERO_UUID, result];
    if (method === 'monitor_cond_since') {
      if (!Array.isArray(result) || result.length !== 3) {
        throw new TapswitchError('E_OVSDB_UPDATE', 'the reply to monitor_cond_since is not valid');
      }
      [found, id, updates] = result;
    }
    // Without ids from the source there is nothing that clients could name when they come back.
    this.database.setHistoryLength(id === ZERO_UUID ? 0 : HISTORY_LENGTH);
    this.apply(updates, String(id), found !== true);
  }

  /** Makes the source's changes; `anew`: its rows are all that there shall be. */
  private apply(updates: JsonValue, transactionId: string, anew: boolean): void {
    const { database, format } = this;
    database.transact((transaction) => {
      if (anew) deleteAllRows(transaction, database.tables);
      applyTableUpdates(transaction, database.tables, format, updates);
    }, transactionId);
    this.lastId = transactionId;
  }

  private notified(method: string, params: JsonValue[]): void {
    try {
      if (params[0] === SERVER_MONITOR_ID) checkServer(this.database.name, params[1], false);
      else if (method === 'update3') this.apply(params[2], String(params[1]), false);
      else if (method === 'update2' || method === 'update') {
        this.apply(params[1], ZERO_UUID, false);
      }
    } catch (error) {
      log.warn(`${this.database.name}: ${errorMessage(error)}`);
      this.lastId = ZERO_UUID;
      this.source.reconnect(error as Error);
    }
  }

  private sendWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const { operations, isWanted, resolve, reject } of waiting) {
      if (isWanted()) this.send(operations).then(resolve, reject);
    }
  }
}
