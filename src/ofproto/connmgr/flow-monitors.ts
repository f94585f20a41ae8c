/**
 * Flow monitors of one connection: which entries it hears about, and what it has yet to be told.
 *
 *     change -> report() -> updates -> flush() -> socket
 *                              ^          | more than 128 KiB not taken by the peer
 *     resume: what changed <---'          v
 *     since, in its last state         paused: only removals of entries that the peer knows of
 *
 * A paused monitor needs no room for changes: each entry remembers when it was added and changed
 * last. A peer that takes nothing at all is cut off once its queue is full.
 *
 * Source: OpenFlow 1.4 section 7.3.5.17; Nicira's extension of earlier versions.
 */
import { getLogger } from '../../common/log.js';
import { OFPP } from '../../openflow/actions.js';
import { fail } from '../../openflow/errors.js';
import { matchCovers } from '../../openflow/match.js';
import { OFPG } from '../../openflow/messages-groups.js';
import {
  type FlowMonitor,
  type FlowMonitorRequest,
  type FlowUpdate,
  type FlowUpdateFull,
  MONITOR_FLAG,
} from '../../openflow/messages-monitor.js';
import { N_TABLES, TBL_ALL } from '../flow-table.js';
import { actionsOutputTo, type Rule } from '../rule.js';
import type { OfConn } from './ofconn.js';

const log = getLogger('connmgr');

/** Bytes of updates that a peer may leave before its monitors pause. */
const PAUSE_BYTES = 128 * 1024;
const MONITORS_MAX = 4096;
/** Updates kept while a long reply goes out. */
const UPDATES_MAX = 1_000_000;
/** Updates of one message before looking whether the peer keeps up. */
const PER_PART = 256;
const OF14 = 5;

export type FlowEvent = 'added' | 'removed' | 'modified';

/** Something that happened to an entry. */
export interface FlowChange {
  rule: Rule;
  event: FlowEvent;
  /** For 'removed': as in flow_removed. */
  reason: number;
  /** What it did before, when that changed. */
  before: Rule['actions'] | null;
  /** Whose message it was, and which; null: nobody's. */
  origin: { conn: OfConn; xid: number } | null;
}

const WANTED: Record<FlowEvent, number> = {
  added: MONITOR_FLAG.ADD,
  removed: MONITOR_FLAG.REMOVED,
  modified: MONITOR_FLAG.MODIFY,
};
const OWN_IN_FULL = MONITOR_FLAG.ONLY_OWN | MONITOR_FLAG.NO_ABBREV;

/** What OVS counts when something happens to any entry of any bridge. */
let sequence = 1;

/** Notes in an entry when something happened to it. */
export function stampRule(rule: Rule, event: FlowEvent): void {
  if (event === 'removed') return;
  rule.modifySeqno = sequence++;
  if (event === 'added') rule.addSeqno = rule.modifySeqno;
}

export class FlowMonitors {
  private monitors = new Map<number, FlowMonitor>();
  private updates: FlowUpdate[] = [];
  /** The message under way has said that an own change was made. */
  private abbreviated = false;
  /** So many updates are no part of the bundle that is being committed. */
  private nSettled = 0;
  /** Sequence number at which the monitors paused; 0: they have not. */
  private pausedAt = 0;
  /** A long list goes out: updates wait for its end. */
  private listing = false;
  /** Of messages that the peer may not have taken: where each ends in the stream, and its bytes. */
  private outstanding: { end: number; bytes: number }[] = [];

  constructor(private readonly conn: OfConn) {}

  get size(): number {
    return this.monitors.size;
  }

  get paused(): boolean {
    return this.pausedAt !== 0;
  }

