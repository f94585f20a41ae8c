/**
 * The main thread's side of one forwarding worker: its thread, its commands, its acknowledgements.
 *
 *     commands --pack--> flush (once per turn) --ring + control descriptor---------> worker
 *     ports, and commands that find no room -----MessagePort + control descriptor--> worker
 *     upcalls, acks <---- shared memory <------------- notify descriptor ----------- worker
 *
 * Commands are bounded: while more than MAX_WORDS_IN_FLIGHT wait for the worker, packets are
 * refused (flows and ports are bounded by their own limits).
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { errorMessage } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import type { FdWatcher, NativeBinding } from '../native/binding.js';
import { CommandRing } from './command-ring.js';
import type { DpifSettings } from './dpif.js';
import type { MeterTable } from './meter-table.js';
import {
  C_CPU_US,
  C_HEAP_USED,
  CTL_ACK,
  CTL_ACK_WANTED,
  CTL_CALLED,
  CTL_CAPTURE_DROPS,
  CTL_ENDED,
  CTL_NOTIFIED,
  CTL_SAMPLES_HELD,
  CTL_UPCALLS,
  type SharedStats,
} from './shared-stats.js';
import type { ShaperTable } from './tx-shaper.js';
import { UpcallLanes, upcallLaneBuffers } from './upcall-lanes.js';
import type { UpcallRecord } from './upcall-ring.js';
import { UPCALL_ACTION, UPCALL_DROP } from './upcall-sink.js';
import { isSampleCookie } from './userspace-cookie.js';
import type { WorkerInit, WorkerReport } from './worker.js';
import { CommandWriter, type WorkerMessage } from './worker-commands.js';

const logger = getLogger('dpif_netdev');

/** Packed words on their way to a worker above which packets are refused: 16 MiB. */
const MAX_WORDS_IN_FLIGHT = 4 << 20;
/** Upcalls handled in one go, before the main loop gets its turn. */
const UPCALL_BUDGET = 192;
/** How long the main thread waits for an acknowledgement at most. */
const ACK_TIMEOUT_MS = 3000;
/** How long a worker may take to end by itself. */
const STOP_TIMEOUT_MS = 2000;
/** Between looks for samples, while there are any. */
const SAMPLES_INTERVAL_MS = 100;

export interface WorkerHandleOptions {
  native: NativeBinding;
  url: URL;
  index: number;
  /** -1: not pinned. */
  cpu: number;
  arenaBytes: number;
  maxPorts: number;
  flowSlots: number;
  upcallRingBytes?: number;
  /** Its counters, which outlive it. */
  stats: SharedStats;
  settings: DpifSettings;
  /** Shared by all workers. */
  meters: MeterTable;
  shaper: ShaperTable;
  policer: ShaperTable;
  /** Descriptor of the kernel's table, -1 while there is none. */
  kernelTable: number;
  onUpcall: (record: UpcallRecord, worker: number) => void;
  onReport: (report: WorkerReport, worker: number) => void;
  /** The thread ended without being told to. */
  onDeath: (worker: number, reason: string) => void;
}

type Unsequenced<T> = T extends { seq: number } ? Omit<T, 'seq'> : never;

export class WorkerHandle {
  readonly index: number;
  readonly cpu: number;
  readonly stats: SharedStats;
  readonly commands = new CommandWriter();
  private readonly upcalls: UpcallLanes;
  private readonly ring = CommandRing.create();
  /** Sequence number of the last message: what is in the ring must not overtake it. */
  private messageSeq = 0;
  private readonly native: NativeBinding;
  private readonly controlFd: number;
  private readonly notifyFd: number;
  private readonly port: MessagePort;
  private readonly thread: Worker;
  private readonly watcher: FdWatcher;
  private samplesSeen = false;
  private sampleTimer: NodeJS.Timeout | null = null;
  private seq = 0;
  private flushScheduled = false;
  private wordsInFlight = 0;
  private sent: { seq: number; words: number }[] = [];
  private waiters: { seq: number; done: () => void }[] = [];
  private readonly exited: Promise<void>;
  private stopping = false;
  private dead = false;

