/**
 * What the connections of a bridge are told of changes: of entries to flow monitors, of groups and
 * meters to those who want requests forwarded, of roles, and of tables that fill and empty.
 *
 * Changes of one request, or of one bundle, are told together when it is done; those of a bundle
 * that is undone are not told at all.
 */
import { encodeMessage } from '../../openflow/codec/index.js';
import { OfpError } from '../../openflow/errors.js';
import type { OfMessage } from '../../openflow/messages.js';
import type { GroupMod, MeterMod } from '../../openflow/messages-groups.js';
import { type TableStatus, VACANCY } from '../../openflow/messages-monitor.js';
import type { FlowTable } from '../flow-table.js';
import type { RemovedReason, Rule } from '../rule.js';
import { tableDesc, vacancyOf } from '../table-config.js';
import { type FlowChange, type FlowEvent, stampRule } from './flow-monitors.js';
import type { OfConn } from './ofconn.js';

/** Reasons of removal, in the order of their numbers. */
export const REMOVED_REASONS: readonly RemovedReason[] = [
  'idle',
  'hard',
  'delete',
  'group_delete',
  'meter_delete',
  'eviction',
];
const OF13 = 4;
const OF14 = 5;
const OF15 = 6;
/** Reasons of requestforward, and of role_status. */
const FORWARD = { group_mod: 0, meter_mod: 1 } as const;
const PRIMARY_REQUEST = 0;
const NO_GENERATION = 0xffffffffffffffffn;

type Origin = FlowChange['origin'];

/** A group-mod or meter-mod that was carried out. */
export interface Forwarded {
  msg: GroupMod | MeterMod;
  xid: number;
  /** The group as it is now, for versions that cannot say what was done to its buckets. */
  buckets?: GroupMod['buckets'];
  /** It was there before. */
  existed?: boolean;
}

export class Notices {
  private origin: Origin = null;
  /** How many requests are under way in one another. */
  private depth = 0;
  /** What `monitored` has found since changes began that are told later; null: not looked yet. */
  private watched: boolean | null = null;

  /**
   * @param connections all that are there, each time it is called
   * @param tell sends a message, or keeps it until it is known whether a bundle stays
   */
  constructor(
    private readonly connections: () => Iterable<OfConn>,
    private readonly tell: (conn: OfConn, msg: OfMessage) => void,
  ) {}

  /** Some connection watches flows. */
  get monitored(): boolean {
    if (this.depth === 0) return this.anyMonitor();
    this.watched ??= this.anyMonitor();
    return this.watched;
  }

  private anyMonitor(): boolean {
    for (const conn of this.connections()) if (conn.monitors.size > 0) return true;
    return false;
  }

  /** A connection has monitors that it had not. */
  monitorsChanged(): void {
    this.watched = null;
  }

  /** Changes are being made that are told later. */
  get gathering(): boolean {
    return this.depth > 0;
  }

  /** Changes from now on belong together, over many turns: see `letGo`. */
  gather(): void {
    for (const conn of this.connections()) conn.monitors.mark();
    this.depth++;
  }

  /** Tells what was changed since `gather`, or forgets it. */
  letGo(how: 'tell' | 'forget'): void {
    this.depth--;
    this.watched = null;
    for (const conn of this.connections()) conn.monitors.letGo(how === 'tell');
  }

  /** Runs a request; what it changes is told when it is over. */
  during<T>(origin: Origin, run: () => T): T {
    const outer = this.origin;
    if (origin !== null) this.origin = origin;
    this.depth++;
    try {
      return run();
    } finally {
      this.depth--;
      this.origin = outer;
      if (this.depth === 0) {
        this.watched = null;
        for (const conn of this.connections()) conn.monitors.flush();
      }
    }
  }

  /**
   * Something happened to an entry.
   * @param before what it did until now, when that changed
   */
  flowChanged(
    rule: Rule,
    event: FlowEvent,
    before: Rule['actions'] | null = null,
    why: RemovedReason = 'delete',
  ): void {
    if (rule.hidden || !this.monitored) return;
    stampRule(rule, event);
    const reason = REMOVED_REASONS.indexOf(why);
    const { origin } = this;
    for (const conn of this.connections()) {
      conn.monitors.report({ rule, event, reason, before, origin });
    }
  }

  /** Another connection became primary: this one is told that it no longer is. */
  roleLost(conn: OfConn, generation: bigint | null): void {
    if (conn.version < OF13) return;
    const generationId = generation ?? NO_GENERATION;
    const role = 'secondary';
    this.tell(conn, { type: 'role_status', role, reason: PRIMARY_REQUEST, generationId });
  }

  /** Tells others of a request that changed groups or meters. */
  forward(from: OfConn, done: Forwarded): void {
    for (const conn of this.connections()) {
      if (conn === from || !conn.wants('requestForward', FORWARD[done.msg.type])) continue;
      if (done.msg.type === 'meter_mod' && conn.version < OF13) continue;
      const msg = inWordsOf(conn.version, done);
      try {
        const frame = encodeMessage(conn.version, msg, done.xid, conn.connection.codec);
        this.tell(conn, { type: 'requestforward', frame });
      } catch (error) {
        // What a version cannot say is not forwarded in it.
        if (!(error instanceof OfpError)) throw error;
      }
    }
  }

  /** A table has become fuller or emptier than its controllers want to know of. */
  vacancyChanged(table: FlowTable): void {
    if (table.vacancyEvent === 0) return;
    const free = vacancyOf(table);
    const { down, up } = table.vacancy;
    const reason = free < down ? VACANCY.DOWN : free > up ? VACANCY.UP : 0;
    if (reason !== table.vacancyEvent) return;
    const msg: TableStatus = { type: 'table_status', reason, desc: tableDesc(table) };
    for (const conn of this.connections()) {
      if (conn.version >= OF14 && conn.wants('tableStatus', reason)) this.tell(conn, msg);
    }
    table.vacancyEvent = reason === VACANCY.DOWN ? VACANCY.UP : VACANCY.DOWN;
  }
}

/** 1.5 (and Nicira's 1.0) can speak of single buckets; elsewhere the whole group is said. */
function inWordsOf(version: number, done: Forwarded): OfMessage {
  const { msg, buckets, existed } = done;
  if (msg.type !== 'group_mod' || version >= OF15 || version === 1) return msg;
  if (msg.command === 'insert_bucket' || msg.command === 'remove_bucket') {
    return { ...msg, command: 'modify', buckets: buckets ?? [] };
  }
  if (msg.command === 'add_or_mod') {
    return { ...msg, command: existed === true ? 'modify' : 'add' };
  }
  return msg;
}
