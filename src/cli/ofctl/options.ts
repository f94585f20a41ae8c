/**
 * The options of `tapswitch ofctl`, which are those of ovs-ofctl(8).
 */

import type { TlsFiles } from '../../common/tls.js';
import {
  P_ANY,
  protocolsFromString,
  protocolsOfVersion,
  protocolsToString,
} from '../../openflow/protocols.js';
import { type Field, fieldByName } from '../../packet/fields.js';
import { getopt, LOG_OPTIONS, type OptionSpec } from '../getopt.js';
import { fatal } from './errors.js';
import type { LogOptions } from './logging.js';

/** In the order in which --option lists them. */
export const OPTIONS: readonly OptionSpec[] = [
  { name: 'timeout', short: 't', arg: 'required' },
  { name: 'strict', arg: 'none' },
  { name: 'readd', arg: 'none' },
  { name: 'flow-format', short: 'F', arg: 'required' },
  { name: 'packet-in-format', short: 'P', arg: 'required' },
  { name: 'more', short: 'm', arg: 'none' },
  { name: 'timestamp', arg: 'none' },
  { name: 'sort', arg: 'optional' },
  { name: 'rsort', arg: 'optional' },
  { name: 'names', arg: 'none' },
  { name: 'no-names', arg: 'none' },
  { name: 'stats', arg: 'none' },
  { name: 'no-stats', arg: 'none' },
  { name: 'unixctl', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'option', short: 'o', arg: 'none' },
  { name: 'bundle', arg: 'none' },
  { name: 'color', arg: 'optional' },
  { name: 'may-create', arg: 'none' },
  { name: 'pcap', arg: 'none' },
  { name: 'raw', arg: 'none' },
  { name: 'read-only', arg: 'none' },
  { name: 'detach', arg: 'none' },
  { name: 'no-self-confinement', arg: 'none' },
  { name: 'no-chdir', arg: 'none' },
  { name: 'pidfile', arg: 'optional' },
  { name: 'overwrite-pidfile', arg: 'none' },
  { name: 'monitor', arg: 'none' },
  { name: 'user', arg: 'required' },
  { name: 'version', short: 'V', arg: 'none' },
  { name: 'protocols', short: 'O', arg: 'required' },
  ...LOG_OPTIONS,
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
];

/** What `--option` prints: one way to write an option per line. */
export function optionLines(): string {
  return OPTIONS.map(({ name, short, arg }) => {
    const long = { none: '', required: '=ARG', optional: '=[ARG]' }[arg];
    const after = { none: '', required: 'ARG', optional: '[ARG]' }[arg];
    return `--${name}${long}\n${short === undefined ? '' : `-${short} ${after}\n`}`;
  }).join('');
}

/** One criterion of --sort; no field: the priority. */
export interface SortCriterion {
  field: Field | null;
  descending: boolean;
}

export interface OfctlOptions {
  action: 'run' | 'help' | 'version' | 'option';
  /** Milliseconds; null: wait for ever. */
  timeoutMs: number | null;
  strict: boolean;
  readd: boolean;
  readOnly: boolean;
  /** Changes go as one bundle. */
  bundle: boolean;
  /** mod-group makes groups that there are none of. */
  mayCreate: boolean;
  /** Flow formats allowed by -F. */
  allowed: number;
  /** Protocol versions allowed by -O. */
  versions: number[];
  /** standard 0, nxt_packet_in 1, nxt_packet_in2 2; null: choose. */
  packetInFormat: number | null;
  verbosity: number;
  timestamp: boolean;
  raw: boolean;
  /** compose-packet writes a capture. */
  pcap: boolean;
  log: LogOptions;
  tls: { -readonly [K in keyof TlsFiles]: TlsFiles[K] };
  /** monitor, snoop: options of daemons, as they were typed. */
  daemon: { name: string; value?: string }[];
  sort: SortCriterion[];
  /** Undefined: as the terminal suggests. */
  names?: boolean;
  stats: boolean;
  /** When to colour; undefined: never. */
  color?: string;
  args: string[];
}

const VERSION_NAMES: Record<string, number> = {
  openflow10: 1,
  openflow11: 2,
  openflow12: 3,
  openflow13: 4,
  openflow14: 5,
  openflow15: 6,
};

/** `OpenFlow13` as wire number. */
export const versionFromName = (name: string): number | undefined =>
  VERSION_NAMES[name.toLowerCase()];

/** `OpenFlow10,OpenFlow13` as wire numbers. */
function parseVersions(text: string): number[] {
  const versions = text
    .split(/[, ]+/)
    .filter((word) => word !== '')
    .map((word) => versionFromName(word) ?? unknownVersion(word));
  return [...new Set(versions)].sort((a, b) => a - b);
}

const unknownVersion = (word: string): never => fatal(`Unknown OpenFlow version: "${word}"`);

const versionName = (v: number): string => `OpenFlow1${v - 1}`;

function parseFormats(text: string): number {
  const parsed = protocolsFromString(text);
  if (typeof parsed !== 'number') fatal(`${parsed.unknown}: unknown flow protocol`);
  if (parsed === 0) fatal(`${text}: no flow protocol specified`);
  return parsed;
}

