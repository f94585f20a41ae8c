/**
 * The command line of `tapswitch start` and `tapswitch vswitchd`: ovs-vswitchd's options, and for
 * `start` where the embedded database lives.
 *
 * Not for: acting on them (run.ts), or options that every daemon takes (options.ts).
 */
import { join, resolve } from 'node:path';
import type { DatabaseSource, DummyMode, SslFiles } from '../../vswitchd/daemon-types.js';
import { getopt, type OptionSpec, type ParsedOption, UsageError } from '../getopt.js';
import { DEFAULT_LISTEN } from '../web/options.js';
import type { Directories } from './dirs.js';
import {
  applyDaemonOption,
  DAEMON_OPTIONS,
  type DaemonFlags,
  daemonOptionsUsage,
  defaultFlags,
  inDirectory,
  usualLogFile,
  usualPidFile,
} from './options.js';
import type { WebFlags } from './web-child.js';

/** The switch daemon's name for Open vSwitch's tools. */
export const SWITCH_PROGRAM = 'ovs-vswitchd';

export type SwitchCommand = 'start' | 'vswitchd';

/** What the command line asked for. */
export interface SwitchFlags {
  daemon: DaemonFlags;
  database: DatabaseSource;
  ssl: SslFiles;
  dummy: DummyMode;
  disableSystem: boolean;
  /** The web console beside the switch; null: none. */
  web: WebFlags | null;
}

/** A command line that asks for text instead of a daemon. */
export type SwitchRequest =
  | { kind: 'run'; flags: SwitchFlags }
  | { kind: 'help' }
  | { kind: 'version' };

