/**
 * The OVSDB client: keeps a replica of one database current, over any number of connections.
 *
 *     waiting --run()--> connecting --> schema --> monitor --> live
 *        ^                    |            |          |          |
 *        +---- backoff -------+------------+----------+----------+   (or dead, without `reconnect`)
 *
 * `get_schema` is asked on every connection; then monitor_cond_since, and where the server does not
 * know that, monitor_cond, then monitor. After a reconnection the server is asked for what happened
 * since the last known transaction; where it cannot tell, the whole dump is compared with the
 * replica. Either way `onChange` reports only what really changed.
 *
 * Not for: writing (txn.ts).
 */

import type { Duplex } from 'node:stream';
import { type Clock, NEVER } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { type JsonValue, stringifyJson } from '../../common/json.js';
import { JsonRpcConnection, JsonRpcReplyError, type RpcSocket } from '../../common/jsonrpc.js';
import { getLogger } from '../../common/log.js';
import { Backoff } from './backoff.js';
import { checkServer, SERVER_MONITOR_ID, SERVER_MONITOR_PARAMS } from './cluster.js';
import { MonitorSpec } from './monitor-spec.js';
import { openRemote, type TlsFiles } from './remote.js';
import { type Changes, type IdlTable, Replica } from './replica.js';
import { type DbSchema, parseSchema } from './schema.js';
import { applyUpdates, replaceContents, type UpdateFormat } from './updates.js';

/** Opens a stream to a server, for instance one in this process. */
export type OpenStream = () => Duplex | Promise<Duplex>;

export interface IdlOptions {
  /** A remote, several to take turns, or a function that opens a stream. */
  readonly remote: string | readonly string[] | OpenStream;
  readonly clock: Clock;
  /** Default: `Open_vSwitch`. */
  readonly database?: string;
  /** Which columns to replicate. Default: all. */
  readonly monitor?: (spec: MonitorSpec) => void;
  /** The replica changed: called once per update from the server, after all of it was applied. */
  readonly onChange?: (changes: Changes) => void;
  /** Something happened: `run` should be called soon (PollLoop.wake fits). */
  readonly onWake?: () => void;
  /** False: one attempt for each remote, then `dead`. Default: true. */
  readonly reconnect?: boolean;
  /** Silence after which the server is probed. Default 5000; 0: never. Not used on unix sockets. */
  readonly probeIntervalMs?: number;
  /** First and longest wait before reconnecting. Default 1000 and 8000. */
  readonly backoffMs?: { readonly min: number; readonly max: number };
  /** Only the leader of a cluster will do. Default: true. */
  readonly leaderOnly?: boolean;
  readonly tls?: TlsFiles;
}

export type IdlState = 'waiting' | 'connecting' | 'schema' | 'monitor' | 'live' | 'dead';

/** How long connecting and each answer of the handshake may take. */
const HANDSHAKE_MS_MAX = 60_000;
/** A dump of a large database is one message. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;
const MONITOR_ID = ['monid', 'tapswitch'];
const METHODS = ['monitor_cond_since', 'monitor_cond', 'monitor'] as const;
const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

const log = getLogger('ovsdb_idl');
const reconnectLog = getLogger('reconnect');

/** A client of one OVSDB database. See the head of this file; index.ts has an example. */
export class Idl {
  readonly database: string;
  /** Rises whenever the replica changes, and with every connection. 0 before the first contents. */
  seqno = 0;
  /** Why the last connection failed or ended. */
  lastError: Error | null = null;

  private readonly options: IdlOptions;
  private readonly remotes: readonly (string | OpenStream)[];
  private readonly backoff: Backoff;
  private replica: Replica | null = null;
  private schemaText = '';
  private currentState: IdlState = 'waiting';
  private connection: JsonRpcConnection | null = null;
  private attempts = 0;
  private wakeMs = Number.NEGATIVE_INFINITY;
  private connectedMs = 0;
  private abort: AbortController | null = null;
  private reconnects: boolean;
  private format: UpdateFormat = 'update2';
  private lastTxnId = ZERO_UUID;
  private lock: string | null = null;
  private lockHeld = false;
  /** The server has said that somebody else holds it. */
  private lockRefused = false;
  private isClosed = false;
  private waiters: (() => void)[] = [];

