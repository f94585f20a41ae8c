/**
 * Deferred output: frames wait per transmit queue until the end of the batch, then go out in one
 * call.
 *
 *     queue q:  offsets/lengths[ q * BATCH ... q * BATCH + count[q] )      (shared with PacketIo)
 *     touched:  the queues that have frames waiting, in order of their first one
 *
 *     queues 0 ... maxPorts - 1    the first (mostly the only) queue of the port of that number
 *     queues maxPorts ...          further queues of ports that have several
 *
 * A frame that waits here is referred to, not copied: its memory must stay as it is until flush.
 * Frames that the kernel refuses are counted drops; the ones behind them still go out. What a full
 * device does not take waits in a queueing discipline, and so do classes (egress-queues.ts): a
 * port where there is anything to decide is of kind PORT_QUEUED.
 */
// hot path
import type { PacketIo } from '../native/binding.js';
import { DropReason } from './drop-reasons.js';
import type { DropWitness } from './drop-witness.js';
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
/** AF_XDP: nobody behind it cuts a frame. */
export const PORT_XDP = 4;
/** Each frame is looked at: several queues, a discipline with frames in it, classes. */
export const PORT_QUEUED = 3;

/** What decides about frames of PORT_QUEUED ports (EgressQueues). */
export interface EgressDecider {
  output(port: number, off: number, len: number): void;
  /** The device took no more of a queue's vector: true when the rest is kept. */
  full(queue: number, start: number, count: number): boolean;
  /** Frames of a queue that is not its port's only one have gone. */
  sent(queue: number, frames: number, bytes: number): void;
  endBatch(): void;
}

