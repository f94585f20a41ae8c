/**
 * Memory for frames that outlive their batch, because a device is full or a class over its rate.
 *
 *     small  4096 x 2 KiB      large  192 x 66 KiB        a part of the worker's arena
 *     | headroom | virtio_net_hdr | frame ... |           touched when first used
 *
 * A frame is known by its block's number: small ones first. Blocks of a queue are linked through
 * `next`. When there is none left, the frame is dropped and counted.
 */
// hot path
import { HEADROOM, MAX_FRAME_LEN } from './frame-memory.js';

const SMALL_BYTES = 2048;
const SMALL_COUNT = 4096;
const LARGE_BYTES = (HEADROOM + MAX_FRAME_LEN + 63) & -64;
const LARGE_COUNT = 192;
const VNET_HDR = 10;

export const POOL_BYTES = (SMALL_BYTES * SMALL_COUNT + LARGE_BYTES * LARGE_COUNT + 4095) & -4096;
export const NO_BLOCK = -1;

export class FramePool {
  /** By block: the next of its queue, the frame's length and its flow. */
  readonly next = new Int32Array(SMALL_COUNT + LARGE_COUNT);
  readonly length = new Int32Array(SMALL_COUNT + LARGE_COUNT);
  /** Bytes on the wire. */
  readonly wire = new Int32Array(SMALL_COUNT + LARGE_COUNT);
  readonly flow = new Int32Array(SMALL_COUNT + LARGE_COUNT);
  private freeSmall = NO_BLOCK;
  private freeLarge = NO_BLOCK;
  /** Blocks in use. */
  used = 0;

  /** @param base arena offset of POOL_BYTES bytes */
  constructor(
    private readonly u8: Uint8Array,
    private readonly base: number,
  ) {
    for (let block = SMALL_COUNT + LARGE_COUNT - 1; block >= 0; block--) this.link(block);
  }

  /** Copies a frame with its virtio header; NO_BLOCK when there is no room. */
  put(off: number, len: number, wire: number, flow: number): number {
    let block = this.freeSmall;
    if (len + HEADROOM <= SMALL_BYTES && block !== NO_BLOCK) this.freeSmall = this.next[block];
    else {
      block = this.freeLarge;
      if (block === NO_BLOCK) return NO_BLOCK;
      this.freeLarge = this.next[block];
    }
    const to = this.offset(block);
    this.u8.copyWithin(to - VNET_HDR, off - VNET_HDR, off + len);
    this.next[block] = NO_BLOCK;
    this.length[block] = len;
    this.wire[block] = wire;
    this.flow[block] = flow;
    this.used += 1;
    return block;
  }

  /** Arena offset of the frame in a block. */
  offset(block: number): number {
    const start =
      block < SMALL_COUNT
        ? block * SMALL_BYTES
        : SMALL_COUNT * SMALL_BYTES + (block - SMALL_COUNT) * LARGE_BYTES;
    return this.base + start + HEADROOM;
  }

  give(block: number): void {
    this.used -= 1;
    this.link(block);
  }

  private link(block: number): void {
    if (block < SMALL_COUNT) {
      this.next[block] = this.freeSmall;
      this.freeSmall = block;
    } else {
      this.next[block] = this.freeLarge;
      this.freeLarge = block;
    }
  }
}
