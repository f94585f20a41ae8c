/**
 * The words of `vlog/set` and of `-v`: which module logs how much to where.
 *
 * A specification names at most one module, one destination and one level, in any order, for
 * instance `bond:file:dbg`; or it is `PATTERN:destination:pattern` or `FACILITY:name`
 * (ovs-appctl(8)). Errors come back as text: their wording is what users of Open vSwitch know.
 *
 * Not for: what the lines look like (log-pattern.ts).
 */
import { LOG_LEVELS, type Logger, type LogHub, type LogLevel } from './log.js';
import { LOG_DESTINATIONS, type LogDestination, type LogPatterns } from './log-pattern.js';
import { isRateLimitDisabled } from './log-rate-limit.js';

const SEPARATORS = /[ ,:\t]+/;

/** Facility names of syslog(3) in the order of their numbers (RFC 5424, table 1). */
const FACILITIES = (
  'kern user mail daemon auth syslog lpr news uucp clock authpriv ftp ntp audit alert clock2 ' +
  'local0 local1 local2 local3 local4 local5 local6 local7'
).split(' ');
const FACILITY_SYNONYMS: Readonly<Record<string, string>> = { cron: 'clock' };

/**
 * Applies one specification.
 *
 * @returns null, or the text of the error; nothing has changed then
 */
export function applyLogSpec(hub: LogHub, patterns: LogPatterns, spec: string): string | null {
  const words = spec.split(SEPARATORS).filter((word) => word !== '');
  const first = words[0]?.toLowerCase();
  if (first === 'pattern') return applyPattern(patterns, spec);
  if (first === 'facility') return applyFacility(patterns, words[1]);
  return applyLevels(hub, words);
}

/** Every module writes everything to every destination: `vlog/set` without arguments, `-v`. */
export function setMaximumVerbosity(hub: LogHub): void {
  setLevels(hub, null, LOG_DESTINATIONS, 'dbg');
}

/** What `vlog/list` prints. */
export function listLogLevels(hub: LogHub): string {
  const header =
    '                 console    syslog    file\n' +
    '                 -------    ------    ------\n';
  const level = (module: Logger, destination: LogDestination): string =>
    module.level(destination).toUpperCase().padStart(4);
  const rows = hub.modules().map((module) => {
    const levels = `${level(module, 'console')}       ${level(module, 'syslog')}`;
    const note = isRateLimitDisabled(module) ? '    (rate limiting disabled)' : '';
    return `${module.module.padEnd(16)}  ${levels}       ${level(module, 'file')}${note}\n`;
  });
  return header + rows.sort().join('');
}

function applyPattern(patterns: LogPatterns, spec: string): string | null {
  const match = /^[ ,:\t]*\w+[ ,:\t]+([^ ,:\t]+)(?:[ ,:\t](.*))?$/s.exec(spec);
  if (!match) return 'missing destination';
  const name = match[1].toLowerCase();
  const pattern = match[2] ?? '';
  if (name === 'any') {
    for (const destination of LOG_DESTINATIONS) patterns.set(destination, pattern);
    return null;
  }
  const destination = asDestination(name);
  if (!destination) return `unknown destination "${match[1]}"`;
  patterns.set(destination, pattern);
  return null;
}

function applyFacility(patterns: LogPatterns, name: string | undefined): string | null {
  const lower = (name ?? '').toLowerCase();
  const number = FACILITIES.indexOf(FACILITY_SYNONYMS[lower] ?? lower);
  if (number < 0) return 'invalid facility';
  patterns.facility = number << 3;
  return null;
}

function applyLevels(hub: LogHub, words: string[]): string | null {
  let module: Logger | null = null;
  let level: LogLevel | null = null;
  let destination: LogDestination | null = null;
  for (const word of words) {
    const lower = word.toLowerCase();
    if (lower === 'any') continue;
    const asLevel = LOG_LEVELS.find((name) => name === lower);
    const asModule = hub.modules().find((logger) => logger.module.toLowerCase() === lower);
    const where = asDestination(lower);
    if (where) {
      if (destination) return 'cannot specify multiple destinations';
      destination = where;
    } else if (asLevel) {
      if (level) return 'cannot specify multiple levels';
      level = asLevel;
    } else if (asModule) {
      if (module) return 'cannot specify multiple modules';
      module = asModule;
    } else {
      return `no destination, level, or module "${word}"`;
    }
  }
  setLevels(hub, module, destination ? [destination] : LOG_DESTINATIONS, level ?? 'dbg');
  return null;
}

function setLevels(
  hub: LogHub,
  module: Logger | null,
  destinations: readonly LogDestination[],
  level: LogLevel,
): void {
  for (const destination of destinations) {
    if (!module) hub.setDefault(destination, level);
    for (const logger of module ? [module] : hub.modules()) logger.setLevel(destination, level);
  }
}

function asDestination(lower: string): LogDestination | undefined {
  return LOG_DESTINATIONS.find((name) => name === lower);
}
