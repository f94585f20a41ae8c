/**
 * Lines of the log, as they come in parts that may overlap.
 */
import type { LogLine } from '../../api/index.js';

const LINES_MAX = 5000;
const LEVELS: readonly LogLine['level'][] = ['emer', 'err', 'warn', 'info', 'dbg'];

/** Old and new lines in order, each once, the latest LINES_MAX; a log that began anew replaces. */
export function mergeLines(old: readonly LogLine[], fresh: readonly LogLine[]): LogLine[] {
  const last = old.at(-1)?.seq ?? -1;
  const restarted = fresh.length > 0 && fresh[fresh.length - 1].seq < last;
  if (restarted) return fresh.slice(-LINES_MAX);
  return [...old, ...fresh.filter(({ seq }) => seq > last)].slice(-LINES_MAX);
}

export function atLeast(lines: readonly LogLine[], level: LogLine['level']): LogLine[] {
  const most = LEVELS.indexOf(level);
  return lines.filter((line) => LEVELS.indexOf(line.level) <= most);
}
