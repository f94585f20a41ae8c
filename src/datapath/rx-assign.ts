/**
 * Which worker reads which receive queue.
 *
 *     roundrobin   0 1 2 0 1 2 ...            in order of ports
 *     cycles       0 1 2 2 1 0 0 1 ...        the busiest queues first
 *     group        whoever has least to do    the busiest queues first
 *
 * Pinned queues (pmd-rxq-affinity) come first; a worker that has one is isolated: it gets no
 * others, unless pmd-rxq-isolate is off. Pure: numbers in, numbers out. Behaviour as Open
 * vSwitch's.
 */
export type RxAssignment = 'roundrobin' | 'cycles' | 'group';

/** A queue to be assigned. */
export interface RxAssignQueue {
  portNo: number;
  rxq: number;
  /** Cycles that its frames took lately. */
  cycles: number;
  /** The CPU that it is pinned to, or null. */
  pinnedCpu: number | null;
}

/** A worker that queues can be assigned to. */
export interface RxAssignWorker {
  cpu: number;
}

export interface RxAssignResult<Q> {
  /** Worker by index in the list given, or -1: nobody may read it. */
  worker: Map<Q, number>;
  isolated: boolean[];
  /** Queues whose CPU has no worker. */
  unpinnable: Q[];
}

interface Load {
  cycles: number;
  queues: number;
}

/** Deals out worker numbers, going up, or up and down. */
export class WorkerTurns {
  private next = 0;
  private up = true;

  constructor(
    private readonly workers: number,
    private readonly updown: boolean,
  ) {}

  take(): number {
    const taken = this.next;
    if (this.up && this.next < this.workers - 1) this.next++;
    else if (this.up && this.updown) this.up = false;
    else if (this.up) this.next = 0;
    else if (this.next === 0) this.up = true;
    else this.next--;
    return taken;
  }
}

function byCycles(a: RxAssignQueue, b: RxAssignQueue): number {
  return b.cycles - a.cycles || a.portNo - b.portNo || a.rxq - b.rxq;
}

function leastLoaded(loads: readonly Load[], isolated: readonly boolean[], busy: boolean): number {
  let lowest = -1;
  loads.forEach((load, index) => {
    if (isolated[index]) return;
    const best = loads[lowest];
    const lower =
      best === undefined ||
      (busy && load.cycles < best.cycles) ||
      ((!busy || load.cycles === best.cycles) && load.queues < best.queues);
    if (lower) lowest = index;
  });
  return lowest;
}

/**
 * Assigns all queues anew.
 * @param isolate whether a worker with a pinned queue is kept for pinned ones
 */
export function assignRxQueues<Q extends RxAssignQueue>(
  queues: readonly Q[],
  workers: readonly RxAssignWorker[],
  how: RxAssignment,
  isolate = true,
): RxAssignResult<Q> {
  const worker = new Map<Q, number>();
  const isolated = workers.map(() => false);
  const loads: Load[] = workers.map(() => ({ cycles: 0, queues: 0 }));
  const unpinnable: Q[] = [];
  const give = (queue: Q, index: number): void => {
    worker.set(queue, index);
    if (index < 0) return;
    loads[index].cycles += queue.cycles;
    loads[index].queues += 1;
  };
  const free: Q[] = [];
  for (const queue of queues) {
    const index = workers.findIndex(({ cpu }) => cpu === queue.pinnedCpu);
    if (queue.pinnedCpu !== null && index < 0) unpinnable.push(queue);
    if (queue.pinnedCpu === null || index < 0) free.push(queue);
    else {
      if (isolate || how !== 'group') isolated[index] = true;
      give(queue, index);
    }
  }
  if (how !== 'roundrobin') free.sort(byCycles);
  const turns = new WorkerTurns(workers.length, how === 'cycles');
  const open = isolated.includes(false);
  for (const queue of free) {
    let index = -1;
    if (open && how === 'group') index = leastLoaded(loads, isolated, queue.cycles > 0);
    else if (open)
      do index = turns.take();
      while (isolated[index]);
    give(queue, index);
  }
  return { worker, isolated, unpinnable };
}
