/**
 * A set of prefixes of addresses of up to four words, asked as prefix-trie.ts is: how many
 * leading bits of an address settle which of the prefixes it has. For IPv6.
 *
 *     root --0--> 2001:db8::/32 (in the set) --1--> 2001:db8:8000::/33 (where two paths part) ...
 *
 * Not for: ports, which have a trie of their own.
 */
import { prefixBits } from './prefix-trie.js';

const WORD_BITS = 32;

interface Node {
  /** The prefix, as many words as it has: arrays would cost more than all the rest. */
  readonly v0: number;
  readonly v1: number;
  readonly v2: number;
  readonly v3: number;
  readonly length: number;
  /** How often this very prefix is in the set; 0: it is only where two paths part. */
  count: number;
  /** By the bit that follows. */
  zero: Node | null;
  one: Node | null;
}

/** Words from `at` on are one address. */
type Words = ArrayLike<number>;

function bitAt(words: Words, at: number, bit: number): 0 | 1 {
  return ((words[at + (bit >>> 5)] >>> (31 - (bit & 31))) & 1) as 0 | 1;
}

/** The bits of word `i` that belong to a prefix of that length. */
function bitsOf(i: number, length: number): number {
  const left = length - i * WORD_BITS;
  return left >= WORD_BITS ? -1 : left <= 0 ? 0 : prefixBits(left);
}

function nodeBit(node: Node, bit: number): 0 | 1 {
  const word = bit < 64 ? (bit < 32 ? node.v0 : node.v1) : bit < 96 ? node.v2 : node.v3;
  return ((word >>> (31 - (bit & 31))) & 1) as 0 | 1;
}

export class AddressTrie {
  private readonly root: Node;
  /** Of the last lookup: lengths of the prefixes that the address has, the shortest first. */
  readonly lengths: number[] = [];

  constructor(private readonly nWords: number) {
    this.root = this.node([0, 0, 0, 0], 0, 0);
  }

  private node(words: Words, at: number, length: number): Node {
    const wide = this.nWords > 1;
    return {
      v0: words[at] & bitsOf(0, length),
      v1: wide ? words[at + 1] & bitsOf(1, length) : 0,
      v2: wide ? words[at + 2] & bitsOf(2, length) : 0,
      v3: wide ? words[at + 3] & bitsOf(3, length) : 0,
      length,
      count: 0,
      zero: null,
      one: null,
    };
  }

  private commonBits(node: Node, words: Words, at: number): number {
    let differ = node.v0 ^ words[at];
    if (differ !== 0) return Math.clz32(differ);
    if (this.nWords === 1) return WORD_BITS;
    differ = node.v1 ^ words[at + 1];
    if (differ !== 0) return WORD_BITS + Math.clz32(differ);
    differ = node.v2 ^ words[at + 2];
    if (differ !== 0) return 2 * WORD_BITS + Math.clz32(differ);
    return 3 * WORD_BITS + Math.clz32(node.v3 ^ words[at + 3]);
  }

  add(words: Words, at: number, length: number): void {
    let node = this.root;
    while (node.length < length) {
      const bit = bitAt(words, at, node.length);
      const next = bit === 0 ? node.zero : node.one;
      let child = next ?? this.node(words, at, length);
      const common = Math.min(this.commonBits(child, words, at), child.length, length);
      if (next !== null && common < child.length) {
        const fork = this.node(words, at, common);
        if (nodeBit(child, common) === 0) fork.zero = child;
        else fork.one = child;
        child = fork;
      }
      if (bit === 0) node.zero = child;
      else node.one = child;
      node = child;
    }
    node.count += 1;
  }

  remove(words: Words, at: number, length: number): void {
    let above: Node | null = null;
    let parent: Node | null = null;
    let node: Node | null = this.root;
    while (node !== null && node.length < length) {
      above = parent;
      parent = node;
      node = bitAt(words, at, node.length) === 0 ? node.zero : node.one;
    }
    if (node === null || node.length !== length || node.count === 0) return;
    node.count -= 1;
    tidy(node, parent);
    if (parent !== null) tidy(parent, above);
  }

  /** How many leading bits were looked at; `lengths` says what was found. */
  lookup(words: Words, at: number): number {
    let node = this.root;
    this.lengths.length = 0;
    const nBits = this.nWords * WORD_BITS;
    while (node.length < nBits) {
      const bit = bitAt(words, at, node.length);
      const next = bit === 0 ? node.zero : node.one;
      // The bit counts only where there was another way to go.
      if (next === null) {
        return node.length + ((bit === 0 ? node.one : node.zero) === null ? 0 : 1);
      }
      const common = this.commonBits(next, words, at);
      if (common < next.length) return common + 1;
      node = next;
      if (node.count > 0) this.lengths.push(node.length);
    }
    return nBits;
  }
}

/** Takes a node that stands for nothing out of its path. */
function tidy(node: Node, parent: Node | null): void {
  const { zero, one } = node;
  if (parent === null || node.count > 0 || (zero !== null && one !== null)) return;
  const rest = zero ?? one;
  if (parent.zero === node) parent.zero = rest;
  else if (parent.one === node) parent.one = rest;
}
