/** Tries of addresses and the heap of MAC tables, beside the plain way of doing the same. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AddressTrie, prefixBits } from '../../src/ofproto/address-trie.js';
import { type HeapItem, MaxHeap } from '../../src/ofproto/max-heap.js';

const N_WORDS = 4;
/** Few different values, so that prefixes are shared. */
const word = fc.constantFrom(0, -1, 0x20010db8, 0x20010db9, 1, 0x40000000);
const address = fc.array(word, { minLength: N_WORDS, maxLength: N_WORDS });
const prefix = fc.record({ address, length: fc.integer({ min: 1, max: 32 * N_WORDS }) });

function covers(p: { address: number[]; length: number }, other: readonly number[]): boolean {
  return p.address.every((value, i) => {
    const bits = prefixBits(Math.min(Math.max(p.length - 32 * i, 0), 32));
    return ((value ^ other[i]) & bits) === 0;
  });
}

it('finds the prefixes that an address has, by bits that settle it', () => {
  fc.assert(
    fc.property(fc.array(prefix), fc.array(fc.nat(50)), address, address, (all, gone, a, b) => {
      const trie = new AddressTrie(N_WORDS);
      for (const p of all) trie.add(p.address, 0, p.length);
      const removed = new Set(gone.filter((i) => i < all.length));
      for (const i of removed) trie.remove(all[i].address, 0, all[i].length);
      const left = all.filter((_, i) => !removed.has(i));
      const lengthsOf = (of: number[]): number[] =>
        [...new Set(left.filter((p) => covers(p, of)).map((p) => p.length))].sort((x, y) => x - y);
      const bits = trie.lookup(a, 0);
      const lengths = Array.from({ length: 32 * N_WORDS }, (_, i) => i + 1);
      expect(lengths.filter((length) => trie.has(length))).toEqual(lengthsOf(a));
      // Another address with the same bits up to there has the same prefixes.
      const same = a.map((value, i) => {
        const mask = prefixBits(Math.min(Math.max(bits - 32 * i, 0), 32));
        return (value & mask) | (b[i] & ~mask);
      });
      expect(lengthsOf(same)).toEqual(lengthsOf(a));
    }),
  );
});

it('has a largest item on top, whatever was changed or removed', () => {
  const step = fc.record({ item: fc.nat(9), priority: fc.option(fc.nat(20)) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const heap = new MaxHeap<HeapItem>();
      const items = Array.from({ length: 10 }, () => ({ priority: 0, heapIndex: 0 }));
      for (const { item: at, priority } of steps) {
        const item = items[at];
        if (item.heapIndex === 0) {
          item.priority = priority ?? 0;
          heap.insert(item);
        } else if (priority === null) heap.remove(item);
        else heap.change(item, priority);
        const inside = items.filter((other) => other.heapIndex !== 0);
        const most = Math.max(-1, ...inside.map((other) => other.priority));
        expect(heap.max()?.priority ?? -1).toBe(most);
      }
    }),
  );
});
