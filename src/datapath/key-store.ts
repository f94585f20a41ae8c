/**
 * Keys of installed flows by slot, in flat arrays: nothing for the garbage collector to look at.
 *
 *     chunk 0: slots 0..1023   | 37 words of slot 0 | 37 words of slot 1 | ...
 *     chunk 1: slots 1024..    made when the first of them is used
 *
 * Words that no packet's key has (connection tracking, tunnels) are kept apart, by the few flows
 * that were put in by hand with such.
 */
import { DP_FLOW_WORDS, type FlowWords, newFlow, W_CT_STATE } from '../packet/flow-layout.js';

const STRIDE = W_CT_STATE;
const CHUNK_SLOTS = 1024;

export class KeyStore {
  private readonly chunks: Int32Array[] = [];
  private readonly rest = new Map<number, Int32Array>();

  put(slot: number, key: FlowWords): void {
    const chunk = slot >>> 10;
    this.chunks[chunk] ??= new Int32Array(CHUNK_SLOTS * STRIDE);
    const words = this.chunks[chunk];
    const base = (slot & (CHUNK_SLOTS - 1)) * STRIDE;
    for (let i = 0; i < STRIDE; i++) words[base + i] = key[i];
    if (this.rest.size > 0) this.rest.delete(slot);
    for (let i = STRIDE; i < DP_FLOW_WORDS; i++) {
      if (key[i] === 0) continue;
      this.rest.set(slot, key.slice(STRIDE, DP_FLOW_WORDS));
      return;
    }
  }

  /** A copy of the slot's key. */
  get(slot: number): FlowWords {
    const key = newFlow();
    this.read(slot, key);
    return key;
  }

  /** Writes the slot's key over `into`; the words of OpenFlow alone become 0. */
  read(slot: number, into: FlowWords): void {
    const words = this.chunks[slot >>> 10];
    const base = (slot & (CHUNK_SLOTS - 1)) * STRIDE;
    for (let i = 0; i < STRIDE; i++) into[i] = words[base + i];
    into.fill(0, STRIDE);
    const rest = this.rest.size === 0 ? undefined : this.rest.get(slot);
    if (rest !== undefined) into.set(rest, STRIDE);
  }
}
