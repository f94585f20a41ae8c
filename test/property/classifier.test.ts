/**
 * The classifier against a linear search over all rules: the same priority wins, and any flow that
 * agrees on the bits consulted gets the same rule.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Classifier, type ClassifierRule } from '../../src/ofproto/classifier.js';
import {
  FLOW_WORDS,
  type FlowWords,
  newFlow,
  W_DL_SRC,
  W_DL_TYPE,
  W_IN_PORT,
  W_NW_DST,
  W_NW_SRC,
  W_REG0,
  W_TP,
} from '../../src/packet/flow-layout.js';

const WORDS = [W_IN_PORT, W_DL_SRC, W_DL_TYPE, W_NW_SRC, W_NW_DST, W_TP, W_REG0];
/** Few masks and few values, so that rules collide, overlap and share subtables. */
const wordMask = fc.constantFrom(0, 0, 0, -1, 0xff, 0xffff0000 | 0, 3);
const wordValue = fc.constantFrom(0, 1, 2, 3, 0x100, 0x10000, -1);

const arbRule = fc.record({
  masks: fc.array(wordMask, { minLength: WORDS.length, maxLength: WORDS.length }),
  values: fc.array(wordValue, { minLength: WORDS.length, maxLength: WORDS.length }),
  priority: fc.integer({ min: 0, max: 6 }),
});
const arbFlow = fc.array(wordValue, { minLength: WORDS.length, maxLength: WORDS.length });

interface TestRule extends ClassifierRule {
  id: number;
}

function toFlow(values: number[]): FlowWords {
  const flow = newFlow();
  WORDS.forEach((w, i) => {
    flow[w] = values[i];
  });
  return flow;
}

function build(specs: { masks: number[]; values: number[]; priority: number }[]) {
  const cls = new Classifier<TestRule>();
  const rules: TestRule[] = [];
  for (const [id, spec] of specs.entries()) {
    const mask = toFlow(spec.masks);
    const flow = toFlow(spec.values);
    for (let i = 0; i < FLOW_WORDS; i++) flow[i] &= mask[i];
    const rule = { id, match: { flow, mask }, priority: spec.priority };
    const old = cls.find(rule.match, rule.priority);
    if (old !== null) {
      expect(cls.remove(old)).toBe(true);
      rules.splice(rules.indexOf(old), 1);
    }
    cls.insert(rule);
    rules.push(rule);
  }
  return { cls, rules };
}

function matches(rule: TestRule, flow: FlowWords): boolean {
  return flow.every((word, i) => ((word ^ rule.match.flow[i]) & rule.match.mask[i]) === 0);
}

function linearPriority(rules: TestRule[], flow: FlowWords): number {
  return Math.max(-1, ...rules.filter((r) => matches(r, flow)).map((r) => r.priority));
}

describe('classifier', () => {
  it('finds a matching rule of the highest priority', () => {
    fc.assert(
      fc.property(fc.array(arbRule, { maxLength: 40 }), fc.array(arbFlow), (specs, flows) => {
        const { cls, rules } = build(specs);
        for (const values of flows) {
          const flow = toFlow(values);
          const found = cls.lookup(flow, null);
          expect(found?.priority ?? -1).toBe(linearPriority(rules, flow));
          if (found !== null) expect(matches(found, flow)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives every flow that agrees on the consulted bits the same rule', () => {
    fc.assert(
      fc.property(
        fc.array(arbRule, { maxLength: 40 }),
        arbFlow,
        fc.array(arbFlow, { minLength: 20, maxLength: 60 }),
        (specs, values, others) => {
          const { cls } = build(specs);
          const flow = toFlow(values);
          const wc = newFlow();
          const found = cls.lookup(flow, wc);
          for (const other of others) {
            const twin = toFlow(other);
            for (let i = 0; i < FLOW_WORDS; i++) twin[i] = (twin[i] & ~wc[i]) | (flow[i] & wc[i]);
            expect(cls.lookup(twin, null)?.id).toBe(found?.id);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps its answers right while rules come and go', () => {
    const step = fc.record({ rule: arbRule, remove: fc.nat({ max: 200 }), flow: arbFlow });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { cls, rules } = build([]);
        for (const [id, s] of steps.entries()) {
          const mask = toFlow(s.rule.masks);
          const flow = toFlow(s.rule.values).map((w, i) => w & mask[i]);
          const rule = { id, match: { flow, mask }, priority: s.rule.priority };
          if (cls.find(rule.match, rule.priority) === null) {
            cls.insert(rule);
            rules.push(rule);
          }
          if (s.remove < rules.length) expect(cls.remove(rules.splice(s.remove, 1)[0])).toBe(true);
          const probe = toFlow(s.flow);
          expect(cls.lookup(probe, null)?.priority ?? -1).toBe(linearPriority(rules, probe));
          expect(cls.size).toBe(rules.length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('lists what a loose match covers, and finds overlaps of equal priority', () => {
    fc.assert(
      fc.property(fc.array(arbRule, { maxLength: 30 }), arbRule, (specs, spec) => {
        const { cls, rules } = build(specs);
        const mask = toFlow(spec.masks);
        const flow = toFlow(spec.values).map((w, i) => w & mask[i]);
        const covered = rules.filter((r) =>
          mask.every(
            (m, i) => (m & ~r.match.mask[i]) === 0 && ((flow[i] ^ r.match.flow[i]) & m) === 0,
          ),
        );
        const ids = [...cls.covered({ flow, mask })].map((r) => r.id).sort();
        expect(ids).toEqual(covered.map((r) => r.id).sort());
        const overlaps = rules.some(
          (r) =>
            r.priority === spec.priority &&
            mask.every((m, i) => ((flow[i] ^ r.match.flow[i]) & m & r.match.mask[i]) === 0),
        );
        expect(cls.overlapping({ flow, mask }, spec.priority) !== null).toBe(overlaps);
      }),
      { numRuns: 300 },
    );
  });
});
