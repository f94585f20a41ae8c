/**
 * A port's classes in one worker: whose turn it is.
 *
 *     first    classes under their own rate, by priority, in turn among equals
 *     then     classes that borrow, by priority; among equals each its quantum (deficit round
 *              robin)
 */
// hot path
import type { TxBacklog } from './tx-backlog.js';
import type { TxShaper } from './tx-port.js';
import { LATE_DEPTHS, type ShaperTable } from './tx-shaper.js';

const QUEUE_IDS_MAX = 65_536;

export class PortClasses {
  /** Frames that wait in all classes. */
  waiting = 0;
  /** By priority. */
  readonly slots: Int32Array;
  private readonly priority: Int32Array;
  private readonly quantum: Float64Array;
  private readonly deficit: Float64Array;
  /** Slot by queue id; 0: the default's. */
  private readonly byId: Int32Array;
  private readonly fallback: number;
  private turn = 0;

  constructor({ classes }: TxShaper) {
    const sorted = [...classes].sort((a, b) => a.priority - b.priority || a.queueId - b.queueId);
    this.slots = Int32Array.from(sorted, ({ slot }) => slot);
    this.priority = Int32Array.from(sorted, ({ priority }) => priority);
    this.quantum = Float64Array.from(sorted, ({ quantum }) => quantum);
    this.deficit = new Float64Array(sorted.length);
    let most = 0;
    for (const { queueId } of classes) if (queueId < QUEUE_IDS_MAX) most = Math.max(most, queueId);
    this.byId = new Int32Array(most + 1);
    for (const { queueId, slot } of classes) if (queueId <= most) this.byId[queueId] = slot;
    this.fallback = this.byId[0] || this.slots[0];
  }

  /** The class of a queue id; one that is not there: the default. */
  slotOf(queueId: number): number {
    if (queueId >>> 0 >= this.byId.length) return this.fallback;
    return this.byId[queueId] || this.fallback;
  }

  /** The class whose first frame may leave, paid for; -1: none now. */
  next(port: number, shaper: ShaperTable, backlog: TxBacklog, nowUs: number): number {
    this.turn = (this.turn + 1) & 0xffff;
    const own = this.pick(port, shaper, backlog, nowUs, false);
    return own >= 0 ? own : this.pick(port, shaper, backlog, nowUs, true);
  }

  /** Microseconds until one of them may send. */
  waitUs(port: number, shaper: ShaperTable, waiting: Int32Array): number {
    let least = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < this.slots.length; i++) {
      if (waiting[this.slots[i]] > 0) {
        least = Math.min(least, shaper.waitUs(port, this.slots[i]));
      }
    }
    return least;
  }

  private pick(
    port: number,
    shaper: ShaperTable,
    backlog: TxBacklog,
    nowUs: number,
    borrow: boolean,
  ): number {
    const n = this.slots.length;
    for (let start = 0; start < n; ) {
      let end = start + 1;
      while (end < n && this.priority[end] === this.priority[start]) end++;
      const found = this.among(start, end, port, shaper, backlog, nowUs, borrow);
      if (found >= 0) return found;
      start = end;
    }
    return -1;
  }

  /** Among classes [start, end), which are of one priority. */
  private among(
    start: number,
    end: number,
    port: number,
    shaper: ShaperTable,
    backlog: TxBacklog,
    nowUs: number,
    borrow: boolean,
  ): number {
    const n = end - start;
    // Twice round: the first may only hand out quanta.
    for (let step = 0; step < 2 * n; step++) {
      const i = start + ((this.turn + step) % n);
      const slot = this.slots[i];
      if (backlog.waiting[slot] === 0) {
        this.deficit[i] = 0;
        continue;
      }
      const bytes = backlog.pool.wire[backlog.first(slot)];
      if (borrow && n > 1 && this.deficit[i] < bytes) {
        this.deficit[i] += Math.max(this.quantum[i], bytes);
        continue;
      }
      if (!shaper.take(port, slot, bytes, nowUs, borrow, LATE_DEPTHS)) continue;
      if (borrow) {
        this.deficit[i] -= bytes;
        // Its turn goes on while it has bytes left.
        this.turn = this.deficit[i] > 0 ? i - start - 1 + n : this.turn;
      }
      return slot;
    }
    return -1;
  }
}
