/**
 * How much a receive queue, or a worker, did in the last minute: cycles in twelve intervals of 5 s.
 */
import type { Clock } from '../common/clock.js';

export const INTERVAL_MS = 5000;
export const INTERVALS = 12;

/** Differences of a growing counter, interval by interval; the last twelve are kept. */
export class CycleHistory {
  private readonly cycles = new Float64Array(INTERVALS);
  private next = 0;
  private last: number;

  constructor(start = 0) {
    this.last = start;
  }

  /** Ends an interval. */
  push(counter: number): void {
    this.cycles[this.next] = Math.max(0, counter - this.last);
    this.last = counter;
    this.next = (this.next + 1) % INTERVALS;
  }

  /** Cycles of the last `intervals` ones. */
  sum(intervals = INTERVALS): number {
    let total = 0;
    for (let i = 1; i <= Math.min(intervals, INTERVALS); i++) {
      total += this.cycles[(this.next - i + INTERVALS) % INTERVALS];
    }
    return total;
  }
}

/** The cycle counter against the clock: intervals, and cycles in a second. */
export class CycleClock {
  /** Cycles of the last whole interval; 0 before there was one. */
  intervalCycles = 0;
  private readonly start: number;
  private readonly startMs: number;
  private lastCycles: number;
  private due: number;

  /** @param cycles reads the counter */
  constructor(
    private readonly cycles: () => number,
    private readonly clock: Clock,
  ) {
    const now = clock.now();
    this.start = cycles();
    this.startMs = now;
    this.lastCycles = this.start;
    this.due = now + INTERVAL_MS;
  }

  /** Cycles since the datapath was made. */
  get elapsed(): number {
    return this.cycles() - this.start;
  }

  /** Cycles in a second. */
  get hz(): number {
    return (this.elapsed * 1000) / Math.max(this.clock.now() - this.startMs, 1);
  }

  /** True once for each interval that is over. */
  intervalOver(now: number): boolean {
    if (now < this.due) return false;
    // A clock that was warped, or a long standstill, is one interval.
    this.due = now + INTERVAL_MS;
    const cycles = this.cycles();
    this.intervalCycles = cycles - this.lastCycles;
    this.lastCycles = cycles;
    return true;
  }

  nextWake(): number {
    return this.due;
  }
}