  constructor(options: IdlOptions) {
    this.options = options;
    this.database = options.database ?? 'Open_vSwitch';
    const { remote } = options;
    this.remotes = typeof remote === 'string' || typeof remote === 'function' ? [remote] : remote;
    const { min, max } = options.backoffMs ?? { min: 1000, max: 8000 };
    this.backoff = new Backoff(min, max, this.remotes.length);
    this.reconnects = options.reconnect ?? true;
  }

  get state(): IdlState {
    return this.currentState;
  }

  /** True while the replica follows the server. */
  get live(): boolean {
    return this.currentState === 'live';
  }

  get closed(): boolean {
    return this.isClosed;
  }

  /** The schema that the server gave, or null before the first connection. */
  get schema(): DbSchema | null {
    return this.replica?.schema ?? null;
  }

  /** True once a complete dump has been applied (it may be out of date while not `live`). */
  get hasContents(): boolean {
    return this.seqno > 0;
  }

  /** The table named `name`. Throws E_OVSDB_NO_TABLE if there is none, or no contents yet. */
  table(name: string): IdlTable {
    if (!this.replica) {
      throw new TapswitchError('E_OVSDB_NO_TABLE', `no contents of ${this.database} yet`);
    }
    return this.replica.table(name);
  }

  /** All tables, by name in order; empty before the first connection. */
  get tables(): IterableIterator<IdlTable> {
    return (this.replica?.tables ?? new Map<string, IdlTable>()).values();
  }

  /** The remote that is being used or was used last, for messages. */
  get remoteName(): string {
    const remote = this.remotes[Math.max(this.attempts - 1, 0) % this.remotes.length];
    return typeof remote === 'string' ? remote : 'in-process';
  }

  /** Connects when it is time to, and probes a silent server. `now`: monotonic milliseconds. */
  run(now: number): void {
    if (this.isClosed || this.currentState === 'dead') return;
    this.connection?.run(now);
    if (now < this.wakeMs) return;
    if (this.currentState === 'waiting') this.connect(now);
    else if (!this.live) this.disconnect(new TapswitchError('E_OVSDB_TIMEOUT', 'timed out'));
  }

  /** Monotonic milliseconds at which `run` has something to do. */
  nextWake(): number {
    if (this.isClosed || this.currentState === 'dead') return NEVER;
    const wakeMs = this.live ? NEVER : this.wakeMs;
    return Math.min(wakeMs, this.connection?.nextWake() ?? NEVER);
  }

