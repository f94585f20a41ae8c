/**
 * The main thread's list of installed megaflows: slots, identity, final statistics.
 *
 *     put --> slot taken --> installed in workers --> del --> acknowledged by all --> slot free
 *
 * A slot is given to another flow only after every worker has let go of it: a worker's counters in
 * the slot always belong to one flow. Flows are the same when mask and masked key are.
 */
import { TapswitchError } from '../common/errors.js';
import type { FlowWords } from '../packet/flow-layout.js';
import type { DpFlow, DpFlowStats, FlowPut } from './dpif.js';
import { type MaskedKey, MegaflowTable, maskedKey } from './megaflow-table.js';
import type { OdpAction } from './odp-actions.js';

/** An installed flow as the main thread keeps it. */
export class InstalledFlow implements DpFlow {
  /** Bit n: installed in worker n. */
  workers = 0;
  /** Statistics once the flow is gone and its slot may be another's. */
  final: DpFlowStats | null = null;
  deleted = false;

  constructor(
    readonly id: number,
    readonly slot: number,
    readonly key: FlowWords,
    readonly mask: FlowWords,
    readonly masked: MaskedKey,
    public actions: readonly OdpAction[],
  ) {}
}

function hashOf(masked: MaskedKey): number {
  let hash = masked.words.length;
  for (let i = 0; i < masked.words.length; i++) {
    hash = Math.imul(hash ^ masked.words[i], 0x01000193);
    hash = Math.imul(hash ^ masked.masks[i], 0x01000193);
    hash = Math.imul(hash ^ masked.values[i], 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

function same(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

export class FlowRegistry {
  /** Classifies as workers do, to find what an upcall would hit by now. */
  readonly table = new MegaflowTable();
  private readonly byHash = new Map<number, InstalledFlow[]>();
  private readonly bySlot: (InstalledFlow | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private nextSlot = 0;
  private nextId = 1;
  private count = 0;

  /** @param flowSlots bound of flows, those that are about to go included */
  constructor(readonly flowSlots: number) {}

  get size(): number {
    return this.count;
  }

  *[Symbol.iterator](): IterableIterator<InstalledFlow> {
    for (const flow of this.bySlot) if (flow && !flow.deleted) yield flow;
  }

  /** The flow with this mask and masked key, if it is installed. */
  find(masked: MaskedKey): InstalledFlow | undefined {
    return this.byHash
      .get(hashOf(masked))
      ?.find(
        (flow) =>
          same(flow.masked.words, masked.words) &&
          same(flow.masked.masks, masked.masks) &&
          same(flow.masked.values, masked.values),
      );
  }

  /** The flow that a packet's whole key of class `cls` matches, if any. */
  lookup(key: FlowWords, cls: number): InstalledFlow | undefined {
    const slot = this.table.lookup(key, cls);
    return slot < 0 ? undefined : this.bySlot[slot];
  }

  /**
   * Takes a slot for a new flow.
   * @throws TapswitchError E_FLOW_LIMIT when there is none
   */
  add(put: FlowPut, masked: MaskedKey): InstalledFlow {
    const slot = this.freeSlots.pop() ?? this.nextSlot;
    if (slot >= this.flowSlots) {
      throw new TapswitchError(
        'E_FLOW_LIMIT',
        `the datapath holds ${this.flowSlots} flows already`,
        'wait for idle flows to go, or raise other_config:flow-limit',
      );
    }
    if (slot === this.nextSlot) this.nextSlot++;
    const { key, mask, actions } = put;
    const flow = new InstalledFlow(this.nextId++, slot, key.slice(), mask.slice(), masked, actions);
    const hash = hashOf(masked);
    const bucket = this.byHash.get(hash);
    if (bucket) bucket.push(flow);
    else this.byHash.set(hash, [flow]);
    this.bySlot[slot] = flow;
    this.table.insert(masked, slot);
    this.count++;
    return flow;
  }

  /** Forgets a flow; its slot stays taken until `release`. False when it was deleted before. */
  remove(flow: InstalledFlow): boolean {
    if (flow.deleted || this.bySlot[flow.slot] !== flow) return false;
    flow.deleted = true;
    this.count--;
    this.table.remove(flow.masked);
    const hash = hashOf(flow.masked);
    const left = this.byHash.get(hash)!.filter((other) => other !== flow);
    if (left.length > 0) this.byHash.set(hash, left);
    else this.byHash.delete(hash);
    return true;
  }

  /** Every worker has let go of a removed flow's slot. */
  release(flow: InstalledFlow): void {
    this.bySlot[flow.slot] = undefined;
    this.freeSlots.push(flow.slot);
  }
}

/** The masked key of a put. */
export function maskedKeyOf(put: FlowPut): MaskedKey {
  return maskedKey(put.key, put.mask);
}
