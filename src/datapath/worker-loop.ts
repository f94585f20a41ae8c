/**
 * The loop of a forwarding worker: poll, forward, send; sleep in the kernel when there is nothing.
 *
 *     +-> active queues: receive -> engine --+-> end of batch: send, release slots, empty slab
 *     |                                      |
 *     +-- something came: go on              +-- nothing for a while: wait in epoll
 *     +-- now and then: look at the other descriptors (epoll, no timeout)
 *
 * Rings are polled by their status words, which costs no system call. A queue is polled while it is
 * `active`: from the moment epoll names it until it has been idle for a while. A TAP has no status
 * word: it is read once when epoll names it, and again for as long as reads come back with frames.
 *
 * Commands from the main thread come in when its event descriptor is ready.
 */
// hot path
import type { PacketIo } from '../native/binding.js';
import { DEFAULT_SPIN_ROUNDS } from './dpif.js';
import type { EgressQueues } from './egress-queues.js';
import type { Engine } from './engine.js';
import type { PmdPerf } from './pmd-perf.js';
import type { PolicingGate } from './policing-gate.js';
import { LOAD_CYCLES, LOAD_FRAMES, type PolledQueue } from './polled-queue.js';
import { KIND_TAP, type Receiver } from './receive-queue.js';
import type { RingProgress } from './ring-progress.js';
import {
  C_BUSY_CYCLES,
  C_BUSY_ROUNDS,
  C_IDLE_ROUNDS,
  C_MISS,
  C_SLEEPS,
  C_SPIN_CYCLES,
  type SharedStats,
} from './shared-stats.js';

/** Frames of one queue in one turn, and frames at which a batch is sent in any case. */
const TURN_BUDGET = 64;
const BATCH_FRAMES = 128;
/** Busy rounds between two looks at the other descriptors. */
const LOOK_INTERVAL = 8;
/** Idle rounds between two looks at the other descriptors while spinning. */
const SPIN_LOOK_INTERVAL = 16;
/** Rounds without a frame after which a ring is no longer polled. */
const RING_IDLE_ROUNDS = 4096;
/** One round of so many is measured, and counts for all of them. */
const MEASURE_INTERVAL = 16;
const CYCLES_MASK = 0x3fffffff;
const NEVER_SLEEP = Number.POSITIVE_INFINITY;

/** Tag of the descriptor that announces commands; queues have 0, 1, 2... */
export const CONTROL_TAG = 0x7fffffff;
/** Tag of the set of devices that take frames again. */
export const WRITABLE_TAG = 0x7ffffffe;

export interface WorkerLoopOptions {
  io: PacketIo;
  engine: Engine;
  queues: EgressQueues;
  receiver: Receiver;
  /** Reads queues of ports that are policed, into the gate. */
  policed: Receiver;
  gate: PolicingGate;
  stats: SharedStats;
  /** Where io.wait writes tags. */
  ready: Int32Array;
  host: WorkerHost;
  cycleCounter: CycleCounter;
}

/** The addon, as far as it counts cycles. */
export interface CycleCounter {
  cycleCountLow(): number;
}

/** What the loop needs of its thread. */
export interface WorkerHost {
  /** Carries out waiting commands; returns false to end the loop. */
  onControl(): boolean;
}

export class WorkerLoop {
  spinRounds = DEFAULT_SPIN_ROUNDS;
  /** Tells the kernel's programs what is done with; null: it forwards nothing. */
  progress: RingProgress | null = null;
  private readonly io: PacketIo;
  private readonly engine: Engine;
  private readonly egress: EgressQueues;
  private readonly receiver: Receiver;
  private readonly policed: Receiver;
  private readonly gate: PolicingGate;
  private readonly stats: SharedStats;
  private readonly ready: Int32Array;
  private readonly host: WorkerHost;
  /** By tag; null where a queue was removed. */
  private readonly queues: (PolledQueue | null)[] = [];
  private readonly active: PolledQueue[] = [];
  private nActive = 0;
  private batchFrames = 0;
  private rounds = 0;
  private running = true;
  /** One round of so many is measured. */
  private measureInterval = MEASURE_INTERVAL;
  /** Where each round is recorded; null: nowhere. */
  private perf: PmdPerf | null = null;
  private readonly cycleCounter: CycleCounter;

