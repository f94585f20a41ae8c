/**
 * Entry of a forwarding worker thread: sets it up, then runs its loop until it is told to stop.
 *
 * The loop never returns to Node's event loop: messages are taken with receiveMessageOnPort when
 * the control descriptor says so, and the main thread is woken through another descriptor.
 */
import { randomInt } from 'node:crypto';
import { getPriority, setPriority } from 'node:os';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { loadNative, type NativeBinding } from '../native/binding.js';
import { ArenaSpace } from './arena-space.js';
import { CommandRing } from './command-ring.js';
import type { DpifSettings } from './dpif.js';
import { TX_BATCH } from './egress.js';
import { EgressQueues } from './egress-queues.js';
import { Engine } from './engine.js';
import { FrameMemory } from './frame-memory.js';
import { POOL_BYTES } from './frame-pool.js';
import { WORKER_BYTES } from './kernel-cache/layout.js';
import { MeterTable } from './meter-table.js';
import { PolicingGate } from './policing-gate.js';
import { PolledQueue, type WorkerQueue } from './polled-queue.js';
import { KIND_RING, KIND_TAP, KIND_XDP, Receiver } from './receive-queue.js';
import { RingProgress } from './ring-progress.js';
import {
  C_CPU_US,
  C_HEAP_USED,
  CTL_ACK,
  CTL_ACK_WANTED,
  CTL_CALLED,
  CTL_ENDED,
  CTL_NOTIFIED,
  CTL_SAMPLES_HELD,
  EXTRA_QUEUES,
  SharedStats,
  type SharedStatsBuffers,
} from './shared-stats.js';
import { ShaperTable } from './tx-shaper.js';
import { type UpcallLaneBuffers, UpcallLanes } from './upcall-lanes.js';
import { UPCALL_ACTION, UPCALL_DROP } from './upcall-sink.js';
import { isSampleCookie } from './userspace-cookie.js';
import { CommandReader, type WorkerMessage } from './worker-commands.js';
import { CONTROL_TAG, WorkerLoop, WRITABLE_TAG } from './worker-loop.js';

/** What a worker is started with. */
export interface WorkerInit {
  index: number;
  name: string;
  /** CPU to run on, or -1 to leave it to the kernel. */
  cpu: number;
  arenaBytes: number;
  maxPorts: number;
  flowSlots: number;
  /** Its end of the channel for WorkerMessage; answers (WorkerReport) go back on it. */
  port: MessagePort;
  /** Event descriptor that is written when messages wait. */
  controlFd: number;
  /** Event descriptor that wakes the main thread. */
  notifyFd: number;
  stats: SharedStatsBuffers;
  meters: ArrayBufferLike;
  shaper: ArrayBufferLike;
  policer: ArrayBufferLike;
  upcalls: UpcallLaneBuffers;
  commands: ArrayBufferLike;
  /** Descriptor of the kernel's table, -1 while there is none. */
  kernelTable: number;
  settings: DpifSettings;
}

/** What a worker tells besides counters and acknowledgements. */
export type WorkerReport =
  /** A receive queue could not be taken up. */
  { type: 'queueFailed'; portNo: number; rxq: number; message: string };

const QUEUE_KINDS = { packet: KIND_RING, tap: KIND_TAP, xdp: KIND_XDP } as const;

/** Samples that may wait until the main thread looks for them: more wake it. */
const SAMPLES_HELD_MAX = 256;

/**
 * Twice the share of a thread beside it. More makes a worker wake for each frame where its CPU has
 * other work, too: with -10 (as Open vSwitch's start script has it) a frame took 5 us, not 2.3.
 */
const WORKER_NICENESS = -3;
/** What the daemon was started with. */
const PROCESS_NICENESS = getPriority(0);

/**
 * This thread before others, or like them: what waits for the main thread must not hold up what
 * does not. A worker that never sleeps would take the CPU from others for nothing.
 */
function setNiceness(niceness: number): void {
  try {
    setPriority(0, Math.max(PROCESS_NICENESS + niceness, -20));
  } catch {
    // Without the right to it, it goes without.
  }
}

class ForwardingWorker {
  private readonly native: NativeBinding = loadNative();
  private readonly stats: SharedStats;
  private readonly memory: FrameMemory;
  private readonly space: ArenaSpace;
  private readonly io;
  private readonly engine: Engine;
  private readonly queues: EgressQueues;
  /** Set of descriptors that wait for room. */
  private readonly writable: number;
  private readonly loop: WorkerLoop;
  private readonly commands: CommandReader;
  private readonly commandRing: CommandRing;
  private readonly upcalls: UpcallLanes;
  /** Samples since the main thread was woken last. */
  private samplesHeld = 0;

