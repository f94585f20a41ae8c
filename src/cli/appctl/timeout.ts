/**
 * `--timeout` of the commands that ask a daemon.
 */
import { UsageError } from '../getopt.js';

/** The status with which a shell reports death by SIGALRM: how Open vSwitch's tools end. */
export const STATUS_TIMEOUT = 142;

export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Milliseconds of `--timeout=text`.
 * @throws UsageError, in Open vSwitch's words
 */
export function parseTimeout(text: string, short: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds === 0) {
    throw new UsageError(`value ${text} on ${short} or --timeout is invalid`);
  }
  return seconds * 1000;
}

/**
 * What `work` gives, if it comes within `timeoutMs` (null: whenever it comes).
 * @throws TimeoutError
 */
export async function within<T>(timeoutMs: number | null, work: Promise<T>): Promise<T> {
  if (timeoutMs === null) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimeoutError('timed out')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
