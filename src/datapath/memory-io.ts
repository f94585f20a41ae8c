/**
 * PacketIo without a kernel: what the engine sends is handed to a function, frame by frame.
 *
 * For the in-process datapath (dpif-dummy.ts) and tests. A descriptor is whatever number the port
 * was added with.
 */
import type { PacketIo } from '../native/binding.js';

/** Takes a frame at [off, off + len) of the arena; returns 0, or -errno to refuse it. */
export type MemoryTransmit = (fd: number, off: number, len: number) => number;

export class MemoryIo implements PacketIo {
  constructor(
    private readonly offsets: Int32Array,
    private readonly lengths: Int32Array,
    private readonly transmit: MemoryTransmit,
  ) {}

  send(fd: number, start: number, count: number): number {
    for (let i = 0; i < count; i++) {
      const result = this.transmit(fd, this.offsets[start + i], this.lengths[start + i]);
      if (result < 0) return i > 0 ? i : result;
    }
    return count;
  }

  tapWrite(fd: number, start: number, count: number): number {
    return this.send(fd, start, count);
  }

  tapRead(): number {
    return 0;
  }
  xskReceive(): number {
    return 0;
  }
  xskRelease(): number {
    return 0;
  }
  xskSend(fd: number, start: number, count: number): number {
    return this.send(fd, start, count);
  }
  recvCopy(): number {
    return 0;
  }
  wait(): number {
    return 0;
  }
  watch(): void {}
  unwatch(): void {}
  fence(): void {}
  clockMs(): number {
    return 0;
  }
  close(): void {}
}
