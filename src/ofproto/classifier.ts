/**
 * The classifier: finds the highest-priority rule that matches a flow, by tuple space search.
 *
 * Rules with the same mask live in one subtable, a hash table over the masked words. A lookup
 * visits the subtables by falling highest priority and stops when none that is left could beat
 * what it has: its cost depends on the number of distinct masks, not of rules.
 *
 *     subtables (by maxPriority)      stages of one subtable        buckets of its last stage
 *     [ mask A, max 900 ]  ------->   metadata | L2 | L3 | L4  -->  hash -> rule (prio 900)
 *     [ mask B, max 100 ]             words are compared stage                -> rule (prio 10)
 *     [ mask C, max 0   ]             by stage, a miss ends early
 *
 * Un-wildcarding: given a mask, a lookup ORs into it every bit that it consulted, so that any flow
 * equal under that mask finds the same rule. A subtable that misses in an early stage adds the bits
 * of the stages up to there alone.
 *
 * Not for: what rules mean (rule.ts), or the datapath's caches.
 */
import type { Match } from '../openflow/match.js';
import { matchCovers } from '../openflow/match.js';
import {
  FLOW_WORDS,
  type FlowWords,
  W_CONJ_ID,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_RECIRC_ID,
} from '../packet/flow-layout.js';

/** What the classifier needs of a rule. `match` and `priority` never change while it is inside. */
export interface ClassifierRule {
  readonly match: Match;
  readonly priority: number;
  /** Set: the rule only says that packets satisfy clauses of conjunctive matches. */
  readonly conjunctions?: readonly Conjunction[] | null;
}

/** Clause `clause` of the `nClauses` that conjunctive match `id` has. */
export interface Conjunction {
  id: number;
  clause: number;
  nClauses: number;
}

const N_STAGES = 4;

/** Metadata first, then layer 2, 3 and 4: the more a packet's header varies, the later. */
function stageOf(word: number): number {
  if (word === W_RECIRC_ID || word === W_IN_PORT || word >= W_DP_HASH) return 0;
  if (word <= W_DL_TYPE) return 1;
  if (word >= W_NW && word <= W_NW_DST) return 2;
  if (word >= W_IPV6_SRC && word <= W_IPV6_LABEL) return 2;
  return 3;
}

const WORDS_BY_STAGE: readonly number[] = Array.from({ length: FLOW_WORDS }, (_, i) => i).sort(
  (a, b) => stageOf(a) - stageOf(b) || a - b,
);

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** Rules of one mask. */
class Subtable<R extends ClassifierRule> {
  /** Indices of the mask's non-zero words, in stage order. */
  readonly words: Uint8Array;
  /** The mask's bits at these indices. */
  readonly bits: Int32Array;
  /** words[0..stageEnd[i]) belong to stages up to i; stages that add no word are left out. */
  readonly stageEnd: number[] = [];
  /** For each stage but the last: hash -> number of rules. */
  readonly stageIndex: Map<number, number>[] = [];
  /** Hash -> rules of falling priority within equal words (different words may share a hash). */
  readonly buckets = new Map<number, R[]>();
  /** Priority -> number of rules. */
  private readonly priorities = new Map<number, number>();
  maxPriority = -1;
  size = 0;

  constructor(readonly mask: FlowWords) {
    const words = WORDS_BY_STAGE.filter((w) => mask[w] !== 0);
    this.words = Uint8Array.from(words);
    this.bits = Int32Array.from(words, (w) => mask[w]);
    for (let stage = 0; stage < N_STAGES; stage++) {
      const end = words.filter((w) => stageOf(w) <= stage).length;
      if (end > (this.stageEnd.at(-1) ?? 0)) this.stageEnd.push(end);
    }
    for (let i = 0; i + 1 < this.stageEnd.length; i++) this.stageIndex.push(new Map());
  }

  /** Hash of words [from, to) of `flow` under the mask, continuing `hash`. */
  private hashWords(flow: FlowWords, hash: number, from: number, to: number): number {
    for (let i = from; i < to; i++) hash = mix(hash, flow[this.words[i]] & this.bits[i]);
    return hash;
  }

  fullHash(flow: FlowWords): number {
    return this.hashWords(flow, 0, 0, this.words.length);
  }

  private equalUnderMask(a: FlowWords, b: FlowWords): boolean {
    for (let i = 0; i < this.words.length; i++) {
      const w = this.words[i];
      if (((a[w] ^ b[w]) & this.bits[i]) !== 0) return false;
    }
    return true;
  }

