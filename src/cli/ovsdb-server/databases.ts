/**
 * The database files that a server has open, by the name of their database.
 *
 * Not for: what clients do with them (src/ovsdb).
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Clock } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import {
  type Database,
  OvsdbError,
  type OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
  type Remotes,
} from '../../ovsdb/index.js';
import { UnixctlError } from '../../unixctl/server.js';
import { lockDatabase } from '../daemon/db-lock.js';
import { ensureDirectory } from '../daemon/dirs.js';

const log = getLogger('ovsdb_server');

interface OpenFile {
  readonly database: Database;
  readonly path: string;
  readonly unfollow: () => void;
}

export class Databases {
  private readonly open = new Map<string, OpenFile>();

  constructor(
    private readonly server: OvsdbServer,
    private readonly clock: Clock,
    private readonly remotes: Remotes,
    /** Where relative names of files begin: the daemon may leave for another directory. */
    private readonly directory: string,
  ) {}

  names(): string[] {
    return [...this.open.keys()].sort();
  }

  /** Where the files are, absolute. */
  paths(): string[] {
    return [...this.open.values()].map(({ path }) => path);
  }

  get(name: string): Database | undefined {
    return this.open.get(name)?.database;
  }

  /**
   * Serves the database in `file`.
   *
   * @param create make it, for the switch, where there is none
   * @throws TapswitchError, UnixctlError
   */
  add(file: string, create: boolean): void {
    const path = resolve(this.directory, file);
    if ([...this.open.values()].some((open) => open.path === path)) {
      throw new UnixctlError(`ovsdb error: ${file}: already open`);
    }
    if (!create && !existsSync(path)) {
      throw new UnixctlError(`I/O error: ${file}: open failed (No such file or directory)`);
    }
    if (create) ensureDirectory(dirname(path), 'OVS_DBDIR');
    const database = openDatabaseFile(path, {
      ...(create && { schema: openVSwitchSchema() }),
      shownAs: file,
      lockFile: lockDatabase,
      now: () => this.clock.now(),
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
    this.open.set(database.name, { database, path, unfollow });
  }

  remove(name: string): void {
    const entry = this.open.get(name);
    if (!entry) throw new UnixctlError('Failed to find the database.');
    this.open.delete(name);
    this.server.removeDatabase(entry.database);
    entry.unfollow();
    entry.database.close();
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
    for (const { database, unfollow } of this.open.values()) {
      unfollow();
      database.close();
    }
    this.open.clear();
  }
}
