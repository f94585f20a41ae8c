/**
 * Where the rules of one mask lie: their words side by side in one array, a hash table over them.
 *
 *     heads[hash]: slot 7 -> slot 2 -> -1       next[], by falling priority
 *
 *     slot   rules     hashes   values (the mask's words alone, in the subtable's order)
 *     0      Rule      h        in_port | type | source | destination | ports
 *     1      null                (gone: closed up when there is no room behind the last)
 *     2      Rule      h'       ...
 *
 * A rule inside needs no match of its own: it is made anew from its words when somebody asks. That
 * is 30 bytes in place of 500, and nothing for the garbage collector to look at.
 *
 * Slots are in the order in which rules came, which is that of dumps.
 *
 * Not for: stages and un-wildcarding (classifier-subtable.ts).
 */
import type { Match } from '../openflow/match.js';
import type { TunMetadata } from '../openflow/tun-options.js';
import { FLOW_WORDS, type FlowWords, W_TUN_METADATA } from '../packet/flow-layout.js';
import { spread } from './hash-counts.js';
import { type Mark, SETTLED, type TableView } from './table-view.js';

/** What the classifier needs of a rule. `match` and `priority` never change while it is inside. */
export interface ClassifierRule {
  readonly match: Match;
  readonly priority: number;
  /** Set: the rule only says that packets satisfy clauses of conjunctive matches. */
  readonly conjunctions?: readonly Conjunction[] | null;
  /** Where its words are, and in which slot, as `moved` told it. */
  readonly home?: MatchStore | null;
  readonly slot?: number;
  /** Told when its words were taken over, and (with null) when it must keep its match itself. */
  moved?(home: MatchStore | null, slot: number): void;
}

/** Clause `clause` of the `nClauses` that conjunctive match `id` has. */
export interface Conjunction {
  id: number;
  clause: number;
  nClauses: number;
}

/** Who can say what the rule in a slot matches. */
export interface MatchStore {
  readonly mask: FlowWords;
  matchAt(slot: number): Match;
  /** False: a bundle that is being committed brings it, or takes it away (table-view.ts). */
  sees(slot: number): boolean;
  markAt(slot: number): Mark;
  setMark(slot: number, mark: Mark): void;
}

const SLOTS_MIN = 4;
/** Where fewer slots are in use than this share, they are closed up before there are more. */
const FULL_SHARE = 0.75;
const NONE = -1;
/** Matches that are made anew share buffers: allocating those is what costs. */
const FLOWS_PER_BUFFER = 8;
const FLOW_BYTES = FLOW_WORDS * Int32Array.BYTES_PER_ELEMENT;

let buffer = new ArrayBuffer(FLOWS_PER_BUFFER * FLOW_BYTES);
let bufferUsed = 0;

function zeroFlow(): FlowWords {
  if (bufferUsed === buffer.byteLength) {
    buffer = new ArrayBuffer(FLOWS_PER_BUFFER * FLOW_BYTES);
    bufferUsed = 0;
  }
  bufferUsed += FLOW_BYTES;
  return new Int32Array(buffer, bufferUsed - FLOW_BYTES, FLOW_WORDS);
}

export class RuleStore<R extends ClassifierRule> implements MatchStore {
  readonly rules: (R | null)[] = [];
  size = 0;
  private values: Int32Array;
  private hashes = new Int32Array(SLOTS_MIN);
  private next = new Int32Array(SLOTS_MIN);
  private heads = new Int32Array(SLOTS_MIN).fill(NONE);
  /** Where those are that go through all slots, perhaps over many turns of the main loop. */
  private readonly cursors = new Set<Cursor>();
  private readonly nWords: number;
  /** What rules ask of tunnel options, where the mask has them. */
  private readonly options: (TunMetadata | undefined)[] | null;
  /** Marks of slots while a bundle is being committed. */
  private marks: Uint8Array | null = null;

  /**
   * @param words indices of the mask's words
   * @param bits the mask's bits in these
   */
  constructor(
    readonly mask: FlowWords,
    private readonly words: Uint8Array,
    private readonly bits: Int32Array,
    private readonly view: TableView,
  ) {
    this.nWords = words.length;
    this.options = words.includes(W_TUN_METADATA) ? [] : null;
    this.values = new Int32Array(SLOTS_MIN * this.nWords);
  }

  sees(slot: number): boolean {
    return this.marks === null || this.seesMarked(this.marks[slot]);
  }

