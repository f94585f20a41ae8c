/**
 * The OVSDB server (RFC 7047): listens, accepts clients, and ties sessions to databases.
 *
 *     unix socket --+
 *     TCP port -----+-> Session -> Database (Open_vSwitch) -> file
 *     in process ---+         `--> Database (_Server): what databases there are
 *
 * Time: run() does what is due (probes, timeouts of waits, compaction) and nextWake() says when
 * that is. With `selfTimed` the server sets its own timer and nobody has to call them.
 *
 * Not for: the command line, remotes that come and go (remotes/), clusters.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type Clock, NEVER } from '../common/clock.js';
import { errorMessage } from '../common/errors.js';
import type { JsonValue } from '../common/json.js';
import { ByteBudget } from '../common/json-stream.js';
import type { RpcSocket } from '../common/jsonrpc.js';
import { getLogger } from '../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../common/log-rate-limit.js';
import type { Commit, Database } from './database.js';
import { Database as MemoryDatabase } from './database.js';
import { Datum } from './datum.js';
import { type Listener, listenTcp, listenUnix } from './listen.js';
import { memorySocketPair } from './memory-socket.js';
import { UpdateCache } from './monitor.js';
import { News } from './news.js';
import { rowFromJson } from './operations.js';
import type { DatabaseSchema } from './schema.js';
import { serverSchema } from './server-schema.js';
import { Session, type SessionHost } from './session.js';
import { SessionLocks } from './session-locks.js';
import type { Table } from './table.js';
import type { Trigger } from './trigger.js';

const log = getLogger('ovsdb_server');

/** How often files are looked at for compaction, milliseconds. */
const COMPACT_INTERVAL_MS = 10_000;
const PEER_LOG_LIMIT = { burst: 5, perMinute: 5 };
/** Of messages that have begun and not ended, all clients together, bytes. */
const INPUT_BYTES_MAX = 256 * 1024 * 1024;
/** Node.js's longest timer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface OvsdbServerOptions {
  databases: Database[];
  clock: Clock;
  /**
   * Milliseconds of silence after which a client that is not on a unix socket is probed; 0: never.
   * Default 5000.
   */
  probeIntervalMs?: number;
  /** Longest message that is read, bytes. */
  maxMessageBytes?: number;
  /** Clients at one time. Default 4096. */
  maxSessions?: number;
  /** Keep time with a timer of the server's own. */
  selfTimed?: boolean;
  /** Called when run() has something to do earlier than nextWake() said. */
  onWake?: () => void;
}

/** How a client is served. */
export interface AcceptOptions {
  /** Milliseconds of silence after which it is probed; 0: never. Default: the server's. */
  probeIntervalMs?: number;
  /** It may look, not change. */
  readOnly?: boolean;
  /** The RBAC_Role that says what it may change; '': everything. */
  role?: string;
  /** The name in its certificate. */
  clientId?: string | null;
}

/** What `_Server` says of a database. */
export interface DatabaseState {
  readonly model: 'standalone' | 'relay';
  readonly connected: boolean;
  readonly leader: boolean;
}

const STANDALONE: DatabaseState = { model: 'standalone', connected: true, leader: true };

export class OvsdbServer implements SessionHost {
  readonly serverId = randomUUID();
  readonly locks = new SessionLocks();
  readonly news: News;
  readonly databases = new Map<string, Database>();
  conditionalMonitors = true;
  readOnly = false;
  private readonly serverDatabase = new MemoryDatabase(serverSchema());
  private readonly sessions = new Set<Session>();
  private readonly listeners = new Set<Listener>();
  private readonly waiting = new Set<Trigger>();
  private readonly caches = new Map<Database, UpdateCache>();
  private readonly unsubscribe = new Map<Database, () => void>();
  /** Clients that begin long messages and do not end them cannot take more than this together. */
  private readonly inputBudget = new ByteBudget(INPUT_BYTES_MAX);
  private readonly clock: Clock;
  /** Faults of clients: there may be many clients with many faults. */
  private readonly peerLog: RateLimitedLogger;
  /** Those of clients that do not even get as far as asking. */
  readonly streamLog: RateLimitedLogger;
  private retryScheduled = false;
  private compactAtMs: number;
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;
  private sessionCount = 0;

  constructor(private readonly options: OvsdbServerOptions) {
    this.clock = options.clock;
    this.news = new News(this.clock);
    this.peerLog = rateLimited(getLogger('jsonrpc'), this.clock, PEER_LOG_LIMIT);
    this.streamLog = rateLimited(getLogger('stream_ssl'), this.clock, PEER_LOG_LIMIT);
    this.compactAtMs = this.clock.now() + COMPACT_INTERVAL_MS;
    this.addDatabase(this.serverDatabase);
    for (const database of options.databases) this.addDatabase(database);
  }

  now(): number {
    return this.clock.now();
  }

  get closed(): boolean {
    return this.isClosed;
  }

  /** Clients that are connected. */
  get connections(): number {
    return this.sessions.size;
  }