  /**
   * Adds, changes and ends monitors, all or none, and answers with what the new ones see.
   * @throws OfpError
   */
  request(msg: FlowMonitorRequest, xid: number): Promise<void> | null {
    const next = new Map(this.monitors);
    const fresh: FlowMonitor[] = [];
    for (const m of msg.entries) {
      if (m.command === 'delete') {
        if (!next.delete(m.id)) fail('OFPMOFC_UNKNOWN_MONITOR');
        continue;
      }
      if (m.table !== TBL_ALL && m.table >= N_TABLES) fail('OFPBRC_BAD_TABLE_ID');
      if (m.command === 'add' && next.has(m.id)) fail('OFPMOFC_MONITOR_EXISTS');
      if (m.command === 'modify' && !next.has(m.id)) fail('OFPMOFC_UNKNOWN_MONITOR');
      if (next.size >= MONITORS_MAX) fail('OFPBRC_EPERM');
      this.conn.ofproto.tlvTable.fit(m.match);
      next.set(m.id, m);
      fresh.push(m);
    }
    this.monitors = next;
    this.conn.ofproto.connmgr.notices.monitorsChanged();
    const initial = fresh.filter((m) => (m.flags & MONITOR_FLAG.INITIAL) !== 0);
    return this.sendList(this.collect(initial, 0), xid, []);
  }

  /** @throws OFPMOFC_UNKNOWN_MONITOR */
  cancel(id: number): void {
    if (!this.monitors.delete(id)) fail('OFPMOFC_UNKNOWN_MONITOR');
  }

  /** Takes note of a change; it is told by the next flush. */
  report({ rule, event, reason, before, origin }: FlowChange): void {
    if (this.monitors.size === 0) return;
    // Paused, only what the peer knows of can be removed; the rest is told on resuming.
    if (this.paused && (event !== 'removed' || rule.addSeqno > this.pausedAt)) return;
    let flags = 0;
    for (const m of this.monitors.values()) {
      if ((m.flags & WANTED[event]) !== 0 && watches(m, rule, before)) flags |= m.flags;
    }
    if (flags === 0) return;
    const own = origin !== null && origin.conn === this.conn;
    if (!own || (flags & OWN_IN_FULL) !== 0 || this.paused) {
      this.updates.push(fullUpdate(rule, event, flags, event === 'removed' ? reason : 0));
    } else if (!this.abbreviated) {
      this.abbreviated = true;
      this.updates.push({ event: 'abbrev', xid: origin.xid });
    }
    if (this.updates.length > UPDATES_MAX) this.giveUp();
  }

  /** What is reported from now on may turn out not to have happened. */
  mark(): void {
    this.nSettled = this.updates.length;
    this.abbreviated = false;
  }

  /** What was reported since `mark` is told, or forgotten. */
  letGo(happened: boolean): void {
    if (!happened) this.updates.length = Math.min(this.updates.length, this.nSettled);
    this.nSettled = 0;
    this.flush();
    this.drained();
  }

  private forget(): void {
    this.updates = [];
    this.abbreviated = false;
  }

  /** Nothing can be told now: a list goes out, or a bundle is being committed. */
  private get held(): boolean {
    return this.listing || this.conn.ofproto.connmgr.notices.gathering;
  }

  /** Sends what was reported, and pauses when the peer takes too little. */
  flush(): void {
    if (this.updates.length === 0 || this.held) return;
    const entries = this.updates;
    this.forget();
    this.send(entries);
    if (!this.paused && this.backlog() > PAUSE_BYTES) this.pause();
  }

  private pause(): void {
    this.pausedAt = sequence++;
    this.sendMark('paused');
  }

  private sendMark(event: 'paused' | 'resumed'): void {
    if (this.conn.version >= OF14) this.send([{ event }]);
    else this.count(() => this.conn.sendCounted({ type: `flow_monitor_${event}` }));
  }

  private send(entries: FlowUpdate[], xid = 0, more = false): void {
    this.count(() => this.conn.sendCounted({ type: 'flow_monitor_reply', more, entries }, xid));
  }

  /** Sends, and remembers where in the stream the message ends. */
  private count(send: () => number | null): void {
    const bytes = send();
    if (bytes === null) this.giveUp();
    else this.outstanding.push({ end: this.conn.connection.bytesQueued, bytes });
  }

