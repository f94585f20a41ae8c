/**
 * The classifier of the packet path (exact-match cache over megaflow table) against a linear scan,
 * while flows come and go. Flows are made from few masks and values so that they overlap and meet.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractFlow } from '../../src/packet/extract.js';
import { DP_FLOW_WORDS, type FlowWords, newFlow } from '../../src/packet/flow-layout.js';
import { EngineFixture } from '../unit/datapath/engine-fixture.js';
import { soundFrame } from './datapath-frames.js';

/** Word and mask pairs that masks are joined from. */
const MASK_PARTS: [number, number][] = [
  [1, -1],
  [2, -1],
  [3, 0xffff0000 | 0],
  [5, 0x1fff],
  [7, 0xffff0000 | 0],
  [7, 0xff00],
  [8, 0xff000000 | 0],
  [9, -1],
  [9, 0xffffff00 | 0],
  [11, 0xffff],
  [12, 0x00020000],
  [13, -1],
  [20, -1],
  [26, -1],
  [32, -1],
];

type Step =
  | { do: 'put'; slot: number; parts: number[]; frame: number }
  | { do: 'del'; slot: number }
  | { do: 'packet'; frame: number; port: number };

const slot = fc.nat(11);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    slot,
    parts: fc.uniqueArray(fc.nat(MASK_PARTS.length - 1), { maxLength: 4 }),
    frame: fc.nat(11),
  }),
  fc.record({ do: fc.constant('del' as const), slot }),
  ...Array.from({ length: 4 }, () =>
    fc.record({
      do: fc.constant('packet' as const),
      frame: fc.nat(11),
      port: fc.constantFrom(1, 2),
    }),
  ),
);

function matches(key: FlowWords, flow: { key: FlowWords; mask: FlowWords }): boolean {
  for (let w = 0; w < DP_FLOW_WORDS; w++) {
    if (((key[w] ^ flow.key[w]) & flow.mask[w]) !== 0) return false;
  }
  return true;
}

describe('packet classification', () => {
  it('finds a matching flow exactly when a linear scan does', () => {
    fc.assert(
      fc.property(
        fc.array(soundFrame, { minLength: 12, maxLength: 12 }),
        fc.array(step, { maxLength: 60 }),
        (frames, steps) => {
          const fixture = new EngineFixture(undefined, 4);
          const flows = new Map<number, { key: FlowWords; mask: FlowWords }>();
          const seen = new Map<number, number>();
          for (const s of steps) {
            if (s.do === 'put') {
              const mask = newFlow();
              for (const part of s.parts) mask[MASK_PARTS[part][0]] |= MASK_PARTS[part][1];
              const key = extractFlow(frames[s.frame], 1);
              const taken = [...flows.values()].some(
                (f) => f.mask.every((m, w) => m === mask[w]) && matches(key, f),
              );
              if (flows.has(s.slot) || taken) continue;
              flows.set(s.slot, { key, mask });
              seen.set(s.slot, fixture.packets(s.slot));
              fixture.flow(s.slot, key, mask, [{ type: 'output', port: s.slot + 1 }]);
            } else if (s.do === 'del') {
              fixture.engine.flowDel(s.slot);
              flows.delete(s.slot);
            } else {
              fixture.sent.length = 0;
              fixture.upcalls.length = 0;
              fixture.receive(frames[s.frame], s.port);
              const key = extractFlow(frames[s.frame], s.port);
              const able = [...flows].filter(([, f]) => matches(key, f)).map(([n]) => n + 1);
              if (able.length === 0) {
                expect(fixture.sent).toEqual([]);
                expect(fixture.upcalls.length).toBe(1);
                expect(fixture.upcalls[0].key).toEqual(key);
              } else {
                expect(fixture.upcalls).toEqual([]);
                expect(fixture.sent.length).toBe(1);
                expect(able).toContain(fixture.sent[0].port);
                const hit = fixture.sent[0].port - 1;
                seen.set(hit, (seen.get(hit) ?? 0) + 1);
              }
            }
          }
          for (const [n, packets] of seen) {
            if (flows.has(n)) expect(fixture.packets(n)).toBe(packets);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
