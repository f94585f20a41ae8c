/** Counters that grow, as rates: the difference to the sample before, per second. */

export class Rates {
  private before = new Map<string, number>();
  private current = new Map<string, number>();
  private beforeMs = Number.NaN;
  private seconds = Number.NaN;

  /** Begins a sample. @param now monotonic milliseconds */
  begin(now: number): void {
    this.before = this.current;
    this.current = new Map();
    this.seconds = (now - this.beforeMs) / 1000;
    this.beforeMs = now;
  }

  /** By how much `name` has grown since the sample before; null where that is not known. */
  grown(name: string, total: number): number | null {
    this.current.set(name, total);
    const before = this.before.get(name);
    if (before === undefined || !(this.seconds > 0)) return null;
    return total >= before ? total - before : total;
  }

  /** The same per second. */
  rate(name: string, total: number): number | null {
    const grown = this.grown(name, total);
    return grown === null ? null : grown / this.seconds;
  }
}