  /** Not to be told everything is worse than to begin anew. */
  private giveUp(): void {
    if (this.conn.connection.closed) return;
    log.warn(`${this.conn.name}: flow monitor cannot keep up, closing connection`);
    this.monitors.clear();
    this.forget();
    this.conn.close();
  }

  /** Bytes of updates that the peer has not taken. */
  private backlog(): number {
    const taken = this.conn.connection.bytesTaken;
    this.outstanding = this.outstanding.filter(({ end }) => end > taken);
    return this.outstanding.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The peer has taken everything: tells what it missed. */
  drained(): void {
    if (!this.paused || this.held || this.backlog() > 0) return;
    const missed = this.collect([...this.monitors.values()], this.pausedAt);
    this.pausedAt = 0;
    this.sendList(missed, null, ['resumed']);
  }

  /**
   * Entries that monitors see.
   * @param since of what happened after this sequence number; 0: of all that there are
   */
  private collect(monitors: readonly FlowMonitor[], since: number): FlowUpdateFull[] {
    const seen = new Map<Rule, { event: FlowUpdateFull['event']; flags: number }>();
    for (const m of monitors) {
      for (const table of this.conn.ofproto.tables) {
        if (m.table === TBL_ALL ? table.hidden : m.table !== table.id) continue;
        for (const rule of table.cls.covered(m.match)) {
          const event = rule.hidden || !watches(m, rule, null) ? null : newsSince(m, rule, since);
          if (event === null) continue;
          const flags = m.flags | (seen.get(rule)?.flags ?? 0);
          seen.set(rule, { event, flags });
        }
      }
    }
    return Array.from(seen, ([rule, { event, flags }]) => fullUpdate(rule, event, flags, 0));
  }

  /**
   * Sends a list in parts, each after the peer has read enough; updates wait.
   * @param xid of the request that it answers; null: of none
   */
  private sendList(
    list: FlowUpdate[],
    xid: number | null,
    then: ('paused' | 'resumed')[],
  ): Promise<void> | null {
    const part = (from: number): boolean => {
      const more = from + PER_PART < list.length;
      if (xid !== null || list.length > 0) {
        this.send(list.slice(from, from + PER_PART), xid ?? 0, more);
      }
      return more;
    };
    const end = (): void => {
      for (const mark of then) this.sendMark(mark);
      this.listing = false;
      this.flush();
    };
    this.listing = true;
    if (!part(0)) {
      end();
      return null;
    }
    const rest = async (): Promise<void> => {
      for (let at = PER_PART; at < list.length && this.conn.open; at += PER_PART) {
        await this.conn.whenUncongested();
        part(at);
      }
      end();
    };
    return rest();
  }
}

function watches(m: FlowMonitor, rule: Rule, before: Rule['actions'] | null): boolean {
  if (m.table !== TBL_ALL && m.table !== rule.tableId) return false;
  const { outPort, outGroup } = m;
  if (outPort !== OFPP.NONE && !rule.outputsTo(outPort)) {
    if (before === null || !actionsOutputTo(before, outPort)) return false;
  }
  if (outGroup !== OFPG.ANY && !rule.usesGroup(outGroup)) return false;
  return matchCovers(m.match, rule.match);
}

/** What a monitor is to be told of an entry, or null. */
function newsSince(m: FlowMonitor, rule: Rule, since: number): FlowUpdateFull['event'] | null {
  if (since === 0) return 'initial';
  if (rule.addSeqno > since) return m.flags & (WANTED.added | WANTED.modified) ? 'added' : null;
  return rule.modifySeqno > since && (m.flags & WANTED.modified) !== 0 ? 'modified' : null;
}

function fullUpdate(
  rule: Rule,
  event: FlowUpdateFull['event'],
  flags: number,
  reason: number,
): FlowUpdateFull {
  const { tableId: table, priority, idleTimeout, hardTimeout, cookie, match } = rule;
  const actions = (flags & MONITOR_FLAG.INSTRUCTIONS) === 0 ? [] : [...rule.actions];
  return { event, reason, table, priority, idleTimeout, hardTimeout, cookie, match, actions };
}
