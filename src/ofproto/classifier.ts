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
import { type Match, withoutTunMetadata } from '../openflow/match.js';
import { tunMetadataCovers, tunMetadataMeet } from '../openflow/tun-options.js';
import {
  FLOW_WORDS,
  type FlowWords,
  sameWords,
  W_CONJ_ID,
  W_TUN_METADATA,
} from '../packet/flow-layout.js';
import { maskWithin, type Shared, StageHashes, Subtable } from './classifier-subtable.js';
import type { ClassifierRule } from './rule-store.js';
import { COMING, GOING, type Mark, SETTLED, TableView } from './table-view.js';
import { DEFAULT_PREFIX_FIELDS, TrieSet } from './trie-set.js';

export type { ClassifierRule, Conjunction } from './rule-store.js';

/** Numbers of stages that are kept: as many as there can be, and twice that to spare. */
const STAGES_PER_MASK = 6;
const STAGES_SPARE = 16;
/** Of an empty table: a switch has hundreds. */
const NO_PRIORITIES = new Int32Array(0);
const NO_PREFIXES = new Uint8Array(0);

/** A set of rules, looked up by flow, by exact match, and by what a loose match covers. */
export class Classifier<R extends ClassifierRule> {
  /** By falling maxPriority, once they are in order. */
  private subtables: Subtable<R>[] = [];
  private inOrder = true;
  /** Of each of them, side by side: what a lookup asks first. */
  private maxPriorities = NO_PRIORITIES;
  private prefixes = NO_PREFIXES;
  private readonly byMask = new Map<string, Subtable<R>>();
  private recent: Subtable<R> | undefined;
  /** What placeOf has found for a rule, if it is inserted next. */
  private placed: Subtable<R> | undefined;
  private placedRule: R | null = null;
  private count = 0;
  private readonly shared: Shared;
  private prefixFields = DEFAULT_PREFIX_FIELDS.join();
  /** Rules inside by their marks. */
  private readonly marked = [0, 0, 0];

  constructor(private readonly view = new TableView()) {
    this.shared = { tries: new TrieSet(), stages: new StageHashes(), view };
  }

  /** How many rules are seen. */
  get size(): number {
    return this.count - this.marked[this.view.shows === GOING ? COMING : GOING];
  }

  /** Says who sees a rule that is inside. */
  mark(rule: R, mark: Mark): void {
    const { home, slot } = rule;
    if (home === null || home === undefined || slot === undefined) return;
    this.marked[home.markAt(slot)] -= 1;
    this.marked[mark] += 1;
    home.setMark(slot, mark);
  }

  markOf(rule: R): Mark {
    const { home, slot } = rule;
    if (home === null || home === undefined || slot === undefined) return SETTLED;
    return home.markAt(slot);
  }

  /** Rules with marks are like all others now. */
  dropMarks(): void {
    if (this.marked[COMING] + this.marked[GOING] === 0) return;
    for (const { store } of this.subtables) store.dropMarks();
    this.marked.fill(0);
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
    this.begin();
    const { subtables, maxPriorities, prefixes } = this;
    const { tries } = this.shared;
    for (let i = 0; i < subtables.length; i++) {
      if (best !== null && maxPriorities[i] <= best.priority) break;
      if (wc !== null && tries.knownOut(prefixes, i * tries.size, wc)) continue;
      const rule = subtables[i].lookup(flow, wc);
      if (rule === null) continue;
      if (rule.conjunctions) {
        clauses ??= [];
        clauses.push({ rule, subtable: subtables[i] });
      } else if (best === null || rule.priority > best.priority) best = rule;
    }
    return clauses === null ? best : this.conjunctive(flow, wc, best, clauses);
  }

