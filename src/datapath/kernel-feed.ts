/**
 * What forwarding in the kernel learns from workers, and has them do (kernel-cache/hand-over.ts):
 * the main thread's side of ring-progress.ts.
 */
import type { WorkerFeed } from './kernel-cache/hand-over.js';
import type { PortQueues } from './port-queues.js';
import { CTL_HAND_OVER, CTL_IDLE_SEEN } from './shared-stats.js';
import type { WorkerSlots } from './worker-slots.js';

export class KernelFeed implements WorkerFeed {
  constructor(
    private readonly slots: WorkerSlots,
    private readonly queues: PortQueues,
  ) {}

  /** Tells the workers that run of the table. */
  table(mapFd: number): void {
    for (const worker of this.slots.handles) worker.post({ type: 'kernelTable', mapFd });
  }

  look(): void {
    this.control(1);
    for (const worker of this.slots.handles) worker.post({ type: 'look' });
  }

  rest(): void {
    this.control(0);
  }

  idleSeen(): number[] {
    return this.slots.all.map(({ handle, stats }) =>
      handle?.alive ? Atomics.load(stats.control, CTL_IDLE_SEEN) : Number.NaN,
    );
  }

  consumed(portNo: number): { frames: number; slots: number }[] {
    return this.queues.of(portNo).map(({ frames, queue: { slots } }) => ({ frames, slots }));
  }

  private control(value: number): void {
    for (const { stats } of this.slots.all) Atomics.store(stats.control, CTL_HAND_OVER, value);
  }
}
