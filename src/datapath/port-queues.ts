/**
 * The receive queues of all ports, and who reads each (main thread).
 *
 *     port p1   queue 0 ── worker 0
 *               queue 1 ── worker 1
 *     port p2   queue 0 ── worker 1
 *
 * A queue that goes to another worker is given up by the first, which has then sent all that it
 * read, and read on by the second.
 *
 * Not for: sending (tx-queues.ts), nor for when to assign (dpif-netdev.ts).
 */
import { getLogger } from '../common/log.js';
import type { DatapathQueue } from '../netdev/netdev.js';
import type { PortQueueSettings } from '../netdev/queue-settings.js';
import { LOAD_CYCLES, LOAD_DOUBLES, LOAD_FRAMES, LOAD_HEAD } from './polled-queue.js';
import { assignRxQueues, type RxAssignment, type RxAssignQueue } from './rx-assign.js';
import { CycleHistory } from './rxq-load.js';
import { sharedDoubles, sharedLines } from './shared-lines.js';
import type { WorkerSlot } from './worker-slots.js';

const logger = getLogger('dpif_netdev');

/** A receive queue of a port. */
export class RxQueue implements RxAssignQueue {
  readonly history = new CycleHistory();
  readonly load = sharedDoubles(sharedLines(LOAD_DOUBLES * 8));
  worker: WorkerSlot | null = null;
  pinnedCpu: number | null = null;

  constructor(
    readonly portNo: number,
    readonly rxq: number,
    readonly name: string,
    readonly queue: DatapathQueue,
  ) {}

  /** Cycles of the last minute. */
  get cycles(): number {
    return this.history.sum();
  }

  get frames(): number {
    return this.load[LOAD_FRAMES];
  }

  endInterval(): void {
    this.history.push(this.load[LOAD_CYCLES]);
  }
}

export class PortQueues {
  private readonly byPort = new Map<number, RxQueue[]>();
  assignment: RxAssignment = 'cycles';
  isolate = true;

  /**
   * @param workers the slots that queues may be given to
   * @param prepare makes a worker know all flows: it is about to get queues with running ones
   */
  constructor(
    private readonly workers: () => readonly WorkerSlot[],
    private readonly prepare: (slot: WorkerSlot) => void,
  ) {}

  of(portNo: number): readonly RxQueue[] {
    return this.byPort.get(portNo) ?? [];
  }

  /** All queues, by port and number. */
  get all(): RxQueue[] {
    return [...this.byPort.entries()].sort(([a], [b]) => a - b).flatMap(([, queues]) => queues);
  }

  /** Takes up the opened queues of a port; the other ports' stay where they are. */
  add(portNo: number, name: string, queues: readonly DatapathQueue[], s: PortQueueSettings): void {
    const added = queues.map((queue, rxq) => new RxQueue(portNo, rxq, name, queue));
    for (const queue of added) queue.pinnedCpu = s.rxAffinity.get(queue.rxq) ?? null;
    this.byPort.set(portNo, added);
    this.assign(false);
  }

  /** Applies a changed affinity; returns whether anything is pinned otherwise now. */
  pin(portNo: number, { rxAffinity }: PortQueueSettings): boolean {
    let changed = false;
    for (const queue of this.of(portNo)) {
      const cpu = rxAffinity.get(queue.rxq) ?? null;
      if (cpu !== queue.pinnedCpu) changed = true;
      queue.pinnedCpu = cpu;
    }
    return changed;
  }

  /** Forgets a port, whose queues the workers have let go of. */
  delete(portNo: number): void {
    this.byPort.delete(portNo);
  }

  /**
   * Assigns queues to workers.
   * @param anew all of them; otherwise only those that nobody reads, beside what is there
   */
  assign(anew: boolean): void {
    const workers = this.workers();
    const all = this.all;
    if (all.length === 0 || workers.length === 0) return;
    if (anew) logger.info(`Performing pmd to rx queue assignment using ${this.how} algorithm.`);
    const { worker, isolated, unpinnable } = assignRxQueues(
      all,
      workers,
      this.assignment,
      this.isolate,
    );
    isolated.forEach((value, index) => {
      workers[index].isolated = value;
    });
    for (const { pinnedCpu, name, rxq } of unpinnable) {
      logger.warn(
        `Core ${core(pinnedCpu)} cannot be pinned with port '${name}' rx queue ${rxq}. Use ` +
          `pmd-cpu-mask to enable a pmd on core ${pinnedCpu}. ` +
          'An alternative core will be assigned.',
      );
    }
    const wanted = new Map<RxQueue, WorkerSlot | null>();
    for (const queue of all) {
      const slot = workers[worker.get(queue) ?? -1] ?? null;
      const stays = !anew && queue.worker !== null && workers.includes(queue.worker);
      wanted.set(queue, stays ? queue.worker : slot);
      if (slot === null) {
        logger.warn(
          `No non-isolated pmd on any numa available for port '${queue.name}' rx queue ` +
            `${queue.rxq}${this.measured(queue)}. This rx queue will not be polled.`,
        );
      }
    }
    this.move(wanted);
  }

  /** Tells a worker (one that was started again) of the queues that it has. */
  handOver(slot: WorkerSlot): void {
    for (const queue of this.all) if (queue.worker === slot) this.tell(queue, slot);
  }

  private get how(): string {
    return this.assignment;
  }

  private measured({ cycles }: RxQueue): string {
    if (this.assignment === 'roundrobin') return '';
    return ` (measured processing cycles ${Math.round(cycles)})`;
  }

  private move(wanted: ReadonlyMap<RxQueue, WorkerSlot | null>): void {
    const moved = [...wanted].filter(([queue, slot]) => queue.worker !== slot);
    for (const slot of new Set(moved.map(([, winner]) => winner))) if (slot) this.prepare(slot);
    const losers = new Set<WorkerSlot>();
    for (const [{ worker, portNo, rxq }] of moved) {
      if (!worker?.alive) continue;
      worker.handle?.post({ type: 'queueDel', portNo, rxq });
      losers.add(worker);
    }
    // What they have read is sent by then: the next reader's frames come behind it.
    for (const { handle } of losers) handle?.waitAcked();
    for (const [queue, slot] of moved) {
      queue.worker = slot;
      if (!slot) continue;
      this.tell(queue, slot);
      const pinned = queue.pinnedCpu === slot.cpu;
      const what = `port '${queue.name}' rx queue ${queue.rxq}${this.measured(queue)}`;
      const text = pinned ? 'is pinned with' : 'assigned';
      logger.info(`Core ${core(slot.cpu)} on numa node 0 ${text} ${what}.`);
    }
  }

  private tell({ portNo, rxq, queue, load }: RxQueue, slot: WorkerSlot): void {
    const { kind, fd, ifindex, memoryFd, ringBytes, slots, slotBytes } = queue;
    const of = { portNo, rxq, kind, fd, ifindex, memoryFd };
    const told = { ...of, ringBytes, slots, slotBytes };
    const position = { head: load[LOAD_HEAD], load: load.buffer };
    slot.handle?.post({ type: 'queueAdd', queue: { ...told, ...position } });
  }
}

/** A CPU number as Open vSwitch logs it. */
export function core(cpu: number | null): string {
  return String(cpu ?? -1).padStart(2, ' ');
}
