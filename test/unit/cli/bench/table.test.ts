/** The medians, ratios and the table that the benchmark prints. */
import { describe, expect, it } from 'vitest';
import { type Column, formatTable, median, ratio } from '../../../../src/cli/bench/table.js';

describe('median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  it('leaves out rounds without a figure', () => {
    expect(median([Number.NaN, 3, 1, Number.NaN, 2])).toBe(2);
    expect(median([Number.NaN])).toBeNaN();
    expect(median([])).toBeNaN();
  });
});

it('forms ratios so that more than 1 means ours is better', () => {
  expect(ratio(3, 2, true)).toBe(1.5);
  expect(ratio(50, 100, false)).toBe(2);
});

describe('formatTable', () => {
  const columns: Column[] = [
    { title: 'RTT us', digits: 0, higherIsBetter: false },
    { title: 'Mpps', digits: 3, higherIsBetter: true },
  ];

  it('aligns columns and compares with the first row', () => {
    const table = formatTable(columns, [
      { title: 'ours', values: [[40, 50, 60], [1.5]] },
      { title: 'theirs', values: [[100], [0.5]] },
    ]);
    expect(table).toBe(
      [
        '|        | RTT us | ratio |  Mpps | ratio |',
        '|--------|-------:|------:|------:|------:|',
        '| ours   |     50 |       | 1.500 |       |',
        '| theirs |    100 | 2.00x | 0.500 | 3.00x |',
        '',
      ].join('\n'),
    );
  });

  it('shows a dash where nothing got through', () => {
    const table = formatTable(columns, [
      { title: 'ours', values: [[50], [1]] },
      { title: 'theirs', values: [[Number.NaN], [0]] },
    ]);
    expect(table).toMatch(/^\| theirs \| +- \| +- \| 0\.000 \| +- \|$/m);
  });
});
