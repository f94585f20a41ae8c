/**
 * Frames that wait for transmit queues: pfifo_fast's three bands for each queue.
 *
 *     queue q   band 0   head -> block -> block -> tail      always first
 *               band 1   head -> ... -> tail
 *               band 2   empty
 *
 * Each band holds as many frames as the queue's limit says: a full one takes no room from those
 * above it. A queue that is empty is bypassed: nobody comes here while the device takes frames.
 */
// hot path
import { type FramePool, NO_BLOCK } from './frame-pool.js';

export const BANDS = 3;

/**
 * Band by priority 0..7, in the meaning of 802.1p: 1 is background; 4 and above are what must not
 * wait (video, voice, control); the rest is best effort.
 */
export const BAND_OF_PRIORITY = Uint8Array.of(1, 2, 1, 1, 0, 0, 0, 0);

export class TxBacklog {
  /** Frames that wait, by queue. */
  readonly waiting: Int32Array;
  private readonly limit: Int32Array;
  private readonly inBand: Int32Array;
  private readonly head: Int32Array;
  private readonly tail: Int32Array;

  constructor(
    readonly pool: FramePool,
    queues: number,
  ) {
    this.waiting = new Int32Array(queues);
    this.limit = new Int32Array(queues);
    this.inBand = new Int32Array(queues * BANDS);
    this.head = new Int32Array(queues * BANDS).fill(NO_BLOCK);
    this.tail = new Int32Array(queues * BANDS).fill(NO_BLOCK);
  }

  setLimit(queue: number, frames: number): void {
    this.limit[queue] = frames;
  }

  /** Takes a copy of a frame in; false when the band or the memory is full. */
  push(queue: number, band: number, off: number, len: number, wire: number, flow: number): boolean {
    const at = queue * BANDS + band;
    if (this.inBand[at] >= this.limit[queue]) return false;
    const block = this.pool.put(off, len, wire, flow);
    if (block === NO_BLOCK) return false;
    if (this.head[at] === NO_BLOCK) this.head[at] = block;
    else this.pool.next[this.tail[at]] = block;
    this.tail[at] = block;
    this.waiting[queue] += 1;
    this.inBand[at] += 1;
    return true;
  }

  /**
   * Writes the first frames, in the order they are to leave, to the vectors; they stay in the queue
   * until `pop`.
   * @returns how many
   */
  peek(
    queue: number,
    offsets: Int32Array,
    lengths: Int32Array,
    start: number,
    most: number,
  ): number {
    let n = 0;
    for (let at = queue * BANDS; at < queue * BANDS + BANDS; at++) {
      let block = this.head[at];
      while (block !== NO_BLOCK && n < most) {
        offsets[start + n] = this.pool.offset(block);
        lengths[start + n] = this.pool.length[block];
        n++;
        block = this.pool.next[block];
      }
    }
    return n;
  }

  /** The first frame's block, which stays; NO_BLOCK when the queue is empty. */
  first(queue: number): number {
    for (let at = queue * BANDS; at < queue * BANDS + BANDS; at++) {
      if (this.head[at] !== NO_BLOCK) return this.head[at];
    }
    return NO_BLOCK;
  }

  /** Takes the first frame out; its block is the caller's to give back. Not for an empty queue. */
  take(queue: number): number {
    let at = queue * BANDS;
    while (this.head[at] === NO_BLOCK) at++;
    const block = this.head[at];
    this.head[at] = this.pool.next[block];
    this.waiting[queue] -= 1;
    this.inBand[at] -= 1;
    return block;
  }

  /** Takes the first frame out, frees it, and returns its flow. Not for an empty queue. */
  pop(queue: number): number {
    const block = this.take(queue);
    const flow = this.pool.flow[block];
    this.pool.give(block);
    return flow;
  }
}
