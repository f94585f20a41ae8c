/** Ages as OpenFlow has them: seconds and nanoseconds, exact to the millisecond. */

export interface Duration {
  durationSec: number;
  durationNsec: number;
}

export function durationBetween(fromMs: number, toMs: number): Duration {
  const ms = Math.max(0, Math.floor(toMs - fromMs));
  return { durationSec: Math.floor(ms / 1000), durationNsec: (ms % 1000) * 1_000_000 };
}
