/**
 * What is on its way from the kernel's programs to workers, by interface: the main thread's view
 * (layout.ts, `order`; way-over.ts says what for).
 *
 * Two interfaces whose indices agree modulo the table's size cannot both be in it.
 */
import * as at from './layout.js';

const LANDED = at.O_LANDED >> 2;
const DONE = at.O_DONE >> 2;
/** More than all queues of a TAP hold. */
const TAP_QUEUED_MAX = 1 << 20;

/** Counts of one interface: they only grow, modulo 2^32. */
export interface OrderCounts {
  passed: number;
  landed: number;
  done: number;
}

/** The first word of an interface's part of the table. */
export function orderWord(ifindex: number): number {
  return (at.OFF_ORDER >> 2) + ((ifindex & (at.ORDER_SLOTS - 1)) << (at.ORDER_SHIFT - 2));
}

export class OrderTable {
  private readonly owners = new Map<number, number>();

  constructor(private readonly words: Int32Array) {}

  /**
   * Begins with an interface that has no programs yet; false: another has its place.
   *
   * Nothing is set to 0: workers may be about to say what they are done with. What a TAP has queued
   * before, they will count, and nobody knows how much that is: until it is written off, more has
   * passed than they can count.
   * @param queues receive queues that there are now: what was in others is lost
   */
  claim(ifindex: number, tap: boolean, queues: number): boolean {
    const word = orderWord(ifindex);
    if ((this.owners.get(word) ?? ifindex) !== ifindex) return false;
    this.owners.set(word, ifindex);
    for (let queue = queues; !tap && queue < at.RX_QUEUES_MAX; queue++) {
      Atomics.store(this.words, word + DONE + queue, this.words[word + LANDED + queue]);
    }
    const { landed, done } = this.counts(ifindex);
    Atomics.store(this.words, word, tap ? done + TAP_QUEUED_MAX : landed);
    return true;
  }

  release(ifindex: number): void {
    this.owners.delete(orderWord(ifindex));
  }

  counts(ifindex: number): OrderCounts {
    const word = orderWord(ifindex);
    const counts = { passed: Atomics.load(this.words, word), landed: 0, done: 0 };
    for (let queue = 0; queue < at.RX_QUEUES_MAX; queue++) {
      counts.landed = (counts.landed + Atomics.load(this.words, word + LANDED + queue)) | 0;
      counts.done = (counts.done + Atomics.load(this.words, word + DONE + queue)) | 0;
    }
    return counts;
  }

  /** Whether workers are done with all that passed: as `nothingWaits` of way-over.ts. */
  settled(ifindex: number, tap: boolean): boolean {
    const word = orderWord(ifindex);
    let left = Atomics.load(this.words, word);
    for (let queue = 0; queue < at.RX_QUEUES_MAX; queue++) {
      const done = Atomics.load(this.words, word + DONE + queue);
      if (!tap && done !== Atomics.load(this.words, word + LANDED + queue)) return false;
      left = (left - done) | 0;
    }
    return left === 0;
  }

  /**
   * So many frames were counted on their way and never came: a full TAP drops them, another program
   * took them.
   */
  writeOff(ifindex: number, frames: number): void {
    Atomics.sub(this.words, orderWord(ifindex), frames);
  }
}
