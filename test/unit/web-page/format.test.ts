/** Numbers of the console's page as people read them. */
import { describe, expect, it } from 'vitest';
import {
  bitRate,
  bytes,
  count,
  duration,
  fewOf,
  packetRate,
  percent,
  plural,
  short,
} from '../../../src/web/page/pure/format.js';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [7, '7'],
    [999, '999'],
    [1000, '1.00 k'],
    [1234, '1.23 k'],
    [99_950, '100 k'],
    [999_499, '999 k'],
    [999_500, '1.00 M'],
    [1.5e12, '1.50 T'],
    [-2500, '-2.50 k'],
  ])('%d is %s', (n, text) => {
    expect(short(n)).toBe(text);
  });

  it('that are not known are a dash', () => {
    for (const text of [short(null), bitRate(undefined), packetRate(Number.NaN), count(null)]) {
      expect(text).toBe('–');
    }
  });

  it('have units', () => {
    expect(bitRate(12_345_678)).toBe('12.3 Mbit/s');
    expect(bitRate(0)).toBe('0 bit/s');
    expect(bytes(1500)).toBe('1.50 kB');
    expect(percent(0.0312)).toBe('3.1 %');
    expect(percent(1)).toBe('100 %');
    expect(count(1234567)).toBe('1\u202f234\u202f567');
    expect(plural(1, 'flow')).toBe('1 flow');
    expect(plural(2, 'address', 'addresses')).toBe('2 addresses');
  });

  it('of quiet ports are told from nothing', () => {
    expect(packetRate(0)).toBe('0');
    expect(packetRate(0.01)).toBe('< 0.1');
    expect(packetRate(0.25)).toBe('0.3');
    expect(packetRate(1500)).toBe('1.50 k');
  });

  it('of time have the two largest units', () => {
    expect(duration(0.4)).toBe('0.4 s');
    expect(duration(59.9)).toBe('59 s');
    expect(duration(61)).toBe('1 min 1 s');
    expect(duration(7322)).toBe('2 h 2 min');
    expect(duration(100_000)).toBe('1 d 3 h');
  });

  it('of many things stop after a few', () => {
    expect(fewOf(['a', 'b'])).toBe('a, b');
    expect(fewOf(['a', 'b', 'c'], 1)).toBe('a and 2 more');
  });
});
