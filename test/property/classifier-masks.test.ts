/**
 * Tables of a hundred masks: prefixes of two addresses in ten lengths each, priorities and ports
 * mixed, beside a linear search. Entries of the switch itself are used: inside a table their match
 * is the table's.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixBits } from '../../src/ofproto/address-trie.js';
import { Classifier } from '../../src/ofproto/classifier.js';
import { HashCounts } from '../../src/ofproto/hash-counts.js';
import { NO_FLAGS, Rule } from '../../src/ofproto/rule.js';
import { type Match, matchAny, matchClone, matchEqual } from '../../src/openflow/match.js';
import {
  FLOW_WORDS,
  type FlowWords,
  newFlow,
  W_DL_TYPE,
  W_IN_PORT,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../../src/packet/flow-layout.js';

const LENGTHS = [32, 31, 30, 28, 24, 20, 16, 9, 8, 0];
const PORT_MASKS = [0, 0, 0, -1, 0xffff, 0xfff0, 0xffff0000 | 0];

/** Addresses that share their beginnings. */
const address = fc.constantFrom(0x0a000001, 0x0a000002, 0x0a000100, 0x0a800001, 0x0b000001, -1, 0);
const ports = fc.constantFrom(0x04000050, 0x04000051, 0x04010050, 0x00500400, -1);
const packet = fc.record({ inPort: fc.constantFrom(1, 2), src: address, dst: address, ports });
const entry = fc.record({
  packet,
  src: fc.constantFrom(...LENGTHS),
  dst: fc.constantFrom(...LENGTHS),
  portMask: fc.constantFrom(...PORT_MASKS),
  anyPort: fc.boolean(),
  priority: fc.integer({ min: 0, max: 12 }),
});
type Packet = { inPort: number; src: number; dst: number; ports: number };
type Entry = { packet: Packet; src: number; dst: number; portMask: number } & {
  anyPort: boolean;
  priority: number;
};

function flowOf(p: Packet): FlowWords {
  const flow = newFlow();
  flow[W_IN_PORT] = p.inPort;
  flow[W_DL_TYPE] = 0x08000000;
  flow[W_NW_SRC] = p.src;
  flow[W_NW_DST] = p.dst;
  flow[W_TP] = p.ports;
  return flow;
}

function matchOf(e: Entry): Match {
  const match = matchAny();
  const { mask } = match;
  if (!e.anyPort) mask[W_IN_PORT] = -1;
  mask[W_DL_TYPE] = 0xffff0000 | 0;
  mask[W_NW_SRC] = prefixBits(e.src);
  mask[W_NW_DST] = prefixBits(e.dst);
  mask[W_TP] = e.portMask;
  flowOf(e.packet).forEach((word, i) => {
    match.flow[i] = word & mask[i];
  });
  return match;
}

function ruleOf(match: Match, priority: number): Rule {
  const times = { idleTimeout: 0, hardTimeout: 0, importance: 0 };
  const spec = { match, priority, tableId: 0, cookie: 0n, flags: NO_FLAGS, actions: [] };
  return new Rule({ ...spec, ...times }, 0);
}

const matches = ({ flow, mask }: Match, packet: FlowWords): boolean =>
  mask.every((bits, i) => ((packet[i] ^ flow[i]) & bits) === 0);

/** The table, and beside it what should be in it. */
class Tables {
  readonly cls = new Classifier<Rule>();
  held: { rule: Rule; match: Match; priority: number }[] = [];

  add(e: Entry): void {
    const match = matchOf(e);
    const old = this.held.findIndex((h) => h.priority === e.priority && matchEqual(h.match, match));
    const found = this.cls.find(match, e.priority);
    expect(found).toBe(this.held[old]?.rule ?? null);
    if (old >= 0) this.remove(old);
    const rule = ruleOf(matchClone(match), e.priority);
    this.cls.insert(rule);
    this.held.push({ rule, match, priority: e.priority });
  }

  remove(at: number): void {
    const [{ rule, match }] = this.held.splice(at, 1);
    expect(this.cls.remove(rule)).toBe(true);
    expect(this.cls.remove(rule)).toBe(false);
    expect(matchEqual(rule.match, match)).toBe(true);
  }

  /** The priority of what a packet matches; -1: nothing. */
  linear(flow: FlowWords): number {
    let best = -1;
    for (const h of this.held) if (matches(h.match, flow)) best = Math.max(best, h.priority);
    return best;
  }
}