  /** Serves one more database; clients that watch `_Server` learn of it, others reconnect. */
  addDatabase(database: Database, state: DatabaseState = STANDALONE): void {
    this.databases.set(database.name, database);
    this.caches.set(database, new UpdateCache());
    this.unsubscribe.set(
      database,
      database.onCommit((commit) => this.committed(commit)),
    );
    // Who is not told of databases begins anew; and before the news: it would mean nothing to him.
    this.disconnectUnaware();
    this.describe(database, state);
  }

  /** Stops serving a database. The database itself stays open. */
  removeDatabase(database: Database): void {
    if (this.databases.get(database.name) !== database) return;
    this.news.tellNow();
    this.disconnectUnaware();
    for (const session of this.sessions) session.forgetDatabase(database);
    this.databases.delete(database.name);
    this.caches.delete(database);
    this.unsubscribe.get(database)?.();
    this.unsubscribe.delete(database);
    this.serverDatabase.transact((transaction) => {
      for (const row of [...this.databaseTable.rows.values()]) {
        const name = row.fields[this.databaseTable.schema.columns.get('name')!.index];
        if (name.keys[0] === database.name) transaction.delete(row);
      }
    });
  }

  private get databaseTable(): Table {
    return this.serverDatabase.tables.get('Database') as Table;
  }

  /**
   * Brings a database to another schema while it is served. Clients that watch `_Server` are told
   * that it has gone and come back; others are disconnected, and find it anew.
   *
   * Throws OvsdbError when the rows do not fit the schema; the database is then as it was.
   */
  convertDatabase(database: Database, schema: DatabaseSchema, asker?: Session): void {
    this.changeSchema(database, () => database.convert(schema), { asker });
  }

  /**
   * Lets `change` give a database another schema, and tells everybody, but first `asker`.
   *
   * @param isFirst there was none before: nobody need begin anew
   */
  changeSchema(
    database: Database,
    change: () => void,
    { asker, isFirst = false }: { asker?: Session; isFirst?: boolean } = {},
  ): void {
    this.news.tellNow();
    change();
    if (isFirst) {
      this.setState(database, { schema: schemaText(database) });
      return;
    }
    this.disconnectUnaware(asker);
    for (const session of this.sessions) session.forgetDatabase(database);
    this.caches.set(database, new UpdateCache());
    this.setState(database, { schema: schemaText(database) });
    // The answer to whoever asked for this goes out first.
    queueMicrotask(() => this.disconnectUnaware());
  }

  /** Says in `_Server` whether a database's source is there. */
  setConnected(database: Database, connected: boolean): void {
    this.setState(database, { connected });
  }

  /** Writes columns of a database's row in `_Server`. */
  private setState(database: Database, state: { [column: string]: JsonValue }): void {
    const table = this.databaseTable;
    const values = rowFromJson(table, state);
    this.serverDatabase.transact((transaction) => {
      for (const row of [...table.rows.values()]) {
        if (row.fields[table.schema.columns.get('name')!.index].keys[0] !== database.name) continue;
        const copy = transaction.modify(row);
        for (const [column, datum] of values) copy.fields[column.index] = datum;
      }
    });
  }

  /** From now on nobody may change anything, or everybody again; all clients begin anew. */
  setReadOnly(readOnly: boolean): void {
    if (readOnly === this.readOnly) return;
    this.readOnly = readOnly;
    for (const session of [...this.sessions]) session.connection.close();
  }

  /** How many of each large thing there are, for `memory/show`. */
  memory(): [name: string, count: number][] {
    let cells = 0;
    let atoms = 0;
    for (const database of this.databases.values()) {
      if (database === this.serverDatabase) continue;
      const size = database.size();
      cells += size.cells;
      atoms += size.atoms;
    }
    let monitors = 0;
    for (const session of this.sessions) monitors += session.monitorCount;
    return [
      ['atoms', atoms],
      ['cells', cells],
      ['monitors', monitors],
      ['sessions', this.sessions.size],
      ['triggers', this.waiting.size],
    ];
  }

  /** Puts a database's row into `_Server`. */
  private describe(database: Database, state: DatabaseState): void {
    const table = this.databaseTable;
    const row = table.newRow(randomUUID());
    const values: { [column: string]: JsonValue } = { name: database.name, ...state };
    if (database.schema.tables.size > 0) values.schema = schemaText(database);
    for (const [column, datum] of rowFromJson(table, values)) row.fields[column.index] = datum;
    row.fields[0] = new Datum([row.uuid]);
    this.serverDatabase.transact((transaction) => transaction.insert(row));
  }

  /** From now on serves plain monitors only, as an old server does; all clients begin anew. */
  disableConditionalMonitors(): void {
    this.conditionalMonitors = false;
    for (const session of [...this.sessions]) session.connection.close();
  }

  private disconnectUnaware(except?: Session): void {
    for (const session of [...this.sessions]) {
      if (!session.databaseChangeAware && session !== except) session.connection.close();
    }
  }