  constructor(options: WorkerLoopOptions) {
    this.io = options.io;
    this.engine = options.engine;
    this.egress = options.queues;
    this.receiver = options.receiver;
    this.policed = options.policed;
    this.gate = options.gate;
    this.stats = options.stats;
    this.ready = options.ready;
    this.host = options.host;
    this.cycleCounter = options.cycleCounter;
  }

  /** Whether each round is measured and recorded. */
  setPerfMetrics(on: boolean): void {
    this.measureInterval = on ? 1 : MEASURE_INTERVAL;
    this.perf = on ? this.stats.perf : null;
  }

  /** Starts receiving from a queue. */
  add(queue: PolledQueue): void {
    let tag = this.queues.indexOf(null);
    if (tag < 0) tag = this.queues.push(null) - 1;
    queue.policed = this.gate.isSet(queue.portNo);
    this.queues[tag] = queue;
    this.io.watch(queue.fd, tag);
    this.activate(queue);
  }

  /** Has every queue looked at in the next round. */
  lookAtAll(): void {
    for (const queue of this.queues) if (queue) this.activate(queue);
  }

  /** Whether what comes in by a port, now and later, passes the gate. */
  setPoliced(portNo: number, policed: boolean): void {
    this.gate.set(portNo, policed);
    for (const queue of this.queues) if (queue?.portNo === portNo) queue.policed = policed;
  }

  /**
   * Stops receiving from a port, or from one of its queues, and returns what it read from; the
   * batch at hand is ended before.
   */
  remove(portNo: number, rxq = -1): PolledQueue[] {
    this.endBatch();
    const removed: PolledQueue[] = [];
    for (let tag = 0; tag < this.queues.length; tag++) {
      const queue = this.queues[tag];
      if (queue?.portNo !== portNo || (rxq >= 0 && queue.rxq !== rxq)) continue;
      this.io.unwatch(queue.fd);
      this.queues[tag] = null;
      const at = this.active.indexOf(queue);
      if (queue.active && at >= 0) this.deactivate(at);
      removed.push(queue);
    }
    return removed;
  }

  /** Runs until onControl returns false. */
  run(): void {
    const counters = this.stats.counters;
    this.engine.nowMs = this.io.clockMs() | 1;
    let idle = 0;
    let busy = 0;
    while (this.running) {
      const measured = ++this.rounds % this.measureInterval === 0;
      if ((measured ? this.measuredRound() : this.round()) > 0) {
        counters[C_BUSY_ROUNDS] += 1;
        idle = 0;
        if (this.egress.nShaped !== 0) this.egress.serve();
        if (++busy % LOOK_INTERVAL === 0) this.look(0);
      } else {
        counters[C_IDLE_ROUNDS] += 1;
        idle++;
        // With nothing to poll there is nothing to spin for, unless it was asked for.
        if (idle > this.spinRounds || (this.nActive === 0 && this.spinRounds !== NEVER_SLEEP)) {
          counters[C_SLEEPS] += 1;
          this.look(this.egress.nShaped === 0 ? -1 : this.egress.serve());
          idle = 0;
        } else if (idle % SPIN_LOOK_INTERVAL === 0) {
          this.look(0);
        }
      }
    }
    this.endBatch();
  }

  /** Sends what waits and gives the slots back. */
  endBatch(): void {
    this.batchFrames = 0;
    this.egress.recorded = -1;
    this.engine.endBatch();
    for (let i = 0; i < this.nActive; i++) this.receiver.release(this.active[i]);
  }

