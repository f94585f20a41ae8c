/** Limits of what controllers are told: tokens, turns by port, and what is lost. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NEVER, stoppedClock } from '../../../src/common/clock.js';
import { PacketInLimit } from '../../../src/ofproto/connmgr/packet-in-limit.js';

function limited(rate: number, burst: number) {
  const clock = stoppedClock(1000);
  const sent: string[] = [];
  const limit = new PacketInLimit<string>(clock, (packet) => sent.push(packet));
  limit.configure(rate, burst);
  return { clock, sent, limit };
}

it('as many as the burst go at once, the others wait for their time', () => {
  const { clock, sent, limit } = limited(100, 5);
  for (let i = 0; i < 8; i++) limit.offer(1, `${i}`);
  expect(sent).toEqual(['0', '1', '2', '3', '4']);
  expect(limit.nextWake()).toBe(1010);
  limit.run();
  expect(sent).toHaveLength(5);
  clock.advance(10);
  limit.run();
  expect(sent).toEqual(['0', '1', '2', '3', '4', '5']);
  clock.advance(1000);
  limit.run();
  expect(sent).toHaveLength(8);
  expect(limit.nextWake()).toBe(NEVER);
  expect(limit.statistics).toEqual({ backlog: 0, bypassed: 5, queued: 3, dropped: 0 });
});

it('ports take turns, and the longest queue loses its first', () => {
  const { clock, sent, limit } = limited(1000, 4);
  for (let i = 0; i < 4; i++) limit.offer(9, 'first');
  sent.length = 0;
  for (const packet of ['a1', 'a2', 'a3', 'a4']) limit.offer(1, packet);
  limit.offer(2, 'b1');
  limit.offer(2, 'b2');
  expect(limit.statistics.dropped).toBe(2);
  clock.advance(1000);
  limit.run();
  expect(sent).toEqual(['a3', 'b1', 'a4', 'b2']);
});

it('a lower limit gives up what is too much; 0 means the defaults', () => {
  const { limit } = limited(1000, 100);
  for (let i = 0; i < 200; i++) limit.offer(i % 3, 'x');
  expect(limit.statistics.backlog).toBe(100);
  limit.configure(10, 7);
  expect(limit.statistics).toMatchObject({ backlog: 7, dropped: 93 });
  const usual = limited(0, 0);
  for (let i = 0; i < 1000; i++) usual.limit.offer(1, 'x');
  expect(usual.sent).toHaveLength(250);
});

it('never sends faster than rate and burst allow, and loses nothing untold', () => {
  const step = fc.record({ port: fc.nat(3), waitMs: fc.nat(40) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 200 }),
      (steps, rate) => {
        const { clock, sent, limit } = limited(rate, 10);
        const start = clock.now();
        for (const { port, waitMs } of steps) {
          limit.offer(port, 'x');
          clock.advance(waitMs);
          limit.run();
          expect(sent.length).toBeLessThanOrEqual(
            10 + ((clock.now() - start) * rate) / 1000 + 1e-6,
          );
          expect(limit.statistics.backlog).toBeLessThanOrEqual(10);
        }
        const { backlog, dropped } = limit.statistics;
        expect(sent.length + backlog + dropped).toBe(steps.length);
      },
    ),
  );
});
