/** The searches of RFC 2544, on switches that exist in arithmetic alone. */
import { expect, it } from 'vitest';
import { drawBars } from '../../../../src/cli/bench/bars.js';
import { highest, lostShare } from '../../../../src/cli/bench/rfc2544.js';
import { percentile } from '../../../../src/cli/bench/traffic.js';

it('finds the highest rate without loss to within one part in a hundred', async () => {
  const capacity = 0.61e6;
  const lossAt = async (rate: number) => Math.max(0, 1 - capacity / rate);
  const found = await highest(0, 1e6, 0.001, lossAt);
  expect(found).toBeLessThanOrEqual(capacity * 1.001);
  expect(found).toBeGreaterThan(capacity * 0.98);
});

it('takes the top at once when nothing is lost there', async () => {
  let trials = 0;
  const lossless = async () => {
    trials += 1;
    return 0;
  };
  expect(await highest(0, 5e5, 0, lossless)).toBe(5e5);
  expect(trials).toBe(1);
});

it('does not take the frames of others for a gain', () => {
  expect(lostShare(100, 103)).toBe(0);
  expect(lostShare(100, 75)).toBe(0.25);
  expect(lostShare(0, 0)).toBe(0);
});

it('reads percentiles off sorted values', () => {
  const values = Array.from({ length: 100 }, (_unused, i) => i + 1);
  expect([percentile(values, 0.5), percentile(values, 0.99)]).toEqual([51, 100]);
  expect(percentile([], 0.5)).toBeNaN();
});

it('draws a bar for each value, in proportion, and nothing for what is missing', () => {
  const columns = [{ title: 'a < b', digits: 1, higherIsBetter: true }];
  const rows = [
    { title: 'tapswitch', values: [[4]] },
    { title: 'other', values: [[1]] },
    { title: 'failed', values: [[Number.NaN]] },
  ];
  const svg = drawBars(columns, rows, 'here');
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(widths).toEqual([640, 160, 0]);
  expect(svg).toContain('a &lt; b (more is better)');
});
