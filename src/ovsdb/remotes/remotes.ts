/**
 * The remotes of a database server: where it listens, whom it connects to, and
 * `db:DB,TABLE,COLUMN`, which stands for what that column of a database names, as it changes.
 *
 *     --remote, add-remote ─> configured ──┐
 *                                          ├─> wanted ── differs from served? ─> open, close
 *     db:Open_vSwitch,...  ─> named in it ─┘                     │
 *     rows that name remotes <── is_connected, status ───────────┘
 *
 * Keys and certificates may stand in the database too (`db:Open_vSwitch,SSL,private_key`).
 *
 * Not for: what is said to a client (../session.ts).
 */
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { Database } from '../database.js';
import type { OvsdbServer } from '../server.js';
import type { TlsFiles } from '../tls.js';
import { ActiveRemote } from './active-remote.js';
import { PassiveRemote } from './passive-remote.js';
import {
  type ColumnPlace,
  columnPlace,
  namesColumn,
  type RemoteSettings,
  remotesIn,
  stringIn,
} from './remote-rows.js';
import { writeRemoteStatus } from './remote-status.js';

/** How often rows are told what has become of their remotes, milliseconds. */
const STATUS_INTERVAL_MS = 2500;

const log = getLogger('ovsdb_server');

type Remote = ActiveRemote | PassiveRemote;

export interface RemotesOptions {
  /** Where sockets with relative names are made. */
  runDir: string;
  /** Names of files, or of columns that hold them. */
  tls?: TlsFiles;
  /** Called when run() has something to do earlier than nextWake() said. */
  onWake?: () => void;
}

