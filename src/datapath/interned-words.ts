/**
 * Short arrays of words of which many are equal (masks, action programs): equal ones are one array,
 * mostly, so that a hundred thousand flows do not keep as many.
 *
 * A table of fixed size: what falls on another's place takes it, and is shared from then on.
 */
import { HASH_MULTIPLIER } from './subtable.js';

const PLACES = 1024;

export class InternedWords {
  private readonly known: (Int32Array | undefined)[] = new Array(PLACES).fill(undefined);

  /** An array with the `n` words from `from` on: nobody may change it. */
  intern(words: Int32Array, from: number, n: number): Int32Array {
    let hash = n;
    for (let i = 0; i < n; i++) {
      hash = Math.imul(hash ^ words[from + i], HASH_MULTIPLIER);
      hash ^= hash >>> 15;
    }
    const place = hash & (PLACES - 1);
    const known = this.known[place];
    if (known !== undefined && known.length === n) {
      let i = 0;
      while (i < n && known[i] === words[from + i]) i++;
      if (i === n) return known;
    }
    const made = words.slice(from, from + n);
    this.known[place] = made;
    return made;
  }
}
