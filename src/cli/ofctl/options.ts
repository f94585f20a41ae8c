/**
 * The options of `tapswitch ofctl`, which are those of ovs-ofctl(8).
 */
import {
  P_ANY,
  protocolsFromString,
  protocolsOfVersion,
  protocolsToString,
} from '../../openflow/protocols.js';
import { type Field, fieldByName } from '../../packet/fields.js';
import { getopt, LOG_OPTIONS, type OptionSpec } from '../getopt.js';
import { fatal } from './errors.js';

const OPTIONS: readonly OptionSpec[] = [
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
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'bundle', arg: 'none' },
  { name: 'color', arg: 'optional' },
  { name: 'may-create', arg: 'none' },
  { name: 'raw', arg: 'none' },
  { name: 'read-only', arg: 'none' },
  { name: 'protocols', short: 'O', arg: 'required' },
  { name: 'version', short: 'V', arg: 'none' },
  ...LOG_OPTIONS,
];

/** One criterion of --sort; no field: the priority. */
export interface SortCriterion {
  field: Field | null;
  descending: boolean;
}

export interface OfctlOptions {
  action: 'run' | 'help' | 'version';
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
  /** -v asked for less than notices. */
  quiet: boolean;
  sort: SortCriterion[];
  /** Undefined: as the terminal suggests. */
  names?: boolean;
  stats: boolean;
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

/** `OpenFlow10,OpenFlow13` as wire numbers. */
function parseVersions(text: string): number[] {
  const versions = text
    .split(/[, ]+/)
    .filter((word) => word !== '')
    .map((word) => VERSION_NAMES[word.toLowerCase()] ?? unknownVersion(word));
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
    o.quiet = /(^|[\s:,])(off|emer|err|warn)\b/i.test(v ?? '');
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
    ...{ raw: false, quiet: false, sort: [], stats: true, args: parsed.args },
  };
  for (const { name, value } of parsed.options) {
    if (name === 'help' || name === 'version') return { ...options, action: name };
    SETTERS[name]?.(options, value);
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
