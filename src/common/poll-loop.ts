/**
 * The main loop: gives every stateful module its turn when something happened or its time has come.
 *
 *     wake() ──┐
 *              ├─> one setImmediate ─> run(now) of every module, in the order they were added
 *     timer ───┘                        │
 *       ^                               v
 *       └───── earliest nextWake() ─────┘
 *
 * A module asks for a time with `nextWake()`; whoever hands it work from outside (a socket, an
 * upcall) calls `wake()`. Any number of `wake()` before the next turn is one turn. With a stopped
 * clock no timer is armed: `runNow()` after `clock.advance()` is what makes time pass (time/warp).
 *
 * Not for: the packet path; workers have loops of their own.
 */
import { type Clock, NEVER } from './clock.js';
import { getLogger } from './log.js';
import { rateLimited } from './log-rate-limit.js';

/** Something with state that time moves. */
export interface PollModule {
  /** Does what is due. `now` is monotonic, in milliseconds. */
  run(now: number): void;
  /** When `run` is needed next: monotonic milliseconds, `NEVER`, or the past for 'at once'. */
  nextWake(): number;
}

/** A clock that may be standing still. */
export type LoopClock = Clock & { readonly stopped?: boolean };

/** A module that threw is left alone for this long, so that it cannot spin the loop. */
const FAULT_PAUSE_MS = 1000;
/** A turn that takes longer than this is worth a warning. */
const LONG_TURN_MS = 1000;
/** The longest delay that setTimeout takes. */
const TIMER_MS_MAX = 0x7fffffff;

interface Entry {
  module: PollModule;
  /** Monotonic milliseconds until which the module is not run, after it threw. */
  pausedUntilMs: number;
}

export class PollLoop {
  private readonly entries: Entry[] = [];
  private immediate: NodeJS.Immediate | null = null;
  private timer: NodeJS.Timeout | null = null;
  private running = false;
  private started = false;
  private readonly faults;
  private readonly logger = getLogger('poll_loop');

  constructor(readonly clock: LoopClock) {
    this.faults = rateLimited(this.logger, clock, { burst: 10, perMinute: 10 });
  }

  /** Adds `module` at the end of the order. Returns what removes it again. */
  add(module: PollModule): () => void {
    const entry = { module, pausedUntilMs: -Infinity };
    this.entries.push(entry);
    this.wake();
    return () => {
      const index = this.entries.indexOf(entry);
      if (index >= 0) this.entries.splice(index, 1);
    };
  }

  /** Begins to give turns. */
  start(): void {
    this.started = true;
    this.wake();
  }

  /** Ends giving turns; nothing of the loop keeps the process alive then. Idempotent. */
  stop(): void {
    this.started = false;
    this.disarm();
  }

  /** Asks for a turn soon. Cheap, and may be called from anywhere on the main thread. */
  wake(): void {
    if (!this.started || this.immediate) return;
    this.immediate = setImmediate(() => this.runNow());
  }

  /** Gives every module its turn at once, started or not. Ignored from within a turn. */
  runNow(): void {
    if (this.running) return;
    this.disarm();
    this.running = true;
    const startedMs = this.clock.now();
    try {
      // A copy: a module may add or remove modules during its turn.
      for (const entry of this.entries.slice()) this.runEntry(entry);
    } finally {
      this.running = false;
    }
    this.warnIfLong(startedMs);
    this.arm();
  }

  /** When the earliest module wants its turn: monotonic milliseconds, or `NEVER`. */
  nextWake(): number {
    let earliest = NEVER;
    for (const { module, pausedUntilMs } of this.entries) {
      earliest = Math.min(earliest, Math.max(module.nextWake(), pausedUntilMs));
    }
    return earliest;
  }

  private runEntry(entry: Entry): void {
    const now = this.clock.now();
    if (now < entry.pausedUntilMs || !this.entries.includes(entry)) return;
    try {
      entry.module.run(now);
    } catch (error) {
      entry.pausedUntilMs = now + FAULT_PAUSE_MS;
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.faults.err(`a module failed in the main loop: ${detail}`);
    }
  }

  private arm(): void {
    if (!this.started || this.immediate) return;
    const delayMs = this.nextWake() - this.clock.now();
    if (delayMs <= 0) {
      this.wake();
    } else if (delayMs !== NEVER && !this.clock.stopped) {
      const delay = Math.min(Math.ceil(delayMs), TIMER_MS_MAX);
      this.timer = setTimeout(() => this.runNow(), delay);
    }
  }

  private disarm(): void {
    if (this.immediate) clearImmediate(this.immediate);
    if (this.timer) clearTimeout(this.timer);
    this.immediate = null;
    this.timer = null;
  }

  private warnIfLong(startedMs: number): void {
    const tookMs = this.clock.now() - startedMs;
    if (tookMs < LONG_TURN_MS) return;
    getLogger('timeval').warn(`Unreasonably long ${Math.round(tookMs)}ms poll interval`);
  }
}
