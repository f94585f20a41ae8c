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
import { AddressTrie, prefixBits } from './address-trie.js';
import { HashCounts } from './hash-counts.js';
import { type ClassifierRule, RuleStore } from './rule-store.js';
import type { TableView } from './table-view.js';
import type { TrieSet } from './trie-set.js';

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

/** Of a table without masks. */
const NO_HASHES = new Int32Array(0);
const NO_LOOKUPS = new Uint32Array(0);

/**
 * Hashes of the early stages in the lookup that is under way: subtables with the same mask up to a
 * stage, which most of a table are, share them.
 */
export class StageHashes {
  private readonly ids = new Map<string, number>();
  private hashes = NO_HASHES;
  /** The lookup that each is of. */
  private lookups = NO_LOOKUPS;
  private lookup = 0;

  /** The number of a mask's words up to a stage. */
  idOf(words: readonly number[], mask: FlowWords): number {
    const key = words.map((word) => `${word}:${mask[word]}`).join();
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.ids.size;
    this.ids.set(key, id);
    this.hashes = new Int32Array(id + 1);
    this.lookups = new Uint32Array(id + 1);
    return id;
  }

  begin(): void {
    this.lookup = (this.lookup + 1) >>> 0;
    if (this.lookup !== 0) return;
    this.lookups.fill(0);
    this.lookup = 1;
  }

  known(id: number): boolean {
    return this.lookups[id] === this.lookup;
  }

  get(id: number): number {
    return this.hashes[id];
  }

  set(id: number, hash: number): void {
    this.hashes[id] = hash;
    this.lookups[id] = this.lookup;
  }

  get size(): number {
    return this.ids.size;
  }

  /** Numbers begin anew: subtables that go on must ask for theirs. */
  clear(): void {
    this.ids.clear();
  }
}

/** What subtables of a classifier share. */
export interface Shared {
  tries: TrieSet;
  readonly stages: StageHashes;
  readonly view: TableView;
}

/** One value, to look ports up. */
const portWord = new Int32Array(1);

/** Rules of one mask. */
export class Subtable<R extends ClassifierRule> {
  /** Indices of the mask's non-zero words, in stage order. */
  private readonly words: Uint8Array;
  /** The mask's bits at these indices. */
  private readonly bits: Int32Array;
  /** words[0..stageEnd[i]) belong to stages up to i; stages that add no word are left out. */
  private readonly stageEnd: number[] = [];
  /** Which of the four stages each of these is. */
  private readonly stageNumber: number[] = [];
  /** Numbers of the words up to each stage but the last (StageHashes). */
  private stageIds: readonly number[] = [];
  /** For each stage but the last: how many rules have a hash. */
  private readonly stageIndex: HashCounts[] = [];
  /** Prefix lengths of the mask in the fields that have a trie; 0: it is no prefix. */
  prefixes: readonly number[] = [];
  /** The rules' ports, so that a miss need not consult all of their bits. */
  private readonly ports: AddressTrie | null;
  private readonly portsLength: number;
  readonly store: RuleStore<R>;
  /** Priority -> number of rules. */
  private readonly priorities = new Map<number, number>();
  maxPriority = -1;

  constructor(
    readonly mask: FlowWords,
    private readonly shared: Shared,
  ) {
    const words = WORDS_BY_STAGE.filter((w) => mask[w] !== 0);
    this.words = Uint8Array.from(words);
    this.bits = Int32Array.from(words, (w) => mask[w]);
    this.store = new RuleStore<R>(mask, this.words, this.bits, shared.view);
    for (let stage = 0; stage < N_STAGES; stage++) {
      const end = words.filter((w) => stageOf(w) <= stage).length;
      if (end > (this.stageEnd.at(-1) ?? 0)) {
        this.stageEnd.push(end);
        this.stageNumber.push(stage);
      }
    }
    const ports = mask[W_TP];
    this.portsLength = ports === 0 ? 0 : lowestBitLength(ports);
    this.ports = ports === 0 ? null : new AddressTrie(1);
    for (let i = 0; i + 1 < this.stageEnd.length; i++) this.stageIndex.push(new HashCounts());
    this.useStages();
    this.useTries();
  }

