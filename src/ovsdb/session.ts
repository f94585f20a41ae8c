/**
 * One client's connection: dispatches its requests, and keeps its monitors, locks and transactions.
 *
 * Updates go to the client that caused them before the answer to its transaction, as RFC 7047 wants
 * it, and to others before or after the answers (news.ts). They go out only while the client takes
 * them: otherwise its monitors merge what they have to say.
 *
 * Not for: listening (server.ts), what monitors and transactions are (monitor.ts, trigger.ts).
 */
import { type JsonValue, stringifyJson } from '../common/json.js';
import { JsonRpcConnection, type JsonRpcOptions, type RpcSocket } from '../common/jsonrpc.js';
import type { Commit, Database } from './database.js';
import { OvsdbError, sortedText, syntaxError } from './error.js';
import {
  checkTransactionId,
  Monitor,
  type MonitorVersion,
  type Update,
  type UpdateCache,
} from './monitor.js';
import type { News, Watcher } from './news.js';
import { isId } from './object-parser.js';
import { DatabaseSchema } from './schema.js';
import type { LockHolder, SessionLocks } from './session-locks.js';
import { Trigger, type TriggerOwner } from './trigger.js';

/** What a session needs of its server. */
export interface SessionHost {
  readonly serverId: string;
  readonly locks: SessionLocks;
  readonly news: News;
  /** Nobody may change anything. */
  readonly readOnly: boolean;
  /** False: only plain `monitor` is known. */
  readonly conditionalMonitors: boolean;
  readonly databases: ReadonlyMap<string, Database>;
  now(): number;
  updateCache(database: Database): UpdateCache;
  triggerWaits(trigger: Trigger): void;
  triggerGone(trigger: Trigger): void;
  convertDatabase(database: Database, schema: DatabaseSchema, asker: Session): void;
  sessionClosed(session: Session, error?: Error): void;
}

/** Output bytes above which monitors merge updates instead of sending them. */
const UPDATE_BACKLOG_BYTES = 256 * 1024;
/** The tag of RFC 7047's extension for databases that are to come. */
const UNAVAILABLE = 'database not available';
const MONITORS_MAX = 1000;
const TRIGGERS_MAX = 10_000;
const UPDATE_METHOD = { 1: 'update', 2: 'update2', 3: 'update3' } as const;

/** Answers a request at once with what it returns; undefined: it answers later. */
type Method = (session: Session, method: string, params: JsonValue[], id: JsonValue) => unknown;

export class Session implements LockHolder, TriggerOwner, Watcher {
  readonly connection: JsonRpcConnection;
  private readonly monitors = new Map<string, { id: JsonValue; monitor: Monitor }>();
  private readonly triggers = new Map<string, Trigger>();
  /** Does the client watch _Server for databases that come and go? */
  databaseChangeAware = false;
  /** Clients of this remote may look, not change. */
  remoteReadOnly = false;
  /** What it may change then: an RBAC_Role's name; '': everything. */
  role = '';
  /** The name in its certificate. */
  clientId: string | null = null;

  constructor(
    socket: RpcSocket,
    readonly host: SessionHost,
    options: JsonRpcOptions,
  ) {
    this.connection = new JsonRpcConnection(
      socket,
      {
        onRequest: (method, params, id) => this.request(method, params, id),
        onNotify: (method, params) => {
          if (method === 'cancel') this.cancel(params);
        },
        onDrain: () => this.flushMonitors(true),
        onClose: (error) => this.closed(error),
      },
      options,
    );
  }

  /** The client may look, not change. */
  get readOnly(): boolean {
    return this.remoteReadOnly || this.host.readOnly;
  }

  private request(method: string, params: JsonValue[], id: JsonValue): void {
    const handler = METHODS.get(method);
    const disabled = !this.host.conditionalMonitors && method.startsWith('monitor_cond');
    if (!handler || disabled) {
      this.connection.replyError(id, 'unknown method');
      return;
    }
    try {
      const result = handler(this, method, params, id);
      if (result instanceof RawJson) this.replyText(id, result.text);
      else if (result !== undefined) this.connection.reply(id, result);
    } catch (error) {
      if (error instanceof RequestError) this.connection.replyError(id, error.message);
      else if (error instanceof OvsdbError) this.connection.replyError(id, error.toJson());
      else throw error;
    }
  }

  private replyText(id: JsonValue, text: string): void {
    this.connection.sendText(`{"id":${stringifyJson(id)},"result":${text},"error":null}`);
  }

  /** The database that a request's first parameter names. Throws OvsdbError. */
  private database(method: string, params: JsonValue[]): Database {
    const [name] = params;
    if (typeof name !== 'string') {
      throw syntaxError(params, `${method} request params must begin with <db-name>`);
    }
    const database = this.host.databases.get(name);
    if (database?.forwarder && database.schema.tables.size === 0 && method !== 'transact') {
      const why = 'which is not yet available because the relay has not been connected';
      throw syntaxError(params, `${method} request specifies database ${name} ${why}`, UNAVAILABLE);
    }
    if (database) return database;
    const details = `${method} request specifies unknown database ${name}`;
    throw syntaxError(params, details, 'unknown database');
  }

