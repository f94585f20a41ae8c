/**
 * What a worker says of its queues to the programs that forward in the kernel, so that a flow that
 * goes over to them overtakes nothing (kernel-cache/way-over.ts).
 *
 *     landed, read before ─> the ring is empty ─> nothing is left of it anywhere ─> done = landed
 *
 * Rings: only while flows are on their way to the kernel (CTL_HAND_OVER). TAPs: always, since
 * there the frames that were sent are counted; which is once for each read of several.
 */
// hot path
import type { PolledQueue } from './polled-queue.js';
import { KIND_RING } from './receive-queue.js';
import { CTL_CALLED, CTL_HAND_OVER, CTL_IDLE_SEEN, CTL_UPCALLS } from './shared-stats.js';

/** Where frames may be that a worker has taken from a queue. */
export interface FramesHeld {
  /** Queues of devices that take no more. */
  readonly nStopped: number;
}

/** The rings to the main thread. */
export interface UpcallsWaiting {
  readonly empty: boolean;
}

export class RingProgress {
  constructor(
    /** The kernel's table. */
    private readonly words: Int32Array,
    private readonly control: Int32Array,
    private readonly held: FramesHeld,
    private readonly upcalls: UpcallsWaiting,
  ) {}

  /** Whether anybody wants to know of rings. */
  get wanted(): boolean {
    return Atomics.load(this.control, CTL_HAND_OVER) !== 0;
  }

  /** Frames that are in the ring, or were: to be read before looking into it. */
  landed(queue: PolledQueue): number {
    return Atomics.load(this.words, queue.landedWord);
  }

  /** The queue was found empty, and what came of it before is sent. */
  empty(queue: PolledQueue, landed: number): void {
    if (queue.kind !== KIND_RING) {
      this.sent(queue, 0);
      return;
    }
    if (Atomics.load(this.words, queue.doneWord) === landed || !this.calm()) return;
    Atomics.store(this.words, queue.doneWord, landed);
  }

  /** No queue had anything in this round. */
  idle(): void {
    if (this.calm()) Atomics.add(this.control, CTL_IDLE_SEEN, 1);
  }

  /** Frames of a TAP are sent. */
  sent(queue: PolledQueue, frames: number): void {
    queue.unsaid += frames;
    if (queue.unsaid === 0 || !this.calm()) return;
    Atomics.add(this.words, queue.doneWord, queue.unsaid);
    queue.unsaid = 0;
  }

  /** Nothing waits for a device, for the main thread, or for what that has made of it. */
  private calm(): boolean {
    const { control } = this;
    return (
      this.held.nStopped === 0 &&
      this.upcalls.empty &&
      Atomics.load(control, CTL_UPCALLS) === 0 &&
      Atomics.load(control, CTL_CALLED) === 0
    );
  }
}
