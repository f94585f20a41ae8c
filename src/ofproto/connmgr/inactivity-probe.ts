/**
 * Finds out that a peer is gone: TCP alone does not tell when a machine vanishes.
 *
 *     silent for a while ──> echo request ──> silent for as long again ──> the connection is closed
 *
 * For connections that were accepted; those to controllers are watched by who makes them again
 * (controller.ts).
 */
import { NEVER } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import type { OfConn } from './ofconn.js';

const log = getLogger('rconn');

export class InactivityProbe {
  /** Clock time of the question that was not answered yet; null: there is none. */
  private askedMs: number | null = null;
  private periodMs = 0;

  constructor(private readonly conn: OfConn) {}

  /** @param ms of silence after which to ask, a second at least; 0: never */
  configure(ms: number): void {
    this.periodMs = ms === 0 ? 0 : Math.max(1000, ms);
  }

  run(now: number): void {
    const { conn, periodMs } = this;
    if (periodMs === 0) return;
    // What it sent may not have been read yet: a bundle is being committed.
    if (conn.working && conn.ofproto.draft !== null) conn.lastReceivedMs = now;
    if (this.askedMs !== null && conn.lastReceivedMs >= this.askedMs) this.askedMs = null;
    if (now < this.nextWake()) return;
    if (this.askedMs === null) {
      this.askedMs = now;
      conn.sendAsync({ type: 'echo_request', data: new Uint8Array(0) });
      return;
    }
    const sec = Math.floor((now - this.askedMs) / 1000);
    log.err(`${conn.name}: no response to inactivity probe after ${sec} seconds, disconnecting`);
    conn.close();
  }

  nextWake(): number {
    if (this.periodMs === 0 || this.conn.connection.closed) return NEVER;
    return (this.askedMs ?? this.conn.lastReceivedMs) + this.periodMs;
  }
}
