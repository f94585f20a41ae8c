/**
 * The main thread's list of installed megaflows: slots, identity, final statistics.
 *
 *     put --> slot taken --> installed in workers --> del --> acknowledged by all --> slot free
 *
 * A slot is given to another flow only after every worker has let go of it: a worker's counters in
 * the slot always belong to one flow. Flows are the same when mask and masked key are.
 *
 * There may be hundreds of thousands of them: flows with the same mask share it, keys lie in a
 * store of their own (key-store.ts).
 */
import { TapswitchError } from '../common/errors.js';
import { DP_FLOW_WORDS, type FlowWords, newFlow } from '../packet/flow-layout.js';
import type { DpFlow, DpFlowStats, FlowPut } from './dpif.js';
import { KeyStore } from './key-store.js';
import { type MaskedKey, MegaflowTable } from './megaflow-table.js';
import type { OdpAction } from './odp-actions.js';

/** A mask that installed flows share, whole and as the words that it consults. */
interface SharedMask extends MaskedKey {
  readonly whole: FlowWords;
  /** Of the flow that was asked for last. */
  readonly values: Int32Array;
  flows: number;
}

/** An installed flow as the main thread keeps it. */
export class InstalledFlow implements DpFlow {
  /** Bit n: installed in worker n. */
  workers = 0;
  /** Statistics once the flow is gone and its slot may be another's. */
  final: DpFlowStats | null = null;
  deleted = false;
  owner: unknown = undefined;

  constructor(
    readonly id: number,
    readonly slot: number,
    private readonly keys: KeyStore,
    readonly shared: SharedMask,
    public actions: readonly OdpAction[],
  ) {}

  /** A copy; of no use any more once the flow is gone. */
  get key(): FlowWords {
    return this.keys.get(this.slot);
  }

  get mask(): FlowWords {
    return this.shared.whole;
  }

  /** Writes the key over `into`. */
  readKey(into: FlowWords): void {
    this.keys.read(this.slot, into);
  }

  /** Its masked key: good until that of another flow is asked for. */
  get masked(): MaskedKey {
    this.keys.read(this.slot, scratchKey);
    return maskKey(this.shared, scratchKey);
  }
}

const scratchKey = newFlow();

function maskKey(shared: SharedMask, key: FlowWords): SharedMask {
  const { words, masks, values } = shared;
  for (let i = 0; i < words.length; i++) values[i] = key[words[i]] & masks[i];
  return shared;
}

function maskHash(mask: FlowWords): number {
  let hash = 0;
  for (let i = 0; i < DP_FLOW_WORDS; i++) {
    if (mask[i] === 0) continue;
    hash = Math.imul(hash ^ mask[i] ^ Math.imul(i, 0x85ebca6b), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function sameMask(a: FlowWords, b: FlowWords): boolean {
  for (let i = 0; i < DP_FLOW_WORDS; i++) if (a[i] !== b[i]) return false;
  return true;
}

export class FlowRegistry {
  /** Classifies as workers do, to find what an upcall would hit by now. */
  readonly table = new MegaflowTable();
  private readonly keys = new KeyStore();
  /** By hash. */
  private readonly masks = new Map<number, SharedMask[]>();
  /** Flows that follow each other mostly have the same. */
  private recentMask: SharedMask | null = null;
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
    const slot = this.table.find(masked);
    return slot < 0 ? undefined : this.bySlot[slot];
  }

  /** The flow that a packet's whole key of class `cls` matches, if any. */
  lookup(key: FlowWords, cls: number): InstalledFlow | undefined {
    const slot = this.table.lookup(key, cls);
    return slot < 0 ? undefined : this.bySlot[slot];
  }

  /** The masked key of a put: good until that of another flow is asked for. */
  masked(put: FlowPut): SharedMask {
    return maskKey(this.sharedMask(put.mask), put.key);
  }

  /**
   * Takes a slot for a new flow.
   * @param masked of this very put
   * @param actions that do what the put's do
   * @throws TapswitchError E_FLOW_LIMIT when there is none
   */
  add(put: FlowPut, masked: SharedMask, actions: readonly OdpAction[]): InstalledFlow {
    const slot = this.freeSlots.pop() ?? this.nextSlot;
    if (slot >= this.flowSlots) {
      if (masked.flows === 0) this.dropMask(masked);
      throw new TapswitchError(
        'E_FLOW_LIMIT',
        `the datapath holds ${this.flowSlots} flows already`,
        'wait for idle flows to go',
      );
    }
    if (slot === this.nextSlot) this.nextSlot++;
    masked.flows++;
    this.keys.put(slot, put.key);
    const flow = new InstalledFlow(this.nextId++, slot, this.keys, masked, actions);
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
    flow.shared.flows--;
    if (flow.shared.flows === 0) this.dropMask(flow.shared);
    return true;
  }

  /** Every worker has let go of a removed flow's slot. */
  release(flow: InstalledFlow): void {
    this.bySlot[flow.slot] = undefined;
    this.freeSlots.push(flow.slot);
  }

  private sharedMask(mask: FlowWords): SharedMask {
    if (this.recentMask !== null && sameMask(this.recentMask.whole, mask)) return this.recentMask;
    const shared = this.findMask(mask);
    this.recentMask = shared;
    return shared;
  }

  private findMask(mask: FlowWords): SharedMask {
    const hash = maskHash(mask);
    const list = this.masks.get(hash) ?? [];
    const known = list.find(({ whole }) => sameMask(whole, mask));
    if (known !== undefined) return known;
    const words: number[] = [];
    for (let w = 0; w < DP_FLOW_WORDS; w++) if (mask[w] !== 0) words.push(w);
    const made: SharedMask = {
      whole: mask.slice(),
      words: Int32Array.from(words),
      masks: Int32Array.from(words, (w) => mask[w]),
      values: new Int32Array(words.length),
      flows: 0,
    };
    this.masks.set(hash, [...list, made]);
    return made;
  }

  private dropMask(mask: SharedMask): void {
    if (this.recentMask === mask) this.recentMask = null;
    const hash = maskHash(mask.whole);
    const left = this.masks.get(hash)?.filter((other) => other !== mask) ?? [];
    if (left.length > 0) this.masks.set(hash, left);
    else this.masks.delete(hash);
  }
}
