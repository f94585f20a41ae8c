/**
 * How often each hash was added: a set of 32-bit numbers with counts, by open addressing.
 *
 *     slot = spot(hash), the next one when that is taken:   [ hash | count ] [ hash | count ] ...
 *
 * The classifier keeps one for each stage of a subtable. A Map would take five times the memory,
 * and stand still for a tenth of a second when a million hashes are moved to a larger one.
 */

const CAPACITY_MIN = 8;

/** Spreads a hash over its low bits. */
export function spread(hash: number): number {
  const h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

export class HashCounts {
  /** Pairs of hash and count; count 0: free. */
  private pairs = new Int32Array(2 * CAPACITY_MIN);
  private used = 0;

  has(hash: number): boolean {
    return this.pairs[this.place(hash) + 1] !== 0;
  }

  /** Where the hash is, or the free place where it would be. */
  private place(hash: number): number {
    const { pairs } = this;
    const last = pairs.length - 1;
    let at = (spread(hash) << 1) & last;
    while (pairs[at + 1] !== 0 && pairs[at] !== hash) at = (at + 2) & last;
    return at;
  }

  add(hash: number): void {
    let at = this.place(hash);
    if (this.pairs[at + 1] === 0) {
      this.used += 1;
      if (4 * this.used > this.pairs.length) {
        this.grow();
        at = this.place(hash);
      }
      this.pairs[at] = hash;
    }
    this.pairs[at + 1] += 1;
  }

  /** Undoes one `add` of the hash; ignored when there was none. */
  remove(hash: number): void {
    const at = this.place(hash);
    if (this.pairs[at + 1] === 0) return;
    this.pairs[at + 1] -= 1;
    if (this.pairs[at + 1] > 0) return;
    this.used -= 1;
    this.closeGap(at);
  }

  /** Moves those up that went past a place which is free now. */
  private closeGap(freed: number): void {
    const { pairs } = this;
    const last = pairs.length - 1;
    let gap = freed;
    for (let at = (gap + 2) & last; pairs[at + 1] !== 0; at = (at + 2) & last) {
      const home = (spread(pairs[at]) << 1) & last;
      if (((at - home) & last) < ((at - gap) & last)) continue;
      pairs[gap] = pairs[at];
      pairs[gap + 1] = pairs[at + 1];
      pairs[at + 1] = 0;
      gap = at;
    }
  }

  private grow(): void {
    const old = this.pairs;
    this.pairs = new Int32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] === 0) continue;
      const to = this.place(old[at]);
      this.pairs[to] = old[at];
      this.pairs[to + 1] = old[at + 1];
    }
  }
}
