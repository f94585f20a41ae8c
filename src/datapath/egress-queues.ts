/**
 * What a worker decides about frames of ports that have several transmit queues, classes with
 * rates, or frames waiting already.
 *
 *     frame --> class of the kernel's? --> the socket of class and band
 *           --> class with a rate? ------------------> may send --> queue
 *          \                        \-- not now --> waits in the class (tx-backlog.ts)
 *           \-> queue (tx-choice.ts) --> nothing waits: egress vector --> kernel
 *                                   \                                 \-- full: the rest waits, in
 *                                    \-- something waits: behind it       order; woken by epoll
 *
 * Not for: ports with one queue that takes everything, which is what egress.ts does alone.
 */
// hot path
import type { NativeBinding } from '../native/binding.js';
import { type FlowWords, W_SKB_PRIORITY } from '../packet/flow-layout.js';
import { DropReason } from './drop-reasons.js';
import { EAGAIN, type Egress, type EgressDecider, EINTR, PORT_QUEUED, TX_BATCH } from './egress.js';
import type { FrameMemory } from './frame-memory.js';
import { FramePool } from './frame-pool.js';
import {
  PORT_STATS_STRIDE,
  PS_TX_DROPPED,
  type SharedStats,
  TQ_BYTES,
  TQ_DROPPED,
  TQ_PACKETS,
  TQ_QUEUED,
  TQ_REASONS,
  TQ_STOPS,
  TQ_WAITING,
  TXQ_STATS_STRIDE,
} from './shared-stats.js';
import { BAND_OF_PRIORITY, TxBacklog } from './tx-backlog.js';
import { NO_FLOW, REASON_QOS, TxChoice } from './tx-choice.js';
import { PortClasses } from './tx-classes.js';
import { TxFrame } from './tx-frame.js';
import type { TxPort } from './tx-port.js';
import type { ShaperTable } from './tx-shaper.js';

/** Frames of classes sent in one go. */
const SERVE_FRAMES = 64;
/** A worker with frames in classes looks again after so long, microseconds. */
const SERVE_US_MIN = 100;
const SERVE_US_MAX = 20_000;
const INTERRUPTS_MAX = 16;

export interface EgressQueuesOptions {
  egress: Egress;
  memory: FrameMemory;
  offsets: Int32Array;
  lengths: Int32Array;
  /** The key of the frame at hand: its priority is of interest. */
  key: FlowWords;
  stats: SharedStats;
  shaper: ShaperTable;
  native: Pick<NativeBinding, 'clockUsLow' | 'writableWatch' | 'writableUnwatch'>;
  /** Set of descriptors that wait for room. */
  writable: number;
  maxPorts: number;
  maxQueues: number;
  /** Takes address space for frames that wait: the arena offset of POOL_BYTES bytes, or -1. */
  takePool(): number;
}

export class EgressQueues implements EgressDecider {
  /** Receive queue of the frame at hand, -1 when it was not received. */
  recorded = -1;
  /** Ports with frames in classes: call serve() until it is 0 again. */
  nShaped = 0;
  private readonly egress: Egress;
  private readonly frame: TxFrame;
  private readonly choice: TxChoice;
  private readonly stats: SharedStats;
  private readonly txqs: Float64Array;
  private backlog: TxBacklog | null = null;
  /** By port: its kind when nothing has to be decided. */
  private readonly plain: Int32Array;
  /** By port: bit 0: several queues, 1: classes, 2: classes of the kernel's. */
  private readonly special: Uint8Array;
  /** By port and number: the queue. */
  private readonly first: Int32Array;
  private readonly noqueue: Uint8Array;
  private readonly stopped: Uint8Array;
  private readonly stoppedList: Int32Array;
  /** Queues of devices that take no more. */
  nStopped = 0;
  private readonly classes: (PortClasses | null)[];
  private readonly shapedList: Int32Array;
  /** By port: the first slot of each queue id's class in the kernel. */
  private readonly kernelSlots: (Int32Array | null)[];
  private readonly limits: Int32Array;
  /** Blocks that the vectors refer to while classes are served. */
  private readonly sentBlocks = new Int32Array(SERVE_FRAMES);