  /** Its stages have other numbers now. */
  useStages(): void {
    const { stages } = this.shared;
    this.stageIds = this.stageEnd
      .slice(0, -1)
      .map((end) => stages.idOf([...this.words.subarray(0, end)], this.mask));
  }

  get size(): number {
    return this.store.size;
  }

  /** The table has other tries now. */
  useTries(): void {
    this.prefixes = this.shared.tries.prefixesOf(this.mask);
  }

  /** Hash of words [from, to) of `flow` under the mask, continuing `hash`. */
  private hashWords(flow: FlowWords, hash: number, from: number, to: number): number {
    const { words, bits } = this;
    let result = hash;
    for (let i = from; i < to; i++) result = mix(result, flow[words[i]] & bits[i]);
    return result;
  }

  private readonly fullHash = (flow: FlowWords): number =>
    this.hashWords(flow, 0, 0, this.words.length);

  /** Hash of the words up to a stage, given that up to the one before. */
  private stageHash(flow: FlowWords, stage: number, before: number): number {
    const { stages } = this.shared;
    const id = this.stageIds[stage];
    if (stages.known(id)) return stages.get(id);
    const from = stage === 0 ? 0 : this.stageEnd[stage - 1];
    const hash = this.hashWords(flow, before, from, this.stageEnd[stage]);
    stages.set(id, hash);
    return hash;
  }

