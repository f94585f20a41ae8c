/**
 * Rates of ports and of their classes: token buckets that all workers share.
 *
 *     slot (16 doubles)  lock(int32) | rate | tokens | depth | own rate | own tokens | own depth |
 *                        us
 *
 *     slot of a port    0 ... maxPorts - 1      what all its classes may send together
 *     slot of a class   maxPorts ...            `own` is what it is entitled to, whatever others do
 *
 * As in HTB: a class that is under its own rate sends; up to its rate it sends what the port has
 * left. What is sent under its own rate is taken from the port's bucket, too. A bucket may go below
 * zero by a frame. Rates are bytes in a microsecond. One port's buckets are changed under the
 * port's lock, held for some tens of instructions; ports without rates have nothing to do with it.
 */
// hot path
import type { Policing } from '../netdev/queue-settings.js';
import { sharedDoubles, sharedLines, sharedWords } from './shared-lines.js';

/** In doubles: twice what is used, so that no line belongs to two slots. */
const STRIDE = 16;
const S_RATE = 1;
const S_TOKENS = 2;
const S_DEPTH = 3;
const S_OWN_RATE = 4;
const S_OWN_TOKENS = 5;
const S_OWN_DEPTH = 6;
const S_LAST = 7;

/** Buckets hold at least what comes in while a worker is not running: 60 ms. */
const DEPTH_US = 60_000;
/** Frames that waited meanwhile are owed more, for 1 s: a busy machine's worker comes late. */
export const LATE_DEPTHS = 16;
/** Clocks wrap at 2^30 microseconds. */
const CLOCK_MASK = 0x3fffffff;

export class ShaperTable {
  private readonly words: Float64Array;
  private readonly locks: Int32Array;

  constructor(readonly buffer: ArrayBufferLike) {
    this.words = sharedDoubles(buffer);
    this.locks = sharedWords(buffer);
  }

  static create(slots: number): ShaperTable {
    return new ShaperTable(sharedLines(slots * STRIDE * 8));
  }

  /**
   * Sets a slot's rates; buckets are full then.
   * @param port whose lock it is under
   * @param rate, own bytes per second
   * @param burst bytes
   */
  set(port: number, slot: number, rate: number, own: number, burst: number): void {
    const at = slot * STRIDE;
    const { words } = this;
    this.lock(port);
    words[at + S_RATE] = rate / 1e6;
    words[at + S_DEPTH] = Math.max(burst, (rate / 1e6) * DEPTH_US);
    words[at + S_OWN_RATE] = own / 1e6;
    words[at + S_OWN_DEPTH] = Math.max(burst, (own / 1e6) * DEPTH_US);
    words[at + S_TOKENS] = burst;
    words[at + S_OWN_TOKENS] = burst;
    words[at + S_LAST] = -1;
    this.unlock(port);
  }

  /**
   * Sets what may come in by a port: `rate` bytes and `packets` packets in a second; 0: any number.
   * Bursts are kept to as they are.
   */
  setPolicing(port: number, { rate, burst, packetRate, packetBurst }: Policing): void {
    const at = port * STRIDE;
    const { words } = this;
    this.lock(port);
    words[at + S_RATE] = rate / 1e6;
    words[at + S_DEPTH] = burst;
    words[at + S_OWN_RATE] = packetRate / 1e6;
    words[at + S_OWN_DEPTH] = packetBurst;
    words[at + S_TOKENS] = burst;
    words[at + S_OWN_TOKENS] = packetBurst;
    words[at + S_LAST] = -1;
    this.unlock(port);
  }

  /** Whether a frame may come in. One of 64 KiB may, too, where the burst is less: at a debt. */
  police(port: number, bytes: number, nowUs: number): boolean {
    this.lock(port);
    const { words } = this;
    const at = port * STRIDE;
    this.refill(at, nowUs, 1);
    const passes =
      (words[at + S_RATE] === 0 || words[at + S_TOKENS] > 0) &&
      (words[at + S_OWN_RATE] === 0 || words[at + S_OWN_TOKENS] >= 1);
    if (passes) {
      words[at + S_TOKENS] -= bytes;
      words[at + S_OWN_TOKENS] -= 1;
    }
    this.unlock(port);
    return passes;
  }

  /**
   * Takes `bytes` for a class, when it may send now.
   * @param borrow whether it may send what is beyond its own rate
   * @param depths 1, or LATE_DEPTHS for frames that have waited
   */
  take(
    port: number,
    slot: number,
    bytes: number,
    nowUs: number,
    borrow: boolean,
    depths = 1,
  ): boolean {
    this.lock(port);
    const { words } = this;
    const root = port * STRIDE;
    const at = slot * STRIDE;
    this.refill(root, nowUs, depths);
    this.refill(at, nowUs, depths);
    const own = words[at + S_OWN_TOKENS] > 0;
    const may = words[at + S_TOKENS] > 0 && (own || (borrow && words[root + S_TOKENS] > 0));
    if (may) {
      words[at + S_TOKENS] -= bytes;
      words[root + S_TOKENS] = Math.max(words[root + S_TOKENS] - bytes, -words[root + S_DEPTH]);
      if (own) words[at + S_OWN_TOKENS] -= bytes;
    }
    this.unlock(port);
    return may;
  }

  /** Microseconds until a class may send, as far as one can tell now. */
  waitUs(port: number, slot: number): number {
    const { words } = this;
    const at = slot * STRIDE;
    const rate = until(words[at + S_TOKENS], words[at + S_RATE]);
    const own = until(words[at + S_OWN_TOKENS], words[at + S_OWN_RATE]);
    const shared = until(words[port * STRIDE + S_TOKENS], words[port * STRIDE + S_RATE]);
    return Math.max(rate, Math.min(own, shared));
  }

  private refill(at: number, nowUs: number, depths: number): void {
    const { words } = this;
    const last = words[at + S_LAST];
    words[at + S_LAST] = nowUs;
    if (last < 0) return;
    const passed = (nowUs - last) & CLOCK_MASK;
    // Clocks of workers may be a little apart: then nothing has passed.
    if (passed > CLOCK_MASK >>> 1) {
      words[at + S_LAST] = last;
      return;
    }
    const tokens = words[at + S_TOKENS] + passed * words[at + S_RATE];
    words[at + S_TOKENS] = Math.min(tokens, words[at + S_DEPTH] * depths);
    const own = words[at + S_OWN_TOKENS] + passed * words[at + S_OWN_RATE];
    words[at + S_OWN_TOKENS] = Math.min(own, words[at + S_OWN_DEPTH] * depths);
  }

  private lock(port: number): void {
    const word = port * STRIDE * 2;
    while (Atomics.compareExchange(this.locks, word, 0, 1) !== 0) {
      // The holder is in the middle of some tens of instructions.
    }
  }

  private unlock(port: number): void {
    Atomics.store(this.locks, port * STRIDE * 2, 0);
  }
}

function until(tokens: number, rate: number): number {
  if (tokens > 0) return 0;
  return rate > 0 ? (1 - tokens) / rate : Number.MAX_SAFE_INTEGER;
}