  constructor(private readonly o: EgressQueuesOptions) {
    const { maxPorts, maxQueues } = o;
    this.egress = o.egress;
    this.stats = o.stats;
    this.txqs = o.stats.txqs;
    this.frame = new TxFrame(o.memory.view);
    this.choice = new TxChoice(maxPorts);
    this.plain = new Int32Array(maxPorts);
    this.special = new Uint8Array(maxPorts);
    this.first = new Int32Array(maxPorts).fill(-1);
    this.noqueue = new Uint8Array(maxPorts);
    this.stopped = new Uint8Array(maxQueues);
    this.stoppedList = new Int32Array(maxQueues);
    this.classes = new Array<PortClasses | null>(maxPorts).fill(null);
    this.kernelSlots = new Array<Int32Array | null>(maxPorts).fill(null);
    this.shapedList = new Int32Array(maxPorts);
    this.limits = new Int32Array(maxQueues);
  }

  /** Takes a port up, or its changed settings. Frames that wait in its queues are given up. */
  portAdd(port: TxPort): void {
    const { portNo, kind, queues, rules, shaper } = port;
    this.forget(portNo);
    this.egress.portAdd(portNo, kind, queues[0].fd);
    for (const { slot, fd } of queues) {
      this.egress.setQueue(slot, portNo, kind, fd);
      this.egress.counted[slot] = queues.length > 1 ? 1 : 0;
      this.setLimit(slot, port.limit);
    }
    // Further queues have consecutive numbers.
    this.first[portNo] = queues[1]?.slot ?? -1;
    this.plain[portNo] = kind;
    this.noqueue[portNo] = port.noqueue ? 1 : 0;
    this.choice.setRules(portNo, rules);
    this.classes[portNo] = shaper === null ? null : new PortClasses(shaper);
    const classLimit = shaper?.policer ? 0 : port.limit;
    if (shaper) for (const { slot } of shaper.classes) this.setLimit(slot, classLimit);
    this.setKernelClasses(port);
    const kernel = port.kernelClasses.length > 0 ? 4 : 0;
    this.special[portNo] = (queues.length > 1 ? 1 : 0) | (shaper ? 2 : 0) | kernel;
    this.settle(portNo);
  }

  portDel(portNo: number): void {
    this.forget(portNo);
    this.egress.portDel(portNo);
  }

  /** Gives up all that waits: other workers go on with these flows, and must not be overtaken. */
  giveUp(): void {
    for (let i = 0; i < this.nStopped; i++) {
      const queue = this.stoppedList[i];
      this.purge(queue, this.egress.portOf[queue]);
    }
    for (let i = 0; i < this.nShaped; i++) {
      const port = this.shapedList[i];
      const classes = this.classes[port];
      if (classes === null) continue;
      for (const slot of classes.slots) this.purge(slot, port);
      classes.waiting = 0;
    }
  }

  output(port: number, off: number, len: number): void {
    const frame = this.frame;
    frame.read(off, len);
    const kernelSlots = this.kernelSlots[port];
    if (kernelSlots !== null) {
      this.toKernelClass(port, kernelSlots, off, len);
      return;
    }
    const classes = this.classes[port];
    if (classes !== null) {
      this.classify(port, classes, off, len);
      return;
    }
    this.enqueue(this.queueOf(port), port, frame.priority, off, len);
  }

