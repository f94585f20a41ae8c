/**
 * Cookies of userspace actions as eight words of an action program, and back. What has no name
 * here is 0.
 *
 *     slow_path   | 1 | reason index |
 *     controller  | 2 | id | maxLen | dontSend(1 bit), reason << 1 |
 *     sflow       | 3 | bridge | vlan tci | output | labels (3) | number of labels |
 *     ipfix       | 4 | bridge | output port | dropped |
 *     flow_sample | 5 | bridge | probability(16) dropped(1) direction(2) | set | domain | point |
 *                   output port |
 */
import { COOKIE_WORDS } from './action-program.js';
import { type SampleCookie, SLOW_PATH_REASONS, type UserspaceCookie } from './odp-actions.js';

const DIRECTIONS = ['default', 'ingress', 'egress'] as const;

function cookieWords(cookie: UserspaceCookie): number[] {
  switch (cookie.type) {
    case 'slow_path':
      return [1, SLOW_PATH_REASONS.indexOf(cookie.reason)];
    case 'controller':
      return [2, cookie.id, cookie.maxLen, (cookie.dontSend ? 1 : 0) | (cookie.reason << 1)];
    case 'sflow': {
      const { bridge, vlanTci, output, labels } = cookie;
      const [a = 0, b = 0, c = 0] = labels;
      return [3, bridge, vlanTci, output | 0, a, b, c, labels.length];
    }
    case 'ipfix':
      return [4, cookie.bridge, cookie.outputPort | 0, cookie.dropped ? 1 : 0];
    case 'flow_sample': {
      const direction = DIRECTIONS.indexOf(cookie.direction);
      const bits = cookie.probability | (cookie.dropped ? 1 << 16 : 0) | (direction << 17);
      const { bridge, collectorSetId, obsDomainId, obsPointId, outputPort } = cookie;
      return [5, bridge, bits, collectorSetId, obsDomainId, obsPointId, outputPort].map(
        (word) => word | 0,
      );
    }
  }
}

/** Whether the cookie in `words` at `at` is that of a sampled packet. */
export function isSampleCookie(words: Int32Array, at: number): boolean {
  return words[at] >= 3;
}

/** Appends the cookie's COOKIE_WORDS words to `out`. */
export function encodeCookie(cookie: UserspaceCookie, out: number[]): void {
  const words = cookieWords(cookie);
  for (let i = 0; i < COOKIE_WORDS; i++) out.push(words[i] ?? 0);
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
  return decodeSample(kind, words.subarray(pos + 1, pos + COOKIE_WORDS));
}

function decodeSample(kind: number, words: Int32Array): SampleCookie {
  const bridge = words[0];
  const unsigned = (i: number): number => words[i] >>> 0;
  if (kind === 3) {
    const labels = [...words.subarray(3, 3 + words[6])];
    return { type: 'sflow', bridge, vlanTci: words[1], output: unsigned(2), labels };
  }
  if (kind === 4) {
    return { type: 'ipfix', bridge, outputPort: unsigned(1), dropped: words[2] !== 0 };
  }
  const bits = words[1];
  return {
    type: 'flow_sample',
    bridge,
    probability: bits & 0xffff,
    collectorSetId: unsigned(2),
    obsDomainId: unsigned(3),
    obsPointId: unsigned(4),
    outputPort: unsigned(5),
    direction: DIRECTIONS[(bits >>> 17) & 3],
    dropped: (bits & (1 << 16)) !== 0,
  };
}