  /** Resolves at the next event: a change, another state, a lock gained or lost, the end. */
  nextEvent(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** From now on reconnects, whatever the options said. */
  enableReconnect(): void {
    this.reconnects = true;
  }

  /** Drops the connection and opens another. */
  forceReconnect(): void {
    this.disconnect(new TapswitchError('E_OVSDB_RECONNECT', 'reconnecting on request'));
  }

  /** Ends the connection for good. Idempotent. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.abort?.abort();
    this.connection?.close();
    this.connection = null;
    this.event();
  }

  /**
   * Asks for the lock `name` (RFC 7047 section 4.1.8), on this and every later connection; null
   * gives it back. While a lock is wanted, transactions commit only if it is held.
   */
  setLock(name: string | null): void {
    if (name === this.lock) return;
    if (this.lock !== null && this.live) this.ask('unlock', [this.lock]).catch(() => {});
    this.lock = name;
    this.setLockHeld(false, false);
    if (this.live) this.requestLock();
  }

  get lockName(): string | null {
    return this.lock;
  }

  get hasLock(): boolean {
    return this.lock !== null && this.lockHeld;
  }

  /** Wanted, but somebody else has it. */
  get lockContended(): boolean {
    return this.lock !== null && this.lockRefused && this.live;
  }

  /** Sends `transact`; for IdlTxn. Rejects if not connected, or when the connection ends first. */
  transact(operations: readonly unknown[]): Promise<JsonValue> {
    return this.ask('transact', [this.database, ...operations]);
  }

  private ask(method: string, params: unknown[]): Promise<JsonValue> {
    if (!this.connection) {
      return Promise.reject(new TapswitchError('E_JSONRPC_CLOSED', 'not connected'));
    }
    return this.connection.request(method, params);
  }

  private event(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
    this.options.onWake?.();
  }

  private setState(state: IdlState): void {
    this.currentState = state;
    this.event();
  }

  private connect(now: number): void {
    const remote = this.remotes[this.attempts % this.remotes.length];
    this.attempts += 1;
    this.wakeMs = now + HANDSHAKE_MS_MAX;
    this.connectedMs = 0;
    const abort = new AbortController();
    this.abort = abort;
    reconnectLog.dbg(`${this.remoteName}: connecting...`);
    this.setState('connecting');
    this.converse(remote, abort).catch((error: unknown) => {
      // Not ours any more: this attempt was given up and another may be under way.
      if (this.abort !== abort || this.isClosed) return;
      this.disconnect(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Everything from opening the stream until the replica is live. Rejects where that fails. */
  private async converse(remote: string | OpenStream, abort: AbortController): Promise<void> {
    const stream =
      typeof remote === 'string'
        ? await openRemote(remote, this.options.tls, abort.signal)
        : await remote();
    if (abort.signal.aborted || this.isClosed) {
      stream.destroy();
      return;
    }
    const connection = this.attach(stream, remote);
    this.connectedMs = this.options.clock.now();
    reconnectLog.info(`${this.remoteName}: connected`);
    this.setState('schema');
    if (this.options.leaderOnly ?? true) await this.checkServer(connection);
    this.takeSchema(await connection.request('get_schema', [this.database]));
    if (connection.closed) return;
    this.setState('monitor');
    await this.startMonitor(connection);
  }

  private attach(stream: Duplex, remote: string | OpenStream): JsonRpcConnection {
    const probed = typeof remote === 'string' && !remote.startsWith('unix:');
    const connection: JsonRpcConnection = new JsonRpcConnection(
      stream as unknown as RpcSocket,
      {
        onRequest: (_method, _params, id) => connection.replyError(id, 'unknown method'),
        // After the continuations of replies that came before it: the dump, then updates to it.
        onNotify: (method, params) =>
          queueMicrotask(() => {
            if (connection === this.connection) this.notified(method, params);
          }),
        onClose: (error) => {
          if (connection !== this.connection || this.isClosed) return;
          this.disconnect(error ?? new TapswitchError('E_JSONRPC_EOF', 'End of file'));
        },
      },
      {
        clock: this.options.clock,
        probeIntervalMs: probed ? (this.options.probeIntervalMs ?? 5000) : 0,
        name: this.remoteName,
        maxBytes: MESSAGE_BYTES_MAX,
      },
    );
    this.connection = connection;
    return connection;
  }

  /** A server without the database _Server stands alone. */
  private async checkServer(connection: JsonRpcConnection): Promise<void> {
    try {
      const updates = await connection.request('monitor', SERVER_MONITOR_PARAMS);
      checkServer(this.database, updates);
    } catch (error) {
      if (!(error instanceof JsonRpcReplyError)) throw error;
    }
  }

  /** A changed schema (another server, a conversion) means starting the replica afresh. */
  private takeSchema(json: JsonValue): void {
    const text = stringifyJson(json);
    if (this.replica && text === this.schemaText) return;
    const fresh = new Replica(parseSchema(json));
    if (this.replica) fresh.replaces(this.replica);
    this.replica = fresh;
    this.schemaText = text;
    this.lastTxnId = ZERO_UUID;
  }

  private async startMonitor(connection: JsonRpcConnection): Promise<void> {
    const spec = new MonitorSpec(this.replica!.schema);
    if (this.options.monitor) this.options.monitor(spec);
    else spec.all();
    for (const method of METHODS) {
      const params: unknown[] = [this.database, MONITOR_ID, spec.requests()];
      if (method === 'monitor_cond_since') params.push(this.lastTxnId);
      this.format = method === 'monitor' ? 'update' : 'update2';
      try {
        this.takeDump(method, await connection.request(method, params));
        return;
      } catch (error) {
        const unknownMethod = error instanceof JsonRpcReplyError && method !== 'monitor';
        if (!unknownMethod) throw error;
      }
    }
  }

  private takeDump(method: (typeof METHODS)[number], result: JsonValue): void {
    let found = false;
    let updates = result;
    this.lastTxnId = ZERO_UUID;
    if (method === 'monitor_cond_since') {
      if (!Array.isArray(result) || result.length !== 3) {
        throw new TapswitchError('E_OVSDB_UPDATE', 'the reply to monitor_cond_since is not valid');
      }
      found = result[0] === true;
      this.lastTxnId = String(result[1]);
      updates = result[2];
    }
    if (found) applyUpdates(this.replica!, this.format, updates);
    else replaceContents(this.replica!, this.format, updates);
    this.seqno += 1;
    this.currentState = 'live';
    this.requestLock();
    this.publish();
    this.event();
  }

  private notified(method: string, params: JsonValue[]): void {
    if (method === 'locked' || method === 'stolen') {
      if (params[0] !== this.lock) return;
      this.setLockHeld(method === 'locked', method !== 'locked');
      this.event();
      return;
    }
    if (params[0] === SERVER_MONITOR_ID) {
      this.tryUpdate(() => checkServer(this.database, params[1]));
      return;
    }
    if (method !== 'update' && method !== 'update2' && method !== 'update3') return;
    if (!this.live) return;
    this.tryUpdate(() => {
      applyUpdates(this.replica!, this.format, params[method === 'update3' ? 2 : 1]);
      if (method === 'update3') this.lastTxnId = String(params[1]);
      this.publish();
    });
  }

  /** An update that makes no sense means that the replica is wrong: start again from a dump. */
  private tryUpdate(apply: () => void): void {
    try {
      apply();
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (!(failure instanceof TapswitchError && failure.code === 'E_OVSDB_CLUSTER')) {
        log.warn(`${this.remoteName}: ${failure.message}`);
        this.lastTxnId = ZERO_UUID;
      }
      this.disconnect(failure);
    }
  }

  private publish(): void {
    const changes = this.replica!.takeChanges();
    if (changes.size === 0) return;
    this.seqno += 1;
    try {
      this.options.onChange?.(changes);
    } catch (error) {
      // The replica is right; whoever follows it is not.
      log.err(`a follower of ${this.database} failed: ${(error as Error).stack ?? error}`);
    }
    this.event();
  }

  private setLockHeld(held: boolean, refused: boolean): void {
    this.lockHeld = held;
    this.lockRefused = refused;
  }

  private requestLock(): void {
    const name = this.lock;
    if (name === null) return;
    this.ask('lock', [name]).then(
      (result) => {
        if (name !== this.lock) return;
        const locked = (result as { locked?: boolean }).locked === true;
        this.setLockHeld(locked, !locked);
        this.event();
      },
      (error: unknown) => log.warn(`lock ${name}: ${errorMessage(error)}`),
    );
  }

  private disconnect(error: Error): void {
    if (this.isClosed || this.currentState === 'waiting' || this.currentState === 'dead') return;
    const now = this.options.clock.now();
    const wasUp = this.connectedMs > 0 || this.connection !== null;
    const { connection, abort } = this;
    this.connection = null;
    this.abort = null;
    this.setLockHeld(false, false);
    this.lastError = error;
    abort?.abort();
    connection?.close();
    const waitMs = this.backoff.failed(wasUp ? now - this.connectedMs : 0);
    this.logEnd(error, wasUp, waitMs);
    const triesLeft = this.reconnects || this.attempts < this.remotes.length;
    this.wakeMs = now + waitMs;
    this.setState(triesLeft ? 'waiting' : 'dead');
  }

  private logEnd(error: Error, wasUp: boolean, waitMs: number): void {
    if (this.backoff.quiet) return;
    const name = this.remoteName;
    const why = errorMessage(error);
    const what = wasUp ? 'connection dropped' : 'connection attempt failed';
    reconnectLog.info(`${name}: ${what} (${why})`);
    if (this.reconnects && waitMs > 0) {
      reconnectLog.info(`${name}: waiting ${waitMs / 1000} seconds before reconnect`);
    }
  }
}
