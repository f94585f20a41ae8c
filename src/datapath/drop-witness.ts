/**
 * Shows dropped packets to the main thread while somebody wants to see them: copies, through the
 * ring of upcalls; those that find no room there are not shown.
 *
 *     cookie:  reason | 1 when the packet was on its way out | 0 ...       key: in_port = the port
 *
 * Not for: counting drops, and frames that the switch never had (a ring that overflowed).
 */
// hot path
import { newFlow, W_IN_PORT } from '../packet/flow-layout.js';
import { COOKIE_WORDS } from './action-program.js';
import type { DroppedFrame } from './dpif.js';
import { CTL_CAPTURE_DROPS, type SharedStats } from './shared-stats.js';
import type { UpcallRecord } from './upcall-ring.js';
import { UPCALL_DROP, type UpcallSink } from './upcall-sink.js';

/** One worker's. */
export class DropWitness {
  private readonly cookie = new Int32Array(COOKIE_WORDS);
  private readonly key = newFlow();

  constructor(
    private readonly stats: SharedStats,
    private readonly sink: UpcallSink,
  ) {}

  /** Whether anybody wants to see what is dropped. */
  get watches(): boolean {
    return this.stats.control[CTL_CAPTURE_DROPS] !== 0;
  }

  /** @param port that the packet came in by */
  show(reason: number, port: number, off: number, len: number): void {
    this.send(reason, 0, port, off, len);
  }

  /** @param port that did not take the packet */
  showLeaving(reason: number, port: number, off: number, len: number): void {
    this.send(reason, 1, port, off, len);
  }

  private send(reason: number, leaving: number, port: number, off: number, len: number): void {
    this.cookie[0] = reason;
    this.cookie[1] = leaving;
    this.key[W_IN_PORT] = port;
    this.sink.upcall(UPCALL_DROP, off, len, this.key, this.cookie, 0);
  }
}

/** What the main thread makes of it. */
export function droppedFrame(record: UpcallRecord): DroppedFrame {
  const { frame, key, cookieWords, cookieAt } = record;
  const leaving = cookieWords[cookieAt + 1] === 1;
  return { frame, port: key[W_IN_PORT], reason: cookieWords[cookieAt], leaving };
}
