/**
 * Deferred output: frames wait per port until the end of the batch, then go out in one call.
 *
 *     port p:  offsets/lengths[ p * BATCH ... p * BATCH + count[p] )      (shared with PacketIo)
 *     touched: the ports that have frames waiting, in order of their first one
 *
 * A frame that waits here is referred to, not copied: its memory must stay as it is until flush.
 * Frames that the kernel refuses are counted drops; the ones behind them still go out.
 */
// hot path
import type { PacketIo } from '../native/binding.js';
import { DropReason } from './drop-reasons.js';
import {
  C_TX_CALLS,
  PORT_STATS_STRIDE,
  PS_TX_BYTES,
  PS_TX_DROPPED,
  PS_TX_ERRORS,
  PS_TX_PACKETS,
  type SharedStats,
} from './shared-stats.js';

/** Frames that wait at most per port, and are handed to the kernel in one call. */
export const TX_BATCH = 128;

export const PORT_NONE = 0;
export const PORT_PACKET = 1;
export const PORT_TAP = 2;

const EINTR = 4;
const EIO = 5;
const ENXIO = 6;
const EAGAIN = 11;
const ENODEV = 19;
const EBADFD = 77;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ENOBUFS = 105;

/** The drop reason for an errno of sending. */
export function sendErrorReason(errno: number): number {
  switch (errno) {
    case EMSGSIZE:
      return DropReason.txTooBig;
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
    case EIO:
    case EBADFD:
      return DropReason.portDown;
    case EAGAIN:
    case ENOBUFS:
      return DropReason.txQueueFull;
    default:
      return DropReason.txError;
  }
}

/** One worker's output side. */
export class Egress {
  /** PORT_*, by port number. */
  readonly kind: Int32Array;
  private readonly fd: Int32Array;
  private readonly count: Int32Array;
  private readonly touched: Int32Array;
  private nTouched = 0;

  /**
   * @param offsets, lengths the vectors that `io` was made with: at least maxPorts * TX_BATCH long
   */
  constructor(
    private readonly io: PacketIo,
    private readonly offsets: Int32Array,
    private readonly lengths: Int32Array,
    private readonly stats: SharedStats,
    readonly maxPorts: number,
  ) {
    this.kind = new Int32Array(maxPorts);
    this.fd = new Int32Array(maxPorts).fill(-1);
    this.count = new Int32Array(maxPorts);
    this.touched = new Int32Array(maxPorts);
  }

  portAdd(port: number, kind: number, fd: number): void {
    this.kind[port] = kind;
    this.fd[port] = fd;
  }

  /** Forgets a port; frames that wait for it are dropped with it (flush before). */
  portDel(port: number): void {
    this.kind[port] = PORT_NONE;
    this.fd[port] = -1;
  }

  /** Queues a frame for a port. Unknown ports are counted drops. */
  output(port: number, off: number, len: number): void {
    if (port >>> 0 >= this.maxPorts || this.kind[port] === PORT_NONE) {
      this.stats.drops[DropReason.invalidPort] += 1;
      return;
    }
    const n = this.count[port];
    if (n === 0) this.touched[this.nTouched++] = port;
    const at = port * TX_BATCH + n;
    this.offsets[at] = off;
    this.lengths[at] = len;
    this.count[port] = n + 1;
    if (n + 1 === TX_BATCH) this.flushFull(port);
  }

  /** True when frames wait. */
  get pending(): boolean {
    return this.nTouched !== 0;
  }

  /** Sends everything that waits. */
  flush(): void {
    const n = this.nTouched;
    for (let i = 0; i < n; i++) this.flushPort(this.touched[i]);
    this.nTouched = 0;
  }

  private flushFull(port: number): void {
    this.flushPort(port);
    for (let i = 0; i < this.nTouched; i++) {
      if (this.touched[i] === port) {
        this.touched[i] = this.touched[--this.nTouched];
        return;
      }
    }
  }

  private flushPort(port: number): void {
    const total = this.count[port];
    this.count[port] = 0;
    const fd = this.fd[port];
    const tap = this.kind[port] === PORT_TAP;
    let at = port * TX_BATCH;
    let left = total;
    let interrupts = 0;
    while (left > 0) {
      const sent = tap ? this.io.tapWrite(fd, at, left) : this.io.send(fd, at, left);
      this.stats.counters[C_TX_CALLS] += 1;
      if (sent > 0) {
        this.countSent(port, at, sent);
        at += sent;
        left -= sent;
      } else if (sent !== -EINTR || ++interrupts > 16) {
        this.countRefused(port, sent);
        at += 1;
        left -= 1;
      }
    }
  }

  private countSent(port: number, at: number, sent: number): void {
    const lengths = this.lengths;
    let bytes = 0;
    for (let i = 0; i < sent; i++) bytes += lengths[at + i];
    const base = port * PORT_STATS_STRIDE;
    this.stats.ports[base + PS_TX_PACKETS] += sent;
    this.stats.ports[base + PS_TX_BYTES] += bytes;
  }

  private countRefused(port: number, result: number): void {
    const reason = sendErrorReason(-result);
    const base = port * PORT_STATS_STRIDE;
    this.stats.drops[reason] += 1;
    this.stats.ports[base + PS_TX_DROPPED] += 1;
    if (reason === DropReason.txError) this.stats.ports[base + PS_TX_ERRORS] += 1;
  }
}
