/** Tries of single words against a plain list of prefixes: how many bits a look-up consults. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressTrie, prefixBits } from '../../src/ofproto/address-trie.js';

/** Few distinct values, so that prefixes share their beginnings. */
const prefix = fc.record({
  value: fc.integer({ min: 0, max: 255 }).map((v) => Math.imul(v, 0x01010103) | 0),
  length: fc.integer({ min: 1, max: 32 }),
});

describe('AddressTrie of one word', () => {
  it('finds the lengths that a naive search finds, in bits that settle it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(prefix, fc.boolean()), { maxLength: 40 }),
        fc.array(fc.integer(), { minLength: 1, maxLength: 10 }),
        (steps, values) => {
          const trie = new AddressTrie(1);
          let held: { value: number; length: number }[] = [];
          for (const [p, keep] of steps) {
            trie.add([p.value], 0, p.length);
            held.push(p);
            if (keep) continue;
            const [gone] = held.splice(held.length >> 1, 1);
            trie.remove([gone.value], 0, gone.length);
          }
          const lengthsOf = (value: number): number => {
            let lengths = 0;
            for (const p of held) {
              if (((p.value ^ value) & prefixBits(p.length)) === 0) lengths |= 1 << (p.length - 1);
            }
            return lengths;
          };
          for (const value of [...values, ...held.map((p) => p.value ^ 1)]) {
            const bits = trie.lookup([value], 0);
            for (let length = 1; length <= 32; length++) {
              const held = ((lengthsOf(value) >>> (length - 1)) & 1) === 1;
              expect(trie.has(length)).toBe(held);
            }
            // Whatever differs only behind these bits has the same prefixes.
            const other = (value & prefixBits(bits)) | (~value & ~prefixBits(bits));
            expect(lengthsOf(other)).toBe(lengthsOf(value));
          }
          for (const p of held) trie.remove([p.value], 0, p.length);
          held = [];
          expect(trie.lookup([0x0a000001], 0)).toBe(0);
        },
      ),
    );
  });
});
