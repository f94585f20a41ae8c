/**
 * Time, as everything below the command line sees it.
 *
 * Nothing but this file reads the machine's clocks: whoever needs the time is given a `Clock`. That
 * is what lets `time/stop` and `time/warp` on the control socket, and the simulation tests, run
 * LACP timeouts or MAC ageing without waiting.
 *
 * Not for: measuring how long a piece of code takes (benchmarks use performance.now directly).
 */

/** A source of time. Monotonic time never goes back; wall time is milliseconds since 1970. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Frozen by `stop()`. */
  now(): number;
  /** Wall-clock milliseconds since 1970-01-01T00:00Z. Never frozen. */
  wallNow(): number;
}

/** The machine's clocks, whose monotonic half can be stopped and moved by hand. */
export class WarpClock implements Clock {
  private stoppedAtMs: number | null = null;
  private offsetMs = 0;

  constructor(
    private readonly monotonic: () => number = () => performance.now(),
    private readonly wall: () => number = () => Date.now(),
  ) {}

  now(): number {
    return this.stoppedAtMs ?? this.monotonic() + this.offsetMs;
  }

  wallNow(): number {
    return this.wall();
  }

  get stopped(): boolean {
    return this.stoppedAtMs !== null;
  }

  /** Freezes monotonic time at the next whole millisecond: steps of it add up. Idempotent. */
  stop(): void {
    this.stoppedAtMs ??= Math.ceil(this.now());
  }

  /** Moves monotonic time forward by `ms` (>= 0), stopped or not. */
  advance(ms: number): void {
    if (this.stoppedAtMs !== null) this.stoppedAtMs += ms;
    else this.offsetMs += ms;
  }
}

/** A clock that stands still until a test moves it. Starts at `startMs`. */
export function stoppedClock(startMs = 0): WarpClock {
  const clock = new WarpClock(
    () => startMs,
    () => startMs,
  );
  clock.stop();
  return clock;
}

/** `nextWake()` result that means 'nothing to do until something happens'. */
export const NEVER = Number.POSITIVE_INFINITY;
