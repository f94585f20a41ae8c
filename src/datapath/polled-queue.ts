/**
 * A receive queue as a worker polls it: with its number at the port, and what it costs.
 *
 * The load lies in shared memory: doubles that the worker writes and the main thread reads.
 *
 *     load   cycles | frames | head
 *
 * `head` is written once, when the worker gives the queue up: where the next worker reads on.
 */
import { O_DONE, O_LANDED, RX_QUEUES_MAX } from './kernel-cache/layout.js';
import { orderWord } from './kernel-cache/order-table.js';
import { ReceiveQueue } from './receive-queue.js';
import { sharedDoubles } from './shared-lines.js';

export const LOAD_CYCLES = 0;
export const LOAD_FRAMES = 1;
export const LOAD_HEAD = 2;
export const LOAD_DOUBLES = 3;

/** What a worker is told of a queue that it is to poll. */
export interface WorkerQueue {
  portNo: number;
  rxq: number;
  kind: 'packet' | 'tap' | 'xdp';
  fd: number;
  ifindex: number;
  memoryFd?: number;
  ringBytes: number;
  slots: number;
  slotBytes: number;
  /** Slot to read first: where another worker stopped. */
  head: number;
  load: ArrayBufferLike;
}

export class PolledQueue extends ReceiveQueue {
  readonly load: Float64Array;
  /** Frames that it gave in the round at hand. */
  got = 0;
  /** What it gives passes the gate of policing. */
  policed = false;
  /** Words of the kernel's table: frames in the ring so far, and of these, done with. */
  readonly landedWord: number;
  readonly doneWord: number;
  /** Frames of a TAP that `done` lacks. */
  unsaid = 0;

  constructor(
    kind: number,
    queue: WorkerQueue,
    ringOffset: number,
    readonly rxq: number = queue.rxq,
  ) {
    const { portNo, fd, ifindex, ringBytes, slots, slotBytes } = queue;
    super(kind, portNo, fd, ringOffset, ringBytes, slots, slotBytes);
    this.head = queue.head;
    this.tail = queue.head;
    this.load = sharedDoubles(queue.load);
    // Of ports with more queues the kernel forwards nothing.
    const place = orderWord(ifindex) + (rxq & (RX_QUEUES_MAX - 1));
    this.landedWord = place + (O_LANDED >> 2);
    this.doneWord = place + (O_DONE >> 2);
  }

  /** For whoever reads it next. */
  storePosition(): void {
    this.load[LOAD_HEAD] = this.head;
  }
}
