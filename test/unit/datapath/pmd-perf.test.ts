/** What rounds did: histograms with Open vSwitch's walls, histories, and a way to begin anew. */
import { describe, expect, it } from 'vitest';
import {
  HIST_CYCLES,
  HIST_PACKETS,
  HIST_PACKETS_PER_BATCH,
  PmdPerf,
  WALLS,
} from '../../../src/datapath/pmd-perf.js';

describe('PmdPerf', () => {
  it('has walls that grow, from the least to the most', () => {
    for (const walls of WALLS) {
      for (let i = 1; i < walls.length; i++) expect(walls[i]).toBeGreaterThan(walls[i - 1]);
    }
    // As Open vSwitch prints them.
    expect([...WALLS[HIST_CYCLES].slice(0, 5)]).toEqual([499, 716, 1025, 1469, 2104]);
    expect([...WALLS[HIST_PACKETS].slice(8, 12)]).toEqual([8, 9, 10, 11]);
    expect(WALLS[HIST_PACKETS][30]).toBe(1000);
    expect([...WALLS[HIST_PACKETS_PER_BATCH].slice(14, 18)]).toEqual([14, 16, 17, 18]);
  });

  it('puts a value into the first bin that holds it', () => {
    const perf = PmdPerf.create();
    for (const packets of [0, 0, 1, 1000, 1001]) perf.round(700, packets, 1, 0, 5);
    const bins = perf.bins(HIST_PACKETS);
    expect([bins[0], bins[1], bins[30], bins[31]]).toEqual([2, 1, 1, 1]);
    expect(perf.bins(HIST_CYCLES)[1]).toBe(5);
    expect(perf.bins(HIST_CYCLES).reduce((a, b) => a + b)).toBe(5);
  });

  it('keeps the last rounds, and sums by millisecond', () => {
    const perf = new PmdPerf(PmdPerf.create().buffer);
    for (let i = 1; i <= 2500; i++) perf.round(i, i % 2, i % 2, 0, Math.floor(i / 100));
    expect(perf.rounds(2).map(({ round, cycles }) => [round, cycles])).toEqual([
      [2500, 2500],
      [2499, 2499],
    ]);
    expect(perf.rounds(5000).length).toBe(1000);
    const [last] = perf.milliseconds(3);
    expect(last).toMatchObject({ ms: 24, rounds: 100, packets: 50, batches: 50 });
    const totals = perf.totals();
    expect(totals).toMatchObject({ rounds: 2499, packets: 1250 });
    expect(totals.cycles).toBe((2499 * 2500) / 2);
  });

  it('begins anew when the main thread says so, and keeps the threshold', () => {
    const perf = PmdPerf.create();
    perf.setThreshold(100);
    perf.round(101, 1, 1, 0, 1);
    perf.round(99, 1, 1, 0, 1);
    expect(perf.suspicious).toEqual({ count: 1, round: 1, cycles: 101 });
    perf.clear();
    expect(perf.rounds(10)).toEqual([]);
    expect(perf.bins(HIST_CYCLES).every((n) => n === 0)).toBe(true);
    perf.round(150, 1, 1, 0, 2);
    expect(perf.rounds(10).length).toBe(1);
    expect(perf.suspicious).toEqual({ count: 2, round: 1, cycles: 150 });
  });
});
