/**
 * What is wrong with a message, in Open vSwitch's words, for the log of whoever reads it: the error
 * that answers it says little. Nobody is told unless somebody asked.
 *
 * Not for: the errors themselves (../errors.ts).
 */
import type { Clock } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../../common/log-rate-limit.js';

/** Modules of the log that such lines belong to. */
export type WarningModule =
  | 'ofp_msgs'
  | 'ofp_actions'
  | 'ofp_connection'
  | 'ofp_bundle'
  | 'ofp_util'
  | 'meta_flow'
  | 'ofp_match'
  | 'ofp_port';

interface Sink {
  /** @param limit whether it counts among those of which there may be too many */
  warn(module: WarningModule, text: () => string, limit: boolean): void;
  note(module: WarningModule, lines: () => readonly string[]): void;
}

/** Peers cause these lines. */
const LIMIT = { burst: 5, perMinute: 60 };

let sink: Sink | null = null;

/** @param text called only when somebody listens */
export function codecWarning(module: WarningModule, text: () => string): void {
  sink?.warn(module, text, true);
}

/** As codecWarning; each is logged, however many there are. */
export function codecComplaint(module: WarningModule, text: () => string): void {
  sink?.warn(module, text, false);
}

/** Lines of level INFO that belong together. */
export function codecNotice(module: WarningModule, lines: () => readonly string[]): void {
  sink?.note(module, lines);
}

/**
 * Logs warnings from now on.
 * @param clock limits them, each module for itself; without it each is logged
 */
export function logCodecWarnings(clock: Clock | null): void {
  const limits = new Map<WarningModule, RateLimitedLogger>();
  const limited = (module: WarningModule, by: Clock): RateLimitedLogger => {
    const logger = limits.get(module) ?? rateLimited(getLogger(module), by, LIMIT);
    limits.set(module, logger);
    return logger;
  };
  sink = {
    warn(module, text, limit) {
      if (clock === null || !limit) getLogger(module).warn(text());
      else limited(module, clock).warn(text);
    },
    note(module, lines) {
      const logger = getLogger(module);
      const may = clock === null ? logger.enabled('info') : limited(module, clock).take('info');
      if (may) for (const line of lines()) logger.info(line);
    },
  };
}
