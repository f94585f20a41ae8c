/**
 * Requests that come in several messages of one transaction, put together.
 *
 * Bounded: parts that nobody ends are given up after a second without news, and one connection may
 * have few transactions, with so many entries, open.
 */
import { fail } from '../../openflow/errors.js';
import type { OfMessage } from '../../openflow/messages.js';
import type { OfConn } from './ofconn.js';

const IDLE_MS = 1000;
const TRANSACTIONS_MAX = 16;
const BYTES_MAX = 4 * 1024 * 1024;

/** Requests that may come in parts. */
export type PartialRequest = Extract<
  OfMessage,
  { type: 'flow_monitor_request' | 'table_features_request' }
>;

interface Partial {
  type: PartialRequest['type'];
  entries: unknown[];
  bytes: number;
  usedMs: number;
  frame: Uint8Array;
}

export class MultipartRequests {
  private readonly partials = new Map<number, Partial>();

  constructor(private readonly conn: OfConn) {}

  /**
   * Takes one part.
   * @returns the whole request with its last part, else null
   * @throws OFPBRC_BAD_STAT, OFPBRC_MULTIPART_BUFFER_OVERFLOW
   */
  take<M extends PartialRequest>(msg: M, xid: number, frame: Uint8Array): M | null {
    const known = this.partials.get(xid);
    if (known === undefined && msg.more !== true) return msg;
    this.partials.delete(xid);
    if (known !== undefined && known.type !== msg.type) fail('OFPBRC_BAD_STAT');
    const entries = [...(known?.entries ?? []), ...(msg.entries ?? [])];
    const bytes = (known?.bytes ?? 0) + frame.length;
    if (bytes > BYTES_MAX || this.partials.size >= TRANSACTIONS_MAX) {
      fail('OFPBRC_MULTIPART_BUFFER_OVERFLOW');
    }
    if (msg.more !== true) return { ...msg, entries };
    const usedMs = this.conn.ofproto.clock.now();
    this.partials.set(xid, { type: msg.type, entries, bytes, usedMs, frame });
    return null;
  }

  run(now: number): void {
    for (const [xid, { usedMs, frame }] of this.partials) {
      if (now < usedMs + IDLE_MS) continue;
      this.partials.delete(xid);
      this.conn.connection.sendError('OFPBRC_MULTIPART_REQUEST_TIMEOUT', xid, frame);
    }
  }

  /** Clock milliseconds at which one is to be given up, or Infinity. */
  nextWake(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { usedMs } of this.partials.values()) next = Math.min(next, usedMs + IDLE_MS);
    return next;
  }
}
