/**
 * Upcalls in two rings: ports with few packets on their way up pass those with many.
 *
 *     port has few waiting, none in the slow ring ──> fast ──┐
 *     any other ────────────────────────────────────> slow ──┴─> reader: fast first
 *
 * A flood of new flows on one port fills its share of the slow ring; a new flow on another port
 * waits for no more than what is in the fast ring. Packets of a port stay in order: what the fast
 * ring has of a port is older than what the slow one has.
 */
// hot path
import { W_IN_PORT } from '../packet/flow-layout.js';
import { type UpcallRecord, UpcallRing, upcallRingBuffer } from './upcall-ring.js';

/** Records of one port in the fast ring. */
export const FAST_PER_PORT = 32;
const FAST_RING_BYTES = 1 << 20;

export interface UpcallLaneBuffers {
  fast: ArrayBufferLike;
  slow: ArrayBufferLike;
}

/** The memory of both. @param slowBytes of the slow ring; absent: its default */
export function upcallLaneBuffers(slowBytes?: number): UpcallLaneBuffers {
  return { fast: upcallRingBuffer(FAST_RING_BYTES), slow: upcallRingBuffer(slowBytes) };
}

/** Either end of the two rings. */
export class UpcallLanes {
  private readonly fast: UpcallRing;
  private readonly slow: UpcallRing;

  constructor(buffers: UpcallLaneBuffers) {
    this.fast = new UpcallRing(buffers.fast);
    this.slow = new UpcallRing(buffers.slow);
  }

  /** Writer: as UpcallRing.push. */
  push(
    kind: number,
    memory: Uint8Array,
    off: number,
    len: number,
    key: Int32Array,
    cookie: Int32Array,
    cookieAt: number,
  ): boolean {
    const port = key[W_IN_PORT];
    const { fast, slow } = this;
    if (slow.waiting(port) === 0 && fast.waiting(port) < FAST_PER_PORT) {
      if (fast.push(kind, memory, off, len, key, cookie, cookieAt)) return true;
    }
    return slow.push(kind, memory, off, len, key, cookie, cookieAt);
  }

  /** Writer: the reader has taken everything. */
  get empty(): boolean {
    return this.fast.empty && this.slow.empty;
  }

  /** Reader: the oldest record of the fast ring, or of the slow one; null when there is none. */
  pop(): UpcallRecord | null {
    return this.fast.pop() ?? this.slow.pop();
  }
}
