/** Address space of an arena: ranges never overlap, and what is given back can be taken again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArenaSpace } from '../../../src/datapath/arena-space.js';

const PAGE = 4096;

describe('ArenaSpace', () => {
  it('never hands out a page twice, and ends as it began', () => {
    const step = fc.record({ give: fc.boolean(), pages: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const space = new ArenaSpace(8 * PAGE, 48 * PAGE);
        const taken: { start: number; bytes: number }[] = [];
        for (const { give, pages } of steps) {
          if (give) {
            const range = taken.splice(pages % Math.max(taken.length, 1), 1)[0];
            if (range) space.give(range.start, range.bytes);
            continue;
          }
          const bytes = pages * PAGE - 100;
          const start = space.take(bytes);
          if (start < 0) continue;
          expect(start % PAGE).toBe(0);
          expect(start).toBeGreaterThanOrEqual(8 * PAGE);
          expect(start + pages * PAGE).toBeLessThanOrEqual(48 * PAGE);
          for (const other of taken) {
            const apart = start >= other.start + other.bytes || start + bytes <= other.start;
            expect(apart).toBe(true);
          }
          taken.push({ start, bytes });
        }
        for (const { start, bytes } of taken) space.give(start, bytes);
        expect(space.take(40 * PAGE)).toBe(8 * PAGE);
        expect(space.take(1)).toBe(-1);
      }),
    );
  });
});
