/**
 * What the command line hands to the switch daemon, and what it gets back.
 *
 *     src/cli/daemon   directories, pid file, logs, signals, control socket, main loop
 *          │ startDaemon(DaemonOptions)                      (src/vswitchd/daemon.ts)
 *          v
 *     RunningDaemon    database, bridges, OpenFlow listeners, datapath
 *
 * Types only, so that neither side has to load the other to be checked.
 */
import type { WarpClock } from '../common/clock.js';
import type { PollLoop } from '../common/poll-loop.js';
import type { Coverage } from '../unixctl/coverage.js';
import type { MemoryReport } from '../unixctl/memory.js';
import type { UnixctlServer } from '../unixctl/server.js';

/** Keys and certificates for ssl: connections: file names, as given. */
export interface SslFiles {
  privateKey?: string;
  certificate?: string;
  caCert?: string;
  /** Written on the first connection where it does not exist (--bootstrap-ca-cert). */
  bootstrapCaCert?: string;
  peerCaCert?: string;
}

/** Where the configuration comes from. */
export type DatabaseSource =
  /** A database of our own: `file` is made where it does not exist, and served on `socket`. */
  | { kind: 'embedded'; file: string; socket: string }
  /** Servers to connect to, e.g. `unix:/run/db.sock`: any one of them, they are one cluster. */
  | { kind: 'remote'; remotes: string[] };

/**
 * Dummy devices for tests, as ovs-vswitchd's --enable-dummy: `none` adds the types `dummy`,
 * `system` makes them stand in for type system, `all` for every type.
 */
export type DummyMode = 'off' | 'none' | 'system' | 'all';

export interface DaemonOptions {
  /** Absolute path of the directory for sockets (BRIDGE.mgmt and the like). */
  runDir: string;
  /** Absolute path of the directory for logs. */
  logDir: string;
  /** Absolute path of the directory for databases. */
  dbDir: string;
  database: DatabaseSource;
  ssl: SslFiles;
  dummy: DummyMode;
  /** The machine's own interfaces are out of bounds (--disable-system). */
  disableSystem?: boolean;
  /** Version text, first line as for `ovs-vswitchd --version`. */
  versionText: string;
  clock: WarpClock;
  /** Started and stopped by the caller. Modules are added by the daemon. */
  loop: PollLoop;
  /** Listening already. The daemon adds its commands. */
  unixctl: UnixctlServer;
  coverage: Coverage;
  memory: MemoryReport;
  /** Takes a database's lock file (a `LockFile` of src/ovsdb), as ovsdb-server does. */
  lockDatabase(path: string): { release(): void };
  /** The daemon cannot go on: the caller logs the error and closes everything. */
  onFatal(error: Error): void;
}

export interface RunningDaemon {
  /** Resolves when the first configuration has been applied; `--detach` returns then. */
  readonly ready: Promise<void>;
  /**
   * Closes devices, sockets and workers, in that order of dependence, and removes their files.
   * Nothing that the daemon made exists afterwards. With `cleanup`, also undoes what was set up
   * outside for the database's sake (as `ovs-appctl exit --cleanup`). Idempotent.
   */
  close(options: { cleanup: boolean }): Promise<void>;
}
