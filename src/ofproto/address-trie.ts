/**
 * A set of prefixes of values of one to four words (addresses, ports), asked how many leading bits
 * of a value settle which of the prefixes it has.
 *
 *     root --0--> 2001:db8::/32 (in the set) --1--> 2001:db8:8000::/33 (where two paths part) ...
 *
 *     prefixes 10/8 and 10.1/16:    value 11.0.0.1: 8 bits settle that it has neither
 *                                   value 10.2.0.1: 15 bits settle that it has 10/8 alone
 *
 * The classifier passes over subtables with it, and consults no more bits than that takes. A
 * million addresses are two million nodes: they are rows of one array, which the garbage collector
 * does not look into.
 *
 *     row:  nWords words of the prefix | length | count | child by bit 0 | child by bit 1
 *
 * Not for: which rules there are behind a prefix.
 */

const WORD_BITS = 32;
const ROOT = 0;
/** Rows that a new trie has room for. */
const ROWS_MIN = 8;
/** Columns behind the words. */
const N_COLUMNS = 4;

/** Words from `at` on are one value. */
type Words = ArrayLike<number>;

/** The bits of a prefix of that length, in one word. */
export function prefixBits(length: number): number {
  return length === 0 ? 0 : (-1 << (WORD_BITS - length)) | 0;
}

/** How long the prefix is that a mask of one word covers; 0 when it is none. */
export function prefixLength(mask: number): number {
  const length = mask === 0 ? 0 : Math.clz32(~mask);
  return prefixBits(length) === (mask | 0) ? length : 0;
}

function bitAt(words: Words, at: number, bit: number): 0 | 1 {
  return ((words[at + (bit >>> 5)] >>> (31 - (bit & 31))) & 1) as 0 | 1;
}

/** The bits of word `i` that belong to a prefix of that length. */
function bitsOf(i: number, length: number): number {
  const left = length - i * WORD_BITS;
  return left >= WORD_BITS ? -1 : left <= 0 ? 0 : prefixBits(left);
}

export class AddressTrie {
  private rows: Int32Array;
  private nRows = 1;
  /** The first free row, linked by the child of bit 0; 0: none. */
  private free = 0;
  private readonly stride: number;
  /** Where in a row the columns are. */
  private readonly lengthAt: number;
  private readonly countAt: number;
  private readonly zeroAt: number;
  /** Lengths of prefixes that the value of the last lookup has are marked by its number. */
  private readonly found: Uint32Array;
  private lookups = 0;

  constructor(private readonly nWords: number) {
    this.stride = nWords + N_COLUMNS;
    this.lengthAt = nWords;
    this.countAt = nWords + 1;
    this.zeroAt = nWords + 2;
    this.rows = new Int32Array(ROWS_MIN * this.stride);
    this.found = new Uint32Array(nWords * WORD_BITS + 1);
  }

  /** @returns where the row of a new node begins */
  private node(words: Words, at: number, length: number): number {
    const row = this.takeRow();
    const { rows, nWords } = this;
    for (let i = 0; i < nWords; i++) rows[row + i] = words[at + i] & bitsOf(i, length);
    rows[row + this.lengthAt] = length;
    rows[row + this.countAt] = 0;
    rows[row + this.zeroAt] = 0;
    rows[row + this.zeroAt + 1] = 0;
    return row;
  }

  private takeRow(): number {
    const row = this.free;
    if (row !== 0) {
      this.free = this.rows[row + this.zeroAt];
      return row;
    }
    const fresh = this.nRows * this.stride;
    if (fresh === this.rows.length) {
      // What is not used yet takes no memory: the kernel gives pages when they are written.
      const wider = new Int32Array(this.rows.length * 2);
      wider.set(this.rows);
      this.rows = wider;
    }
    this.nRows += 1;
    return fresh;
  }

  private commonBits(row: number, words: Words, at: number): number {
    const { rows, nWords } = this;
    for (let i = 0; i < nWords; i++) {
      const differ = rows[row + i] ^ words[at + i];
      if (differ !== 0) return i * WORD_BITS + Math.clz32(differ);
    }
    return nWords * WORD_BITS;
  }