  /**
   * Listens on a unix socket. Replaces a socket that nobody listens on; throws TapswitchError
   * E_SOCKET_IN_USE when somebody does, E_OVSDB_LISTEN when it cannot be made.
   */
  async listenUnix(path: string): Promise<void> {
    // A local peer cannot vanish without the kernel's saying so: no probe.
    this.listeners.add(
      await listenUnix(path, (socket) => this.accept(socket, { probeIntervalMs: 0 })),
    );
  }

  /** Listens on a TCP port (0: any that is free). Returns the port. Throws E_OVSDB_LISTEN. */
  async listenTcp(host: string, port: number): Promise<number> {
    const listener = await listenTcp(host, port, (socket) => this.accept(socket));
    this.listeners.add(listener);
    return listener.port;
  }

  /** Serves a client on a connected socket; null when there are too many. */
  accept(socket: RpcSocket, options: AcceptOptions = {}): Session | null {
    const { maxSessions = 4096 } = this.options;
    if (this.isClosed || this.sessions.size >= maxSessions) {
      socket.destroy();
      return null;
    }
    return this.serve(socket, options);
  }

  /** A socket whose other end is a client of this server, without any inactivity probe. */
  connectInProcess(): Duplex {
    const [near, far] = memorySocketPair();
    this.serve(far, { probeIntervalMs: 0 });
    return near;
  }

  private serve(socket: RpcSocket, options: AcceptOptions): Session {
    this.sessionCount += 1;
    const { probeIntervalMs = this.options.probeIntervalMs ?? 5000, readOnly = false } = options;
    const session = new Session(socket, this, {
      clock: this.clock,
      probeIntervalMs,
      maxBytes: this.options.maxMessageBytes,
      budget: this.inputBudget,
      name: `ovsdb#${this.sessionCount}`,
      log: this.peerLog,
    });
    session.remoteReadOnly = readOnly;
    session.role = options.role ?? '';
    session.clientId = options.clientId ?? null;
    this.sessions.add(session);
    this.schedule();
    this.options.onWake?.();
    return session;
  }

  sessionClosed(session: Session): void {
    this.sessions.delete(session);
  }

  updateCache(database: Database): UpdateCache {
    return this.caches.get(database) as UpdateCache;
  }

  triggerWaits(trigger: Trigger): void {
    this.waiting.add(trigger);
    this.schedule();
    if (trigger.deadlineMs !== NEVER) this.options.onWake?.();
  }

  triggerGone(trigger: Trigger): void {
    this.waiting.delete(trigger);
  }

  private committed(commit: Commit): void {
    for (const session of this.sessions) session.commit(commit);
    if (this.waiting.size === 0 || this.retryScheduled) return;
    // Not now: the transaction that has just been committed has still to be answered.
    this.retryScheduled = true;
    queueMicrotask(() => {
      this.retryScheduled = false;
      this.runTriggers(() => true);
    });
  }

  private runTriggers(isDue: (trigger: Trigger) => boolean): void {
    const now = this.clock.now();
    for (const trigger of [...this.waiting]) {
      if (isDue(trigger)) trigger.run(now);
      if (!trigger.waiting) this.waiting.delete(trigger);
    }
  }

  /** Does what is due. `now`: the clock's monotonic milliseconds. */
  run(now: number): void {
    if (this.isClosed) return;
    for (const session of [...this.sessions]) session.connection.run(now);
    this.runTriggers((trigger) => trigger.deadlineMs <= now);
    if (now >= this.compactAtMs) {
      this.compactAtMs = now + COMPACT_INTERVAL_MS;
      for (const database of this.databases.values()) compactIfWorthwhile(database);
    }
    this.schedule();
  }

  /** Monotonic milliseconds at which run() has something to do. */
  nextWake(): number {
    if (this.isClosed) return NEVER;
    let wake = NEVER;
    for (const session of this.sessions) wake = Math.min(wake, session.connection.nextWake());
    for (const trigger of this.waiting) wake = Math.min(wake, trigger.deadlineMs);
    const compacts = [...this.databases.values()].some((database) => database.worthCompacting);
    return compacts ? Math.min(wake, this.compactAtMs) : wake;
  }

  private schedule(): void {
    if (!this.options.selfTimed || this.isClosed) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const wake = this.nextWake();
    if (wake === NEVER) return;
    const delay = Math.min(Math.max(Math.ceil(wake - this.clock.now()), 1), TIMER_MS_MAX);
    this.timer = setTimeout(() => this.run(this.clock.now()), delay);
    this.timer.unref();
  }

  /** Stops listening and disconnects everybody. The databases stay open. Idempotent. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.timer) clearTimeout(this.timer);
    for (const unsubscribe of this.unsubscribe.values()) unsubscribe();
    this.news.tellNow();
    for (const session of [...this.sessions]) session.connection.close();
    await Promise.all([...this.listeners].map((listener) => listener.close()));
  }
}

function schemaText(database: Database): string {
  return JSON.stringify(database.schema.toJson());
}

function compactIfWorthwhile(database: Database): void {
  if (!database.worthCompacting) return;
  try {
    database.compact();
    log.info(`${database.name}: compacted database file`);
  } catch (error) {
    log.warn(`${database.name}: compaction failed (${errorMessage(error)})`);
  }
}
