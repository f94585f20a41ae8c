/**
 * Whether the server is an active one or the backup of another, and the commands that decide it.
 *
 *     active <── disconnect-active-ovsdb-server, a fault ── backup (clients may only look)
 *        └──────── connect-active-ovsdb-server, --sync-from ───> ^
 *
 * Not for: the copying itself (src/ovsdb/upstream/replication.ts).
 */
import { type Clock, NEVER } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { ExcludedTables, type OvsdbServer, type Remotes, Replication } from '../../ovsdb/index.js';
import type { UnixctlServer } from '../../unixctl/server.js';
import type { Databases } from './databases.js';

/** What is to be done, as it was given. */
export interface BackupSettings {
  /** The active server. */
  syncFrom: string | null;
  /** `DB:TABLE,...` */
  syncExclude: string;
  isBackup: boolean;
  probeIntervalMs: number;
}

export const PROBE_INTERVAL_MS = 60_000;

export class BackupRole {
  private replication: Replication | null = null;

  constructor(
    private readonly server: OvsdbServer,
    private readonly databases: Databases,
    private readonly remotes: Remotes,
    private readonly clock: Clock,
    readonly settings: BackupSettings,
    private readonly onWake: () => void,
  ) {}

  /** Begins to copy, if this is to be a backup; anew, if it does already. */
  restart(): void {
    this.replication?.close();
    this.replication = null;
    const { syncFrom, syncExclude, isBackup, probeIntervalMs } = this.settings;
    this.server.setReadOnly(isBackup);
    if (!isBackup || syncFrom === null) return;
    this.replication = new Replication(this.server, {
      clock: this.clock,
      remote: syncFrom,
      excluded: new ExcludedTables(syncExclude),
      probeIntervalMs,
      databases: () => this.databases.fromFiles(),
      tls: () => this.remotes.tlsFiles(),
      onFailure: () => this.setBackup(false),
      onWake: this.onWake,
    });
    this.onWake();
  }

  setBackup(isBackup: boolean): void {
    this.settings.isBackup = isBackup;
    this.restart();
  }

  run(now: number): void {
    this.replication?.run(now);
  }

  nextWake(): number {
    return this.replication?.nextWake() ?? NEVER;
  }

  close(): void {
    this.replication?.close();
  }

  /** Adds the commands of ovs-appctl. `changed`: the settings are others now. */
  register(unixctl: UnixctlServer, changed: () => void): void {
    const { settings } = this;
    const command = (name: string, min: number, max: number, run: (value: string) => string) =>
      unixctl.register(`ovsdb-server/${name}`, '', min, max, (_command, [value = '']) => {
        const reply = run(value);
        changed();
        return reply;
      });
    command('set-active-ovsdb-server', 1, 1, (remote) => {
      settings.syncFrom = remote;
      return '';
    });
    command('get-active-ovsdb-server', 0, 0, () => settings.syncFrom ?? '');
    command('connect-active-ovsdb-server', 0, 0, () => {
      if (settings.syncFrom === null) return 'Unable to connect: active server is not specified.\n';
      this.setBackup(true);
      return '';
    });
    command('disconnect-active-ovsdb-server', 0, 0, () => {
      this.setBackup(false);
      return '';
    });
    command('set-active-ovsdb-server-probe-interval', 1, 1, (text) => {
      if (!/^-?\d+$/.test(text)) return 'Invalid probe interval, integer value expected';
      settings.probeIntervalMs = Number(text);
      this.replication?.setProbeInterval(settings.probeIntervalMs);
      return '';
    });
    command('set-sync-exclude-tables', 0, 1, (text) => this.exclude(text));
    command('get-sync-exclude-tables', 0, 0, () =>
      String(new ExcludedTables(settings.syncExclude)),
    );
    command('sync-status', 0, 0, () => {
      const state = settings.isBackup ? 'backup' : 'active';
      return `state: ${state}\n${this.replication?.status() ?? ''}`;
    });
  }

  /** Returns what is wrong with the list; ovs-appctl prints it and succeeds. */
  private exclude(text: string): string {
    try {
      new ExcludedTables(text);
    } catch (error) {
      return errorMessage(error);
    }
    this.settings.syncExclude = text;
    if (this.settings.isBackup) this.restart();
    return '';
  }
}