  constructor(private readonly init: WorkerInit) {
    const { native } = this;
    native.setThreadName(init.name);
    if (init.cpu >= 0) native.setAffinity([init.cpu]);
    setNiceness(WORKER_NICENESS);
    this.stats = new SharedStats(init.stats);
    this.upcalls = new UpcallLanes(init.upcalls);
    this.commandRing = new CommandRing(init.commands);
    const arena = native.arenaCreate(init.arenaBytes);
    this.memory = new FrameMemory(arena);
    this.space = new ArenaSpace(this.memory.slabBytes, arena.byteLength);
    const maxQueues = init.maxPorts + EXTRA_QUEUES;
    // One more for frames read from a TAP.
    const vectorLength = (maxQueues + 1) * TX_BATCH;
    const offsets = new Int32Array(vectorLength);
    const lengths = new Int32Array(vectorLength);
    const ready = new Int32Array(256);
    this.io = new native.PacketIo({ arena, offsets, lengths, ready });
    const { memory, io, stats } = this;
    this.engine = new Engine({
      memory,
      io,
      offsets,
      lengths,
      stats,
      maxPorts: init.maxPorts,
      flowSlots: init.flowSlots,
      sink: this,
      meters: new MeterTable(init.meters),
    });
    this.writable = native.writableOpen();
    this.queues = new EgressQueues({
      egress: this.engine.egress,
      memory,
      offsets,
      lengths,
      key: this.engine.extractor.key,
      stats,
      shaper: new ShaperTable(init.shaper),
      native,
      writable: this.writable,
      maxPorts: init.maxPorts,
      maxQueues,
      takePool: () => this.space.take(POOL_BYTES),
    });
    this.engine.egress.decider = this.queues;
    this.engine.executor.countdown.seed(randomInt(1, 2 ** 31));
    const gate = new PolicingGate(this.engine, stats, new ShaperTable(init.policer), native);
    this.loop = new WorkerLoop({
      io,
      engine: this.engine,
      queues: this.queues,
      receiver: new Receiver(this.engine, memory, io, offsets, lengths, stats),
      policed: new Receiver(gate, memory, io, offsets, lengths, stats),
      gate,
      stats,
      ready,
      host: this,
      cycleCounter: native,
    });
    this.commands = new CommandReader(this.engine, memory, () => this.loop.endBatch());
    this.apply(init.settings);
    if (init.kernelTable >= 0) this.mapKernelTable(init.kernelTable);
    io.watch(init.controlFd, CONTROL_TAG);
    io.watch(this.writable, WRITABLE_TAG);
  }

  run(): void {
    try {
      this.loop.run();
    } finally {
      this.io.close();
      this.native.close(this.writable);
      Atomics.store(this.stats.control, CTL_ENDED, 1);
      Atomics.notify(this.stats.control, CTL_ACK);
      this.notify();
    }
  }

  /** UpcallSink: a packet for the main thread. */
  upcall(
    kind: number,
    off: number,
    len: number,
    key: Int32Array,
    cookie: Int32Array,
    cookieAt: number,
  ): boolean {
    const taken = this.upcalls.push(kind, this.memory.u8, off, len, key, cookie, cookieAt);
    const sample =
      kind === UPCALL_DROP || (kind === UPCALL_ACTION && isSampleCookie(cookie, cookieAt));
    // The main thread will look for samples soon: each need not wake it.
    const held = sample && Atomics.load(this.stats.control, CTL_SAMPLES_HELD) === 1;
    if (held && ++this.samplesHeld < SAMPLES_HELD_MAX) return taken;
    this.samplesHeld = 0;
    this.notify();
    return taken;
  }

  /** Wakes the main thread, once until it has looked. */
  private notify(): void {
    if (Atomics.exchange(this.stats.control, CTL_NOTIFIED, 1) === 0) {
      this.native.eventfdWrite(this.init.notifyFd);
    }
  }