export const EINTR = 4;
const EIO = 5;
const ENXIO = 6;
export const EAGAIN = 11;
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
  decider: EgressDecider | null = null;
  witness: DropWitness | null = null;
  /** By port: 1 where large frames have to be cut before (cut-output.ts). */
  readonly cuts: Uint8Array;
  /** By queue: its port; what it sends by (PORT_*); 1 for those that are counted. */
  readonly portOf: Int32Array;
  private readonly way: Uint8Array;
  readonly counted: Uint8Array;
  readonly fd: Int32Array;
  private readonly count: Int32Array;
  private readonly touched: Int32Array;
  private nTouched = 0;

  /**
   * @param offsets, lengths the vectors that `io` was made with: at least maxQueues * TX_BATCH long
   * @param maxQueues transmit queues of all ports
   */
  constructor(
    private readonly io: PacketIo,
    private readonly offsets: Int32Array,
    private readonly lengths: Int32Array,
    private readonly stats: SharedStats,
    readonly maxPorts: number,
    maxQueues = Math.max(maxPorts, Math.floor(offsets.length / TX_BATCH) - 1),
  ) {
    this.kind = new Int32Array(maxPorts);
    this.cuts = new Uint8Array(maxPorts);
    this.fd = new Int32Array(maxQueues).fill(-1);
    this.portOf = new Int32Array(maxQueues);
    this.way = new Uint8Array(maxQueues);
    this.counted = new Uint8Array(maxQueues);
    this.count = new Int32Array(maxQueues);
    this.touched = new Int32Array(maxQueues);
  }

  portAdd(port: number, kind: number, fd: number): void {
    this.kind[port] = kind;
    this.cuts[port] = kind === PORT_XDP ? 1 : 0;
    this.setQueue(port, port, kind, fd);
  }

  /** Sets what a queue sends by. */
  setQueue(queue: number, port: number, kind: number, fd: number): void {
    this.fd[queue] = fd;
    this.portOf[queue] = port;
    this.way[queue] = kind;
  }

  /** Forgets a port; frames that wait for it are dropped with it (flush before). */
  portDel(port: number): void {
    this.kind[port] = PORT_NONE;
    this.cuts[port] = 0;
    this.fd[port] = -1;
    this.counted[port] = 0;
  }

  /** Queues a frame for a port. Unknown ports are counted drops. */
  output(port: number, off: number, len: number): void {
    const kind = port >>> 0 < this.maxPorts ? this.kind[port] : PORT_NONE;
    if (kind === PORT_NONE) this.drop(DropReason.invalidPort, port, off, len);
    else if (kind !== PORT_QUEUED) this.push(port, off, len);
    else if (this.decider !== null) this.decider.output(port, off, len);
  }

  /** Queues a frame for a transmit queue. */
  push(queue: number, off: number, len: number): void {
    const n = this.count[queue];
    if (n === 0) this.touched[this.nTouched++] = queue;
    const at = queue * TX_BATCH + n;
    this.offsets[at] = off;
    this.lengths[at] = len;
    this.count[queue] = n + 1;
    if (n + 1 === TX_BATCH) this.flushFull(queue);
  }

  /** True when frames wait. */
  get pending(): boolean {
    return this.nTouched !== 0;
  }

  /** Sends everything that waits. */
  flush(): void {
    const n = this.nTouched;
    for (let i = 0; i < n; i++) this.flushQueue(this.touched[i]);
    this.nTouched = 0;
    if (this.decider !== null) this.decider.endBatch();
  }

  /** Hands frames of the vectors to the kernel; how many it took, or -errno. */
  send(queue: number, start: number, count: number): number {
    this.stats.counters[C_TX_CALLS] += 1;
    const fd = this.fd[queue];
    const way = this.way[queue];
    if (way === PORT_PACKET) return this.io.send(fd, start, count);
    return way === PORT_TAP
      ? this.io.tapWrite(fd, start, count)
      : this.io.xskSend(fd, start, count);
  }

  private flushFull(queue: number): void {
    this.flushQueue(queue);
    for (let i = 0; i < this.nTouched; i++) {
      if (this.touched[i] === queue) {
        this.touched[i] = this.touched[--this.nTouched];
        return;
      }
    }
  }

  private flushQueue(queue: number): void {
    let left = this.count[queue];
    this.count[queue] = 0;
    let at = queue * TX_BATCH;
    let interrupts = 0;
    while (left > 0) {
      const sent = this.send(queue, at, left);
      if (sent > 0) {
        this.countSent(queue, at, sent);
        at += sent;
        left -= sent;
      } else if (sent === -EAGAIN && this.decider !== null && this.decider.full(queue, at, left)) {
        return;
      } else if (sent !== -EINTR || ++interrupts > 16) {
        this.refused(this.portOf[queue], sent, this.offsets[at], this.lengths[at]);
        at += 1;
        left -= 1;
      }
    }
  }

  /** Counts frames of the vectors that were sent. */
  countSent(queue: number, at: number, sent: number): void {
    const lengths = this.lengths;
    let bytes = 0;
    for (let i = 0; i < sent; i++) bytes += lengths[at + i];
    const base = this.portOf[queue] * PORT_STATS_STRIDE;
    this.stats.ports[base + PS_TX_PACKETS] += sent;
    this.stats.ports[base + PS_TX_BYTES] += bytes;
    if (this.counted[queue] !== 0 && this.decider !== null) this.decider.sent(queue, sent, bytes);
  }

  /** Counts a frame that a port does not get, and shows it where that is wanted. */
  drop(reason: number, port: number, off: number, len: number): void {
    this.stats.drops[reason] += 1;
    if (this.witness?.watches) this.witness.showLeaving(reason, port, off, len);
  }

  /** Counts a frame that the kernel did not take, which says why: -errno. */
  refused(port: number, result: number, off: number, len: number): void {
    const reason = sendErrorReason(-result);
    const base = port * PORT_STATS_STRIDE;
    this.drop(reason, port, off, len);
    this.stats.ports[base + PS_TX_DROPPED] += 1;
    if (reason === DropReason.txError) this.stats.ports[base + PS_TX_ERRORS] += 1;
  }
}
