/**
 * The rules of one mask in a classifier.
 *
 * A lookup goes by stages (metadata, layer 2, 3, 4): a miss in one leaves the later ones unread.
 * The tries of addresses (trie-set.ts) rule a subtable out with the few bits that tell; that of a
 * subtable's ports keeps a miss in the last stage from consulting whole port numbers.
 *
 * Not for: choosing among subtables (classifier.ts).
 */
import type { Match } from '../openflow/match.js';
import {
  FLOW_WORDS,
  type FlowWords,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_NW,
  W_NW_DST,
  W_RECIRC_ID,
  W_TP,
} from '../packet/flow-layout.js';
import { PrefixTrie, prefixBits } from './prefix-trie.js';
import type { TrieSet } from './trie-set.js';

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

/** The stage that addresses, which have tries, belong to. */
const TRIE_STAGE = 2;

/** Metadata first, then layer 2, 3 and 4: the more a packet's header varies, the later. */
function stageOf(word: number): number {
  if (word === W_RECIRC_ID || word === W_IN_PORT || word >= W_DP_HASH) return 0;
  if (word <= W_DL_TYPE) return 1;
  if (word >= W_MPLS && word < W_MPLS + 3) return 1;
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

/** How many leading bits there are down to the lowest bit that is set. */
function lowestBitLength(bits: number): number {
  return Math.clz32(bits & -bits) + 1;
}

const NO_RULES: readonly never[] = [];

/** Rules of one mask. */
export class Subtable<R extends ClassifierRule> {
  /** Indices of the mask's non-zero words, in stage order. */
  readonly words: Uint8Array;
  /** The mask's bits at these indices. */
  readonly bits: Int32Array;
  /** words[0..stageEnd[i]) belong to stages up to i; stages that add no word are left out. */
  readonly stageEnd: number[] = [];
  /** Which of the four stages each of these is. */
  private readonly stageNumber: number[] = [];
  /** Prefix lengths of the mask in the fields that have a trie; 0: it is no prefix. */
  prefixes: readonly number[] = [];
  /** The rules' ports, so that a miss need not consult all of their bits. */
  private readonly ports: PrefixTrie | null;
  private readonly portsLength: number;
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
      if (end > (this.stageEnd.at(-1) ?? 0)) {
        this.stageEnd.push(end);
        this.stageNumber.push(stage);
      }
    }
    const ports = mask[W_TP];
    this.portsLength = ports === 0 ? 0 : lowestBitLength(ports);
    this.ports = ports === 0 ? null : new PrefixTrie();
    for (let i = 0; i + 1 < this.stageEnd.length; i++) this.stageIndex.push(new Map());
  }

  /** The table has other tries now. */
  useTries(tries: TrieSet): void {
    this.prefixes = tries.prefixesOf(this.mask);
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
  lookup(flow: FlowWords, wc: FlowWords | null, tries: TrieSet): R | null {
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < this.stageIndex.length; stage++) {
      const end = this.stageEnd[stage];
      if (wc !== null && this.ruledOut(stage, flow, wc, tries)) {
        this.addTo(wc, done);
        return null;
      }
      hash = this.hashWords(flow, hash, done, end);
      done = end;
      if (!this.stageIndex[stage].has(hash)) {
        if (wc !== null) this.addTo(wc, end);
        return null;
      }
    }
    if (wc !== null && this.ruledOut(this.stageIndex.length, flow, wc, tries)) {
      this.addTo(wc, done);
      return null;
    }
    hash = this.hashWords(flow, hash, done, this.words.length);
    const rule = this.inBucket(hash, flow);
    if (wc === null) return rule;
    const portsBefore = wc[W_TP];
    this.addTo(wc, this.words.length);
    if (rule === null && this.ports !== null) {
      const bits = prefixBits(this.ports.lookup(flow[W_TP] & this.mask[W_TP]));
      wc[W_TP] = portsBefore | (this.mask[W_TP] & bits);
    }
    return rule;
  }

  private ruledOut(stage: number, flow: FlowWords, wc: FlowWords, tries: TrieSet): boolean {
    return this.stageNumber[stage] === TRIE_STAGE && tries.rulesOut(this.prefixes, flow, wc);
  }

  private inBucket(hash: number, flow: FlowWords): R | null {
    for (const rule of this.buckets.get(hash) ?? NO_RULES) {
      if (this.equalUnderMask(rule.match.flow, flow)) return rule as R;
    }
    return null;
  }

  private addTo(wc: FlowWords, nWords: number): void {
    for (let i = 0; i < nWords; i++) wc[this.words[i]] |= this.bits[i];
  }

  /** The rule with exactly these words and this priority, or null. */
  exact(match: Match, priority: number): R | null {
    const bucket = this.buckets.get(this.fullHash(match.flow));
    if (bucket === undefined) return null;
    for (const rule of bucket) {
      if (rule.priority === priority && this.equalUnderMask(rule.match.flow, match.flow)) {
        return rule;
      }
    }
    return null;
  }

  /** The rule of the next lower priority with the same words, or null. */
  below(rule: R): R | null {
    const bucket = this.buckets.get(this.fullHash(rule.match.flow)) ?? [];
    for (let i = bucket.indexOf(rule) + 1; i < bucket.length; i++) {
      if (this.equalUnderMask(bucket[i].match.flow, rule.match.flow)) return bucket[i];
    }
    return null;
  }

  /** Every rule. */
  *rules(): Generator<R> {
    for (const bucket of this.buckets.values()) yield* bucket;
  }

  insert(rule: R): void {
    this.ports?.add(rule.match.flow[W_TP], this.portsLength);
    const hash = this.countStages(rule, 1);
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
    this.ports?.remove(rule.match.flow[W_TP], this.portsLength);
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

  /** @returns the hash of all words */
  private countStages(rule: R, delta: number): number {
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < this.stageIndex.length; stage++) {
      hash = this.hashWords(rule.match.flow, hash, done, this.stageEnd[stage]);
      done = this.stageEnd[stage];
      const count = (this.stageIndex[stage].get(hash) ?? 0) + delta;
      if (count > 0) this.stageIndex[stage].set(hash, count);
      else this.stageIndex[stage].delete(hash);
    }
    return this.hashWords(rule.match.flow, hash, done, this.words.length);
  }
}
