/**
 * A set of prefixes of addresses of any number of words, asked as prefix-trie.ts is: how many
 * leading bits of an address settle which of the prefixes it has. For IPv6.
 *
 *     root --0--> 2001:db8::/32 (in the set) --1--> 2001:db8:8000::/33 (where two paths part) ...
 *
 * Not for: 32-bit values, which have a trie of their own that needs no arrays.
 */
import { prefixBits } from './prefix-trie.js';

const WORD_BITS = 32;

interface Node {
  readonly value: Int32Array;
  readonly length: number;
  /** How often this very prefix is in the set; 0: it is only where two paths part. */
  count: number;
  /** By the bit that follows. */
  readonly next: [Node | null, Node | null];
}

/** Words from `at` on are one address. */
type Words = ArrayLike<number>;

function bitAt(words: Words, at: number, bit: number): 0 | 1 {
  return ((words[at + (bit >>> 5)] >>> (31 - (bit & 31))) & 1) as 0 | 1;
}

export class AddressTrie {
  private readonly root: Node;
  /** Of the last lookup: lengths of the prefixes that the address has, the shortest first. */
  readonly lengths: number[] = [];

  constructor(private readonly nWords: number) {
    this.root = this.node(new Int32Array(nWords), 0, 0);
  }

  private node(words: Words, at: number, length: number): Node {
    const value = new Int32Array(this.nWords);
    for (let i = 0; i < this.nWords; i++) {
      const bits = Math.min(Math.max(length - i * WORD_BITS, 0), WORD_BITS);
      value[i] = words[at + i] & prefixBits(bits);
    }
    return { value, length, count: 0, next: [null, null] };
  }

  private commonBits(value: Int32Array, words: Words, at: number): number {
    for (let i = 0; i < this.nWords; i++) {
      const differ = value[i] ^ words[at + i];
      if (differ !== 0) return i * WORD_BITS + Math.clz32(differ);
    }
    return this.nWords * WORD_BITS;
  }

  add(words: Words, at: number, length: number): void {
    let node = this.root;
    while (node.length < length) {
      const bit = bitAt(words, at, node.length);
      const next = node.next[bit];
      let child = next ?? this.node(words, at, length);
      const common = Math.min(this.commonBits(child.value, words, at), child.length, length);
      if (next !== null && common < child.length) {
        const fork = this.node(words, at, common);
        fork.next[bitAt(child.value, 0, common)] = child;
        child = fork;
      }
      node.next[bit] = child;
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
      node = node.next[bitAt(words, at, node.length)];
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
      const next = node.next[bit];
      // The bit counts only where there was another way to go.
      if (next === null) return node.length + (node.next[1 - bit] === null ? 0 : 1);
      const common = this.commonBits(next.value, words, at);
      if (common < next.length) return common + 1;
      node = next;
      if (node.count > 0) this.lengths.push(node.length);
    }
    return nBits;
  }
}

/** Takes a node that stands for nothing out of its path. */
function tidy(node: Node, parent: Node | null): void {
  const [zero, one] = node.next;
  if (parent === null || node.count > 0 || (zero !== null && one !== null)) return;
  const rest = zero ?? one;
  if (parent.next[0] === node) parent.next[0] = rest;
  else if (parent.next[1] === node) parent.next[1] = rest;
}
