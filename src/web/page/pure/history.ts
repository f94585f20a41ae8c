/**
 * Histories that grow at their end: the switch sends the newest samples, the page keeps the rest.
 *
 *     kept   [. . . . . . . . a b]  at = b's time
 *     fresh              [a b c d]  at = d's time: two steps later
 *     ->     [. . . . . . a b c d]
 */
import type { History } from '../../api/index.js';

/** @param max samples that are kept of each series */
export function mergeHistory(kept: History, fresh: History, max: number): History {
  if (kept.at === 0) return fresh;
  const steps = Math.round((fresh.at - kept.at) / fresh.stepMs);
  // Later than what comes now: that is old news, unless somebody has set a clock back.
  if (steps <= 0) return steps < -max ? fresh : kept;
  const names = new Set([...Object.keys(kept.series), ...Object.keys(fresh.series)]);
  const series: History['series'] = {};
  for (const name of names) {
    const grown = [...(kept.series[name] ?? []), ...newest(fresh.series[name] ?? [], steps, max)];
    series[name] = grown.slice(-max);
  }
  return { at: fresh.at, stepMs: fresh.stepMs, series };
}

/** The last `steps` of `values`; those that are missing before are not known. */
function newest(values: readonly (number | null)[], steps: number, max: number): (number | null)[] {
  const missing = Math.min(max, Math.max(0, steps - values.length));
  return [...Array<null>(missing).fill(null), ...values.slice(-steps)];
}
