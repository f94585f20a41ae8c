/**
 * Exact-match cache: one hash probe in place of a megaflow look-up.
 *
 * It compares keys under the union of all installed masks (per class of packets), not whole keys:
 * a megaflow look-up depends on no other bit, so its answer may be reused. On a learning switch the
 * union holds ports, addresses, VLAN and type, and ten thousand UDP flows between two hosts are
 * one entry. It also tells how deep a packet must be parsed at all (`needsRest`).
 *
 *     union, per class:   | n | word, mask | word, mask | ...
 *     entry (16 words, or a multiple):
 *         | hash | slot | generation(30) class(2) | slot generation | masked key words ... |
 *
 * An entry may stand at its hash's position or the one next to it. When the union changes, a new
 * generation starts and every older entry is dead; when a flow is removed, its slot's
 * generation moves on and only its own entries are dead.
 */
// hot path
import { FLOW_CLASSES } from '../packet/extract.js';
import { DP_FLOW_WORDS, type FlowWords, W_DL_TYPE, W_IGMP } from '../packet/flow-layout.js';
import { HASH_MULTIPLIER } from './subtable.js';

const HEAD = 4;
const UNION_STRIDE = 1 + 2 * DP_FLOW_WORDS;
const MAX_GENERATION = 1 << 29;

/** Entries of a worker's cache: 1 MiB at 16 words each. */
export const DEFAULT_CACHE_ENTRIES = 16_384;

/** The cache of one worker. */
export class ExactMatchCache {
  /** By class: whether look-ups need the key words that parseRest fills. */
  readonly needsRest = new Int32Array(FLOW_CLASSES);
  /** Hash of the last look-up, for insert. */
  private hash = 0;
  private readonly union = new Int32Array(FLOW_CLASSES * UNION_STRIDE);
  private data: Int32Array;
  private stride = 16;
  private readonly last: number;
  private generation = 1;
  private victim = 0;

  /**
   * @param entries a power of two
   * @param slotGeneration by flow slot: moved on by the owner when the slot's flow goes
   */
  constructor(
    private readonly slotGeneration: Int32Array,
    private readonly entries: number = DEFAULT_CACHE_ENTRIES,
  ) {
    this.last = entries - 1;
    this.data = new Int32Array(entries * this.stride);
  }

  /** Takes over the union masks (by class, whole masks); every entry is dead after it. */
  setUnion(unions: readonly Int32Array[]): void {
    let most = 0;
    for (let cls = 0; cls < FLOW_CLASSES; cls++) {
      const mask = unions[cls];
      const base = cls * UNION_STRIDE;
      let n = 0;
      this.needsRest[cls] = 0;
      for (let word = 0; word < DP_FLOW_WORDS; word++) {
        if (mask[word] === 0) continue;
        this.union[base + 1 + 2 * n] = word;
        this.union[base + 2 + 2 * n] = mask[word];
        if (word > W_DL_TYPE && word <= W_IGMP) this.needsRest[cls] = 1;
        n++;
      }
      this.union[base] = n;
      most = Math.max(most, n);
    }
    this.newGeneration((HEAD + most + 15) & -16);
  }

  /** The slot of a live entry for this key, or -1. */
  lookup(key: FlowWords, cls: number): number {
    const union = this.union;
    const first = cls * UNION_STRIDE + 1;
    const end = first + 2 * union[first - 1];
    let hash = cls;
    for (let u = first; u < end; u += 2) {
      hash = Math.imul(hash ^ (key[union[u]] & union[u + 1]), HASH_MULTIPLIER);
      hash ^= hash >>> 15;
    }
    this.hash = hash;
    const tag = (this.generation << 2) | cls;
    const data = this.data;
    let base = (hash & this.last) * this.stride;
    for (let way = 0; way < 2; way++) {
      if (data[base] === hash && data[base + 2] === tag) {
        const slot = data[base + 1];
        if (this.slotGeneration[slot] === data[base + 3]) {
          let at = base + HEAD;
          let u = first;
          while (u < end && data[at] === (key[union[u]] & union[u + 1])) {
            at++;
            u += 2;
          }
          if (u === end) return slot;
        }
      }
      base = ((hash & this.last) ^ 1) * this.stride;
    }
    return -1;
  }

  /** Remembers `slot` for the key of the last look-up, which must not have changed since. */
  insert(key: FlowWords, cls: number, slot: number): void {
    const tag = (this.generation << 2) | cls;
    const data = this.data;
    const position = this.hash & this.last;
    let base = position * this.stride;
    if (this.alive(base)) {
      const other = (position ^ 1) * this.stride;
      // Both taken: the victims alternate, so that two busy flows do not chase each other.
      this.victim ^= 1;
      if (!this.alive(other) || this.victim === 1) base = other;
    }
    data[base] = this.hash;
    data[base + 1] = slot;
    data[base + 2] = tag;
    data[base + 3] = this.slotGeneration[slot];
    const union = this.union;
    const first = cls * UNION_STRIDE + 1;
    const end = first + 2 * union[first - 1];
    let at = base + HEAD;
    for (let u = first; u < end; u += 2) data[at++] = key[union[u]] & union[u + 1];
  }

  private alive(base: number): boolean {
    const data = this.data;
    return (
      data[base + 2] >>> 2 === this.generation &&
      this.slotGeneration[data[base + 1]] === data[base + 3]
    );
  }

  private newGeneration(stride: number): void {
    this.generation++;
    if (stride !== this.stride || this.generation >= MAX_GENERATION) {
      this.stride = stride;
      this.generation = 1;
      this.data = new Int32Array(this.entries * stride);
    }
  }
}