  /** The best rule for `flow`, or null; adds to `wc` what was consulted. */
  lookup(flow: FlowWords, wc: FlowWords | null): R | null {
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < this.stageIndex.length; stage++) {
      const end = this.stageEnd[stage];
      hash = this.hashWords(flow, hash, done, end);
      done = end;
      if (!this.stageIndex[stage].has(hash)) {
        if (wc !== null) this.addTo(wc, end);
        return null;
      }
    }
    hash = this.hashWords(flow, hash, done, this.words.length);
    if (wc !== null) this.addTo(wc, this.words.length);
    const bucket = this.buckets.get(hash);
    if (bucket === undefined) return null;
    for (const rule of bucket) if (this.equalUnderMask(rule.match.flow, flow)) return rule;
    return null;
  }

  private addTo(wc: FlowWords, nWords: number): void {
    for (let i = 0; i < nWords; i++) wc[this.words[i]] |= this.bits[i];
  }

  /** All rules with exactly these words, by falling priority. */
  *same(match: Match): Generator<R> {
    for (const rule of this.buckets.get(this.fullHash(match.flow)) ?? []) {
      if (this.equalUnderMask(rule.match.flow, match.flow)) yield rule;
    }
  }

  /** The rule of the next lower priority with the same words, or null. */
  below(rule: R): R | null {
    const bucket = this.buckets.get(this.fullHash(rule.match.flow)) ?? [];
    for (let i = bucket.indexOf(rule) + 1; i < bucket.length; i++) {
      if (this.equalUnderMask(bucket[i].match.flow, rule.match.flow)) return bucket[i];
    }
    return null;
  }

  insert(rule: R): void {
    this.countStages(rule, 1);
    const hash = this.fullHash(rule.match.flow);
    const bucket = this.buckets.get(hash);
    if (bucket === undefined) this.buckets.set(hash, [rule]);
    else {
      const at = bucket.findIndex((other) => other.priority < rule.priority);
      bucket.splice(at < 0 ? bucket.length : at, 0, rule);
    }
    this.priorities.set(rule.priority, (this.priorities.get(rule.priority) ?? 0) + 1);
    this.maxPriority = Math.max(this.maxPriority, rule.priority);
    this.size += 1;
  }

  /** @returns false when the rule was not here */
  remove(rule: R): boolean {
    const hash = this.fullHash(rule.match.flow);
    const bucket = this.buckets.get(hash);
    const at = bucket?.indexOf(rule) ?? -1;
    if (bucket === undefined || at < 0) return false;
    if (bucket.length === 1) this.buckets.delete(hash);
    else bucket.splice(at, 1);
    this.countStages(rule, -1);
    const left = (this.priorities.get(rule.priority) as number) - 1;
    if (left > 0) this.priorities.set(rule.priority, left);
    else {
      this.priorities.delete(rule.priority);
      if (rule.priority === this.maxPriority) this.findMaxPriority();
    }
    this.size -= 1;
    return true;
  }

  private findMaxPriority(): void {
    this.maxPriority = -1;
    for (const p of this.priorities.keys()) this.maxPriority = Math.max(this.maxPriority, p);
  }

  private countStages(rule: R, delta: number): void {
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < this.stageIndex.length; stage++) {
      hash = this.hashWords(rule.match.flow, hash, done, this.stageEnd[stage]);
      done = this.stageEnd[stage];
      const count = (this.stageIndex[stage].get(hash) ?? 0) + delta;
      if (count > 0) this.stageIndex[stage].set(hash, count);
      else this.stageIndex[stage].delete(hash);
    }
  }
}

/** A set of rules, looked up by flow, by exact match, and by what a loose match covers. */
export class Classifier<R extends ClassifierRule> {
  /** By falling maxPriority. */
  private subtables: Subtable<R>[] = [];
  private readonly byMask = new Map<string, Subtable<R>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** How many distinct masks there are: what a lookup's cost grows with. */
  get nMasks(): number {
    return this.subtables.length;
  }

  /**
   * The rule of highest priority that matches `flow`, or null. With equal priorities any one of
   * them, but always the same for equal tables.
   *
   * @param wc when given, every bit consulted is set in it
   */
  lookup(flow: FlowWords, wc: FlowWords | null): R | null {
    let best: R | null = null;
    let clauses: Clause<R>[] | null = null;
    for (const subtable of this.subtables) {
      if (best !== null && subtable.maxPriority <= best.priority) break;
      const rule = subtable.lookup(flow, wc);
      if (rule === null) continue;
      if (rule.conjunctions) {
        clauses ??= [];
        clauses.push({ rule, subtable });
      } else if (best === null || rule.priority > best.priority) best = rule;
    }
    return clauses === null ? best : this.conjunctive(flow, wc, best, clauses);
  }

  /**
   * Decides between the best plain rule and conjunctive matches: from the highest priority down,
   * one all of whose clauses are there leads to the rule that matches its conj_id.
   */
  private conjunctive(
    flow: FlowWords,
    wc: FlowWords | null,
    plain: R | null,
    found: Clause<R>[],
  ): R | null {
    let best = plain;
    let clauses = found;
    for (;;) {
      const floor = best?.priority ?? -1;
      clauses = clauses.filter(({ rule }) => rule.priority > floor);
      if (clauses.length === 0) return best;
      const priority = Math.max(...clauses.map(({ rule }) => rule.priority));
      const here = clauses.filter(({ rule }) => rule.priority === priority);
      for (const id of completeConjunctions(here.map(({ rule }) => rule))) {
        const rule = this.lookupConjId(flow, wc, id);
        if (rule !== null) return rule;
      }
      // None: what lies below these rules, with the same words, may still match.
      clauses = clauses.filter(({ rule }) => rule.priority < priority);
      for (const { rule, subtable } of here) {
        const next = subtable.below(rule);
        if (next === null) continue;
        if (next.conjunctions) clauses.push({ rule: next, subtable });
        else if (best === null || next.priority > best.priority) best = next;
      }
    }
  }

