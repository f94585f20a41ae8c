/**
 * A set of prefixes of 32-bit values, asked how many bits of a value settle which of them it has.
 *
 *     prefixes 10/8 and 10.1/16:          value 11.0.0.1: 8 bits settle that it has neither
 *                                         value 10.2.0.1: 15 bits settle that it has 10/8 alone
 *
 * The classifier passes over subtables with it, and consults no more bits than that takes. Not for:
 * which rules there are behind a prefix.
 */

/** Stands for the prefix `value`/`length`, and for the paths of all longer ones that begin so. */
interface Node {
  value: number;
  length: number;
  /** How often this very prefix is in the set; 0: it is only where two paths part. */
  count: number;
  zero: Node | null;
  one: Node | null;
}

function makeNode(value: number, length: number): Node {
  return { value: value & prefixBits(length), length, count: 0, zero: null, one: null };
}

/** How many leading bits two values have in common. */
function commonBits(a: number, b: number): number {
  return Math.clz32(a ^ b);
}

function bitAt(value: number, at: number): number {
  return (value >>> (31 - at)) & 1;
}

export class PrefixTrie {
  private readonly root = makeNode(0, 0);
  /** Of the last lookup: bit L - 1 is set when the value has a prefix of length L in the set. */
  lengths = 0;

  add(value: number, length: number): void {
    let node = this.root;
    while (node.length < length) {
      const bit = bitAt(value, node.length);
      const next = bit === 0 ? node.zero : node.one;
      let child = next ?? makeNode(value, length);
      const common = Math.min(commonBits(child.value, value), child.length, length);
      if (next !== null && common < child.length) {
        // The paths part in the middle of this edge.
        const fork = makeNode(value, common);
        if (bitAt(child.value, common) === 0) fork.zero = child;
        else fork.one = child;
        child = fork;
      }
      if (bit === 0) node.zero = child;
      else node.one = child;
      node = child;
    }
    node.count += 1;
  }

  remove(value: number, length: number): void {
    let above: Node | null = null;
    let parent: Node | null = null;
    let node: Node | null = this.root;
    while (node !== null && node.length < length) {
      above = parent;
      parent = node;
      node = bitAt(value, node.length) === 0 ? node.zero : node.one;
    }
    if (node === null || node.length !== length || node.count === 0) return;
    node.count -= 1;
    this.tidy(node, parent);
    if (parent !== null) this.tidy(parent, above);
  }

  /** Takes a node that stands for nothing out of its path. */
  private tidy(node: Node, parent: Node | null): void {
    if (parent === null || node.count > 0 || (node.zero !== null && node.one !== null)) return;
    const rest = node.zero ?? node.one;
    if (parent.zero === node) parent.zero = rest;
    else if (parent.one === node) parent.one = rest;
  }

  /** How many leading bits of `value` were looked at; `lengths` says what was found. */
  lookup(value: number): number {
    let node = this.root;
    this.lengths = 0;
    while (node.length < 32) {
      const bit = bitAt(value, node.length);
      const next = bit === 0 ? node.zero : node.one;
      // The bit counts only where there was another way to go.
      if (next === null) {
        return (bit === 0 ? node.one : node.zero) === null ? node.length : node.length + 1;
      }
      const common = commonBits(next.value, value);
      if (common < next.length) return common + 1;
      node = next;
      if (node.count > 0) this.lengths |= 1 << (node.length - 1);
    }
    return 32;
  }
}

/** The bits of a prefix of that length. */
export function prefixBits(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) | 0;
}

/** How long the prefix is that a mask covers; 0 when it is none. */
export function prefixLength(mask: number): number {
  const length = mask === 0 ? 0 : Math.clz32(~mask);
  return prefixBits(length) === (mask | 0) ? length : 0;
}
