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
  | 'ofp_port';

type Sink = (module: WarningModule, text: () => string) => void;

/** Peers cause these lines. */
const LIMIT = { burst: 5, perMinute: 60 };

let sink: Sink | null = null;

/** @param text called only when somebody listens */
export function codecWarning(module: WarningModule, text: () => string): void {
  sink?.(module, text);
}

/**
 * Logs warnings from now on.
 * @param clock limits them, each module for itself; without it each is logged
 */
export function logCodecWarnings(clock: Clock | null): void {
  const limited = new Map<WarningModule, RateLimitedLogger>();
  sink = (module, text) => {
    if (clock === null) {
      getLogger(module).warn(text());
      return;
    }
    const to = limited.get(module) ?? rateLimited(getLogger(module), clock, LIMIT);
    limited.set(module, to);
    to.warn(text);
  };
}
