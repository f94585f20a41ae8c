/** The waits between attempts to connect. */
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/ovsdb/idl/index.js';

const fail = (backoff: Backoff, times: number, upMs = 0) =>
  Array.from({ length: times }, () => backoff.failed(upMs));

describe('waits', () => {
  it('double up to the longest', () => {
    const backoff = new Backoff(1000, 8000, 1);
    expect(fail(backoff, 3)).toEqual([1000, 2000, 4000]);
    expect(backoff.quiet).toBe(false);
    expect(fail(backoff, 2)).toEqual([8000, 8000]);
    expect(backoff.quiet).toBe(true);
  });

  it('come after every remote has been tried', () => {
    expect(fail(new Backoff(1000, 8000, 3), 9)).toEqual([0, 0, 1000, 0, 0, 2000, 0, 0, 4000]);
  });

  it('begin again after a connection that lasted', () => {
    const backoff = new Backoff(1000, 8000, 1);
    fail(backoff, 3);
    expect(backoff.failed(3999)).toBe(8000);
    expect(backoff.failed(8000)).toBe(1000);
    const two = new Backoff(1000, 8000, 2);
    fail(two, 4);
    expect(fail(two, 3, 60_000)).toEqual([0, 1000, 0]);
  });

  it('come even when servers accept and drop every connection at once', () => {
    const waits = fail(new Backoff(1000, 8000, 2), 8, 5);
    expect(waits).toEqual([0, 1000, 0, 2000, 0, 4000, 0, 8000]);
  });
});
