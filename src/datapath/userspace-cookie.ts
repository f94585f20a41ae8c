/**
 * Cookies of userspace actions as four words of an action program, and back.
 *
 *     slow_path   | 1 | reason index | 0       | 0                              |
 *     controller  | 2 | id           | maxLen  | dontSend(1 bit) | reason << 1  |
 *     samples     | 3 sflow, 4 ipfix, 5 flow_sample | id | 0 | 0                |
 */
import type { SlowPathReason, UserspaceCookie } from './odp-actions.js';

const SLOW_PATH_REASONS: readonly SlowPathReason[] = [
  'cfm',
  'bfd',
  'lacp',
  'stp',
  'lldp',
  'controller',
  'action',
  'match',
];
const SAMPLE_TYPES = ['sflow', 'ipfix', 'flow_sample'] as const;

/** Appends the cookie's COOKIE_WORDS words to `out`. */
export function encodeCookie(cookie: UserspaceCookie, out: number[]): void {
  if (cookie.type === 'slow_path') {
    out.push(1, SLOW_PATH_REASONS.indexOf(cookie.reason), 0, 0);
  } else if (cookie.type === 'controller') {
    out.push(2, cookie.id, cookie.maxLen, (cookie.dontSend ? 1 : 0) | (cookie.reason << 1));
  } else {
    out.push(3 + SAMPLE_TYPES.indexOf(cookie.type), cookie.id, 0, 0);
  }
}

/** The cookie in `words` at `pos`, as encodeCookie wrote it. */
export function decodeCookie(words: Int32Array, pos: number): UserspaceCookie {
  const kind = words[pos];
  if (kind === 1) return { type: 'slow_path', reason: SLOW_PATH_REASONS[words[pos + 1]] };
  if (kind === 2) {
    const flags = words[pos + 3];
    return {
      type: 'controller',
      id: words[pos + 1],
      maxLen: words[pos + 2],
      dontSend: (flags & 1) !== 0,
      reason: flags >>> 1,
    };
  }
  return { type: SAMPLE_TYPES[kind - 3], id: words[pos + 1] };
}
