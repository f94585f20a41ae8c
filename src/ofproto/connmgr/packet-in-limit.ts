/**
 * How many packets a second a controller is told of: beyond the rate they wait, and are told in
 * turn by the port they came from, so that one port cannot keep the others' from it.
 *
 *     packet --> token? --> controller
 *                  \ none: queue of its port --> round robin, as tokens come
 *                                            \ full: the longest queue loses its first
 *
 * Not for: bytes that a controller leaves unread (ofconn.ts).
 */
import { type Clock, NEVER } from '../../common/clock.js';

const RATE_DEFAULT = 1000;
/** A turn of the main loop sends no more of what waited. */
const SENT_A_TURN_MAX = 50;
const SECOND_MS = 1000;

export interface PacketInCounts {
  /** Waiting now. */
  backlog: number;
  /** Sent at once, had to wait, lost. */
  bypassed: number;
  queued: number;
  dropped: number;
}

export class PacketInLimit<P> {
  private readonly queues = new Map<number, P[]>();
  private rate = RATE_DEFAULT;
  private burst = 0;
  private tokens = 0;
  private filledMs: number;
  private readonly counts: PacketInCounts = { backlog: 0, bypassed: 0, queued: 0, dropped: 0 };

  /** @param send tells the controller of one */
  constructor(
    private readonly clock: Clock,
    private readonly send: (packet: P) => void,
  ) {
    this.filledMs = clock.now();
  }

  /**
   * @param rate packets a second; 0: 1000
   * @param burst packets at once, and how many wait; 0: a quarter of the rate
   */
  configure(rate: number, burst: number): void {
    const first = this.burst === 0;
    this.rate = rate > 0 ? rate : RATE_DEFAULT;
    this.burst = Math.max(1, burst > 0 ? burst : Math.floor(this.rate / 4));
    this.tokens = first ? this.burst : Math.min(this.tokens, this.burst);
    while (this.counts.backlog > this.burst) this.drop();
  }

  get statistics(): Readonly<PacketInCounts> {
    return this.counts;
  }

  /** Tells the controller now, later, or not at all. */
  offer(port: number, packet: P): void {
    const { counts } = this;
    if (counts.backlog === 0 && this.takeToken()) {
      counts.bypassed++;
      this.send(packet);
      return;
    }
    if (counts.backlog >= this.burst) this.drop();
    const queue = this.queues.get(port);
    if (queue === undefined) this.queues.set(port, [packet]);
    else queue.push(packet);
    counts.backlog++;
    counts.queued++;
  }

  run(): void {
    for (let i = 0; i < SENT_A_TURN_MAX && this.counts.backlog > 0 && this.takeToken(); i++) {
      const [[port, queue]] = this.queues;
      const packet = queue.shift() as P;
      // The next one is another port's.
      this.queues.delete(port);
      if (queue.length > 0) this.queues.set(port, queue);
      this.counts.backlog--;
      this.send(packet);
    }
  }

  /** Clock time at which one that waits may be told. */
  nextWake(): number {
    if (this.counts.backlog === 0) return NEVER;
    const lacking = Math.max(0, 1 - this.tokens);
    return this.filledMs + Math.ceil((lacking * SECOND_MS) / this.rate);
  }

  private takeToken(): boolean {
    const now = this.clock.now();
    this.tokens += ((now - this.filledMs) * this.rate) / SECOND_MS;
    this.tokens = Math.min(this.tokens, this.burst);
    this.filledMs = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  private drop(): void {
    let [[port, longest]] = this.queues;
    for (const [each, queue] of this.queues) {
      if (queue.length > longest.length) [port, longest] = [each, queue];
    }
    longest.shift();
    if (longest.length === 0) this.queues.delete(port);
    this.counts.backlog--;
    this.counts.dropped++;
  }
}