export const SSL_OPTIONS: readonly OptionSpec[] = [
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
  { name: 'peer-ca-cert', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
];

const OPTIONS: readonly OptionSpec[] = [
  ...DAEMON_OPTIONS,
  ...SSL_OPTIONS,
  { name: 'enable-dummy', arg: 'optional' },
  { name: 'disable-system', arg: 'none' },
  { name: 'disable-system-route', arg: 'none' },
  { name: 'dummy-numa', arg: 'required' },
  { name: 'web', arg: 'optional' },
  { name: 'web-write', arg: 'none' },
  { name: 'web-token-file', arg: 'required' },
  { name: 'web-allow-host', arg: 'required' },
];

const START_OPTIONS: readonly OptionSpec[] = [
  { name: 'db', arg: 'required' },
  { name: 'db-socket', arg: 'required' },
];

/**
 * Reads the command line. The switch always has a pid file: it keeps a second one out.
 * @throws UsageError
 */
export function parseSwitchOptions(
  command: SwitchCommand,
  argv: string[],
  env: NodeJS.ProcessEnv,
): SwitchRequest {
  const specs = command === 'start' ? [...OPTIONS, ...START_OPTIONS] : OPTIONS;
  const { options, args } = getopt(argv, specs, true);
  const web = options.find(({ name, value }) => name === 'web' && !value);
  // `start` takes no other argument: '--web ADDR:PORT' means the same as with '='.
  if (command === 'start' && web && args.length === 1) web.value = args.pop();
  if (options.some(({ name }) => name === 'help')) return { kind: 'help' };
  if (options.some(({ name }) => name === 'version')) return { kind: 'version' };
  const daemon = defaultFlags(SWITCH_PROGRAM, env);
  daemon.pidFile = usualPidFile(daemon);
  const database = databaseSource(command, args, daemon.dirs);
  const flags: SwitchFlags = {
    daemon,
    database,
    ssl: {},
    dummy: 'off',
    disableSystem: false,
    web: null,
  };
  for (const option of options) applyOption(flags, option);
  if (command === 'start' && daemon.detach) settleInBackground(daemon);
  return { kind: 'run', flags };
}

/**
 * `start --detach`, as ovs-ctl(8) starts the switch: messages go to the log file, and only warnings
 * of starting to the terminal. What -v says comes later and wins. `vswitchd` stays as
 * ovs-vswitchd, which does neither by itself.
 */
function settleInBackground(daemon: DaemonFlags): void {
  daemon.announce = true;
  daemon.logFile ??= usualLogFile(daemon);
  daemon.verbosity.unshift('console:warn');
}

function databaseSource(command: SwitchCommand, args: string[], dirs: Directories): DatabaseSource {
  const socket = join(dirs.runDir, 'db.sock');
  if (command === 'start') {
    if (args.length > 0) {
      throw new UsageError('start takes no arguments beside options; use --help for usage');
    }
    return { kind: 'embedded', file: join(dirs.dbDir, 'conf.db'), socket };
  }
  if (args.length > 1) {
    throw new UsageError('at most one non-option argument accepted; use --help for usage');
  }
  return { kind: 'remote', remotes: (args[0] ?? `unix:${socket}`).split(',') };
}

type Setter = (flags: SwitchFlags, value: string) => void;

/** Options by name. `value` is '' where none was given. */
const SETTERS: Readonly<Record<string, Setter>> = {
  'private-key': (flags, value) => {
    flags.ssl.privateKey = resolve(value);
  },
  certificate: (flags, value) => {
    flags.ssl.certificate = resolve(value);
  },
  'ca-cert': (flags, value) => {
    flags.ssl.caCert = resolve(value);
  },
  'peer-ca-cert': (flags, value) => {
    flags.ssl.peerCaCert = resolve(value);
  },
  'bootstrap-ca-cert': (flags, value) => {
    flags.ssl.bootstrapCaCert = resolve(value);
  },
  'enable-dummy': (flags, value) => {
    flags.dummy = dummyMode(value);
  },
  'disable-system': (flags) => {
    flags.disableSystem = true;
  },
  web: (flags, value) => {
    const web = webOf(flags);
    if (value !== '') web.listen = value;
  },
  'web-write': (flags) => {
    webOf(flags).write = true;
  },
  'web-token-file': (flags, value) => {
    webOf(flags).tokenFile = resolve(value);
  },
  'web-allow-host': (flags, value) => {
    webOf(flags).allowHosts.push(value);
  },
  db: (flags, value) => {
    if (flags.database.kind === 'embedded') flags.database.file = databaseFile(value);
  },
  'db-socket': (flags, value) => {
    if (flags.database.kind === 'embedded') {
      flags.database.socket = inDirectory(flags.daemon.dirs.runDir, value);
    }
  },
};

/** A file's name; a server's address would silently make a new, empty database of that name. */
function databaseFile(value: string): string {
  if (!/^p?(unix|tcp|ssl):/.test(value)) return resolve(value);
  throw new UsageError(
    `--db names a file, not a server; 'tapswitch vswitchd ${value}' uses the server at ${value}`,
  );
}

/** Any option of the console asks for it. */
function webOf(flags: SwitchFlags): WebFlags {
  flags.web ??= { listen: DEFAULT_LISTEN, write: false, tokenFile: null, allowHosts: [] };
  return flags.web;
}

function applyOption(flags: SwitchFlags, option: ParsedOption): void {
  const setter = SETTERS[option.name];
  if (setter) setter(flags, option.value ?? '');
  else applyDaemonOption(flags.daemon, option);
}

function dummyMode(value: string): DummyMode {
  if (value === 'override') return 'all';
  return value === 'system' ? 'system' : 'none';
}

/** What --help prints. */
export function switchUsage(command: SwitchCommand, env: NodeJS.ProcessEnv): string {
  const flags = defaultFlags(SWITCH_PROGRAM, env);
  const { runDir, dbDir } = flags.dirs;
  const about =
    command === 'start'
      ? `usage: tapswitch start [OPTIONS]
Runs the switch with a database of its own.

Database options:
  --db=FILE               database file, made where there is none
                          (default: ${dbDir}/conf.db)
  --db-socket=FILE        socket to serve it on (default: ${runDir}/db.sock)

With --detach messages go to the log file, also where --log-file is not given.
`
      : `usage: tapswitch vswitchd [OPTIONS] [DATABASE]
Runs the switch with the database of an OVSDB server; DATABASE is where that listens
(default: unix:${runDir}/db.sock), several separated by commas for a cluster:
  unix:FILE   tcp:HOST:PORT   ssl:HOST:PORT

Keys for ssl: connections:
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
  --bootstrap-ca-cert=FILE  the same, written on the first connection
`;
  return `${about}
Web console, a process beside the switch (tapswitch web --help):
  --web[=ADDR:PORT]       serve it (default: ${DEFAULT_LISTEN})
  --web-write             allow changes with the token (made as ${runDir}/web-token where
                          no file is named)
  --web-token-file=FILE   the token; needed to listen elsewhere than on loopback
  --web-allow-host=NAME   answer under this name, too

Options for tests:
  --enable-dummy[=system|override]  dummy devices, and the commands time/stop and time/warp
${daemonOptionsUsage(flags)}`;
}
