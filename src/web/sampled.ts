/**
 * Something that is read from the switch at regular intervals while somebody wants it, once for all
 * who do, and not at all when nobody does.
 *
 *     get() ──> fresh enough? ──> the last value
 *                    └── no ────> read (one at a time; all who ask meanwhile get the same)
 *
 *     demand: every get() keeps the clockwork going for `lingerMs`
 */
import type { Clock } from '../common/clock.js';

export interface SampledOptions<T> {
  clock: Clock;
  intervalMs: number;
  /** How long reading goes on after the last `get`. */
  lingerMs: number;
  /** Reads. What it throws reaches those who asked. */
  take(): Promise<T>;
}

export class Sampled<T> {
  private last: { value: T; atMs: number } | null = null;
  private taking: Promise<T> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private wantedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: SampledOptions<T>) {}

  /** Whether it is being read regularly. */
  get running(): boolean {
    return this.timer !== null;
  }

  /** The value, at most an interval old. */
  get(): Promise<T> {
    const { clock, intervalMs, lingerMs } = this.options;
    const now = clock.now();
    this.wantedUntilMs = now + lingerMs;
    this.arm();
    // Between two ticks the last value stands; a tick that is late by half does not renew it.
    if (this.last && now - this.last.atMs < intervalMs * 1.5)
      return Promise.resolve(this.last.value);
    return this.take();
  }

  /** Reads anew, whatever the age of the last value. */
  take(): Promise<T> {
    this.taking ??= this.read();
    return this.taking;
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.wantedUntilMs = Number.NEGATIVE_INFINITY;
  }

  private async read(): Promise<T> {
    try {
      const value = await this.options.take();
      this.last = { value, atMs: this.options.clock.now() };
      return value;
    } finally {
      this.taking = null;
    }
  }

  private arm(): void {
    if (this.timer) return;
    const { clock, intervalMs } = this.options;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (clock.now() > this.wantedUntilMs) return;
      this.arm();
      // Those who ask hear of failures.
      this.take().catch(() => {});
    }, intervalMs);
    this.timer.unref();
  }
}
