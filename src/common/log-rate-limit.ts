/**
 * A logger that cannot flood: a token bucket before it, and a line that tells how much was dropped.
 *
 * Use it wherever a peer or a packet can cause the message. `vlog/disable-rate-limit` switches the
 * limit off for a module.
 */
import type { Clock } from './clock.js';
import type { Logger } from './log.js';

export interface RateLimitOptions {
  /** Messages that may come at once. */
  burst: number;
  /** Messages a minute in the long run. */
  perMinute: number;
}

type LimitedLevel = 'err' | 'warn' | 'info' | 'dbg';

const MS_PER_MINUTE = 60_000;

/** Modules whose limits `vlog/disable-rate-limit` switched off. */
const unlimited = new WeakSet<Logger>();

/** Switches the limits of `logger` off (`honour` false) or on again. */
export function honourRateLimit(logger: Logger, honour: boolean): void {
  if (honour) unlimited.delete(logger);
  else unlimited.add(logger);
}

export function isRateLimitDisabled(logger: Logger): boolean {
  return unlimited.has(logger);
}

/** One limit over the messages that are given to it, of whatever level. */
export class RateLimitedLogger {
  /** In messages: fractions are kept. */
  private tokens: number;
  private filledAtMs: number | null = null;
  private dropped = 0;
  private firstDroppedMs = 0;
  private lastDroppedMs = 0;

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
    private readonly options: RateLimitOptions,
  ) {
    this.tokens = options.burst;
  }

  err(message: string): void {
    this.log('err', message);
  }
  /** @param message a function where the text is costly: called only when it is logged */
  warn(message: string | (() => string)): void {
    this.log('warn', message);
  }
  info(message: string): void {
    this.log('info', message);
  }
  /** @param message as for warn */
  dbg(message: string | (() => string)): void {
    this.log('dbg', message);
  }

  /** False when there is nobody to tell, or too much was told. Else one message may be logged. */
  take(level: LimitedLevel): boolean {
    if (!this.logger.enabled(level)) return false;
    return unlimited.has(this.logger) || this.withdraw(level);
  }

  private log(level: LimitedLevel, message: string | (() => string)): void {
    if (this.take(level)) this.logger[level](typeof message === 'string' ? message : message());
  }

  private withdraw(level: LimitedLevel): boolean {
    const now = this.clock.now();
    const elapsedMs = now - (this.filledAtMs ?? now);
    const gained = (elapsedMs * this.options.perMinute) / MS_PER_MINUTE;
    this.tokens = Math.min(this.options.burst, this.tokens + gained);
    this.filledAtMs = now;
    if (this.tokens < 1) {
      if (this.dropped === 0) this.firstDroppedMs = now;
      this.lastDroppedMs = now;
      this.dropped += 1;
      return false;
    }
    this.tokens -= 1;
    if (this.dropped > 0) this.reportDropped(level, now);
    return true;
  }

  private reportDropped(level: LimitedLevel, now: number): void {
    const first = Math.floor((now - this.firstDroppedMs) / 1000);
    const last = Math.floor((now - this.lastDroppedMs) / 1000);
    this.logger[level](
      `Dropped ${this.dropped} log messages in last ${first} seconds (most recently, ` +
        `${last} seconds ago) due to excessive rate`,
    );
    this.dropped = 0;
  }
}

/** `logger` behind a limit of its own. Default: bursts of 5, then 1 message a minute. */
export function rateLimited(
  logger: Logger,
  clock: Clock,
  options: RateLimitOptions = { burst: 5, perMinute: 1 },
): RateLimitedLogger {
  return new RateLimitedLogger(logger, clock, options);
}
