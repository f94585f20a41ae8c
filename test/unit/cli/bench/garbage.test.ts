/** Reading V8's trace of garbage collections, and the report made of it. */
import { expect, it } from 'vitest';
import { formatGarbage, isolateOf } from '../../../../src/cli/bench/garbage.js';

it('finds the thread in a line of the trace', () => {
  const line =
    '[4242:0x55d0c0ffee00]      812 ms: Scavenge 4.1 (5.0) -> 3.2 (6.0) MB, pooled: 0 MB';
  expect(isolateOf(line)).toBe('4242:0x55d0c0ffee00');
  expect(isolateOf('2026-01-01T00:00:00Z|00001|bridge|INFO|added interface')).toBeUndefined();
  expect(isolateOf('')).toBeUndefined();
});

it('reports each thread', () => {
  const threads = [{ isolate: '1:0xa', silent: 1, busy: 3 }];
  expect(formatGarbage({ seconds: 10, packets: 5_000_000, threads })).toBe(
    'garbage collections in 10 s of silence and 10 s of traffic (5000000 packets, 0.500 Mpps):\n' +
      '  thread 1:0xa: 1 silent, 3 under traffic\n',
  );
  expect(formatGarbage({ seconds: 10, packets: 0, threads: [] })).toMatch(/none in any thread/);
});