  /** The device took no more: keeps what is left of the queue's vector, in order. */
  full(queue: number, start: number, count: number): boolean {
    const port = this.egress.portOf[queue];
    if (this.noqueue[port] !== 0) return false;
    for (let at = start; at < start + count; at++) {
      const off = this.o.offsets[at];
      const len = this.o.lengths[at];
      this.frame.read(off, len);
      const band = BAND_OF_PRIORITY[this.frame.priority];
      this.wait(queue, port, band, off, len, NO_FLOW);
    }
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_STOPS] += 1;
    this.stop(queue);
    this.settle(port);
    return true;
  }

  sent(queue: number, frames: number, bytes: number): void {
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_PACKETS] += frames;
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_BYTES] += bytes;
  }

  endBatch(): void {
    this.choice.batch = (this.choice.batch + 1) | 0;
  }

  /** Some device has room again: sends what waits for it. */
  resume(): void {
    for (let i = this.nStopped - 1; i >= 0; i--) {
      const queue = this.stoppedList[i];
      if (!this.drain(queue)) continue;
      this.stopped[queue] = 0;
      this.stoppedList[i] = this.stoppedList[--this.nStopped];
      this.o.native.writableUnwatch(this.o.writable, this.egress.fd[queue]);
      this.settle(this.egress.portOf[queue]);
    }
  }

  /** Sends what classes may send by now; returns when to come again, in microseconds. */
  serve(): number {
    const now = this.o.native.clockUsLow();
    let wait = SERVE_US_MAX;
    for (let i = this.nShaped - 1; i >= 0; i--) {
      const port = this.shapedList[i];
      const classes = this.classes[port];
      if (classes === null || classes.waiting === 0) {
        this.shapedList[i] = this.shapedList[--this.nShaped];
        continue;
      }
      const more = this.serveClasses(port, classes, now);
      wait = Math.min(wait, more ? 0 : classes.waitUs(port, this.o.shaper, this.waiting));
    }
    return wait <= 0 ? 0 : Math.max(SERVE_US_MIN, Math.floor(wait));
  }

  private get waiting(): Int32Array {
    return this.ensureBacklog().waiting;
  }

  /** The transmit queue of the frame at hand, counted by reason. */
  private queueOf(port: number): number {
    const { frame, choice } = this;
    const set = this.o.key[W_SKB_PRIORITY];
    const priority = set > 0 ? set : frame.priority;
    const n = choice.choose(port, frame.hash, Math.min(priority, 15), this.recorded);
    const queue = n === 0 ? port : this.first[port] + n - 1;
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_REASONS + choice.reason] += 1;
    return queue;
  }

  private enqueue(queue: number, port: number, priority: number, off: number, len: number): void {
    if (this.stopped[queue] === 0) this.egress.push(queue, off, len);
    else this.wait(queue, port, BAND_OF_PRIORITY[priority], off, len, this.choice.flow);
  }

  /** By the socket of its class and band; one that is full keeps its frames here. */
  private toKernelClass(port: number, slots: Int32Array, off: number, len: number): void {
    const { priority } = this.frame;
    const id = this.o.key[W_SKB_PRIORITY] >>> 0;
    const first = (id < slots.length ? slots[id] : 0) || slots[0];
    const queue = first + BAND_OF_PRIORITY[priority];
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_REASONS + REASON_QOS] += 1;
    this.choice.flow = NO_FLOW;
    this.enqueue(queue, port, priority, off, len);
  }

  private classify(port: number, classes: PortClasses, off: number, len: number): void {
    const { frame } = this;
    const priority = frame.priority;
    const slot = classes.slotOf(this.o.key[W_SKB_PRIORITY]);
    this.txqs[slot * TXQ_STATS_STRIDE + TQ_REASONS + REASON_QOS] += 1;
    const now = this.o.native.clockUsLow();
    const idle = this.backlog === null || this.backlog.waiting[slot] === 0;
    const alone = classes.waiting === 0;
    const { shaper } = this.o;
    if (idle && shaper.take(port, slot, frame.wireBytes, now, alone)) {
      this.sent(slot, 1, len);
      this.enqueue(this.queueOf(port), port, priority, off, len);
      return;
    }
    if (!this.wait(slot, port, BAND_OF_PRIORITY[priority], off, len, NO_FLOW)) return;
    if (classes.waiting++ === 0) this.shapedList[this.nShaped++] = port;
  }

  /** Sends what a port's classes may send; true when there is more to do at once. */
  private serveClasses(port: number, classes: PortClasses, now: number): boolean {
    const backlog = this.ensureBacklog();
    let n = 0;
    while (n < SERVE_FRAMES && classes.waiting > 0) {
      const slot = classes.next(port, this.o.shaper, backlog, now);
      if (slot < 0) break;
      const block = backlog.take(slot);
      classes.waiting -= 1;
      const off = backlog.pool.offset(block);
      const len = backlog.pool.length[block];
      this.txqs[slot * TXQ_STATS_STRIDE + TQ_WAITING] = backlog.waiting[slot];
      this.sent(slot, 1, len);
      this.frame.read(off, len);
      this.recorded = -1;
      this.enqueue(this.queueOf(port), port, this.frame.priority, off, len);
      this.sentBlocks[n++] = block;
    }
    this.egress.flush();
    for (let i = 0; i < n; i++) backlog.pool.give(this.sentBlocks[i]);
    return n === SERVE_FRAMES;
  }

  /** Copies a frame behind those that wait; false, and counted, when there is no room. */
  private wait(
    queue: number,
    port: number,
    band: number,
    off: number,
    len: number,
    flow: number,
  ): boolean {
    const stats = queue * TXQ_STATS_STRIDE;
    const backlog = this.ensureBacklog();
    if (!backlog.push(queue, band, off, len, this.frame.wireBytes, flow)) {
      this.egress.drop(DropReason.txBacklogFull, port, off, len);
      this.stats.ports[port * PORT_STATS_STRIDE + PS_TX_DROPPED] += 1;
      this.txqs[stats + TQ_DROPPED] += 1;
      return false;
    }
    this.choice.waits(flow);
    this.txqs[stats + TQ_QUEUED] += 1;
    this.txqs[stats + TQ_WAITING] = backlog.waiting[queue];
    return true;
  }

  /** Sends what waits for a queue; true when nothing is left. */
  private drain(queue: number): boolean {
    const { egress } = this;
    const backlog = this.ensureBacklog();
    const { offsets, lengths } = this.o;
    const start = queue * TX_BATCH;
    let interrupts = 0;
    let room = true;
    while (room && backlog.waiting[queue] > 0) {
      const n = backlog.peek(queue, offsets, lengths, start, TX_BATCH);
      const sent = egress.send(queue, start, n);
      if (sent > 0) {
        egress.countSent(queue, start, sent);
        for (let i = 0; i < sent; i++) this.choice.gone(backlog.pop(queue));
      } else if (sent === -EAGAIN) room = false;
      else if (sent !== -EINTR || ++interrupts > INTERRUPTS_MAX) {
        egress.refused(egress.portOf[queue], sent, offsets[start], lengths[start]);
        this.choice.gone(backlog.pop(queue));
      }
    }
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_WAITING] = backlog.waiting[queue];
    return room;
  }

  private stop(queue: number): void {
    if (this.stopped[queue] !== 0) return;
    this.stopped[queue] = 1;
    this.stoppedList[this.nStopped++] = queue;
    this.o.native.writableWatch(this.o.writable, this.egress.fd[queue]);
  }

  /** Whether a port's frames are looked at one by one. */
  private settle(port: number): void {
    let decide = this.special[port] !== 0;
    for (let i = 0; i < this.nStopped; i++) {
      if (this.egress.portOf[this.stoppedList[i]] === port) decide = true;
    }
    this.egress.kind[port] = decide ? PORT_QUEUED : this.plain[port];
  }

  private setKernelClasses({ portNo, kind, kernelClasses, limit }: TxPort): void {
    let last = -1;
    for (const { queueId } of kernelClasses) last = Math.max(last, queueId);
    const slots = last < 0 ? null : new Int32Array(last + 1);
    for (const { slot, queueId, fds } of kernelClasses) {
      if (slots !== null) slots[queueId] = slot;
      for (let band = 0; band < fds.length; band++) {
        this.egress.setQueue(slot + band, portNo, kind, fds[band]);
        this.egress.counted[slot + band] = 1;
        this.setLimit(slot + band, limit);
      }
    }
    this.kernelSlots[portNo] = slots;
  }

  /** Gives up what waits for a port: its queues are about to be others. */
  private forget(port: number): void {
    const { egress, backlog } = this;
    for (let i = this.nStopped - 1; i >= 0; i--) {
      const queue = this.stoppedList[i];
      if (egress.portOf[queue] !== port) continue;
      this.stopped[queue] = 0;
      this.stoppedList[i] = this.stoppedList[--this.nStopped];
      this.o.native.writableUnwatch(this.o.writable, egress.fd[queue]);
      this.purge(queue, port);
    }
    const classes = this.classes[port];
    if (classes && backlog) for (const slot of classes.slots) this.purge(slot, port);
    if (classes) classes.waiting = 0;
    this.classes[port] = null;
    this.kernelSlots[port] = null;
    this.special[port] = 0;
  }

  private purge(queue: number, port: number): void {
    const { backlog } = this;
    while (backlog !== null && backlog.waiting[queue] > 0) {
      this.choice.gone(backlog.pop(queue));
      this.stats.drops[DropReason.txBacklogFull] += 1;
      this.stats.ports[port * PORT_STATS_STRIDE + PS_TX_DROPPED] += 1;
      this.txqs[queue * TXQ_STATS_STRIDE + TQ_DROPPED] += 1;
    }
    this.txqs[queue * TXQ_STATS_STRIDE + TQ_WAITING] = 0;
  }

  private setLimit(queue: number, frames: number): void {
    this.limits[queue] = frames;
    this.backlog?.setLimit(queue, frames);
  }

  /** Address space for frames that wait is taken when the first does. */
  private ensureBacklog(): TxBacklog {
    if (this.backlog !== null) return this.backlog;
    const base = this.o.takePool();
    const pool = new FramePool(this.o.memory.u8, base);
    this.backlog = new TxBacklog(pool, this.o.maxQueues);
    for (let queue = 0; queue < this.limits.length; queue++) {
      // Without memory nothing may wait.
      this.backlog.setLimit(queue, base < 0 ? 0 : this.limits[queue]);
    }
    return this.backlog;
  }
}