const PACKET_IN_FORMATS: Record<string, number> = {
  standard: 0,
  openflow10: 0,
  nxt_packet_in: 1,
  nxm: 1,
  nxt_packet_in2: 2,
};

function parsePacketInFormat(text: string): number {
  const format = PACKET_IN_FORMATS[text];
  return format ?? fatal(`unknown packet-in format \`${text}'`);
}

function criterion(text: string | undefined, descending: boolean): SortCriterion {
  if (text === undefined || text.toLowerCase() === 'priority') return { field: null, descending };
  return { field: fieldByName(text) ?? fatal(`${text}: unknown field name`), descending };
}

function parseTimeout(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds === 0) fatal(`value ${text} on -t or --timeout is invalid`);
  return seconds * 1000;
}

/** Taken, although nothing here is coloured. */
const COLOR_WORDS = [...['always', 'yes', 'force', 'never', 'no', 'none', 'auto', 'tty', 'if-tty']];
const DAEMON_WORDS = ['detach', 'no-chdir', 'pidfile', 'overwrite-pidfile', 'unixctl', 'monitor'];
const TLS_KEYS: Readonly<Record<string, Exclude<keyof TlsFiles, 'bootstrap'>>> = {
  'private-key': 'privateKey',
  certificate: 'certificate',
  'ca-cert': 'caCert',
  'ssl-protocols': 'protocols',
  'ssl-ciphers': 'ciphers',
};

/** What each option with an effect on the settings does. */
const SETTERS: Record<string, (o: OfctlOptions, value: string | undefined) => void> = {
  timeout: (o, v) => {
    o.timeoutMs = parseTimeout(v ?? '');
  },
  strict: (o) => {
    o.strict = true;
  },
  readd: (o) => {
    o.readd = true;
  },
  'read-only': (o) => {
    o.readOnly = true;
  },
  'flow-format': (o, v) => {
    o.allowed = parseFormats(v ?? '');
  },
  'packet-in-format': (o, v) => {
    o.packetInFormat = parsePacketInFormat(v ?? '');
  },
  more: (o) => {
    o.verbosity++;
  },
  timestamp: (o) => {
    o.timestamp = true;
  },
  raw: (o) => {
    o.raw = true;
  },
  sort: (o, v) => {
    o.sort.push(criterion(v, false));
  },
  rsort: (o, v) => {
    o.sort.push(criterion(v, true));
  },
  names: (o) => {
    o.names = true;
  },
  'no-names': (o) => {
    o.names = false;
  },
  stats: (o) => {
    o.stats = true;
  },
  'no-stats': (o) => {
    o.stats = false;
  },
  protocols: (o, v) => {
    o.versions = parseVersions(v ?? '');
  },
  bundle: (o) => {
    o.bundle = true;
  },
  verbose: (o, v) => {
    o.log.verbosity.push(v ?? null);
  },
  'log-file': (o, v) => {
    o.log.logFile = v ?? null;
  },
  color: (o, v) => {
    o.color = v ?? 'auto';
    if (v !== undefined && !COLOR_WORDS.includes(v.toLowerCase())) {
      fatal(`incorrect value \`${v}' for --color`);
    }
  },
  pcap: (o) => {
    o.pcap = true;
  },
  'may-create': (o) => {
    o.mayCreate = true;
  },
};

/**
 * Reads the command line.
 * @throws OfctlFatal, UsageError
 */
export function parseOptions(argv: string[]): OfctlOptions {
  const parsed = getopt(argv, OPTIONS, true);
  const options: OfctlOptions = {
    ...{ action: 'run', timeoutMs: null, strict: false, readd: false, readOnly: false },
    ...{ bundle: false, mayCreate: false },
    ...{ allowed: P_ANY, versions: [1], packetInFormat: null, verbosity: 0, timestamp: false },
    ...{ raw: false, pcap: false, sort: [], stats: true, args: parsed.args },
    ...{ log: { verbosity: [] }, tls: {}, daemon: [] },
  };
  for (const { name, value } of parsed.options) {
    if (name === 'help' || name === 'version' || name === 'option') {
      return { ...options, action: name };
    }
    if (DAEMON_WORDS.includes(name)) options.daemon.push({ name, value });
    else if (name in TLS_KEYS) options.tls[TLS_KEYS[name]] = value ?? '';
    else SETTERS[name]?.(options, value);
  }
  // A last pass by priority, so that equal flows come in the order in which they are looked up.
  if (options.sort.length > 0) options.sort.push({ field: null, descending: true });
  // Bundles exist since 1.4, and as an extension in 1.3.
  if (options.bundle && !options.versions.some((v) => v >= 4)) options.versions = [5];
  checkFormats(options);
  return options;
}

/** Refuses -F and -O that exclude each other. */
function checkFormats(options: OfctlOptions): void {
  const ofVersions = options.versions.reduce((set, v) => set | protocolsOfVersion(v), 0);
  if ((options.allowed & ofVersions) !== 0) {
    options.allowed &= ofVersions;
    return;
  }
  const versions = options.versions.map(versionName).join(', ');
  const formats = protocolsToString(options.allowed);
  fatal(
    `None of the enabled OpenFlow versions (${versions}) supports any of the enabled flow ` +
      `formats (${formats}).  (Use -O to enable additional OpenFlow versions or -F to enable ` +
      'additional flow formats.)',
  );
}