export class Remotes {
  private readonly configured = new Set<string>();
  private readonly served = new Map<string, Remote>();
  private readonly follows = new Map<Database, () => void>();
  /** Targets that could not be opened, and why: told once. */
  private readonly faults = new Map<string, string>();
  private tlsText = '';
  private statusMs: number;
  private refreshing = false;
  private closed = false;
  /** Changes are made one after the other. */
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly server: OvsdbServer,
    private readonly options: RemotesOptions,
  ) {
    this.statusMs = server.now();
  }

  /** The remotes as they were given, sorted. */
  list(): string[] {
    return [...this.configured].sort();
  }

  /**
   * Adds a remote and opens it. What a `db:` remote names is tried, and logged when it fails; any
   * other remote that cannot be served is an error.
   *
   * @throws TapswitchError
   */
  async add(remote: string): Promise<void> {
    if (namesColumn(remote)) columnPlace(this.server.databases, remote);
    else await this.enqueue(() => this.open(remote, {}));
    this.configured.add(remote);
    await this.refresh();
    this.writeStatus();
  }

  /** Removes a remote and closes its sockets; false when there is none of that name. */
  async remove(remote: string): Promise<boolean> {
    if (!this.configured.delete(remote)) return false;
    await this.refresh();
    return true;
  }

  /** Follows a database: its columns may name remotes. Returns what ends that. */
  follow(database: Database): () => void {
    const stop = database.onCommit(() => this.refreshSoon());
    this.follows.set(database, stop);
    this.refreshSoon();
    return () => {
      stop();
      this.follows.delete(database);
      this.refreshSoon();
    };
  }

  /** One refresh for all commits of a turn. */
  private refreshSoon(): void {
    if (this.refreshing || this.closed) return;
    if (![...this.configured].some(namesColumn) && !this.tlsInDatabase) return;
    this.refreshing = true;
    setImmediate(() => {
      this.refreshing = false;
      this.refresh().catch((error) => log.err(errorMessage(error)));
    });
  }

  private get tlsInDatabase(): boolean {
    return Object.values(this.options.tls ?? {}).some(
      (v) => typeof v === 'string' && namesColumn(v),
    );
  }

  /** Opens and closes as configuration and databases want it now. */
  refresh(): Promise<void> {
    return this.enqueue(async () => {
      const wanted = this.wanted();
      this.renewKeys();
      for (const [target, remote] of this.served) {
        const settings = wanted.get(target);
        if (settings) {
          remote.setSettings(settings);
          continue;
        }
        this.served.delete(target);
        await remote.close();
      }
      for (const target of this.faults.keys()) if (!wanted.has(target)) this.faults.delete(target);
      for (const [target, settings] of wanted) {
        await this.open(target, settings).then(
          () => this.faults.delete(target),
          (error) => this.complain(target, errorMessage(error)),
        );
      }
      this.options.onWake?.();
    });
  }

  private complain(target: string, why: string): void {
    if (this.faults.get(target) === why) return;
    this.faults.set(target, why);
    log.err(`${target}: ${why}`);
  }

  private wanted(): Map<string, RemoteSettings> {
    const wanted = new Map<string, RemoteSettings>();
    for (const remote of this.configured) {
      if (!namesColumn(remote)) wanted.set(remote, {});
    }
    for (const place of this.places()) {
      for (const [target, settings] of remotesIn(place)) wanted.set(target, settings);
    }
    return wanted;
  }

  /** The columns that `db:` remotes name; those of databases that are gone left out. */
  private places(): ColumnPlace[] {
    const places: ColumnPlace[] = [];
    for (const remote of this.configured) {
      if (!namesColumn(remote)) continue;
      try {
        places.push(columnPlace(this.server.databases, remote));
        this.faults.delete(remote);
      } catch (error) {
        this.complain(remote, errorMessage(error));
      }
    }
    return places;
  }

  private enqueue(job: () => Promise<void>): Promise<void> {
    const done = this.work.then(job);
    this.work = done.catch(() => {});
    return done;
  }

  private async open(target: string, settings: RemoteSettings): Promise<void> {
    if (this.served.has(target)) return;
    if (/^(?:unix|tcp|ssl):/.test(target)) {
      const wake = (): void => this.options.onWake?.();
      const active = new ActiveRemote(target, this.server, settings, this.tlsFiles(), wake);
      this.served.set(target, active);
      active.run(this.server.now());
      return;
    }
    const passive = new PassiveRemote(target, this.server, settings);
    await passive.open(this.options.runDir, this.tlsFiles());
    this.served.set(target, passive);
  }

  /** The files' names, with those that stand in a database looked up. */
  tlsFiles(): TlsFiles {
    const files: Record<string, unknown> = { ...this.options.tls };
    for (const [key, value] of Object.entries(files)) {
      if (typeof value !== 'string' || !namesColumn(value)) continue;
      try {
        files[key] = stringIn(columnPlace(this.server.databases, value));
      } catch (error) {
        this.complain(value, errorMessage(error));
        delete files[key];
      }
    }
    return files;
  }

  /** Hands out new names of files. */
  private renewKeys(): void {
    if (!this.tlsInDatabase) return;
    const files = this.tlsFiles();
    const text = JSON.stringify(files);
    if (text === this.tlsText) return;
    this.tlsText = text;
    for (const [target, remote] of this.served) {
      try {
        remote.setTls(files);
      } catch (error) {
        this.complain(target, errorMessage(error));
      }
    }
  }

  /** Drops all clients of all remotes; they come back, or are connected to again. */
  reconnect(): void {
    for (const remote of this.served.values()) remote.reconnect();
  }

  /** Connects, and tells rows about their remotes. `now`: monotonic milliseconds. */
  run(now: number): void {
    for (const remote of this.served.values()) {
      if (remote instanceof ActiveRemote) remote.run(now);
    }
    if (now >= this.statusMs) this.writeStatus();
  }

  nextWake(): number {
    let wake = Number.POSITIVE_INFINITY;
    for (const remote of this.served.values()) {
      if (remote instanceof ActiveRemote) wake = Math.min(wake, remote.nextWake());
    }
    return [...this.configured].some(namesColumn) ? Math.min(wake, this.statusMs) : wake;
  }

  private writeStatus(): void {
    this.statusMs = this.server.now() + STATUS_INTERVAL_MS;
    writeRemoteStatus(this.places(), (target) => this.served.get(target)?.status());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.configured.clear();
    for (const stop of this.follows.values()) stop();
    this.follows.clear();
    await this.enqueue(async () => {
      const remotes = [...this.served.values()];
      this.served.clear();
      for (const remote of remotes) await remote.close();
    });
  }
}
