/**
 * The database files that a server has open, by the name of their database.
 *
 * Not for: what clients do with them (src/ovsdb).
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Clock, NEVER } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import {
  type Database,
  OvsdbError,
  type OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
  Relay,
  type Remotes,
} from '../../ovsdb/index.js';
import { UnixctlError } from '../../unixctl/server.js';
import { lockDatabase } from '../daemon/db-lock.js';
import { ensureDirectory } from '../daemon/dirs.js';

const log = getLogger('ovsdb_server');

interface Served {
  readonly database: Database;
  /** A file's absolute path, or `relay:DB:REMOTE,...`. */
  readonly name: string;
  /** A relay's connection to its source; null for a file. */
  readonly relay: Relay | null;
  readonly unfollow: () => void;
}

/** A server that does nothing else may let its clients wait for the disk so long, milliseconds. */
const QUICK_SYNC_MS = 4;

const RELAY = /^relay:([^:]+):(.+)$/;

/** A database that is to be served is not there. */
export class NoSuchFile extends UnixctlError {
  constructor(file: string) {
    super(`I/O error: ${file}: open failed (No such file or directory)`);
  }
}

export class Databases {
  private readonly open = new Map<string, Served>();

  constructor(
    private readonly server: OvsdbServer,
    private readonly clock: Clock,
    private readonly remotes: Remotes,
    /** Where relative names of files begin: the daemon may leave for another directory. */
    private readonly directory: string,
    private readonly onWake: () => void,
  ) {}

  names(): string[] {
    return [...this.open.keys()].sort();
  }

  /** What is served, as add() takes it from any directory. */
  sources(): string[] {
    return [...this.open.values()].map(({ name }) => name);
  }

  /** The databases that are files here, by name. */
  fromFiles(): ReadonlyMap<string, Database> {
    const files = [...this.open].filter(([, { relay }]) => relay === null);
    return new Map(files.map(([name, { database }]) => [name, database]));
  }

  get(name: string): Database | undefined {
    return this.open.get(name)?.database;
  }

  /**
   * Serves the database in `file`, or as a relay one of other servers (`relay:DB:REMOTE,...`).
   *
   * @param create make it, for the switch, where there is none
   * @throws TapswitchError, UnixctlError
   */
  add(file: string, create: boolean): void {
    if (file.startsWith('relay:')) {
      this.addRelay(file);
      return;
    }
    const path = resolve(this.directory, file);
    if ([...this.open.values()].some((open) => open.name === path)) {
      throw new UnixctlError(`ovsdb error: ${file}: already open`);
    }
    if (!create && !existsSync(path)) {
      throw new NoSuchFile(file);
    }
    if (create) ensureDirectory(dirname(path), 'OVS_DBDIR');
    const database = openDatabaseFile(path, {
      ...(create && { schema: openVSwitchSchema() }),
      shownAs: file,
      lockFile: lockDatabase,
      now: () => this.clock.now(),
      quickSyncMs: QUICK_SYNC_MS,
      wallNow: () => this.clock.wallNow(),
    });
    const fault = this.open.has(database.name)
      ? `${database.name}: duplicate database name`
      : database.name.startsWith('_')
        ? `${database.name}: names beginning with "_" are reserved`
        : null;
    if (fault !== null) {
      database.close();
      throw new UnixctlError(`ovsdb error: ${fault}`);
    }
    this.server.addDatabase(database);
    const unfollow = this.remotes.follow(database);
    this.open.set(database.name, { database, name: path, relay: null, unfollow });
  }

  private addRelay(name: string): void {
    const match = RELAY.exec(name);
    if (!match) throw new UnixctlError(`${name}: not relay:DB:REMOTE[,REMOTE...]`);
    const [, database, remotes] = match;
    if (this.open.has(database)) {
      throw new UnixctlError(`ovsdb error: ${database}: duplicate database name`);
    }
    const relay = new Relay(this.server, {
      database,
      remotes: remotes.split(','),
      clock: this.clock,
      tls: () => this.remotes.tlsFiles(),
      onWake: this.onWake,
    });
    const unfollow = this.remotes.follow(relay.database);
    this.open.set(database, { database: relay.database, name, relay, unfollow });
    this.onWake();
  }

  /** Keeps relays connected. `now`: monotonic milliseconds. */
  run(now: number): void {
    for (const { relay } of this.open.values()) relay?.run(now);
  }

  nextWake(): number {
    const wakes = [...this.open.values()].map(({ relay }) => relay?.nextWake() ?? NEVER);
    return Math.min(NEVER, ...wakes);
  }

  remove(name: string): void {
    const entry = this.open.get(name);
    if (!entry) throw new UnixctlError('Failed to find the database.');
    this.open.delete(name);
    this.end(entry);
  }

  private end({ database, relay, unfollow }: Served): void {
    unfollow();
    if (relay) relay.close();
    else {
      this.server.removeDatabase(database);
      database.close();
    }
  }

  /** Rewrites the files of one or all databases without what has been overwritten. */
  compact(name?: string): void {
    if (name?.startsWith('_')) throw new UnixctlError('cannot compact built-in databases');
    const names = name === undefined ? this.names() : [name];
    for (const one of names) {
      const database = this.get(one);
      if (!database) throw new UnixctlError('no database by that name');
      log.info(`compacting ${one} database by user request`);
      try {
        database.compact();
      } catch (error) {
        throw error instanceof OvsdbError ? new UnixctlError(error.message) : error;
      }
    }
  }

  close(): void {
    for (const { database, relay, unfollow } of this.open.values()) {
      unfollow();
      relay?.close();
      database.close();
    }
    this.open.clear();
  }
}
