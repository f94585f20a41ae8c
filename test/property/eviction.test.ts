/** Whoever is evicted is whom a look at every entry would choose. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EvictionIndex } from '../../src/ofproto/eviction.js';
import { NO_FLAGS, Rule } from '../../src/ofproto/rule.js';
import { matchAny } from '../../src/openflow/match.js';
import { W_REG0 } from '../../src/packet/flow-layout.js';

const FIELDS = [{ field: 'reg0', ofs: 0, nBits: 32 }];

interface Spec {
  group: number;
  importance: number;
  idle: number;
  hard: number;
}

function rule({ group, importance, idle, hard }: Spec): Rule {
  const match = matchAny();
  match.flow[W_REG0] = group;
  match.mask[W_REG0] = -1;
  return new Rule(
    {
      ...{ match, priority: 1, tableId: 0, cookie: 0n, idleTimeout: idle, hardTimeout: hard },
      ...{ importance, flags: NO_FLAGS, actions: [] },
    },
    1000,
  );
}

const groupOf = (r: Rule): number => r.match.flow[W_REG0];

/** Every entry that may go: of the largest group, least important, soonest (to the second). */
function choices(rules: Iterable<Rule>): Set<Rule> {
  const mortal = [...rules].filter((r) => r.expiresMs() !== Infinity);
  const sizes = new Map<number, number>();
  for (const r of mortal) sizes.set(groupOf(r), (sizes.get(groupOf(r)) ?? 0) + 1);
  const largest = Math.max(0, ...sizes.values());
  const best = new Set<Rule>();
  for (const [group, size] of sizes) {
    if (size !== largest) continue;
    const members = mortal.filter((r) => groupOf(r) === group);
    const least = Math.min(...members.map((r) => r.importance));
    const weak = members.filter((r) => r.importance === least);
    const soonest = Math.min(...weak.map((r) => Math.floor(r.expiresMs() / 1000)));
    for (const r of weak) if (Math.floor(r.expiresMs() / 1000) === soonest) best.add(r);
  }
  return best;
}

const spec: fc.Arbitrary<Spec> = fc.record({
  group: fc.nat(2),
  importance: fc.nat(2),
  idle: fc.constantFrom(0, 0, 5, 9),
  hard: fc.constantFrom(0, 3, 60),
});
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), spec }),
  fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }),
  fc.record({ do: fc.constant('use' as const), which: fc.nat(50), atMs: fc.nat(30_000) }),
  fc.record({ do: fc.constant('shorten' as const), which: fc.nat(50) }),
  fc.record({ do: fc.constant('evict' as const) }),
);

it('through additions, removals, use and shorter timeouts', () => {
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 8 }), fc.array(step, { maxLength: 40 }), (a, steps) => {
      const rules = new Set(a.map(rule));
      const index = new EvictionIndex(FIELDS, rules);
      const pick = (which: number): Rule | undefined => [...rules][which % rules.size];
      for (const each of steps) {
        if (each.do === 'add') {
          const added = rule(each.spec);
          rules.add(added);
          index.add(added);
        } else if (each.do === 'evict') {
          const victim = index.victim();
          const may = choices(rules);
          if (may.size === 0) expect(victim).toBeNull();
          else expect(may.has(victim as Rule)).toBe(true);
          if (victim !== null) {
            rules.delete(victim);
            index.remove(victim);
          }
        } else {
          const chosen = pick(each.which);
          if (chosen === undefined) continue;
          if (each.do === 'remove') {
            rules.delete(chosen);
            index.remove(chosen);
          } else if (each.do === 'use') {
            chosen.credit({ packets: 1, bytes: 60, usedMs: each.atMs });
          } else {
            chosen.reduceTimeouts(2, 2);
            index.add(chosen);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});
