/**
 * Where a database server listens: `punix:FILE`, `ptcp:PORT[:IP]`, and `db:DB,TABLE,COLUMN`, which
 * stands for what that column of the database names, and follows its changes.
 *
 *     --remote, add-remote ─> configured ──┐
 *                                          ├─> wanted ── differs from listeners? ─> open, close
 *     db:Open_vSwitch,...  ─> named in it ─┘
 *
 * Not for: connecting out (tcp:, ssl:), or TLS (pssl:); they are refused.
 */
import type { Socket } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { Database, OvsdbServer, Table } from '../../ovsdb/index.js';
import { type Listener, listenTcp, listenUnix } from '../../ovsdb/listen.js';

/** The port of OVSDB (RFC 7047, section 4). */
const OVSDB_PORT = 6640;
const PORT_MAX = 65_535;

const log = getLogger('ovsdb_server');

/** A remote that is being listened to, and who is connected through it. */
interface Served {
  listener: Listener;
  sockets: Set<Socket>;
}

export class Remotes {
  private readonly configured = new Set<string>();
  private readonly served = new Map<string, Served>();
  /** Changes are made one after the other. */
  private work: Promise<void> = Promise.resolve();

  /** @param runDir where sockets with relative names are made */
  constructor(
    private readonly server: OvsdbServer,
    private readonly runDir: string,
  ) {}

  /** The remotes as they were given, sorted. */
  list(): string[] {
    return [...this.configured].sort();
  }

  /**
   * Adds a remote and begins to listen. What a `db:` remote names is tried, and logged when it
   * fails; any other remote that cannot be served is an error.
   *
   * @throws TapswitchError
   */
  async add(remote: string): Promise<void> {
    if (remote.startsWith('db:')) this.named(remote);
    else await this.enqueue(() => this.open(remote));
    this.configured.add(remote);
    await this.refresh();
  }

  /** Removes a remote and closes its socket; false when there is none of that name. */
  async remove(remote: string): Promise<boolean> {
    if (!this.configured.delete(remote)) return false;
    await this.refresh();
    return true;
  }

  /** Opens and closes sockets as configuration and databases want them now. */
  refresh(): Promise<void> {
    return this.enqueue(async () => {
      const wanted = this.wanted();
      for (const [remote, { listener, sockets }] of this.served) {
        if (wanted.has(remote)) continue;
        this.served.delete(remote);
        // Clients go with their remote; closing waits for them.
        for (const socket of sockets) socket.destroySoon();
        await listener.close();
      }
      for (const remote of wanted) {
        await this.open(remote).catch((error) => log.err(`${remote}: ${errorMessage(error)}`));
      }
    });
  }

  async close(): Promise<void> {
    this.configured.clear();
    await this.refresh();
  }

  private wanted(): Set<string> {
    const wanted = new Set<string>();
    for (const remote of this.configured) {
      for (const one of remote.startsWith('db:') ? this.named(remote) : [remote]) wanted.add(one);
    }
    return wanted;
  }

  private enqueue(job: () => Promise<void>): Promise<void> {
    const done = this.work.then(job);
    this.work = done.catch(() => {});
    return done;
  }

  private async open(remote: string): Promise<void> {
    if (this.served.has(remote)) return;
    const sockets = new Set<Socket>();
    const accept = (socket: Socket): void => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      this.server.accept(socket);
    };
    const unix = /^punix:(.+)$/.exec(remote);
    let listener: Listener;
    if (unix) {
      const path = isAbsolute(unix[1]) ? unix[1] : resolve(this.runDir, unix[1]);
      listener = await listenUnix(path, accept);
    } else {
      const { host, port } = parsePtcp(remote);
      listener = await listenTcp(host, port, accept);
    }
    this.served.set(remote, { listener, sockets });
  }

  /** What the column of a `db:DB,TABLE,COLUMN` names: its strings, or its rows' targets. */
  private named(remote: string): string[] {
    const [database, tableName, columnName] = remote.slice('db:'.length).split(',');
    const table = this.server.databases.get(database)?.tables.get(tableName);
    const column = table?.schema.columns.get(columnName ?? '');
    if (!table || !column) {
      throw new TapswitchError('E_OVSDB_REMOTE', `${remote}: no such database, table or column`);
    }
    const found: string[] = [];
    for (const row of table.rows.values()) {
      for (const key of row.fields[column.index].keys) {
        const target = column.type.key.refTable ? targetOf(table, column.index, key) : String(key);
        if (target !== null) found.push(target);
      }
    }
    return found;
  }
}

/** The `target` of the row `uuid` that column `index` of `table` refers to. */
function targetOf(table: Table, index: number, uuid: unknown): string | null {
  const referred = table.target(table.schema.columnList[index].type.key);
  const column = referred.schema.columns.get('target');
  const row = referred.rows.get(String(uuid));
  if (!column || !row) return null;
  return String(row.fields[column.index].keys[0]);
}

/** Host and port of `ptcp:[PORT][:IP]`. */
function parsePtcp(remote: string): { host: string; port: number } {
  const match = /^ptcp:(\d*)(?::(.+))?$/.exec(remote);
  const port = match?.[1] ? Number(match[1]) : OVSDB_PORT;
  if (!match || port > PORT_MAX) {
    throw new TapswitchError(
      'E_OVSDB_REMOTE',
      `${remote}: the database server does not listen on such a remote`,
      'give punix:FILE, ptcp:PORT[:IP] or db:DB,TABLE,COLUMN',
    );
  }
  const host = (match[2] ?? '0.0.0.0').replace(/^\[(.*)\]$/, '$1');
  return { host, port };
}

/** Follows the changes of `database`: its columns may name remotes. Returns what ends that. */
export function followDatabase(database: Database, remotes: Remotes): () => void {
  return database.onCommit(() => {
    remotes.refresh().catch((error) => log.err(errorMessage(error)));
  });
}
