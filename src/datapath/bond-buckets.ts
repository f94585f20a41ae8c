/**
 * The tables behind lb_output: which port each of a bond's 256 buckets leads to.
 *
 *     main thread                                      worker
 *     set(7, ports) --> bondPorts[slot * 256 + b]  --> lb_output(7): b = hash(packet) & 255
 *     bytes(7)      <-- bondBytes[slot * 256 + b]  <--               output(bondPorts[...])
 *
 * A table changes in place while packets pass: no flow has to be looked at again. A bond's number
 * modulo BONDS_MAX is its slot; two bonds with the same slot cannot be there at one time.
 *
 * Not for: choosing buckets (src/ofproto/bond.ts).
 */
import { BOND_BUCKETS, BONDS_MAX, type SharedStats } from './shared-stats.js';

const NO_PORT = -1;

export function bondSlot(id: number): number {
  return id % BONDS_MAX;
}

export class BondBuckets {
  /** Ids by slot. */
  private readonly ids = new Map<number, number>();
  /** Bytes that a slot's buckets had sent for an earlier bond. */
  private readonly base = new Map<number, Float64Array>();

  /** @param workers the counters of each worker */
  constructor(private readonly workers: () => readonly SharedStats[]) {}

  /**
   * @param ports 256 port numbers, -1 for a bucket whose packets are dropped
   * @returns false when another bond has the slot
   */
  set(id: number, ports: Int32Array): boolean {
    const slot = bondSlot(id);
    const holder = this.ids.get(slot);
    if (holder !== undefined && holder !== id) return false;
    if (holder === undefined) {
      this.ids.set(slot, id);
      this.base.set(slot, this.sum(slot));
    }
    for (const { bondPorts } of this.workers()) bondPorts.set(ports, slot * BOND_BUCKETS);
    return true;
  }

  /** Packets that still name the bond are dropped from now on. */
  remove(id: number): void {
    const slot = bondSlot(id);
    if (this.ids.get(slot) !== id) return;
    this.ids.delete(slot);
    const start = slot * BOND_BUCKETS;
    for (const { bondPorts } of this.workers()) {
      bondPorts.fill(NO_PORT, start, start + BOND_BUCKETS);
    }
  }

  /** Bytes that each of a bond's buckets has sent since it was set; all 0 for an unknown bond. */
  bytes(id: number): Float64Array {
    const slot = bondSlot(id);
    if (this.ids.get(slot) !== id) return new Float64Array(BOND_BUCKETS);
    const base = this.base.get(slot);
    return this.sum(slot).map((bytes, bucket) => bytes - (base?.[bucket] ?? 0));
  }

  private sum(slot: number): Float64Array {
    const total = new Float64Array(BOND_BUCKETS);
    for (const { bondBytes } of this.workers()) {
      for (let i = 0; i < BOND_BUCKETS; i++) total[i] += bondBytes[slot * BOND_BUCKETS + i];
    }
    return total;
  }

  /** Ids and ports of all bonds, by id. */
  *all(): Generator<[id: number, ports: Int32Array]> {
    const [first] = this.workers();
    for (const id of [...this.ids.values()].sort((a, b) => a - b)) {
      const start = bondSlot(id) * BOND_BUCKETS;
      yield [id, first.bondPorts.slice(start, start + BOND_BUCKETS)];
    }
  }
}