  getSchema(method: string, params: JsonValue[]): JsonValue {
    return this.database(method, params).schema.toJson();
  }

  get monitorCount(): number {
    return this.monitors.size;
  }

  /** Brings a database to another schema, as `ovsdb-client convert` asks. */
  convert(method: string, params: JsonValue[]): JsonValue {
    const database = this.database(method, params);
    if (params.length !== 2 || database.name.startsWith('_')) {
      throw syntaxError(params, 'array expected');
    }
    if (this.readOnly) {
      throw new OvsdbError(
        'not allowed',
        'convert operation not allowed when database server is in read only mode',
      );
    }
    if (database.forwarder) {
      throw new OvsdbError('not allowed', 'a relay cannot convert the database that it shows');
    }
    if (this.role !== '') {
      throw new OvsdbError(
        'permission error',
        `RBAC rules for client "${this.clientId ?? '(null)'}" role "${this.role}" prohibit ` +
          `"convert" of database ${database.name} (only the root role may convert databases)`,
      );
    }
    const schema = DatabaseSchema.fromJson(params[1]);
    if (schema.name !== database.name) {
      throw new OvsdbError('invalid parameters', `the schema is that of database ${schema.name}`);
    }
    this.host.convertDatabase(database, schema, this);
    return {};
  }

  // Transactions.

  transact(method: string, params: JsonValue[], id: JsonValue): void {
    const database = this.database(method, params);
    const key = sortedText(id);
    if (this.triggers.has(key)) throw syntaxError(params, `${method}: duplicate request ID`);
    if (this.triggers.size >= TRIGGERS_MAX) {
      throw new OvsdbError('resources exhausted', 'too many transactions wait in this session');
    }
    const trigger = new Trigger(this, database, id, params.slice(1), this.host.now());
    this.triggers.set(key, trigger);
    trigger.run(this.host.now());
    if (trigger.waiting) this.host.triggerWaits(trigger);
  }

  triggerDone(trigger: Trigger, results: JsonValue): void {
    this.triggers.delete(sortedText(trigger.id));
    this.flushMonitors();
    this.connection.reply(trigger.id, results);
  }

  triggerFailed(trigger: Trigger, error: JsonValue): void {
    this.triggers.delete(sortedText(trigger.id));
    this.connection.replyError(trigger.id, error);
  }

  private cancel(params: JsonValue[]): void {
    if (params.length === 1) this.cancelTrigger(sortedText(params[0]));
  }

  private cancelTrigger(key: string): void {
    const trigger = this.triggers.get(key);
    if (!trigger) return;
    trigger.cancel();
    this.host.triggerGone(trigger);
    this.triggers.delete(key);
    this.connection.replyError(trigger.id, 'canceled');
  }

  // Monitors.

  monitor(method: string, params: JsonValue[], version: MonitorVersion): unknown {
    const database = this.database(method, params);
    if (params.length < 3 || (version > 1 && params.length !== version + 1)) {
      throw syntaxError(params, 'invalid parameters');
    }
    const [, id, requests, lastId] = params;
    const key = sortedText(id);
    if (this.monitors.has(key)) throw syntaxError(id, 'duplicate monitor ID');
    if (this.monitors.size >= MONITORS_MAX) {
      throw new OvsdbError('resources exhausted', 'too many monitors in this session');
    }
    const since = version === 3 ? checkTransactionId(lastId) : null;
    const cache = this.host.updateCache(database);
    const monitor = new Monitor(database, version, requests, cache);
    this.monitors.set(key, { id, monitor });
    const known = since === null ? null : monitor.textSince(since);
    const text = known ?? monitor.initialText();
    if (version < 3) return new RawJson(text);
    const last = stringifyJson(database.lastTransactionId);
    return new RawJson(`[${known !== null},${last},${text}]`);
  }

  monitorCancel(params: JsonValue[]): JsonValue {
    if (params.length !== 1) throw new RequestError('invalid parameters');
    if (!this.monitors.delete(sortedText(params[0]))) throw new RequestError('unknown monitor');
    return {};
  }

  monitorConditionChange(params: JsonValue[]): JsonValue {
    if (params.length !== 3) throw syntaxError(params, 'invalid parameters');
    const [id, newId, requests] = params;
    const key = sortedText(id);
    const entry = this.monitors.get(key);
    if (!entry) throw syntaxError(id, 'unknown monitor session');
    const newKey = sortedText(newId);
    if (newKey !== key && this.monitors.has(newKey)) {
      throw syntaxError(newId, 'duplicate monitor ID');
    }
    for (const update of entry.monitor.takeUpdates(false)) {
      this.sendUpdate(id, entry.monitor, update);
    }
    const text = entry.monitor.changeConditions(requests);
    this.monitors.delete(key);
    this.monitors.set(newKey, { id: newId, monitor: entry.monitor });
    const transactionId = entry.monitor.database.lastTransactionId;
    if (text !== null) this.sendUpdate(newId, entry.monitor, { transactionId, text });
    return {};
  }