  constructor(private readonly options: WorkerHandleOptions) {
    const { native } = options;
    this.native = native;
    this.index = options.index;
    this.cpu = options.cpu;
    this.stats = options.stats;
    const upcalls = upcallLaneBuffers(options.upcallRingBytes);
    this.upcalls = new UpcallLanes(upcalls);
    this.controlFd = native.eventfd();
    this.notifyFd = native.eventfd();
    const channel = new MessageChannel();
    this.port = channel.port1;
    const init: WorkerInit = {
      index: options.index,
      name: `pmd-c${String(Math.max(options.cpu, 0)).padStart(2, '0')}/id:${options.index}`,
      cpu: options.cpu,
      arenaBytes: options.arenaBytes,
      maxPorts: options.maxPorts,
      flowSlots: options.flowSlots,
      port: channel.port2,
      controlFd: this.controlFd,
      notifyFd: this.notifyFd,
      stats: this.stats.buffers,
      upcalls,
      commands: this.ring.buffer,
      settings: options.settings,
      meters: options.meters.buffer,
      shaper: options.shaper.buffer,
      policer: options.policer.buffer,
      kernelTable: options.kernelTable,
    };
    this.thread = new Worker(options.url, { workerData: init, transferList: [channel.port2] });
    this.watcher = native.watchFd(this.notifyFd, () => this.notified());
    this.port.on('message', (report: WorkerReport) => options.onReport(report, this.index));
    this.port.unref();
    let reason = 'it ended';
    this.thread.on('error', (error) => {
      reason = errorMessage(error);
    });
    this.exited = new Promise((resolve) => {
      this.thread.on('exit', () => {
        this.died(reason);
        resolve();
      });
    });
  }

  get alive(): boolean {
    return !this.dead;
  }