  private seesMarked(mark: number): boolean {
    return mark === SETTLED || mark === this.view.shows;
  }

  markAt(slot: number): Mark {
    return this.marks === null ? SETTLED : (this.marks[slot] as Mark);
  }

  setMark(slot: number, mark: Mark): void {
    this.marks ??= new Uint8Array(this.next.length);
    this.marks[slot] = mark;
  }

  /** Whatever has a mark is an entry like all others now. */
  dropMarks(): void {
    this.marks = null;
  }

  /** The first slot of those with that hash, by falling priority, or -1. */
  first(hash: number): number {
    return this.along(this.heads[spread(hash) & (this.heads.length - 1)], hash);
  }

  /** The one after it with the same hash, or -1. */
  after(slot: number): number {
    return this.along(this.next[slot], this.hashes[slot]);
  }

  private along(from: number, hash: number): number {
    let slot = from;
    while (slot !== NONE && this.hashes[slot] !== hash) slot = this.next[slot];
    return slot;
  }

  hashAt(slot: number): number {
    return this.hashes[slot];
  }

  /** True when the flow has the words of the slot's rule, under the mask. */
  holds(slot: number, flow: FlowWords): boolean {
    const { values, words, bits, nWords } = this;
    for (let i = 0, at = slot * nWords; i < nWords; i++, at++) {
      if ((flow[words[i]] & bits[i]) !== values[at]) return false;
    }
    return true;
  }

  /** True when two slots have the same words. */
  same(a: number, b: number): boolean {
    const { values, nWords } = this;
    for (let i = 0; i < nWords; i++) {
      if (values[a * nWords + i] !== values[b * nWords + i]) return false;
    }
    return true;
  }

  /**
   * True when the rule's words and the match's agree in every bit that both ask for.
   * @param shared indices into the mask's words: those that the match has something of
   */
  agrees(slot: number, { flow, mask }: Match, shared: readonly number[]): boolean {
    const { values, words, bits, nWords } = this;
    for (const i of shared) {
      const word = words[i];
      if (((values[slot * nWords + i] ^ flow[word]) & mask[word] & bits[i]) !== 0) return false;
    }
    return true;
  }

  /** Indices into the mask's words: those that `mask` has bits of, too. */
  sharedWords(mask: FlowWords): number[] {
    const shared: number[] = [];
    this.words.forEach((word, i) => {
      if ((mask[word] & this.bits[i]) !== 0) shared.push(i);
    });
    return shared;
  }

  matchAt(slot: number): Match {
    const flow = zeroFlow();
    const { values, words, nWords } = this;
    for (let i = 0, at = slot * nWords; i < nWords; i++, at++) flow[words[i]] = values[at];
    return { flow, mask: this.mask, tunMetadata: this.options?.[slot] };
  }

  /**
   * The slot of a rule, or -1 when it is not here.
   * @param hash makes the hash of its words, when it is needed
   */
  slotOf(rule: R, hash: (flow: FlowWords) => number): number {
    if (rule.home !== undefined) {
      const { slot } = rule;
      return rule.home === this && slot !== undefined && this.rules[slot] === rule ? slot : NONE;
    }
    let slot = this.first(hash(rule.match.flow));
    while (slot !== NONE && this.rules[slot] !== rule) slot = this.after(slot);
    return slot;
  }

  insert(rule: R, hash: number): void {
    const slot = this.takeSlot();
    const { flow, tunMetadata } = rule.match;
    if (this.options !== null) this.options[slot] = tunMetadata;
    const { values, words, bits, nWords } = this;
    for (let i = 0, at = slot * nWords; i < nWords; i++, at++)
      values[at] = flow[words[i]] & bits[i];
    this.rules[slot] = rule;
    this.hashes[slot] = hash;
    this.size += 1;
    if (this.size > this.heads.length) this.rehash();
    this.link(slot, rule.priority);
    rule.moved?.(this, slot);
  }

  /** Takes out what is in a slot. */
  remove(slot: number): void {
    const rule = this.rules[slot];
    if (rule === null) return;
    rule.moved?.(null, 0);
    this.unlink(slot);
    this.rules[slot] = null;
    if (this.options !== null) this.options[slot] = undefined;
    if (this.marks !== null) this.marks[slot] = SETTLED;
    this.size -= 1;
  }