  /** A database has changed. The client is told at the end of the turn. */
  commit(commit: Commit): void {
    if (this.monitors.size === 0) return;
    for (const { monitor } of this.monitors.values()) {
      if (monitor.database === commit.database) monitor.note(commit);
    }
    this.host.news.for(this);
  }

  tellNews(together: boolean): void {
    if (this.connection.backlogBytes > UPDATE_BACKLOG_BYTES) return;
    this.flushMonitors(together);
    this.connection.flush();
  }

  private flushMonitors(together = false): void {
    for (const { id, monitor } of this.monitors.values()) {
      for (const update of monitor.takeUpdates(together)) this.sendUpdate(id, monitor, update);
    }
  }

  private sendUpdate(id: JsonValue, monitor: Monitor, { transactionId, text }: Update): void {
    const params = [stringifyJson(id)];
    if (monitor.version === 3) params.push(stringifyJson(transactionId));
    params.push(text);
    const method = UPDATE_METHOD[monitor.version];
    this.connection.sendText(`{"id":null,"method":"${method}","params":[${params}]}`);
  }

  /** A database goes away: ends what this client has to do with it. */
  forgetDatabase(database: Database): void {
    for (const [key, trigger] of this.triggers) {
      if (trigger.database === database) this.cancelTrigger(key);
    }
    for (const [key, { id, monitor }] of this.monitors) {
      if (monitor.database !== database) continue;
      this.monitors.delete(key);
      if (this.databaseChangeAware) this.connection.notify('monitor_canceled', [id]);
    }
  }

  // Locks.

  lock(method: string, params: JsonValue[]): JsonValue {
    const name = lockName(method, params);
    if (this.host.locks.hasRequested(this, name)) {
      throw syntaxError(params, `must issue "unlock" before new "${method}"`);
    }
    return { locked: this.host.locks.lock(this, name, method === 'steal') };
  }

  unlock(method: string, params: JsonValue[]): JsonValue {
    const name = lockName(method, params);
    if (!this.host.locks.hasRequested(this, name)) {
      throw syntaxError(params, `${method}: "unlock" without "lock" or "steal"`);
    }
    this.host.locks.unlock(this, name);
    return {};
  }

  notifyLock(method: 'locked' | 'stolen', name: string): void {
    // Whoever gets a lock knows what its owner before did with it.
    this.flushMonitors();
    this.connection.notify(method, [name]);
  }

  /** The locks that the client has asked for, by what has become of them. */
  lockNames(): { held: string[]; waiting: string[]; lost: string[] } {
    return this.host.locks.namesOf(this);
  }

  ownsLock(name: string): boolean {
    return this.host.locks.owns(this, name);
  }

  setDatabaseChangeAware(method: string, params: JsonValue[]): JsonValue {
    if (params.length !== 1 || typeof params[0] !== 'boolean') {
      throw syntaxError(params, `${method}: true or false parameter expected`);
    }
    this.databaseChangeAware = params[0];
    return {};
  }

  private closed(error?: Error): void {
    this.host.locks.unlockAll(this);
    for (const trigger of this.triggers.values()) {
      trigger.cancel();
      this.host.triggerGone(trigger);
    }
    this.triggers.clear();
    this.monitors.clear();
    this.host.sessionClosed(this, error);
  }
}

/** An error reply that is just a string. */
class RequestError extends Error {}

/** JSON text as a value in a reply. */
class RawJson {
  constructor(readonly text: string) {}
}

function lockName(method: string, params: JsonValue[]): string {
  const [name] = params;
  if (params.length === 1 && typeof name === 'string' && isId(name)) return name;
  throw syntaxError(params, `${method} request params must be <id>`);
}

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['list_dbs', (session) => [...session.host.databases.keys()]],
  ['get_schema', (session, method, params) => session.getSchema(method, params)],
  ['convert', (session, method, params) => session.convert(method, params)],
  ['get_server_id', (session) => session.host.serverId],
  ['transact', (session, method, params, id) => session.transact(method, params, id)],
  ['monitor', (session, method, params) => session.monitor(method, params, 1)],
  ['monitor_cond', (session, method, params) => session.monitor(method, params, 2)],
  ['monitor_cond_since', (session, method, params) => session.monitor(method, params, 3)],
  ['monitor_cond_change', (session, _method, params) => session.monitorConditionChange(params)],
  ['monitor_cancel', (session, _method, params) => session.monitorCancel(params)],
  ['lock', (session, method, params) => session.lock(method, params)],
  ['steal', (session, method, params) => session.lock(method, params)],
  ['unlock', (session, method, params) => session.unlock(method, params)],
  [
    'set_db_change_aware',
    (session, method, params) => session.setDatabaseChangeAware(method, params),
  ],
]);