  /** The best rule for `flow`, or null; adds to `wc` what was consulted. */
  lookup(flow: FlowWords, wc: FlowWords | null): R | null {
    const nStages = this.stageIndex.length;
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < nStages; stage++) {
      if (wc !== null && this.ruledOut(stage, flow, wc)) {
        this.addTo(wc, done);
        return null;
      }
      hash = this.stageHash(flow, stage, hash);
      done = this.stageEnd[stage];
      if (!this.stageIndex[stage].has(hash)) {
        if (wc !== null) this.addTo(wc, done);
        return null;
      }
    }
    if (wc !== null && this.ruledOut(nStages, flow, wc)) {
      this.addTo(wc, done);
      return null;
    }
    hash = this.hashWords(flow, hash, done, this.words.length);
    const rule = this.withHash(hash, flow);
    if (wc === null) return rule;
    const portsBefore = wc[W_TP];
    this.addTo(wc, this.words.length);
    if (rule === null && this.ports !== null) {
      portWord[0] = flow[W_TP] & this.mask[W_TP];
      const bits = prefixBits(this.ports.lookup(portWord, 0));
      wc[W_TP] = portsBefore | (this.mask[W_TP] & bits);
    }
    return rule;
  }

  private ruledOut(stage: number, flow: FlowWords, wc: FlowWords): boolean {
    if (this.stageNumber[stage] !== TRIE_STAGE) return false;
    return this.shared.tries.rulesOut(this.prefixes, flow, wc);
  }

  private withHash(hash: number, flow: FlowWords): R | null {
    const { store } = this;
    let slot = store.first(hash);
    while (slot >= 0 && !(store.holds(slot, flow) && store.sees(slot))) slot = store.after(slot);
    return slot < 0 ? null : store.rules[slot];
  }

  private addTo(wc: FlowWords, nWords: number): void {
    const { words, bits } = this;
    for (let i = 0; i < nWords; i++) wc[words[i]] |= bits[i];
  }

  /** The rule with exactly these words and this priority, or null. */
  exact(match: Match, priority: number): R | null {
    const { store } = this;
    let slot = store.first(this.fullHash(match.flow));
    for (; slot >= 0; slot = store.after(slot)) {
      const rule = store.rules[slot];
      if (rule?.priority !== priority || !store.holds(slot, match.flow)) continue;
      if (store.sees(slot)) return rule;
    }
    return null;
  }

  /** The rule of the next lower priority with the same words, or null. */
  below(rule: R): R | null {
    const { store } = this;
    const from = store.slotOf(rule, this.fullHash);
    if (from < 0) return null;
    let slot = store.after(from);
    while (slot >= 0 && !(store.same(slot, from) && store.sees(slot))) slot = store.after(slot);
    return slot < 0 ? null : store.rules[slot];
  }

  /** Every rule whose packets `target` covers; the mask has all of target's bits. */
  *covered(target: Match): Generator<R> {
    const { store } = this;
    const shared = store.sharedWords(target.mask);
    yield* store.matching((slot) => store.agrees(slot, target, shared));
  }

  /**
   * A rule of that priority that some packet could match together with `match`, or null.
   * @param suits looks at the tunnel options that rules ask for; `match` has none then
   */
  overlapping(match: Match, priority: number, suits?: (rule: R) => boolean): R | null {
    if (!this.priorities.has(priority)) return null;
    const { store } = this;
    // Where the match has all bits of the mask, equal words are the only way.
    if (maskWithin(this.mask, match.mask)) return this.exact(match, priority);
    const shared = store.sharedWords(match.mask);
    for (let slot = 0; slot < store.rules.length; slot++) {
      const rule = store.rules[slot];
      if (rule?.priority !== priority || !store.agrees(slot, match, shared)) continue;
      if (store.sees(slot) && suits?.(rule) !== false) return rule;
    }
    return null;
  }

  insert(rule: R): void {
    const { flow } = rule.match;
    if (this.ports !== null) {
      portWord[0] = flow[W_TP] & this.mask[W_TP];
      this.ports.add(portWord, 0, this.portsLength);
    }
    this.shared.tries.add(flow, this.prefixes);
    this.store.insert(rule, this.countStages(flow, 1));
    this.priorities.set(rule.priority, (this.priorities.get(rule.priority) ?? 0) + 1);
    this.maxPriority = Math.max(this.maxPriority, rule.priority);
  }

  /** @returns false when the rule was not here */
  remove(rule: R): boolean {
    const slot = this.store.slotOf(rule, this.fullHash);
    if (slot < 0) return false;
    this.store.remove(slot);
    const { flow } = rule.match;
    if (this.ports !== null) {
      portWord[0] = flow[W_TP] & this.mask[W_TP];
      this.ports.remove(portWord, 0, this.portsLength);
    }
    this.shared.tries.remove(flow, this.prefixes);
    this.countStages(flow, -1);
    const left = (this.priorities.get(rule.priority) as number) - 1;
    if (left > 0) this.priorities.set(rule.priority, left);
    else {
      this.priorities.delete(rule.priority);
      if (rule.priority === this.maxPriority) this.findMaxPriority();
    }
    return true;
  }

  private findMaxPriority(): void {
    this.maxPriority = -1;
    for (const p of this.priorities.keys()) this.maxPriority = Math.max(this.maxPriority, p);
  }

  /** @returns the hash of all words */
  private countStages(flow: FlowWords, delta: 1 | -1): number {
    let hash = 0;
    let done = 0;
    for (let stage = 0; stage < this.stageIndex.length; stage++) {
      hash = this.hashWords(flow, hash, done, this.stageEnd[stage]);
      done = this.stageEnd[stage];
      if (delta > 0) this.stageIndex[stage].add(hash);
      else this.stageIndex[stage].remove(hash);
    }
    return this.hashWords(flow, hash, done, this.words.length);
  }
}

/** True when every bit of `inner` is a bit of `outer`. */
export function maskWithin(inner: FlowWords, outer: FlowWords): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) if ((inner[i] & ~outer[i]) !== 0) return false;
  return true;
}