  private lookupConjId(flow: FlowWords, wc: FlowWords | null, id: number): R | null {
    const saved = flow[W_CONJ_ID];
    flow[W_CONJ_ID] = id;
    let best: R | null = null;
    for (const subtable of this.subtables) {
      if (best !== null && subtable.maxPriority <= best.priority) break;
      let rule = subtable.lookup(flow, wc);
      while (rule?.conjunctions) rule = subtable.below(rule);
      if (rule !== null && (best === null || rule.priority > best.priority)) best = rule;
    }
    flow[W_CONJ_ID] = saved;
    return best;
  }

  /** The rule with exactly this match and priority, or null. */
  find(match: Match, priority: number): R | null {
    const subtable = this.byMask.get(maskKey(match.mask));
    if (subtable === undefined) return null;
    for (const rule of subtable.same(match)) if (rule.priority === priority) return rule;
    return null;
  }

  /** Adds a rule; one with the same match and priority must have been removed before. */
  insert(rule: R): void {
    const key = maskKey(rule.match.mask);
    let subtable = this.byMask.get(key);
    if (subtable === undefined) {
      subtable = new Subtable<R>(rule.match.mask.slice());
      this.byMask.set(key, subtable);
      this.subtables.push(subtable);
    }
    const before = subtable.maxPriority;
    subtable.insert(rule);
    if (subtable.maxPriority !== before) this.sortSubtables();
    this.count += 1;
  }

  /** Removes a rule. @returns false when it was not inside */
  remove(rule: R): boolean {
    const key = maskKey(rule.match.mask);
    const subtable = this.byMask.get(key);
    if (subtable === undefined) return false;
    const before = subtable.maxPriority;
    if (!subtable.remove(rule)) return false;
    if (subtable.size === 0) {
      this.byMask.delete(key);
      this.subtables.splice(this.subtables.indexOf(subtable), 1);
    } else if (subtable.maxPriority !== before) this.sortSubtables();
    this.count -= 1;
    return true;
  }

  private sortSubtables(): void {
    this.subtables.sort((a, b) => b.maxPriority - a.maxPriority);
  }

  /** Every rule, in no order that means anything. */
  *rules(): Generator<R> {
    for (const subtable of this.subtables) {
      for (const bucket of subtable.buckets.values()) yield* bucket;
    }
  }

  /** Every rule whose packets `target` covers (a loose flow-mod's or a request's choice). */
  *covered(target: Match): Generator<R> {
    for (const subtable of this.subtables) {
      if (!maskWithin(target.mask, subtable.mask)) continue;
      for (const bucket of subtable.buckets.values()) {
        for (const rule of bucket) if (matchCovers(target, rule.match)) yield rule;
      }
    }
  }

  /** A rule of the same priority that some packet could match together with `match`, or null. */
  overlapping(match: Match, priority: number): R | null {
    for (const subtable of this.subtables) {
      if (subtable.maxPriority < priority) break;
      for (const bucket of subtable.buckets.values()) {
        for (const rule of bucket) {
          if (rule.priority === priority && matchesOverlap(rule.match, match)) return rule;
        }
      }
    }
    return null;
  }
}

/** A rule with conjunctions that a packet matched. */
interface Clause<R extends ClassifierRule> {
  rule: R;
  subtable: Subtable<R>;
}

/** Numbers of the conjunctive matches all of whose clauses are among the rules. */
function completeConjunctions(rules: readonly ClassifierRule[]): number[] {
  const seen = new Map<number, { clauses: Set<number>; nClauses: number }>();
  for (const rule of rules) {
    for (const { id, clause, nClauses } of rule.conjunctions ?? []) {
      const entry = seen.get(id) ?? { clauses: new Set(), nClauses };
      entry.clauses.add(clause);
      seen.set(id, entry);
    }
  }
  return [...seen].filter(([, e]) => e.clauses.size >= e.nClauses).map(([id]) => id);
}

/** True when some packet satisfies both. */
function matchesOverlap(a: Match, b: Match): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) {
    if (((a.flow[i] ^ b.flow[i]) & a.mask[i] & b.mask[i]) !== 0) return false;
  }
  return true;
}

/** True when every bit of `inner` is a bit of `outer`. */
function maskWithin(inner: FlowWords, outer: FlowWords): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) if ((inner[i] & ~outer[i]) !== 0) return false;
  return true;
}

function maskKey(mask: FlowWords): string {
  let key = '';
  for (let i = 0; i < FLOW_WORDS; i++) if (mask[i] !== 0) key += `${i}:${mask[i]},`;
  return key;
}
