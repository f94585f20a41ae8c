/** Reading once for all who watch, and not at all for nobody. */
import { describe, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { RingHistory } from '../../../src/web/ring-history.js';
import { Sampled } from '../../../src/web/sampled.js';
import { ratesOf } from '../../../src/web/topics/port-sampler.js';
import { Rates } from '../../../src/web/topics/rates.js';
import { eventually, sleep } from '../../support/command.js';

describe('a sample', () => {
  it('is taken while somebody asks, and no longer', async () => {
    let taken = 0;
    const sampled = new Sampled({
      clock: new WarpClock(),
      intervalMs: 10,
      lingerMs: 100,
      take: async () => ++taken,
    });
    await Promise.all([sampled.get(), sampled.get(), sampled.get()]);
    expect(taken).toBe(1);
    await eventually('more samples', () => taken > 3);
    await eventually('the end of sampling', () => !sampled.running);
    const before = taken;
    await sleep(50);
    expect(taken).toBe(before);
  });

  it('that fails is told to those who asked, and tried again', async () => {
    let fails = true;
    const sampled = new Sampled({
      clock: new WarpClock(),
      intervalMs: 1000,
      lingerMs: 1,
      take: async () => {
        if (fails) throw new Error('no answer');
        return 'well';
      },
    });
    await expect(sampled.get()).rejects.toThrow('no answer');
    fails = false;
    expect(await sampled.get()).toBe('well');
    sampled.close();
  });
});

describe('a history', () => {
  it('has nulls where nothing was known, and forgets what is old', () => {
    const history = new RingHistory(1000);
    history.push(10_000, { a: 1 });
    history.push(13_000, { a: 2, b: 5 });
    expect(history.show()).toEqual({
      at: 13_000,
      stepMs: 1000,
      series: { a: [1, null, null, 2], b: [null, null, null, 5] },
    });
    for (let i = 0; i < 500; i++) history.push(14_000 + i * 1000, { a: i });
    expect(history.show().series.a).toHaveLength(120);
    expect(history.show(3).series.a).toEqual([497, 498, 499]);
    expect(history.show(0).series.a).toEqual([]);
  });
});

describe('rates', () => {
  it('are differences per second, and survive a counter that starts anew', () => {
    const rates = new Rates();
    rates.begin(0);
    expect(rates.rate('x', 100)).toBeNull();
    rates.begin(2000);
    expect(rates.rate('x', 160)).toBe(30);
    rates.begin(4000);
    expect(rates.rate('x', 20)).toBe(10);
  });

  it('of ports are in bits', () => {
    const zero = {
      ...{ rxPackets: 0, rxBytes: 0, rxDropped: 0, rxErrors: 0 },
      ...{ txPackets: 0, txBytes: 0, txDropped: 0, txErrors: 0 },
    };
    const now = { ...zero, rxPackets: 10, rxBytes: 1000, txDropped: 4 };
    expect(ratesOf(zero, now, 2)).toEqual({ rxPps: 5, rxBps: 4000, txPps: 0, txBps: 0, drops: 2 });
  });
});
