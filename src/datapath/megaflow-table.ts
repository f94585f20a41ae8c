/**
 * Megaflow cache: tuple space search over masked keys.
 *
 * Flows with the same mask share a subtable (subtable.ts), found by a hash of the mask when flows
 * come and go.
 *
 * A look-up probes the subtables that hold a flow of the packet's class (IPv4, IPv6, ARP, other:
 * see packet/extract.ts), the most often hit first. Megaflows that overlap must agree on their
 * actions, as everywhere in Open vSwitch: the first match wins.
 *
 * The table also keeps the union of the masks per class, which the exact-match cache compares by.
 */
import { CLASS_OTHER, FLOW_CLASSES, flowClass } from '../packet/extract.js';
import { DP_FLOW_WORDS, type FlowWords, W_DL_TYPE } from '../packet/flow-layout.js';
import { HASH_MULTIPLIER, Subtable } from './subtable.js';

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

/** Classes whose packets a flow may match, as a bit mask. */
function classBits(masked: MaskedKey): number {
  const at = masked.words.indexOf(W_DL_TYPE);
  if (at >= 0 && masked.masks[at] >>> 16 === 0xffff) {
    return 1 << flowClass(masked.values[at] >>> 16);
  }
  return (1 << FLOW_CLASSES) - 1;
}

function maskHash(words: Int32Array, masks: Int32Array): number {
  let hash = words.length;
  for (let i = 0; i < words.length; i++) {
    hash = Math.imul(hash ^ words[i], HASH_MULTIPLIER);
    hash = Math.imul(hash ^ masks[i] ^ (hash >>> 15), HASH_MULTIPLIER);
  }
  return hash ^ (hash >>> 15);
}

/** The megaflows of one worker, by masked key; values are flow slots. */
export class MegaflowTable {
  /** Subtables probed by the last look-up. */
  probes = 0;
  private readonly subtables = new Set<Subtable>();
  /** By hash of the mask. */
  private readonly byMask = new Map<number, Subtable[]>();
  private readonly byClass: Subtable[][] = Array.from({ length: FLOW_CLASSES }, () => []);
  /** By class: every bit that a flow of the class consults, by flow word. */
  readonly unions: Int32Array[] = Array.from(
    { length: FLOW_CLASSES },
    () => new Int32Array(DP_FLOW_WORDS),
  );

  /** Number of masks in use. */
  get masks(): number {
    return this.subtables.size;
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

  /** The subtable of a mask, or undefined. */
  subtable(words: Int32Array, masks: Int32Array): Subtable | undefined {
    return this.byMask.get(maskHash(words, masks))?.find((s) => s.hasMask(words, masks));
  }

  /** The slot of the flow with exactly this mask and these values, or -1. */
  find(masked: MaskedKey): number {
    return this.subtable(masked.words, masked.masks)?.slotOf(masked.values) ?? -1;
  }

  /** Adds a flow. Returns true when the union of some class changed. */
  insert(masked: MaskedKey, slot: number): boolean {
    let subtable = this.subtable(masked.words, masked.masks);
    if (!subtable) {
      subtable = new Subtable(masked.words, masked.masks);
      this.subtables.add(subtable);
      const hash = maskHash(masked.words, masked.masks);
      const others = this.byMask.get(hash);
      if (others) others.push(subtable);
      else this.byMask.set(hash, [subtable]);
    }
    subtable.insert(masked.values, slot);
    return this.countClasses(subtable, classBits(masked), 1);
  }

  /** Removes a flow; true when the union of some class changed. */
  remove(masked: MaskedKey): boolean {
    const subtable = this.subtable(masked.words, masked.masks);
    if (!subtable?.remove(masked.values)) return false;
    if (subtable.size === 0) this.drop(subtable);
    return this.countClasses(subtable, classBits(masked), -1);
  }

  private drop(subtable: Subtable): void {
    this.subtables.delete(subtable);
    const hash = maskHash(subtable.words, subtable.masks);
    const left = this.byMask.get(hash)?.filter((other) => other !== subtable) ?? [];
    if (left.length > 0) this.byMask.set(hash, left);
    else this.byMask.delete(hash);
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
      changed = this.updateUnion(cls, delta > 0 ? subtable : null) || changed;
    }
    return changed;
  }

  /** @param added the subtable that is new in the class, or null when one went */
  private updateUnion(cls: number, added: Subtable | null): boolean {
    const old = this.unions[cls];
    const union = added === null ? new Int32Array(DP_FLOW_WORDS) : old.slice();
    for (const subtable of added === null ? this.byClass[cls] : [added]) {
      for (let i = 0; i < subtable.words.length; i++) {
        union[subtable.words[i]] |= subtable.masks[i];
      }
    }
    this.unions[cls] = union;
    return union.some((mask, word) => mask !== old[word]);
  }
}
