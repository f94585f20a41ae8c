/**
 * The tries of a classifier: prefixes of the addresses in its rules, by which a lookup passes over
 * subtables with the few bits that tell. The table's `prefixes` setting says which addresses.
 */
import {
  type FlowWords,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW_DST,
  W_NW_SRC,
} from '../packet/flow-layout.js';
import { AddressTrie, prefixBits, prefixLength } from './address-trie.js';

/** Fields that may have a trie: their first word, and how many words they take. */
const TRIE_FIELDS: Readonly<Record<string, readonly [word: number, nWords: number]>> = {
  ip_src: [W_NW_SRC, 1],
  ip_dst: [W_NW_DST, 1],
  ipv6_src: [W_IPV6_SRC, 4],
  ipv6_dst: [W_IPV6_DST, 4],
};

/** Names of fields, as the registry has them. */
export const DEFAULT_PREFIX_FIELDS: readonly string[] = ['ip_dst', 'ip_src'];

export function mayHaveTrie(field: string): boolean {
  return field in TRIE_FIELDS;
}

interface Slot {
  readonly word: number;
  readonly nWords: number;
  /** None until a rule has such a prefix: a switch has 255 tables, most of them empty. */
  trie: AddressTrie | null;
  /** Of the lookup that is under way. */
  done: boolean;
  bits: number;
  /** The bits that tell are among those consulted. */
  marked: boolean;
}

/** How long the prefix is that a mask of several words covers; 0 when it is none. */
function maskLength(mask: FlowWords, word: number, nWords: number): number {
  let length = 0;
  for (let i = 0; i < nWords; i++) {
    const bits = mask[word + i];
    if (bits === -1 && length === i * 32) length += 32;
    else if (bits !== 0) {
      const part = length === i * 32 ? prefixLength(bits) : 0;
      if (part === 0) return 0;
      length += part;
    }
  }
  return length;
}

/** The tries of a table, and what they said in the lookup that is under way. */
export class TrieSet {
  private slots: Slot[];

  constructor(readonly fields: readonly string[] = DEFAULT_PREFIX_FIELDS) {
    this.slots = fields.flatMap((field) => {
      const place = TRIE_FIELDS[field];
      if (place === undefined) return [];
      const [word, nWords] = place;
      return [{ word, nWords, trie: null, done: false, bits: 0, marked: false }];
    });
  }

  /** Prefix lengths of a mask in each field that has a trie; 0: it is no prefix. */
  prefixesOf(mask: FlowWords): number[] {
    return this.slots.map(({ word, nWords }) => maskLength(mask, word, nWords));
  }

  /**
   * A rule came.
   * @param prefixes of its mask, by prefixesOf
   */
  add(flow: FlowWords, prefixes: readonly number[]): void {
    for (let i = 0; i < prefixes.length; i++) {
      const slot = this.slots[i];
      if (prefixes[i] === 0) continue;
      slot.trie ??= new AddressTrie(slot.nWords);
      slot.trie.add(flow, slot.word, prefixes[i]);
    }
  }

  /** A rule went. */
  remove(flow: FlowWords, prefixes: readonly number[]): void {
    for (let i = 0; i < prefixes.length; i++) {
      const { word, trie } = this.slots[i];
      if (prefixes[i] > 0) trie?.remove(flow, word, prefixes[i]);
    }
  }

  begin(): void {
    for (let i = 0; i < this.slots.length; i++) {
      this.slots[i].done = false;
      this.slots[i].marked = false;
    }
  }

  /** How many tries there are: as many lengths has a mask. */
  get size(): number {
    return this.slots.length;
  }

  /**
   * Whether bits that were consulted already tell that no rule with such prefixes can match: then
   * nothing more needs to be.
   * @param prefixes lengths of a mask, from `at` on
   */
  knownOut(prefixes: Uint8Array, at: number, wc: FlowWords): boolean {
    for (let i = 0; i < this.slots.length; i++) {
      const length = prefixes[at + i];
      const slot = this.slots[i];
      if (length === 0 || !slot.done || !slot.trie || slot.trie.has(length)) continue;
      if (isMarked(wc, slot)) return true;
    }
    return false;
  }

  /**
   * Whether no rule with such prefixes can match; marks the few bits that tell, and never more than
   * comparing with the rules would.
   */
  rulesOut(prefixes: readonly number[], flow: FlowWords, wc: FlowWords): boolean {
    for (let i = 0; i < prefixes.length; i++) {
      const length = prefixes[i];
      const slot = this.slots[i];
      const { trie } = slot;
      if (length === 0 || trie === null) continue;
      if (!slot.done) {
        slot.bits = trie.lookup(flow, slot.word);
        slot.done = true;
      }
      if (trie.has(length)) continue;
      if (slot.bits <= length || isMarked(wc, slot)) {
        mark(wc, slot);
        return true;
      }
    }
    return false;
  }
}

function bitsOfWord(slot: Slot, i: number): number {
  return prefixBits(Math.min(Math.max(slot.bits - 32 * i, 0), 32));
}

function isMarked(wc: FlowWords, slot: Slot): boolean {
  if (slot.marked) return true;
  for (let i = 0; i < slot.nWords; i++) {
    if ((bitsOfWord(slot, i) & ~wc[slot.word + i]) !== 0) return false;
  }
  slot.marked = true;
  return true;
}

function mark(wc: FlowWords, slot: Slot): void {
  slot.marked = true;
  for (let i = 0; i < slot.nWords; i++) wc[slot.word + i] |= bitsOfWord(slot, i);
}