  /** Schedules what was packed to be sent at the end of this turn of the main thread. */
  schedule(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    queueMicrotask(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  /** False while too much is on its way: packets are to be refused then. */
  get acceptsPackets(): boolean {
    if (this.wordsInFlight >= MAX_WORDS_IN_FLIGHT) this.settleSent();
    return this.wordsInFlight < MAX_WORDS_IN_FLIGHT;
  }

  /** Sends an unpacked message, behind what was packed before. */
  post(message: Unsequenced<WorkerMessage>): void {
    this.flush();
    this.send({ ...message, seq: this.nextSeq() } as WorkerMessage);
  }

  /** Sends what was packed now. */
  flush(): void {
    if (this.commands.empty) return;
    const seq = this.nextSeq();
    // Where the worker has taken up every message, the ring comes behind all of them.
    const inOrder = !this.after(this.messageSeq, this.acked);
    if (inOrder && !this.dead && this.ring.push(seq, this.commands.peek())) {
      this.commands.clear();
      this.call();
      return;
    }
    const { words, length } = this.commands.take();
    this.wordsInFlight += length;
    this.sent.push({ seq, words: length });
    this.send({ type: 'commands', seq, words, length }, [words.buffer as ArrayBuffer]);
  }

  /** True when everything sent or packed so far is in force (or the worker is dead). */
  synced(): boolean {
    this.flush();
    return this.dead || !this.after(this.seq, this.acked);
  }

  /** Calls `done` once everything sent or packed so far is in force (or the worker is dead). */
  whenAcked(done: () => void): void {
    this.flush();
    Atomics.store(this.stats.control, CTL_ACK_WANTED, 1);
    if (this.dead || !this.after(this.seq, this.acked)) done();
    else this.waiters.push({ seq: this.seq, done });
  }

  /**
   * Blocks until everything sent or packed so far is in force. For what must not go on before, such
   * as closing descriptors: a worker answers between two batches, well under a millisecond once
   * it has started. Gives up, with a log line, after ACK_TIMEOUT_MS.
   */
  waitAcked(): void {
    this.flush();
    Atomics.store(this.stats.control, CTL_ACK_WANTED, 1);
    const deadline = process.hrtime.bigint() + BigInt(ACK_TIMEOUT_MS) * 1_000_000n;
    for (let acked = this.acked; !this.dead && this.after(this.seq, acked); acked = this.acked) {
      const leftMs = Number(deadline - process.hrtime.bigint()) / 1e6;
      const ended = Atomics.load(this.stats.control, CTL_ENDED) === 1;
      if (ended || leftMs <= 0) {
        if (!ended) logger.err(`forwarding worker ${this.index} does not answer`);
        return;
      }
      Atomics.wait(this.stats.control, CTL_ACK, acked, Math.min(leftMs, 50));
    }
  }

  /** CPU time (microseconds) and heap bytes of the thread, as of the last sample; asks for anew. */
  sample(): { cpuUs: number; heapBytes: number } {
    const counters = this.stats.counters;
    const result = { cpuUs: counters[C_CPU_US], heapBytes: counters[C_HEAP_USED] };
    this.post({ type: 'sample' });
    return result;
  }

  /** Ends the thread and frees its descriptors. */
  async close(): Promise<void> {
    if (this.stopping) return this.exited;
    this.stopping = true;
    if (!this.dead) {
      this.post({ type: 'stop' });
      const timer = setTimeout(() => void this.thread.terminate(), STOP_TIMEOUT_MS);
      await this.exited;
      clearTimeout(timer);
    }
    if (this.sampleTimer !== null) clearTimeout(this.sampleTimer);
    this.watcher.close();
    this.port.close();
    this.native.close(this.controlFd);
    this.native.close(this.notifyFd);
  }

  /** Ends the thread in the middle of whatever it does: what a crash looks like. */
  async kill(): Promise<void> {
    const ended = this.thread.terminate();
    // Out of the kernel, where it cannot be stopped.
    this.native.eventfdWrite(this.controlFd);
    await ended;
  }

  private nextSeq(): number {
    this.seq = (this.seq + 1) | 0;
    return this.seq;
  }

  private get acked(): number {
    return Atomics.load(this.stats.control, CTL_ACK);
  }

  /** Whether a comes after b (modulo 2^32). */
  private after(a: number, b: number): boolean {
    return ((a - b) | 0) > 0;
  }

  private send(message: WorkerMessage, transfer: ArrayBuffer[] = []): void {
    if (this.dead) return;
    this.messageSeq = message.seq;
    this.port.postMessage(message, transfer);
    this.call();
  }

  /** Wakes the worker, once until it has looked. */
  private call(): void {
    if (Atomics.exchange(this.stats.control, CTL_CALLED, 1) === 0) {
      this.native.eventfdWrite(this.controlFd);
    }
  }

  /** The worker has acknowledged something or sent packets up. */
  private notified(): void {
    this.native.eventfdDrain(this.notifyFd);
    Atomics.store(this.stats.control, CTL_NOTIFIED, 0);
    this.settleAcks();
    this.drainUpcalls();
    if (this.samplesSeen && this.sampleTimer === null && !this.stopping) this.holdSamples();
  }

  /** Whether packets that actions drop come up, too. */
  captureDrops(on: boolean): void {
    Atomics.store(this.stats.control, CTL_CAPTURE_DROPS, on ? 1 : 0);
  }

  /** There are samples: look for more of them now and then, and let none of them wake us. */
  private holdSamples(): void {
    this.samplesSeen = false;
    Atomics.store(this.stats.control, CTL_SAMPLES_HELD, 1);
    this.sampleTimer = setTimeout(() => {
      this.sampleTimer = null;
      if (this.stopping) return;
      // Whatever comes from now on wakes us, if this is the last look.
      Atomics.store(this.stats.control, CTL_SAMPLES_HELD, 0);
      this.drainUpcalls();
      if (this.samplesSeen) this.holdSamples();
    }, SAMPLES_INTERVAL_MS);
    this.sampleTimer.unref();
  }

  private settleAcks(): void {
    this.settleSent();
    const acked = this.dead ? this.seq : this.acked;
    if (this.waiters.length === 0) Atomics.store(this.stats.control, CTL_ACK_WANTED, 0);
    while (this.waiters.length > 0 && !this.after(this.waiters[0].seq, acked)) {
      this.waiters.shift()!.done();
    }
  }

  private settleSent(): void {
    const acked = this.dead ? this.seq : this.acked;
    while (this.sent.length > 0 && !this.after(this.sent[0].seq, acked)) {
      this.wordsInFlight -= this.sent.shift()!.words;
    }
  }

  private drainUpcalls(): void {
    // What they become is on its way down before they count as answered.
    Atomics.store(this.stats.control, CTL_UPCALLS, 1);
    const more = this.takeUpcalls();
    this.flush();
    Atomics.store(this.stats.control, CTL_UPCALLS, 0);
    if (!more) return;
    // More may wait: go on after whatever else the main thread has to do.
    if (!this.stopping) this.native.eventfdWrite(this.notifyFd);
  }

  /** Handles some upcalls; false when there are no more. */
  private takeUpcalls(): boolean {
    for (let n = 0; n < UPCALL_BUDGET; n++) {
      const record = this.upcalls.pop();
      if (!record) return false;
      if (isSample(record)) this.samplesSeen = true;
      this.options.onUpcall(record, this.index);
    }
    return true;
  }

  private died(reason: string): void {
    this.dead = true;
    const ended = Atomics.load(this.stats.control, CTL_ENDED) === 1;
    this.settleAcks();
    if (this.stopping && ended) return;
    if (!this.stopping) {
      logger.err(`forwarding worker ${this.index} ended: ${reason}`);
      this.options.onDeath(this.index, reason);
    }
  }
}

/** What nobody waits for: it may be gathered for a while. */
function isSample({ kind, cookieWords, cookieAt }: UpcallRecord): boolean {
  return kind === UPCALL_DROP || (kind === UPCALL_ACTION && isSampleCookie(cookieWords, cookieAt));
}
