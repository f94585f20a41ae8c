/**
 * ovs-vsctl's global options.
 *
 * Not for: options of commands, except that those of the first may stand here too.
 */

import { CLIENT_SETTERS, type ClientSettings } from '../client-options.js';
import { getopt, LOG_OPTIONS, type OptionSpec } from '../getopt.js';
import type { CommandTable } from './command-line.js';
import { CtlError } from './errors.js';
import {
  CELL_FORMATS,
  type CellFormat,
  defaultStyle,
  TABLE_FORMATS,
  type TableFormat,
} from './table.js';

/** The options that do not depend on which commands there are, in the order of `--options`. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'db', arg: 'required' },
  { name: 'no-syslog', arg: 'none' },
  { name: 'no-wait', arg: 'none' },
  { name: 'dry-run', arg: 'none' },
  { name: 'oneline', arg: 'none' },
  { name: 'timeout', short: 't', arg: 'required' },
  { name: 'retry', arg: 'none' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'commands', arg: 'none' },
  { name: 'options', arg: 'none' },
  { name: 'leader-only', arg: 'none' },
  { name: 'no-leader-only', arg: 'none' },
  { name: 'shuffle-remotes', arg: 'none' },
  { name: 'no-shuffle-remotes', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
  ...LOG_OPTIONS,
  { name: 'format', short: 'f', arg: 'required' },
  { name: 'data', short: 'd', arg: 'required' },
  { name: 'no-headings', arg: 'none' },
  { name: 'pretty', arg: 'none' },
  { name: 'bare', arg: 'none' },
  { name: 'max-column-width', arg: 'required' },
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  { name: 'peer-ca-cert', arg: 'required' },
];

export type Action = 'run' | 'help' | 'version' | 'commands' | 'options';

export interface GlobalOptions {
  action: Action;
  db: string;
  wait: boolean;
  dryRun: boolean;
  oneline: boolean;
  retry: boolean;
  leaderOnly: boolean;
  shuffleRemotes: boolean;
  /** 0: none. */
  timeoutSeconds: number;
  style: ClientSettings['style'];
  tls: ClientSettings['tls'];
  /** Specifications of `-v`, in order; null for `-v` alone. */
  verbosity: (string | null)[];
  /** Absent: no file; null: the default one. */
  logFile?: string | null;
  /** Options of the first command. */
  local: Map<string, string | null>;
  /** What follows the options. */
  words: string[];
}

/** Where the database's socket is unless `--db` says otherwise. */
export function defaultDb(env: NodeJS.ProcessEnv): string {
  return `unix:${env.OVS_RUNDIR || '/var/run/openvswitch'}/db.sock`;
}

function commandOptionSpecs(table: CommandTable): OptionSpec[] {
  const specs = new Map<string, OptionSpec>();
  for (const { options } of table.values()) {
    for (const option of options) {
      const takesValue = option.endsWith('=');
      const name = takesValue ? option.slice(2, -1) : option.slice(2);
      specs.set(name, { name, arg: takesValue ? 'required' : 'none' });
    }
  }
  return [...specs.values()];
}

function parseSeconds(value: string): number {
  const seconds = /^\s*\+?\d+$/.test(value) ? Number(value) : 0;
  if (seconds < 1 || seconds > 0xffffffff) {
    throw new CtlError(`value ${value} on -t or --timeout is invalid`);
  }
  return seconds;
}

function parseFormat(value: string): TableFormat {
  if ((TABLE_FORMATS as readonly string[]).includes(value)) return value as TableFormat;
  throw new CtlError(`unknown output format "${value}"`);
}

function parseCells(value: string): CellFormat {
  if ((CELL_FORMATS as readonly string[]).includes(value)) return value as CellFormat;
  throw new CtlError(`unknown data format "${value}"`);
}

type Setter = (options: GlobalOptions, value: string) => void;

const FLAGS: Readonly<Record<string, Setter>> = {
  db: (o, value) => {
    o.db = value;
  },
  'no-wait': (o) => {
    o.wait = false;
  },
  'dry-run': (o) => {
    o.dryRun = true;
  },
  oneline: (o) => {
    o.oneline = true;
  },
  timeout: (o, value) => {
    o.timeoutSeconds = parseSeconds(value);
  },
  retry: (o) => {
    o.retry = true;
  },
  'leader-only': (o) => {
    o.leaderOnly = true;
  },
  'no-leader-only': (o) => {
    o.leaderOnly = false;
  },
  'shuffle-remotes': (o) => {
    o.shuffleRemotes = true;
  },
  'no-shuffle-remotes': (o) => {
    o.shuffleRemotes = false;
  },
  format: (o, value) => {
    o.style.format = parseFormat(value);
  },
  data: (o, value) => {
    o.style.cells = parseCells(value);
  },
  ...CLIENT_SETTERS,
};

/** Options that change nothing here: there is no syslog, and nobody connects to us. */
const ACCEPTED = new Set(['no-syslog', 'syslog-method', 'syslog-target', 'peer-ca-cert']);

function initialOptions(env: NodeJS.ProcessEnv): GlobalOptions {
  return {
    action: 'run',
    db: defaultDb(env),
    wait: true,
    dryRun: false,
    oneline: false,
    retry: false,
    leaderOnly: true,
    shuffleRemotes: true,
    timeoutSeconds: 0,
    style: defaultStyle(),
    tls: {},
    verbosity: [],
    local: new Map(),
    words: [],
  };
}

function isAction(name: string): name is Action {
  return ['help', 'version', 'commands', 'options'].includes(name);
}

/**
 * Reads the global options. Throws CtlError for a bad value, UsageError for a bad option.
 *
 * The first option that asks for text only (`--help`, `--version`...) ends the reading.
 */
export function parseOptions(
  argv: string[],
  table: CommandTable,
  env: NodeJS.ProcessEnv,
): GlobalOptions {
  const commandSpecs = commandOptionSpecs(table);
  const parsed = getopt(argv, [...GLOBAL_OPTIONS, ...commandSpecs], false);
  const result = initialOptions(env);
  result.words = parsed.args;
  for (const { name, value } of parsed.options) {
    if (isAction(name)) {
      result.action = name;
      return result;
    }
    if (name === 'verbose') result.verbosity.push(value ?? null);
    else if (name === 'log-file') result.logFile = value ?? null;
    else if (FLAGS[name]) FLAGS[name](result, value ?? '');
    else if (!ACCEPTED.has(name)) result.local.set(`--${name}`, value ?? null);
  }
  const envTimeout = env.OVS_CTL_TIMEOUT;
  if (result.timeoutSeconds === 0 && envTimeout && /^\d+$/.test(envTimeout)) {
    result.timeoutSeconds = Number(envTimeout);
  }
  return result;
}