  private takeSlot(): number {
    if (this.rules.length === this.next.length) {
      if (this.size < this.next.length * FULL_SHARE) this.closeUp();
      else {
        this.values = widened(this.values);
        this.hashes = widened(this.hashes);
        this.next = widened(this.next);
        if (this.marks !== null) this.marks = grown(this.marks, this.next.length);
      }
    }
    this.rules.push(null);
    return this.rules.length - 1;
  }

  /** Moves all rules to the first slots, in their order. */
  private closeUp(): void {
    const { rules, values, hashes, next, heads, nWords, marks } = this;
    // For slots of rules, their new ones; for others, that of the next rule.
    const moved = new Int32Array(rules.length + 1);
    for (let slot = 0, to = 0; slot < rules.length; slot++) {
      moved[slot] = to;
      if (rules[slot] !== null) to += 1;
      moved[slot + 1] = to;
    }
    for (let slot = 0; slot < rules.length; slot++) {
      const rule = rules[slot];
      if (rule === null) continue;
      const to = moved[slot];
      values.copyWithin(to * nWords, slot * nWords, (slot + 1) * nWords);
      hashes[to] = hashes[slot];
      if (this.options !== null) this.options[to] = this.options[slot];
      next[to] = next[slot] === NONE ? NONE : moved[next[slot]];
      rules[to] = rule;
      if (marks !== null) marks[to] = marks[slot];
      rule.moved?.(this, to);
    }
    rules.length = this.size;
    if (this.options !== null) this.options.length = this.size;
    marks?.fill(SETTLED, this.size);
    for (let i = 0; i < heads.length; i++) if (heads[i] !== NONE) heads[i] = moved[heads[i]];
    for (const cursor of this.cursors) cursor.slot = moved[Math.min(cursor.slot, moved.length - 1)];
  }

  private link(slot: number, priority: number): void {
    const head = spread(this.hashes[slot]) & (this.heads.length - 1);
    let before = NONE;
    let at = this.heads[head];
    while (at !== NONE && (this.rules[at] as R).priority >= priority) {
      before = at;
      at = this.next[at];
    }
    this.next[slot] = at;
    if (before === NONE) this.heads[head] = slot;
    else this.next[before] = slot;
  }

  private unlink(slot: number): void {
    const head = spread(this.hashes[slot]) & (this.heads.length - 1);
    if (this.heads[head] === slot) {
      this.heads[head] = this.next[slot];
      return;
    }
    let before = this.heads[head];
    while (this.next[before] !== slot) before = this.next[before];
    this.next[before] = this.next[slot];
  }

  /** More heads: every chain is split in two, each half in the order of before. */
  private rehash(): void {
    const old = this.heads;
    const heads = new Int32Array(2 * old.length).fill(NONE);
    const tails = [NONE, NONE];
    for (let head = 0; head < old.length; head++) {
      tails.fill(NONE);
      for (let slot = old[head]; slot !== NONE; ) {
        const following = this.next[slot];
        const half = (spread(this.hashes[slot]) & old.length) === 0 ? 0 : 1;
        if (tails[half] === NONE) heads[head + half * old.length] = slot;
        else this.next[tails[half]] = slot;
        this.next[slot] = NONE;
        tails[half] = slot;
        slot = following;
      }
    }
    this.heads = heads;
  }

  every(test: (rule: R) => boolean): boolean {
    const { rules } = this;
    for (let slot = 0; slot < rules.length; slot++) {
      const rule = rules[slot];
      if (rule !== null && this.sees(slot) && !test(rule)) return false;
    }
    return true;
  }

  /** Every rule that is seen. Those that come or go meanwhile may be among them or not. */
  *all(): Generator<R> {
    yield* this.matching(() => true);
  }

  /** Every rule that some condition on its slot holds for. */
  *matching(condition: (slot: number) => boolean): Generator<R> {
    const cursor: Cursor = { slot: 0 };
    this.cursors.add(cursor);
    try {
      while (cursor.slot < this.rules.length) {
        const rule = this.rules[cursor.slot];
        cursor.slot += 1;
        const slot = cursor.slot - 1;
        if (rule !== null && this.sees(slot) && condition(slot)) yield rule;
      }
    } finally {
      this.cursors.delete(cursor);
    }
  }
}

/** The slot that is looked at next. */
interface Cursor {
  slot: number;
}

function grown(marks: Uint8Array, length: number): Uint8Array {
  const more = new Uint8Array(length);
  more.set(marks);
  return more;
}

/** What is not used yet takes no memory: the kernel gives pages when they are written. */
function widened(words: Int32Array): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(Math.max(2 * words.length, 1));
  wider.set(words);
  return wider;
}
