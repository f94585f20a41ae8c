/**
 * Megaflow cache: tuple space search over masked keys.
 *
 * Flows with the same mask share a subtable, which is one open-addressing hash table (linear
 * probing, deletion by shifting back) in a flat Int32Array:
 *
 *     subtable  words [2 3 4 7]   masks [ffffffff ...]      hits
 *     entry     | slot + 1 | hash | masked key word 0 | 1 | ...        0 in front: empty
 *
 * A look-up probes the subtables that hold a flow of the packet's class (IPv4, IPv6, ARP, other: see
 * packet/extract.ts), the most often hit first. Megaflows that overlap must agree on their actions,
 * as everywhere in Open vSwitch: the first match wins.
 *
 * The table also keeps the union of the masks per class, which the exact-match cache compares by.
 */
import { CLASS_OTHER, FLOW_CLASSES, flowClass } from '../packet/extract.js';
import { DP_FLOW_WORDS, type FlowWords, W_DL_TYPE } from '../packet/flow-layout.js';

/** Multiplier of the word hash (2^32 / golden ratio). */
export const HASH_MULTIPLIER = 0x9e3779b1 | 0;
const ENTRY_HEAD = 2;
const FIRST_CAPACITY = 16;

/** A masked key: the words that the mask consults, in ascending order. */
export interface MaskedKey {
  words: Int32Array;
  masks: Int32Array;
  /** Values under the mask. */
  values: Int32Array;
}

/** The masked key of a flow, from whole key and mask. */
export function maskedKey(key: FlowWords, mask: FlowWords): MaskedKey {
  let n = 0;
  for (let w = 0; w < DP_FLOW_WORDS; w++) if (mask[w] !== 0) n++;
  const out = {
    words: new Int32Array(n),
    masks: new Int32Array(n),
    values: new Int32Array(n),
  };
  n = 0;
  for (let w = 0; w < DP_FLOW_WORDS; w++) {
    if (mask[w] === 0) continue;
    out.words[n] = w;
    out.masks[n] = mask[w];
    out.values[n++] = key[w] & mask[w];
  }
  return out;
}

class Subtable {
  hits = 0;
  /** Flows that can match packets of each class. */
  readonly classFlows = new Int32Array(FLOW_CLASSES);
  size = 0;
  private readonly stride: number;
  private entries: Int32Array;
  private capacity = FIRST_CAPACITY;

  constructor(
    readonly words: Int32Array,
    readonly masks: Int32Array,
  ) {
    this.stride = ENTRY_HEAD + words.length;
    this.entries = new Int32Array(this.capacity * this.stride);
  }

  hasMask(words: Int32Array, masks: Int32Array): boolean {
    if (words.length !== this.words.length) return false;
    for (let i = 0; i < words.length; i++) {
      if (words[i] !== this.words[i] || masks[i] !== this.masks[i]) return false;
    }
    return true;
  }

  /** The slot of the flow that the packet's key matches, or -1. */
  lookup(key: FlowWords): number {
    const words = this.words;
    const masks = this.masks;
    const n = words.length;
    let hash = 0;
    for (let i = 0; i < n; i++) {
      hash = Math.imul(hash ^ (key[words[i]] & masks[i]), HASH_MULTIPLIER);
      hash ^= hash >>> 15;
    }
    const entries = this.entries;
    const stride = this.stride;
    const last = this.capacity - 1;
    let at = hash & last;
    for (;;) {
      const base = at * stride;
      const slot = entries[base];
      if (slot === 0) return -1;
      if (entries[base + 1] === hash) {
        let i = 0;
        while (i < n && entries[base + ENTRY_HEAD + i] === (key[words[i]] & masks[i])) i++;
        if (i === n) return slot - 1;
      }
      at = (at + 1) & last;
    }
  }

  /** Adds an entry (there must be none with these values). */
  insert(values: Int32Array, slot: number): void {
    if (2 * (this.size + 1) > this.capacity) this.grow();
    this.place(this.hashOf(values, 0), values, 0, slot + 1);
    this.size++;
  }

  /** Removes the entry with these values; returns whether it was there. */
  remove(values: Int32Array): boolean {
    const { entries, stride } = this;
    const last = this.capacity - 1;
    let hole = this.find(values);
    if (hole < 0) return false;
    this.size--;
    // Shift back every entry that the hole would cut off from its home position.
    let at = hole;
    for (;;) {
      at = (at + 1) & last;
      const base = at * stride;
      if (entries[base] === 0) break;
      const home = entries[base + 1] & last;
      if (((at - home) & last) >= ((at - hole) & last)) {
        entries.copyWithin(hole * stride, base, base + stride);
        hole = at;
      }
    }
    entries[hole * stride] = 0;
    return true;
  }

  private find(values: Int32Array): number {
    const { entries, stride } = this;
    const last = this.capacity - 1;
    const hash = this.hashOf(values, 0);
    for (let at = hash & last; entries[at * stride] !== 0; at = (at + 1) & last) {
      const base = at * stride + ENTRY_HEAD;
      let i = 0;
      while (i < values.length && entries[base + i] === values[i]) i++;
      if (i === values.length) return at;
    }
    return -1;
  }

