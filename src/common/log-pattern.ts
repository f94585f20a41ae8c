/**
 * How a log line looks: Open vSwitch's patterns, one for each destination.
 *
 * A pattern is text with `%` items: `%05N` is the message number with five digits, `%D{FORMAT}` the
 * date in UTC, and so on (ovs-appctl(8), "vlog/set PATTERN"). The defaults are those of Open
 * vSwitch, so that its users' log readers go on working.
 *
 * Not for: deciding whether a line is written (log.ts), or writing it (log-sinks.ts).
 */
import { hostname } from 'node:os';
import type { LogLevel } from './log.js';

/** The destinations, in the order in which `vlog/list-pattern` prints them. */
export const LOG_DESTINATIONS = ['syslog', 'console', 'file'] as const;
export type LogDestination = (typeof LOG_DESTINATIONS)[number];

export const DEFAULT_PATTERNS: Readonly<Record<LogDestination, string>> = {
  syslog: 'ovs|%05N|%c%T|%p|%m',
  console: '%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
  file: '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
};

const DEFAULT_DATE_FORMAT = '%Y-%m-%d %H:%M:%S.###';

/** Syslog severities (RFC 5424, table 2) of the levels. */
const SYSLOG_SEVERITY: Readonly<Record<LogLevel, number>> = {
  off: 1,
  emer: 1,
  err: 3,
  warn: 4,
  info: 5,
  dbg: 7,
};

/** RFC 5424's local0, the facility that `%B` uses when none was chosen. */
const FACILITY_LOCAL0 = 16 << 3;

/** One message, with everything that a pattern can show of it. */
export interface LogRecord {
  sequence: number;
  module: string;
  level: LogLevel;
  message: string;
  /** Milliseconds since 1970. */
  wallMs: number;
  /** Milliseconds since the program started. */
  uptimeMs: number;
  program: string;
}

/** The patterns of one process. */
export class LogPatterns {
  private readonly patterns = new Map<LogDestination, string>(
    LOG_DESTINATIONS.map((name) => [name, DEFAULT_PATTERNS[name]]),
  );
  /** Syslog facility, shifted as in RFC 5424; 0 means that none was chosen. */
  facility = 0;

  get(destination: LogDestination): string {
    return this.patterns.get(destination) as string;
  }

  set(destination: LogDestination, pattern: string): void {
    this.patterns.set(destination, pattern);
  }

  /** `record` as a line for `destination`, without a line end. */
  format(destination: LogDestination, record: LogRecord): string {
    return formatLogLine(this.get(destination), record, this.facility);
  }

  /** What `vlog/list-pattern` prints. */
  list(): string {
    const header =
      '         prefix                            format\n' +
      '         ------                            ------\n';
    const rows = LOG_DESTINATIONS.map(
      (name) => `${name.toUpperCase().padEnd(7)}  ${'none'.padEnd(32)}  ${this.get(name)}\n`,
    );
    return header + rows.join('');
  }
}

/** `record` laid out by `pattern`, without a line end. */
export function formatLogLine(pattern: string, record: LogRecord, facility = 0): string {
  const item = /%(-?)(0?)(\d*)(?:([dD])(?:\{([^}]*)\}?)?|c(?:\{[^}]*\}?)?|(.)|$)/gsu;
  return pattern.replace(item, (whole, left, zero, width, date, dateFormat, other) => {
    let text: string;
    if (date !== undefined) text = formatTime(dateFormat ?? DEFAULT_DATE_FORMAT, record, date);
    else text = formatItem(other ?? (whole.includes('c') ? 'c' : ''), record, facility);
    const length = width === '' ? 0 : Number(width);
    if (left !== '') return text.padEnd(length);
    return text.padStart(length, zero === '' ? ' ' : '0');
  });
}

function formatItem(letter: string, record: LogRecord, facility: number): string {
  switch (letter) {
    case 'A':
      return record.program;
    case 'B':
      return String((facility || FACILITY_LOCAL0) + SYSLOG_SEVERITY[record.level]);
    case 'c':
      return record.module;
    case 'E':
      return hostname();
    case 'm':
      return record.message.replace(/\n+$/, '');
    case 'N':
      return String(record.sequence);
    case 'n':
      return '\n';
    case 'p':
      return record.level.toUpperCase();
    case 'P':
      return String(process.pid);
    case 'r':
      return String(Math.trunc(record.uptimeMs));
    case 't':
      return 'main';
    case 'T':
      return '';
    default:
      return letter;
  }
}

const MONTHS =
  'January February March April May June July August September October November December'.split(
    ' ',
  );
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** strftime(3), as far as logs need it, with runs of '#' for parts of a second. */
function formatTime(format: string, record: LogRecord, kind: 'd' | 'D'): string {
  const t = brokenDownTime(record.wallMs, kind === 'D');
  const two = (value: number): string => String(value).padStart(2, '0');
  const parts: Record<string, string> = {
    Y: String(t.year),
    y: two(t.year % 100),
    m: two(t.month + 1),
    d: two(t.day),
    e: String(t.day).padStart(2),
    H: two(t.hour),
    I: two(t.hour % 12 || 12),
    M: two(t.minute),
    S: two(t.second),
    p: t.hour < 12 ? 'AM' : 'PM',
    a: DAYS[t.weekday].slice(0, 3),
    A: DAYS[t.weekday],
    b: MONTHS[t.month].slice(0, 3),
    B: MONTHS[t.month],
    s: String(Math.floor(record.wallMs / 1000)),
    F: `${t.year}-${two(t.month + 1)}-${two(t.day)}`,
    T: `${two(t.hour)}:${two(t.minute)}:${two(t.second)}`,
    R: `${two(t.hour)}:${two(t.minute)}`,
    Z: t.zone,
    n: '\n',
    t: '\t',
    '%': '%',
  };
  const millis = String(t.milli).padStart(3, '0');
  return format
    .replace(/%(.)/gs, (whole, letter) => parts[letter] ?? whole)
    .replace(/#+/g, (run) => millis.padEnd(run.length, '0').slice(0, run.length));
}

interface BrokenDownTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  milli: number;
  weekday: number;
  zone: string;
}

function brokenDownTime(wallMs: number, utc: boolean): BrokenDownTime {
  const date = new Date(wallMs);
  const shifted = utc ? date : new Date(wallMs - date.getTimezoneOffset() * 60_000);
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const digits = (value: number): string => String(value).padStart(2, '0');
  const local = `${sign}${digits(Math.abs(offset / 60) | 0)}${digits(Math.abs(offset % 60))}`;
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth(),
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    milli: shifted.getUTCMilliseconds(),
    weekday: shifted.getUTCDay(),
    zone: utc ? 'UTC' : local,
  };
}
