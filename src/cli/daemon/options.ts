/**
 * The command line of `tapswitch start` and `tapswitch vswitchd`: ovs-vswitchd's options, and for
 * `start` where the embedded database lives.
 *
 * Not for: acting on them (run.ts).
 */
import { isAbsolute, join, resolve } from 'node:path';
import type { DatabaseSource, DummyMode, SslFiles } from '../../vswitchd/daemon-types.js';
import { getopt, LOG_OPTIONS, type OptionSpec, type ParsedOption, UsageError } from '../getopt.js';
import { type Directories, directories } from './dirs.js';

/** The daemon's name in pid file, control socket and log file: what Open vSwitch's tools seek. */
export const DAEMON_NAME = 'ovs-vswitchd';

/** What the command line asked for, with every path absolute. */
export interface DaemonFlags {
  command: 'start' | 'vswitchd';
  dirs: Directories;
  database: DatabaseSource;
  ssl: SslFiles;
  dummy: DummyMode;
  detach: boolean;
  chdir: boolean;
  pidFile: string;
  overwritePidFile: boolean;
  /** null: no log file. */
  logFile: string | null;
  /** Arguments of -v in order; null: maximum verbosity. */
  verbosity: (string | null)[];
  /** Path of the control socket, or null for the usual one (it has the pid in its name). */
  unixctl: string | null;
  /** Options that are taken for compatibility and do nothing here, to be logged. */
  ignored: string[];
}

/** A command line that asks for text instead of a daemon. */
export type DaemonRequest =
  | { kind: 'run'; flags: DaemonFlags }
  | { kind: 'help' }
  | { kind: 'version' };

const OPTIONS: readonly OptionSpec[] = [
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
  { name: 'mlockall', arg: 'none' },
  { name: 'unixctl', arg: 'required' },
  { name: 'detach', arg: 'none' },
  { name: 'no-chdir', arg: 'none' },
  { name: 'pidfile', arg: 'optional' },
  { name: 'overwrite-pidfile', arg: 'none' },
  { name: 'monitor', arg: 'none' },
  { name: 'user', arg: 'required' },
  { name: 'no-self-confinement', arg: 'none' },
  ...LOG_OPTIONS,
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
  { name: 'peer-ca-cert', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  { name: 'enable-dummy', arg: 'optional' },
  { name: 'disable-system', arg: 'none' },
  { name: 'disable-system-route', arg: 'none' },
];

const START_OPTIONS: readonly OptionSpec[] = [
  { name: 'db', arg: 'required' },
  { name: 'db-socket', arg: 'required' },
];

/**
 * Reads the command line.
 * @throws UsageError
 */
export function parseDaemonOptions(
  command: 'start' | 'vswitchd',
  argv: string[],
  env: NodeJS.ProcessEnv,
): DaemonRequest {
  const specs = command === 'start' ? [...OPTIONS, ...START_OPTIONS] : OPTIONS;
  const { options, args } = getopt(argv, specs, true);
  if (options.some(({ name }) => name === 'help')) return { kind: 'help' };
  if (options.some(({ name }) => name === 'version')) return { kind: 'version' };
  const dirs = directories(env);
  const flags: DaemonFlags = {
    command,
    dirs,
    database: databaseSource(command, args, dirs),
    ssl: {},
    dummy: 'off',
    detach: false,
    chdir: true,
    pidFile: join(dirs.runDir, `${DAEMON_NAME}.pid`),
    overwritePidFile: false,
    logFile: null,
    verbosity: [],
    unixctl: null,
    ignored: [],
  };
  for (const option of options) applyOption(flags, option);
  return { kind: 'run', flags };
}

function databaseSource(
  command: 'start' | 'vswitchd',
  args: string[],
  dirs: Directories,
): DatabaseSource {
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

type Setter = (flags: DaemonFlags, value: string) => void;

/** Options by name. `value` is '' where none was given. */
const SETTERS: Readonly<Record<string, Setter>> = {
  detach: (flags) => {
    flags.detach = true;
  },
  'no-chdir': (flags) => {
    flags.chdir = false;
  },
  pidfile: (flags, value) => {
    if (value !== '') flags.pidFile = inDirectory(flags.dirs.runDir, value);
  },
  'overwrite-pidfile': (flags) => {
    flags.overwritePidFile = true;
  },
  'log-file': (flags, value) => {
    flags.logFile = value === '' ? join(flags.dirs.logDir, `${DAEMON_NAME}.log`) : resolve(value);
  },
  verbose: (flags, value) => {
    flags.verbosity.push(value === '' ? null : value);
  },
  unixctl: (flags, value) => {
    flags.unixctl = inDirectory(flags.dirs.runDir, value);
  },
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
  db: (flags, value) => {
    if (flags.database.kind === 'embedded') flags.database.file = resolve(value);
  },
  'db-socket': (flags, value) => {
    if (flags.database.kind === 'embedded') {
      flags.database.socket = inDirectory(flags.dirs.runDir, value);
    }
  },
};

function applyOption(flags: DaemonFlags, option: ParsedOption): void {
  const setter = SETTERS[option.name];
  if (setter) setter(flags, option.value ?? '');
  else flags.ignored.push(`--${option.name}`);
}

function dummyMode(value: string): DummyMode {
  if (value === 'override') return 'all';
  return value === 'system' ? 'system' : 'none';
}

/** `name` as a path, taken from `directory` when relative, as Open vSwitch takes them. */
function inDirectory(directory: string, name: string): string {
  return isAbsolute(name) ? name : join(directory, name);
}

/** What --help prints. */
export function daemonUsage(command: 'start' | 'vswitchd', env: NodeJS.ProcessEnv): string {
  const { runDir, logDir, dbDir } = directories(env);
  const about =
    command === 'start'
      ? `usage: tapswitch start [OPTIONS]
Runs the switch with a database of its own.

Database options:
  --db=FILE               database file, made where there is none
                          (default: ${dbDir}/conf.db)
  --db-socket=FILE        socket to serve it on (default: ${runDir}/db.sock)
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
Daemon options:
  --detach                return when the switch is up, and leave it in background
  --no-chdir              with --detach: do not change to directory /
  --pidfile[=FILE]        pid file (default: ${runDir}/${DAEMON_NAME}.pid)
  --overwrite-pidfile     start even if the pid file belongs to a live process
  --unixctl=SOCKET        control socket (default: ${runDir}/${DAEMON_NAME}.PID.ctl)
  --enable-dummy[=system|override]  dummy devices and time/warp, for tests

Logging options:
  -vSPEC, --verbose=SPEC  set logging levels, e.g. -vbond:file:dbg
  -v, --verbose           set maximum verbosity level
  --log-file[=FILE]       log to FILE (default: ${logDir}/${DAEMON_NAME}.log)

Other options:
  -h, --help              display this help message
  -V, --version           display version information

Directories are taken from OVS_RUNDIR, OVS_LOGDIR and OVS_DBDIR.
`;
}
