/**
 * Options that every daemon takes: going to the background, pid file, control socket, logs.
 *
 * Not for: acting on them (life.ts), or what the daemon serves (switch-options.ts and the like).
 */
import { isAbsolute, join, resolve } from 'node:path';
import { LOG_OPTIONS, type OptionSpec, type ParsedOption } from '../getopt.js';
import { type Directories, directories } from './dirs.js';

/** What the command line asked of a daemon as such, with every path absolute. */
export interface DaemonFlags {
  /** The name in pid file, control socket and log file: what Open vSwitch's tools seek. */
  program: string;
  dirs: Directories;
  detach: boolean;
  /** With `detach`: print one line that tells the pid and where the messages go. */
  announce: boolean;
  chdir: boolean;
  /** Start the daemon again when it crashes. */
  monitor: boolean;
  /** null: no pid file. */
  pidFile: string | null;
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

export const DAEMON_OPTIONS: readonly OptionSpec[] = [
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
];

/** What a daemon does when nothing is said. */
export function defaultFlags(program: string, env: NodeJS.ProcessEnv): DaemonFlags {
  return {
    program,
    dirs: directories(env),
    detach: false,
    announce: false,
    chdir: true,
    monitor: false,
    pidFile: null,
    overwritePidFile: false,
    logFile: null,
    verbosity: [],
    unixctl: null,
    ignored: [],
  };
}

/** The pid file of `program` where no other was named. */
export function usualPidFile(flags: DaemonFlags): string {
  return join(flags.dirs.runDir, `${flags.program}.pid`);
}

/** The log file of `program` where no other was named. */
export function usualLogFile(flags: DaemonFlags): string {
  return join(flags.dirs.logDir, `${flags.program}.log`);
}

type Setter = (flags: DaemonFlags, value: string) => void;

/** Options by name. `value` is '' where none was given. */
const SETTERS: Readonly<Record<string, Setter>> = {
  detach: (flags) => {
    flags.detach = true;
  },
  monitor: (flags) => {
    flags.monitor = true;
  },
  'no-chdir': (flags) => {
    flags.chdir = false;
  },
  pidfile: (flags, value) => {
    flags.pidFile = value === '' ? usualPidFile(flags) : inDirectory(flags.dirs.runDir, value);
  },
  'overwrite-pidfile': (flags) => {
    flags.overwritePidFile = true;
  },
  'log-file': (flags, value) => {
    flags.logFile = value === '' ? usualLogFile(flags) : resolve(value);
  },
  verbose: (flags, value) => {
    flags.verbosity.push(value === '' ? null : value);
  },
  unixctl: (flags, value) => {
    flags.unixctl = inDirectory(flags.dirs.runDir, value);
  },
};

/** Takes one option into `flags`; one that means nothing here is noted as ignored. */
export function applyDaemonOption(flags: DaemonFlags, option: ParsedOption): void {
  const setter = SETTERS[option.name];
  if (setter) setter(flags, option.value ?? '');
  else flags.ignored.push(`--${option.name}`);
}

/** `name` as a path, taken from `directory` when relative, as Open vSwitch takes them. */
export function inDirectory(directory: string, name: string): string {
  return isAbsolute(name) ? name : join(directory, name);
}

/** What --help prints of these options. */
export function daemonOptionsUsage(flags: DaemonFlags): string {
  const { program } = flags;
  const { runDir, logDir } = flags.dirs;
  return `
Daemon options:
  --detach                return when the daemon is up, and leave it in background
  --no-chdir              with --detach: do not change to directory /
  --monitor               start it again when it crashes
  --pidfile[=FILE]        pid file (default: ${runDir}/${program}.pid)
  --overwrite-pidfile     start even if the pid file belongs to a live process
  --unixctl=SOCKET        control socket (default: ${runDir}/${program}.PID.ctl)

Logging options:
  -vSPEC, --verbose=SPEC  set logging levels, e.g. -vbond:file:dbg
  -v, --verbose           set maximum verbosity level
  --log-file[=FILE]       log to FILE (default: ${logDir}/${program}.log)

Other options:
  -h, --help              display this help message
  -V, --version           display version information

Directories are taken from OVS_RUNDIR, OVS_LOGDIR and OVS_DBDIR.
`;
}