  /** The last node on the way to a prefix of one word; most of an addition is that way. */
  private descend(value: number, length: number): number {
    const { rows, lengthAt, zeroAt } = this;
    let node = ROOT;
    for (let nodeLength = 0; nodeLength < length; nodeLength = rows[node + lengthAt]) {
      const next = rows[node + zeroAt + ((value >>> (31 - nodeLength)) & 1)];
      if (next === 0) return node;
      const nextLength = rows[next + lengthAt];
      if (nextLength > length || ((rows[next] ^ value) & prefixBits(nextLength)) !== 0) return node;
      node = next;
    }
    return node;
  }

  /** Adds a prefix once more. */
  add(words: Words, at: number, length: number): void {
    const { lengthAt, zeroAt } = this;
    let node = this.nWords === 1 ? this.descend(words[at], length) : ROOT;
    for (
      let nodeLength = this.rows[node + lengthAt];
      nodeLength < length;
      nodeLength = this.rows[node + lengthAt]
    ) {
      const link = node + zeroAt + bitAt(words, at, nodeLength);
      const next = this.rows[link];
      let child = next === 0 ? this.node(words, at, length) : next;
      const childLength = this.rows[child + lengthAt];
      const common = Math.min(this.commonBits(child, words, at), childLength, length);
      if (next !== 0 && common < childLength) {
        // The paths part in the middle of this edge.
        const fork = this.node(words, at, common);
        this.rows[fork + zeroAt + bitAt(this.rows, child, common)] = child;
        child = fork;
      }
      this.rows[link] = child;
      node = child;
    }
    this.rows[node + this.countAt] += 1;
  }

  /** Takes a prefix out once. */
  remove(words: Words, at: number, length: number): void {
    const { rows, lengthAt, zeroAt } = this;
    let above = -1;
    let parent = -1;
    let node = ROOT;
    while (rows[node + lengthAt] < length) {
      above = parent;
      parent = node;
      node = rows[node + zeroAt + bitAt(words, at, rows[node + lengthAt])];
      if (node === 0) return;
    }
    if (rows[node + lengthAt] !== length || rows[node + this.countAt] === 0) return;
    rows[node + this.countAt] -= 1;
    this.tidy(node, parent);
    if (parent >= 0) this.tidy(parent, above);
  }

  /** Takes a node that stands for nothing out of its path. */
  private tidy(node: number, parent: number): void {
    const { rows, zeroAt } = this;
    const zero = rows[node + zeroAt];
    const one = rows[node + zeroAt + 1];
    if (parent < 0 || rows[node + this.countAt] > 0 || (zero !== 0 && one !== 0)) return;
    const link = rows[parent + zeroAt] === node ? parent + zeroAt : parent + zeroAt + 1;
    rows[link] = zero === 0 ? one : zero;
    rows[node + zeroAt] = this.free;
    this.free = node;
  }

  /** How many leading bits were looked at; `has` says what was found. */
  lookup(words: Words, at: number): number {
    const { rows, found, lengthAt, countAt, zeroAt } = this;
    this.lookups = (this.lookups + 1) >>> 0;
    if (this.lookups === 0) {
      found.fill(0);
      this.lookups = 1;
    }
    const nBits = this.nWords * WORD_BITS;
    let node = ROOT;
    for (let length = 0; length < nBits; ) {
      const bit = bitAt(words, at, length);
      const next = rows[node + zeroAt + bit];
      // The bit counts only where there was another way to go.
      if (next === 0) return length + (rows[node + zeroAt + 1 - bit] === 0 ? 0 : 1);
      const nextLength = rows[next + lengthAt];
      const common = this.commonBits(next, words, at);
      if (common < nextLength) return common + 1;
      node = next;
      length = nextLength;
      if (rows[node + countAt] > 0) found[length] = this.lookups;
    }
    return nBits;
  }

  /** True when the value of the last lookup has a prefix of that length in the set. */
  has(length: number): boolean {
    return this.found[length] === this.lookups;
  }
}
