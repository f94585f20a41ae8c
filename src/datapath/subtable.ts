/**
 * One mask of the megaflow cache: its flows in an open-addressing hash table.
 *
 * Linear probing, deletion by shifting back, in a flat Int32Array that doubles at half load:
 *
 *     words [2 3 4 7]   masks [ffffffff ...]   hits
 *     entry     | slot + 1 | hash | masked key word 0 | 1 | ...        0 in front: empty
 */
// hot path
import { FLOW_CLASSES } from '../packet/extract.js';
import type { FlowWords } from '../packet/flow-layout.js';

/** Multiplier of the word hash (2^32 / golden ratio). */
export const HASH_MULTIPLIER = 0x9e3779b1 | 0;
const ENTRY_HEAD = 2;
const FIRST_CAPACITY = 16;

/** The flows of one mask; values are flow slots. */
export class Subtable {
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

  /** The slot of the entry with these values, or -1. */
  slotOf(values: Int32Array): number {
    const at = this.find(values);
    return at < 0 ? -1 : this.entries[at * this.stride] - 1;
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
