/**
 * The forwarding workers of a datapath: one on each CPU that is wanted, restarted when they die.
 *
 *     slot 0  cpu 1  running
 *     slot 1  cpu 3  dead, to be started again at 12:00:01    (backs off: 100 ms ... 10 s)
 *     slot 2  -      not wanted now
 *
 * A slot's number is the bit of its worker in each flow's set. Its counters outlive its worker, so
 * that sums over all workers never go back. Not for: what a worker reads and sends.
 */
import { type Clock, NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { SharedStats, type SharedStatsLimits } from './shared-stats.js';
import type { WorkerHandle } from './worker-handle.js';

const logger = getLogger('dpif_netdev');

/** Slots: bits of InstalledFlow.workers. */
export const WORKERS_MAX = 31;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
/** A worker that ran this long starts with the shortest wait again. */
const STEADY_MS = 60_000;

export class WorkerSlot {
  handle: WorkerHandle | null = null;
  /** -1: not pinned. */
  cpu = -1;
  wanted = false;
  /** When a dead worker is to be started again. */
  restartAt = NEVER;
  restarts = 0;
  isolated = false;
  private startedMs = 0;
  private backoffMs = BACKOFF_MIN_MS;

  constructor(
    readonly index: number,
    readonly stats: SharedStats,
  ) {}

  get alive(): boolean {
    return this.handle?.alive ?? false;
  }

  started(handle: WorkerHandle, now: number): void {
    this.handle = handle;
    this.startedMs = now;
    this.restartAt = NEVER;
  }

  /** Sets when to start again; returns the wait in milliseconds. */
  died(now: number): number {
    if (now - this.startedMs >= STEADY_MS) this.backoffMs = BACKOFF_MIN_MS;
    const wait = this.backoffMs;
    this.backoffMs = Math.min(2 * wait, BACKOFF_MAX_MS);
    this.restartAt = now + wait;
    this.restarts += 1;
    return wait;
  }
}

export interface WorkerSlotsOptions {
  clock: Clock;
  limits: SharedStatsLimits;
  /** Starts the thread of a slot. */
  start(slot: WorkerSlot): WorkerHandle;
  /** Makes a slot's new thread what the last one was: ports, flows. */
  restore(slot: WorkerSlot): void;
  /** Asks for a turn of run(). */
  wake(): void;
}

export class WorkerSlots {
  readonly all: WorkerSlot[] = [];
  /** Counters of all slots, by number. */
  readonly stats: SharedStats[] = [];

  constructor(private readonly options: WorkerSlotsOptions) {}

  /** Slots that are to have a worker, also while it is dead, in order of CPUs. */
  get wanted(): WorkerSlot[] {
    return this.all.filter((slot) => slot.wanted).sort((a, b) => a.cpu - b.cpu);
  }

  /** Every worker has done what it was told before, and has looked at its queues twice since. */
  async settled(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const answers = this.handles.map((worker) => {
        worker.post({ type: 'setting', setting: {} });
        return new Promise<void>((done) => worker.whenAcked(done));
      });
      await Promise.all(answers);
    }
  }

  /** Workers that run. */
  get handles(): WorkerHandle[] {
    return this.all.flatMap(({ handle }) => (handle?.alive ? [handle] : []));
  }

  /** The first of them. */
  get first(): WorkerHandle | null {
    for (const { handle } of this.all) if (handle?.alive) return handle;
    return null;
  }

  /** What would change: CPUs that get a worker, slots that lose theirs. */
  plan(cpus: readonly number[]): { added: number[]; removed: WorkerSlot[] } {
    const have = this.wanted;
    const removed = have.filter(({ cpu }) => !cpus.includes(cpu));
    const added = cpus.filter((cpu) => cpu < 0 || !have.some((slot) => slot.cpu === cpu));
    return { added, removed };
  }

  /** Starts a worker on a CPU (-1: any). */
  add(cpu: number): WorkerSlot {
    const slot = this.all.find(({ wanted }) => !wanted) ?? this.newSlot();
    slot.wanted = true;
    slot.cpu = cpu;
    this.start(slot);
    if (cpu >= 0)
      logger.info(`PMD thread on numa_id: 0, core id: ${String(cpu).padStart(2)} created.`);
    return slot;
  }

  /** Ends a slot's worker. Its queues must be somebody else's by now. */
  async remove(slot: WorkerSlot): Promise<void> {
    const { handle, cpu } = slot;
    slot.wanted = false;
    slot.handle = null;
    slot.restartAt = NEVER;
    if (cpu >= 0)
      logger.info(`PMD thread on numa_id: 0, core id: ${String(cpu).padStart(2)} destroyed.`);
    await handle?.close();
  }

  /** A worker's thread has ended by itself. */
  died(index: number): void {
    const slot = this.all[index];
    const { handle } = slot;
    if (!slot.wanted || !handle) return;
    const wait = slot.died(this.options.clock.now());
    slot.handle = null;
    void handle.close();
    logger.warn(`forwarding worker ${index} will be started again in ${wait} ms`);
    this.options.wake();
  }

  run(now: number): void {
    for (const slot of this.all) {
      if (!slot.wanted || now < slot.restartAt) continue;
      this.start(slot);
      this.options.restore(slot);
      logger.info(`forwarding worker ${slot.index} started again`);
    }
  }

  nextWake(): number {
    return Math.min(NEVER, ...this.all.map(({ restartAt }) => restartAt));
  }

  async close(): Promise<void> {
    await Promise.all(
      this.all.map((slot) => {
        slot.wanted = false;
        slot.restartAt = NEVER;
        return slot.handle?.close();
      }),
    );
  }

  private start(slot: WorkerSlot): void {
    slot.stats.control.fill(0);
    slot.started(this.options.start(slot), this.options.clock.now());
  }

  private newSlot(): WorkerSlot {
    const stats = SharedStats.create(this.options.limits);
    // What the main thread tells all workers, the new one has to know, too.
    if (this.stats.length > 0) stats.bondPorts.set(this.stats[0].bondPorts);
    const slot = new WorkerSlot(this.all.length, stats);
    this.all.push(slot);
    this.stats.push(stats);
    return slot;
  }
}