  /** One turn for each active queue; returns how many frames came. */
  private round(): number {
    const { progress } = this;
    const told = progress?.wanted === true;
    let frames = 0;
    for (let i = this.nActive - 1; i >= 0; i--) {
      const queue = this.active[i];
      this.egress.recorded = queue.rxq;
      const receiver = queue.policed ? this.policed : this.receiver;
      const landed = told ? progress.landed(queue) : 0;
      const got = receiver.receive(queue, TURN_BUDGET);
      // What it gave before was sent when that round ended.
      if (told && got <= 0) progress.empty(queue, landed);
      queue.got = got;
      if (got > 0) {
        queue.idleRounds = 0;
        queue.load[LOAD_FRAMES] += got;
        frames += got;
        this.batchFrames += got;
        if (this.batchFrames >= BATCH_FRAMES) this.endBatch();
      } else if (queue.kind === KIND_TAP || this.ringIsIdle(queue)) {
        // Its held slots must not be forgotten.
        if (queue.held > 0) this.endBatch();
        this.deactivate(i);
      }
    }
    if (frames > 0) {
      this.endBatch();
      if (progress !== null) this.countTaps(progress);
    } else if (told) progress.idle();
    return frames;
  }

  /** What TAPs gave in this round is sent. */
  private countTaps(progress: RingProgress): void {
    for (let i = 0; i < this.nActive; i++) {
      const queue = this.active[i];
      if (queue.kind === KIND_TAP && queue.got > 0) progress.sent(queue, queue.got);
    }
  }

  /** A round whose cycles are charged to the queues that gave frames, by their number. */
  private measuredRound(): number {
    const { counters } = this.stats;
    const before = this.cycleCounter.cycleCountLow();
    const misses = counters[C_MISS];
    const first = this.nActive;
    const frames = this.round();
    const taken = (this.cycleCounter.cycleCountLow() - before) & CYCLES_MASK;
    const cycles = taken * this.measureInterval;
    counters[C_SPIN_CYCLES] += cycles;
    let batches = 0;
    if (frames > 0) {
      counters[C_BUSY_CYCLES] += cycles;
      // Queues that gave frames are active still.
      for (let i = 0; i < this.nActive && i < first; i++) {
        const { got, load } = this.active[i];
        if (got <= 0) continue;
        load[LOAD_CYCLES] += (cycles * got) / frames;
        batches++;
        if (this.perf !== null) this.perf.batch(got);
      }
    }
    if (this.perf !== null) {
      this.perf.round(taken, frames, batches, counters[C_MISS] - misses, this.io.clockMs());
    }
    return frames;
  }

  /** Asks epoll who has something; -1 waits for it. */
  private look(timeoutUs: number): void {
    const n = this.io.wait(timeoutUs);
    // 0 would read 'never'.
    this.engine.nowMs = this.io.clockMs() | 1;
    for (let i = 0; i < n; i++) {
      const tag = this.ready[i];
      if (tag === CONTROL_TAG) {
        // What the main thread sends was not received by any queue.
        this.egress.recorded = -1;
        this.running = this.host.onControl();
        continue;
      }
      if (tag === WRITABLE_TAG) {
        this.egress.resume();
        continue;
      }
      const queue = this.queues[tag];
      if (queue) this.activate(queue);
    }
  }

  /** A worker that never sleeps polls its rings for ever. */
  private ringIsIdle(queue: PolledQueue): boolean {
    return ++queue.idleRounds > RING_IDLE_ROUNDS && this.spinRounds !== NEVER_SLEEP;
  }

  private activate(queue: PolledQueue): void {
    queue.idleRounds = 0;
    if (queue.active) return;
    queue.active = true;
    this.active[this.nActive++] = queue;
  }

  private deactivate(at: number): void {
    this.active[at].active = false;
    this.active[at] = this.active[--this.nActive];
  }
}
