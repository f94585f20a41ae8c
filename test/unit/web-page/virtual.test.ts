/** Which rows of a long table are in the document. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bodyHeight,
  HEIGHT_MAX,
  pageAround,
  scrollTopFor,
  virtualWindow,
} from '../../../src/web/page/pure/virtual.js';

const rowHeight = 28;
const inputs = fc.record({
  total: fc.integer({ min: 0, max: 5_000_000 }),
  viewport: fc.integer({ min: 28, max: 3000 }),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
});

/** The place that is `at` of the way down. */
function placeOf({ total, viewport, at }: { total: number; viewport: number; at: number }) {
  const room = Math.max(0, bodyHeight(total, rowHeight) - viewport);
  return { total, viewport, rowHeight, scrollTop: room * at };
}

describe('a virtual window', () => {
  it('holds what is seen and little more, and is as high as the table', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const place = placeOf(input);
        const { first, end, before, after } = virtualWindow(place);
        const rows = (end - first) * rowHeight;
        expect(end - first).toBeLessThanOrEqual(Math.ceil(input.viewport / rowHeight) + 17);
        expect(before).toBeGreaterThanOrEqual(0);
        expect(before + rows + after).toBeCloseTo(
          Math.max(bodyHeight(input.total, rowHeight), rows),
          0,
        );
        if (input.total === 0) return;
        // What is seen is covered by rows, but for where the table ends.
        expect(before).toBeLessThanOrEqual(place.scrollTop + 0.5);
        const bottom = Math.min(
          place.scrollTop + input.viewport,
          bodyHeight(input.total, rowHeight),
        );
        expect(before + rows).toBeGreaterThanOrEqual(bottom - 0.5);
      }),
    );
  });

  it('shows the first row at the top and the last at the bottom', () => {
    const total = 2_000_000;
    expect(bodyHeight(total, rowHeight)).toBe(HEIGHT_MAX);
    const place = placeOf({ total, viewport: 700, at: 0 });
    expect(virtualWindow(place).first).toBe(0);
    expect(virtualWindow(placeOf({ total, viewport: 700, at: 1 })).end).toBe(total);
  });

  it('scrolls to any row', () => {
    fc.assert(
      fc.property(inputs, fc.nat(), (input, n) => {
        fc.pre(input.total > 0);
        const row = n % input.total;
        const place = placeOf(input);
        const there = virtualWindow({ ...place, scrollTop: scrollTopFor(row, place), overscan: 1 });
        expect(there.first).toBeLessThanOrEqual(row);
        expect(there.end).toBeGreaterThan(row);
      }),
    );
  });

  it('asks for whole parts, which small moves do not change', () => {
    const around = (first: number, end: number) =>
      pageAround({ first, end, before: 0, after: 0 }, 100);
    expect(around(0, 40)).toEqual({ offset: 0, limit: 100 });
    expect(around(3, 43)).toEqual({ offset: 0, limit: 100 });
    expect(around(95, 135)).toEqual({ offset: 0, limit: 200 });
    expect(around(0, 0)).toEqual({ offset: 0, limit: 100 });
  });
});
