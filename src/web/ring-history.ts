/**
 * The last two minutes of some numbers, a step apart.
 *
 *     push(at, {a: 1, b: 2})        a  [ -, -, 3, 1 ]     null where a name was not known yet
 *                                   b  [ -, -, -, 2 ]
 */
import type { History } from './api/index.js';

const STEPS = 120;
/** Names of one history at most: the oldest stay. */
const NAMES_MAX = 4096;

export class RingHistory {
  private readonly series = new Map<string, (number | null)[]>();
  private length = 0;
  private at = 0;

  constructor(readonly stepMs = 1000) {}

  /** @param at wall-clock milliseconds; a gap becomes nulls */
  push(at: number, values: Readonly<Record<string, number>>): void {
    const missed = this.at === 0 ? 0 : Math.round((at - this.at) / this.stepMs) - 1;
    for (let i = 0; i < Math.min(missed, STEPS); i++) this.step({});
    this.step(values);
    this.at = at;
  }

  /** @param most newest samples that are wanted */
  show(most = STEPS): History {
    const series: Record<string, (number | null)[]> = {};
    for (const [name, values] of this.series) series[name] = most > 0 ? values.slice(-most) : [];
    return { at: this.at, stepMs: this.stepMs, series };
  }

  private step(values: Readonly<Record<string, number>>): void {
    for (const name of Object.keys(values)) {
      if (this.series.has(name) || this.series.size >= NAMES_MAX) continue;
      this.series.set(name, new Array<number | null>(this.length).fill(null));
    }
    for (const [name, list] of this.series) {
      const value = values[name];
      list.push(value === undefined ? null : rounded(value));
      if (list.length > STEPS) list.shift();
    }
    this.length = Math.min(this.length + 1, STEPS);
  }
}

/** Three significant digits beyond the point at most: histories travel as text. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