describe('a table of many masks', () => {
  it('finds what a linear search finds, with bits consulted that settle it', () => {
    const changes = fc.array(fc.tuple(entry, fc.nat(400)), { minLength: 100, maxLength: 300 });
    const probes = fc.array(fc.tuple(packet, packet), { minLength: 20, maxLength: 40 });
    fc.assert(
      fc.property(changes, probes, (steps, pairs) => {
        const tables = new Tables();
        for (const [e, gone] of steps) {
          tables.add(e);
          if (gone < tables.held.length) tables.remove(gone);
        }
        expect(tables.cls.size).toBe(tables.held.length);
        const wc = newFlow();
        for (const [one, other] of pairs) {
          const flow = flowOf(one);
          wc.fill(0);
          const found = tables.cls.lookup(flow, wc);
          expect(found?.priority ?? -1).toBe(tables.linear(flow));
          expect(tables.cls.lookup(flow, null)?.priority).toBe(found?.priority);
          if (found !== null) expect(matches(found.match, flow)).toBe(true);
          // A packet that is the same in what was consulted matches the same entry.
          const twin = flowOf(other).map((word, i) => (word & ~wc[i]) | (flow[i] & wc[i]));
          expect(tables.linear(twin)).toBe(found?.priority ?? -1);
        }
        for (const h of tables.held) expect(matchEqual(h.rule.match, h.match)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('lists and finds overlaps as a linear search does; cleared entries know their match', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 120 }), entry, (entries, probe) => {
        const tables = new Tables();
        for (const e of entries) tables.add(e);
        const target = matchOf(probe);
        const inside = (m: Match): boolean =>
          m.mask.every((bits, i) => (target.mask[i] & ~bits) === 0) && matches(target, m.flow);
        const wanted = tables.held.filter((h) => inside(h.match)).map((h) => h.rule);
        expect(new Set(tables.cls.covered(target))).toEqual(new Set(wanted));
        const overlap = tables.held.some(
          (h) =>
            h.priority === probe.priority &&
            h.match.mask.every(
              (bits, i) => ((h.match.flow[i] ^ target.flow[i]) & bits & target.mask[i]) === 0,
            ),
        );
        expect(tables.cls.overlapping(target, probe.priority) !== null).toBe(overlap);
        tables.cls.clear();
        expect([...tables.cls.rules()]).toEqual([]);
        for (const { rule, match } of tables.held) {
          expect(matchEqual(rule.match, match)).toBe(true);
          expect(tables.cls.remove(rule)).toBe(false);
          tables.cls.insert(rule);
        }
        expect(tables.cls.lookup(flowOf(probe.packet), null)?.priority ?? -1).toBe(
          tables.linear(flowOf(probe.packet)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('looks at no more bits than comparing with every mask would', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 150 }), packet, (entries, p) => {
        const tables = new Tables();
        const union = newFlow();
        for (const e of entries) tables.add(e);
        for (const { match } of tables.held) {
          for (let i = 0; i < FLOW_WORDS; i++) union[i] |= match.mask[i];
        }
        const wc = newFlow();
        tables.cls.lookup(flowOf(p), wc);
        expect(wc.every((word, i) => (word & ~union[i]) === 0)).toBe(true);
      }),
    );
  });
});

it('goes on through a table that changes, and lists in the order in which entries came', () => {
  const change = fc.record({ after: fc.nat(60), remove: fc.nat(60), add: fc.nat(40) });
  fc.assert(
    fc.property(fc.nat(200), fc.array(change, { maxLength: 12 }), (count, changes) => {
      const cls = new Classifier<Rule>();
      let held: Rule[] = [];
      let made = 0;
      const add = (): void => {
        const match = matchAny();
        match.mask[W_TP] = -1;
        match.flow[W_TP] = made;
        made += 1;
        const rule = ruleOf(match, 1);
        cls.insert(rule);
        held.push(rule);
      };
      for (let i = 0; i < count; i++) add();
      const all = new Set(held);
      const seen: Rule[] = [];
      const walk = cls.rules();
      for (const { after, remove, add: more } of changes) {
        for (let i = 0; i < after; i++) {
          const next = walk.next();
          if (next.done !== true) seen.push(next.value);
        }
        const gone = new Set(held.filter((_, i) => i % 3 === 0).slice(0, remove));
        for (const rule of gone) cls.remove(rule);
        held = held.filter((rule) => !gone.has(rule));
        for (const rule of gone) all.delete(rule);
        for (let i = 0; i < more; i++) add();
      }
      for (const rule of walk) seen.push(rule);
      expect(new Set(seen).size).toBe(seen.length);
      // Whoever was there all the time was seen.
      const listed = new Set(seen);
      expect([...all].every((rule) => listed.has(rule))).toBe(true);
      expect([...cls.rules()]).toEqual(held);
      for (const rule of held) expect(cls.find(rule.match, 1)).toBe(rule);
    }),
  );
});

it('counts hashes as a map does, also those that fall on one place', () => {
  // Multiples of a large power of two fall together in small tables.
  const hash = fc.oneof(
    fc.integer({ min: -20, max: 20 }),
    fc.integer({ min: 0, max: 40 }).map((n) => n << 26),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(hash, fc.boolean()), { maxLength: 300 }), (steps) => {
      const counts = new HashCounts();
      const held = new Map<number, number>();
      for (const [h, add] of steps) {
        if (add) counts.add(h);
        else counts.remove(h);
        held.set(h, Math.max(0, (held.get(h) ?? 0) + (add ? 1 : -1)));
      }
      for (const [h, count] of held) expect(counts.has(h)).toBe(count > 0);
    }),
  );
});
