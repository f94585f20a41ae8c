/**
 * The memory of one worker's frames: views over its arena, and the slab at the arena's start.
 *
 *     0          rxEnd        copy half A      copy half B       slabBytes          arena end
 *     | rx area  |            |                |                 | receive rings ... |
 *
 *     rx area   frames that are fetched by a system call (TAP, frames larger than a ring slot)
 *     halves    copies made by actions; one is in use, the other is where live frames move to
 *               when the first is exhausted in the middle of a packet
 *
 * Both are bump-allocated and emptied at the end of each batch: nothing here outlives a batch.
 * Every frame in the slab has HEADROOM bytes before it, the last 10 of which are its
 * virtio_net_hdr.
 */
// hot path
import { VNET_HDR_LEN } from '../native/binding.js';

/** Bytes before a slab frame's first byte; slab frames start at multiples of it. */
export const HEADROOM = 64;
/** The longest frame: 65,535 bytes of IP packet, Ethernet header, tags and some spare. */
export const MAX_FRAME_LEN = 65_535 + 14 + 5 * 4;
/** Slab bytes that a frame of MAX_FRAME_LEN takes. */
const MAX_FRAME_SPACE = HEADROOM + ((MAX_FRAME_LEN + HEADROOM - 1) & -HEADROOM);

export interface SlabSizes {
  rxBytes: number;
  copyHalfBytes: number;
}

/** 2 MiB for received frames, two halves of 1.25 MiB for copies. */
export const DEFAULT_SLAB: SlabSizes = { rxBytes: 2 << 20, copyHalfBytes: 5 << 18 };

/** Views and allocators over one arena. */
export class FrameMemory {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  /** First byte behind the slab, page-aligned. */
  readonly slabBytes: number;
  readonly rxEnd: number;

  private rxNext = 0;
  private copyStart: number;
  private copyNext: number;
  private copyEnd: number;

  constructor(
    readonly arena: ArrayBuffer,
    private readonly sizes: SlabSizes = DEFAULT_SLAB,
  ) {
    this.u8 = new Uint8Array(arena);
    this.i32 = new Int32Array(arena, 0, arena.byteLength >>> 2);
    this.view = new DataView(arena);
    this.rxEnd = sizes.rxBytes;
    this.copyStart = sizes.rxBytes;
    this.copyNext = this.copyStart;
    this.copyEnd = this.copyStart + sizes.copyHalfBytes;
    this.slabBytes = (sizes.rxBytes + 2 * sizes.copyHalfBytes + 4095) & -4096;
  }

  /** True when a received frame of any length fits. */
  get rxHasRoom(): boolean {
    return this.rxEnd - this.rxNext >= MAX_FRAME_SPACE;
  }

  /** Where the next received frame may start; take it with rxCommit. */
  get rxOffset(): number {
    return this.rxNext + HEADROOM;
  }

  /** Takes [rxOffset, rxOffset + len). */
  rxCommit(len: number): void {
    this.rxNext = this.spaceBehind(this.rxNext, len);
  }

  /** Takes everything in the rx area below `end` (frames that tapRead laid out). */
  rxCommitTo(end: number): void {
    this.rxNext = (end + HEADROOM - 1) & -HEADROOM;
  }

  /** Empties the rx area: nothing may refer to it any more. */
  rxReset(): void {
    this.rxNext = 0;
  }

  /** Space for a copy of `len` bytes: the frame's offset, or -1 when the half in use is full. */
  copyAlloc(len: number): number {
    const next = this.spaceBehind(this.copyNext, len);
    if (next > this.copyEnd) return -1;
    const off = this.copyNext + HEADROOM;
    this.copyNext = next;
    return off;
  }

  /** Empties both halves. */
  copyReset(): void {
    this.copyNext = this.copyStart;
  }

  /** Starts over in the other half; what lies in the first is to be moved by the caller. */
  copyFlip(): void {
    const first = this.rxEnd;
    this.copyStart = this.copyStart === first ? first + this.sizes.copyHalfBytes : first;
    this.copyNext = this.copyStart;
    this.copyEnd = this.copyStart + this.sizes.copyHalfBytes;
  }

  /** True when `off` lies in either copy half. */
  inCopyArea(off: number): boolean {
    return off >= this.rxEnd && off < this.slabBytes;
  }

  /** Copies a frame of `len` bytes with its virtio header from `from` to `to`. */
  copyFrame(from: number, to: number, len: number): void {
    this.u8.copyWithin(to - VNET_HDR_LEN, from - VNET_HDR_LEN, from + len);
  }

  private spaceBehind(next: number, len: number): number {
    return next + HEADROOM + ((len + HEADROOM - 1) & -HEADROOM);
  }
}