  private hashOf(values: Int32Array, from: number): number {
    let hash = 0;
    for (let i = 0; i < this.words.length; i++) {
      hash = Math.imul(hash ^ values[from + i], HASH_MULTIPLIER);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  private place(hash: number, values: Int32Array, from: number, slotPlus1: number): void {
    const { entries, stride } = this;
    const last = this.capacity - 1;
    let at = hash & last;
    while (entries[at * stride] !== 0) at = (at + 1) & last;
    const base = at * stride;
    entries[base] = slotPlus1;
    entries[base + 1] = hash;
    for (let i = 0; i < this.words.length; i++) entries[base + ENTRY_HEAD + i] = values[from + i];
  }

  private grow(): void {
    const old = this.entries;
    this.capacity *= 2;
    this.entries = new Int32Array(this.capacity * this.stride);
    for (let base = 0; base < old.length; base += this.stride) {
      if (old[base] !== 0) this.place(old[base + 1], old, base + ENTRY_HEAD, old[base]);
    }
  }
}

/** Classes whose packets a flow may match, as a bit mask. */
function classBits(masked: MaskedKey): number {
  const at = masked.words.indexOf(W_DL_TYPE);
  if (at >= 0 && masked.masks[at] >>> 16 === 0xffff) {
    return 1 << flowClass(masked.values[at] >>> 16);
  }
  return (1 << FLOW_CLASSES) - 1;
}

/** The megaflows of one worker, by masked key; values are flow slots. */
export class MegaflowTable {
  /** Subtables probed by the last look-up. */
  probes = 0;
  private readonly subtables: Subtable[] = [];
  private readonly byClass: Subtable[][] = Array.from({ length: FLOW_CLASSES }, () => []);
  private readonly union: Int32Array[] = Array.from(
    { length: FLOW_CLASSES },
    () => new Int32Array(DP_FLOW_WORDS),
  );

  /** Number of masks in use. */
  get masks(): number {
    return this.subtables.length;
  }

  /** Every bit that a flow of this class consults, by flow word. */
  unionMask(cls: number): Int32Array {
    return this.union[cls];
  }

  /** The slot of the first flow that matches a whole key of class `cls`, or -1. */
  lookup(key: FlowWords, cls: number): number {
    const list = this.byClass[cls];
    for (let i = 0; i < list.length; i++) {
      const subtable = list[i];
      const slot = subtable.lookup(key);
      if (slot >= 0) {
        subtable.hits++;
        this.probes = i + 1;
        return slot;
      }
    }
    this.probes = list.length;
    return -1;
  }

  /** Adds a flow. Returns true when the union of some class changed. */
  insert(masked: MaskedKey, slot: number): boolean {
    let subtable = this.subtables.find((s) => s.hasMask(masked.words, masked.masks));
    if (!subtable) {
      subtable = new Subtable(masked.words, masked.masks);
      this.subtables.push(subtable);
    }
    subtable.insert(masked.values, slot);
    return this.countClasses(subtable, classBits(masked), 1);
  }

  /** Removes a flow; true when the union of some class changed. */
  remove(masked: MaskedKey): boolean {
    const at = this.subtables.findIndex((s) => s.hasMask(masked.words, masked.masks));
    if (at < 0) return false;
    const subtable = this.subtables[at];
    if (!subtable.remove(masked.values)) return false;
    if (subtable.size === 0) this.subtables.splice(at, 1);
    return this.countClasses(subtable, classBits(masked), -1);
  }

  /** Orders the subtables by hits since the last call (halved, so that history fades). */
  rank(): void {
    for (const list of this.byClass) {
      for (let i = 1; i < list.length; i++) {
        const subtable = list[i];
        let at = i;
        for (; at > 0 && list[at - 1].hits < subtable.hits; at--) list[at] = list[at - 1];
        list[at] = subtable;
      }
    }
    for (const subtable of this.subtables) subtable.hits >>>= 1;
  }

  private countClasses(subtable: Subtable, bits: number, delta: number): boolean {
    let changed = false;
    for (let cls = 0; cls <= CLASS_OTHER; cls++) {
      if ((bits & (1 << cls)) === 0) continue;
      const before = subtable.classFlows[cls];
      subtable.classFlows[cls] = before + delta;
      const list = this.byClass[cls];
      if (before === 0) list.push(subtable);
      else if (before + delta === 0) list.splice(list.indexOf(subtable), 1);
      else continue;
      changed = this.updateUnion(cls) || changed;
    }
    return changed;
  }

  private updateUnion(cls: number): boolean {
    const union = new Int32Array(DP_FLOW_WORDS);
    for (const subtable of this.byClass[cls]) {
      for (let i = 0; i < subtable.words.length; i++) {
        union[subtable.words[i]] |= subtable.masks[i];
      }
    }
    const old = this.union[cls];
    this.union[cls] = union;
    return union.some((mask, word) => mask !== old[word]);
  }
}