  /** A lookup begins. */
  private begin(): void {
    if (!this.inOrder) this.order();
    this.shared.tries.begin();
    this.shared.stages.begin();
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
    this.begin();
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

  /**
   * Which addresses have tries: names of fields. What lookups find does not depend on it, but what
   * they consult does.
   * @returns true when that changed
   */
  setPrefixFields(fields: readonly string[]): boolean {
    if (fields.join() === this.prefixFields) return false;
    this.prefixFields = fields.join();
    const tries = new TrieSet(fields);
    this.shared.tries = tries;
    this.inOrder = false;
    for (const subtable of this.subtables) {
      subtable.useTries();
      for (const rule of subtable.store.all()) tries.add(rule.match.flow, subtable.prefixes);
    }
    return true;
  }

  /** The rule with exactly this match and priority, or null. */
  find(match: Match, priority: number): R | null {
    return this.subtableOf(match.mask)?.exact(match, priority) ?? null;
  }

  /** The rule whose place this one, which is to be inserted next, takes; or null. */
  placeOf(rule: R): R | null {
    const subtable = this.subtableOf(rule.match.mask);
    this.placed = subtable;
    this.placedRule = rule;
    return subtable?.exact(rule.match, rule.priority) ?? null;
  }

  /**
   * Adds a rule; one with the same match and priority must have been removed before. Its mask
   * becomes the one that all rules of that mask share.
   */
  insert(rule: R): void {
    const { match } = rule;
    let subtable = this.placedRule === rule ? this.placed : this.subtableOf(match.mask);
    this.placedRule = null;
    if (subtable === undefined) {
      this.forgetStages();
      subtable = new Subtable<R>(match.mask.slice(), this.shared);
      this.byMask.set(maskKey(subtable.mask), subtable);
      this.subtables.push(subtable);
    }
    const before = subtable.maxPriority;
    if (rule.moved === undefined) match.mask = subtable.mask;
    subtable.insert(rule);
    if (subtable.maxPriority !== before) this.inOrder = false;
    this.count += 1;
  }

  /** Masks that come and go must not leave numbers behind for ever. */
  private forgetStages(): void {
    const { stages } = this.shared;
    if (stages.size < STAGES_PER_MASK * (this.subtables.length + STAGES_SPARE)) return;
    stages.clear();
    for (const subtable of this.subtables) subtable.useStages();
  }

  /** Removes a rule. @returns false when it was not inside */
  remove(rule: R): boolean {
    this.placedRule = null;
    const subtable = this.subtableOf((rule.home ?? rule.match).mask);
    if (subtable === undefined) return false;
    const before = subtable.maxPriority;
    const mark = this.markOf(rule);
    if (!subtable.remove(rule)) return false;
    this.marked[mark] -= 1;
    if (subtable.size === 0) {
      this.byMask.delete(maskKey(subtable.mask));
      this.recent = undefined;
      this.subtables.splice(this.subtables.indexOf(subtable), 1);
      this.inOrder = false;
      if (this.subtables.length === 0) this.shared.stages.clear();
    } else if (subtable.maxPriority !== before) this.inOrder = false;
    this.count -= 1;
    return true;
  }

  /** True when the test holds for every rule. Faster than going through `rules()`. */
  every(test: (rule: R) => boolean): boolean {
    return this.subtables.every(({ store }) => store.every(test));
  }

  /** Removes every rule at once. What they match is still known to them. */
  clear(): void {
    this.placedRule = null;
    this.subtables = [];
    this.inOrder = false;
    this.byMask.clear();
    this.recent = undefined;
    this.count = 0;
    this.marked.fill(0);
    this.shared.tries = new TrieSet(this.shared.tries.fields);
    this.shared.stages.clear();
  }

  /** Requests that follow each other are mostly about the same mask. */
  private subtableOf(mask: FlowWords): Subtable<R> | undefined {
    const { recent } = this;
    if (recent !== undefined && (recent.mask === mask || sameWords(recent.mask, mask))) {
      return recent;
    }
    const found = this.byMask.get(maskKey(mask));
    if (found !== undefined) this.recent = found;
    return found;
  }

  /** Puts subtables in order after some came, went or got another priority. */
  private order(): void {
    const { subtables } = this;
    subtables.sort((a, b) => b.maxPriority - a.maxPriority);
    this.maxPriorities = Int32Array.from(subtables, (subtable) => subtable.maxPriority);
    const nTries = this.shared.tries.size;
    this.prefixes = new Uint8Array(subtables.length * nTries);
    for (const [i, subtable] of subtables.entries())
      this.prefixes.set(subtable.prefixes, i * nTries);
    this.inOrder = true;
  }

  /** Every rule: masks by falling highest priority, of one mask in the order in which they came. */
  *rules(): Generator<R> {
    for (const subtable of this.orderedSubtables()) yield* subtable.store.all();
  }

  /** For those who go through them over many turns, in which there may be others. */
  private orderedSubtables(): readonly Subtable<R>[] {
    if (!this.inOrder) this.order();
    return [...this.subtables];
  }

  /** Every rule whose packets `target` covers (a loose flow-mod's or a request's choice). */
  *covered(target: Match): Generator<R> {
    const { tunMetadata } = target;
    if (tunMetadata !== undefined) {
      for (const rule of this.covered(withoutTunMetadata(target))) {
        if (tunMetadataCovers(tunMetadata, rule.match.tunMetadata)) yield rule;
      }
      return;
    }
    for (const subtable of this.orderedSubtables()) {
      if (maskWithin(target.mask, subtable.mask)) yield* subtable.covered(target);
    }
  }

  /** True when some rule asks for the tunnel option. */
  usesTunOption(index: number): boolean {
    const asks = (rule: R): boolean =>
      rule.match.tunMetadata?.options.some((option) => option.index === index) === true;
    return this.subtables.some(
      ({ mask, store }) => mask[W_TUN_METADATA] !== 0 && !store.every((rule) => !asks(rule)),
    );
  }

  /** A rule of the same priority that some packet could match together with `match`, or null. */
  overlapping(match: Match, priority: number): R | null {
    if (!this.inOrder) this.order();
    const { tunMetadata } = match;
    const rest = tunMetadata === undefined ? match : withoutTunMetadata(match);
    const suits = (rule: R): boolean => tunMetadataMeet(tunMetadata, rule.match.tunMetadata);
    for (const subtable of this.subtables) {
      if (subtable.maxPriority < priority) break;
      const rule = subtable.overlapping(rest, priority, tunMetadata && suits);
      if (rule !== null) return rule;
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
  const ids = [...seen].filter(([, e]) => e.clauses.size >= e.nClauses).map(([id]) => id);
  return ids.sort((a, b) => a - b);
}

function maskKey(mask: FlowWords): string {
  let key = '';
  for (let i = 0; i < FLOW_WORDS; i++) if (mask[i] !== 0) key += `${i}:${mask[i]},`;
  return key;
}