  /** WorkerHost: commands wait. */
  onControl(): boolean {
    this.native.eventfdDrain(this.init.controlFd);
    const { control } = this.stats;
    Atomics.store(control, CTL_CALLED, 0);
    let running = true;
    // What is in the ring is older than any message that is not acknowledged yet.
    this.runRing();
    for (;;) {
      const received = receiveMessageOnPort(this.init.port);
      if (!received) break;
      const message = received.message as WorkerMessage;
      this.runRing();
      running = this.handle(message) && running;
      Atomics.store(control, CTL_ACK, message.seq);
    }
    if (Atomics.load(control, CTL_ACK_WANTED) === 1) {
      Atomics.notify(control, CTL_ACK);
      this.notify();
    }
    return running;
  }

  private runRing(): void {
    const ring = this.commandRing;
    while (ring.next()) {
      this.commands.run(ring.words, ring.start, ring.length);
      ring.done();
      Atomics.store(this.stats.control, CTL_ACK, ring.seq);
    }
  }

  private handle(message: WorkerMessage): boolean {
    switch (message.type) {
      case 'commands':
        this.commands.run(message.words, 0, message.length);
        return true;
      case 'portAdd':
        this.loop.endBatch();
        this.queues.portAdd(message.port);
        this.loop.setPoliced(message.port.portNo, message.port.policed);
        return true;
      case 'portDel':
        this.letGo(message.portNo, -1, message.reopens);
        this.queues.portDel(message.portNo);
        return true;
      case 'queueAdd':
        this.queueAdd(message.queue);
        return true;
      case 'queueDel':
        this.letGo(message.portNo, message.rxq, true);
        return true;
      case 'crash':
        throw new Error('it was told to fail');
      case 'setting':
        this.apply(message.setting);
        return true;
      case 'kernelTable':
        this.mapKernelTable(message.mapFd);
        return true;
      case 'look':
        this.loop.lookAtAll();
        return true;
      case 'sample':
        this.stats.counters[C_CPU_US] = this.native.threadCpuTimeUs();
        this.stats.counters[C_HEAP_USED] = process.memoryUsage().heapUsed;
        return true;
      case 'stop':
        return false;
    }
  }

  /**
   * For what its queues are done with. Once: a worker waits in system calls, so what it lets go is
   * not unmapped, and the table is the same whenever the kernel begins to forward anew.
   */
  private mapKernelTable(mapFd: number): void {
    if (this.loop.progress !== null) return;
    const words = new Int32Array(this.native.bpfMapMemory(mapFd, WORKER_BYTES));
    const { control } = this.stats;
    this.loop.progress = new RingProgress(words, control, this.queues, this.upcalls);
  }

  private apply(settings: DpifSettings): void {
    if (settings.vlanLimit !== undefined) this.engine.extractor.vlanLimit = settings.vlanLimit;
    if (settings.spinRounds !== undefined) {
      this.loop.spinRounds = settings.spinRounds;
      setNiceness(Number.isFinite(settings.spinRounds) ? WORKER_NICENESS : 0);
    }
    if (settings.perfMetrics !== undefined) this.loop.setPerfMetrics(settings.perfMetrics);
  }

  private queueAdd(queue: WorkerQueue): void {
    const { portNo, rxq, ringBytes, fd } = queue;
    let ringOffset = 0;
    try {
      if (queue.kind !== 'tap') {
        ringOffset = this.space.take(ringBytes);
        if (ringOffset < 0) throw new Error('no address space left for its receive ring');
        this.native.ringMap(queue.memoryFd ?? fd, this.memory.arena, ringOffset, ringBytes);
      }
      // What a worker held that is no more.
      if (queue.kind === 'xdp') this.io.xskRelease(fd);
      this.loop.add(new PolledQueue(QUEUE_KINDS[queue.kind], queue, ringOffset));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const report: WorkerReport = { type: 'queueFailed', portNo, rxq, message };
      this.init.port.postMessage(report);
    }
  }

  /**
   * Gives up a queue of a port, or all of them (-1).
   * @param toOthers other workers may read on: what waits here would come behind
   */
  private letGo(portNo: number, rxq: number, toOthers: boolean): void {
    const removed = this.loop.remove(portNo, rxq);
    if (toOthers && removed.length > 0) this.queues.giveUp();
    for (const queue of removed) {
      queue.storePosition();
      if (queue.kind === KIND_TAP) continue;
      this.native.ringUnmap(this.memory.arena, queue.ringOffset, queue.ringBytes);
      this.space.give(queue.ringOffset, queue.ringBytes);
    }
  }
}

new ForwardingWorker(workerData as WorkerInit).run();
