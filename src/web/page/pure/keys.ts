/**
 * The keyboard: '/' to filter, '?' for help, 'g' and a letter to go somewhere.
 *
 * A state machine of its own, so that it can be tested: keys in, actions out.
 */

export type KeyAction =
  | { type: 'go'; letter: string }
  | { type: 'filter' }
  | { type: 'help' }
  | { type: 'theme' }
  | { type: 'escape' };

/** Milliseconds in which the second key of 'g x' has to come. */
const SEQUENCE_MS = 1500;

export interface KeyInput {
  key: string;
  /** Typing in a field, or with a modifier: not ours, but for Escape. */
  typing: boolean;
  modified: boolean;
}

export class Keys {
  private goAt = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of any clock */
  press({ key, typing, modified }: KeyInput, now: number): KeyAction | null {
    const going = now - this.goAt < SEQUENCE_MS;
    this.goAt = Number.NEGATIVE_INFINITY;
    if (key === 'Escape') return { type: 'escape' };
    if (typing || modified) return null;
    if (going && /^[a-z]$/.test(key)) return { type: 'go', letter: key };
    if (key === 'g') this.goAt = now;
    if (key === '/') return { type: 'filter' };
    if (key === '?') return { type: 'help' };
    if (key === 't') return { type: 'theme' };
    return null;
  }
}
