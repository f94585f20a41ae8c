/**
 * Rows for flow monitors: Nicira's form (1.0 to 1.2), the ONF's extension of 1.3, and OpenFlow 1.4.
 *
 *     request:  id flags out_port table, match    each; several in one message
 *     reply:    length(16) event(16), then an entry, or the xid of a request, or nothing
 *
 * Source: OpenFlow 1.4 section 7.3.5.17; ONF extension 187; Nicira extensions.
 */
import { portFrom16, portTo16 } from '../../packet/fields.js';
import { fail } from '../errors.js';
import {
  type FlowMonitor,
  type FlowUpdate,
  type FlowUpdateFull,
  MONITOR_COMMANDS,
  MONITOR_FLAG,
} from '../messages-monitor.js';
import { getActions, getInstructions, putActions, putInstructions } from './actions.js';
import type { Reader, Writer } from './buffer.js';
import { getAnyMatch, putAnyMatch } from './match11.js';
import { type MessageClass, type MessageContext, type MessageRow, row } from './message-row.js';
import { getNxMatch, putNxMatch } from './oxm.js';
import { getPort32 } from './port-number.js';
import { listReply } from './stats-list.js';

const OF13 = 4;
const NO_GROUP = 0xffffffff;
const EVENTS = MONITOR_FLAG.ADD | MONITOR_FLAG.REMOVED | MONITOR_FLAG.MODIFY;
/** Bits of Nicira's and the ONF's flags: OWN takes the place of NO_ABBREV. */
const OLD_FLAGS = 0x3f;
const OLD_OWN = 0x20;
const ALL_FLAGS = 0x7f;

function getOldFlags(flags: number): number {
  if ((flags & EVENTS) === 0 || (flags & ~OLD_FLAGS) !== 0) fail('OFPMOFC_BAD_FLAGS');
  return (flags & ~OLD_OWN) | ((flags & OLD_OWN) === 0 ? 0 : MONITOR_FLAG.ONLY_OWN);
}

function oldFlags(flags: number): number {
  return (flags & 0x1f) | ((flags & MONITOR_FLAG.ONLY_OWN) === 0 ? 0 : OLD_OWN);
}

function getNxMonitor(r: Reader): FlowMonitor {
  const id = r.u32();
  const flags = getOldFlags(r.u16());
  const outPort = portFrom16(r.u16());
  const matchLength = r.u16();
  const table = r.u8();
  r.zeros(5, 'NXBRC_MUST_BE_ZERO');
  const { match } = getNxMatch(r, matchLength);
  return { id, command: 'add', flags, outPort, outGroup: NO_GROUP, table, match };
}

function putNxMonitor(w: Writer, m: FlowMonitor): void {
  w.u32(m.id).u16(oldFlags(m.flags)).u16(portTo16(m.outPort));
  const lengthAt = w.length;
  w.u16(0).u8(m.table).zeros(5);
  w.setU16(lengthAt, putNxMatch(w, m.match));
}

function getOnfMonitor(r: Reader, ctx: MessageContext): FlowMonitor {
  const id = r.u32();
  const flags = getOldFlags(r.u16());
  const outPort = getPort32(r.skip(2));
  const table = r.u8();
  r.zeros(3, 'NXBRC_MUST_BE_ZERO');
  const match = getAnyMatch(r, ctx.version);
  return { id, command: 'add', flags, outPort, outGroup: NO_GROUP, table, match };
}

/** Length of the match written from `start` on, without its padding. */
function matchLength(w: Writer, start: number): number {
  return (w.bytes[start + 2] << 8) | w.bytes[start + 3];
}

function putOnfMonitor(w: Writer, m: FlowMonitor, ctx: MessageContext): void {
  w.u32(m.id).u16(oldFlags(m.flags));
  const lengthAt = w.length;
  w.u16(0).u32(m.outPort).u8(m.table).zeros(3);
  const start = w.length;
  putAnyMatch(w, m.match, ctx.version);
  w.setU16(lengthAt, matchLength(w, start));
}

function getMonitor14(r: Reader, ctx: MessageContext): FlowMonitor {
  const id = r.u32();
  const outPort = getPort32(r);
  const [outGroup, flags, table] = [r.u32(), r.u16(), r.u8()];
  const command = MONITOR_COMMANDS[r.u8()] ?? fail('OFPMOFC_BAD_COMMAND');
  const match = getAnyMatch(r, ctx.version);
  const wrong = (flags & EVENTS) === 0 || (flags & ~ALL_FLAGS) !== 0;
  if (command !== 'delete' && wrong) fail('OFPMOFC_BAD_FLAGS');
  return { id, command, flags, outPort, outGroup, table, match };
}

function putMonitor14(w: Writer, m: FlowMonitor, ctx: MessageContext): void {
  w.u32(m.id).u32(m.outPort).u32(m.outGroup).u16(m.flags).u8(m.table);
  w.u8(MONITOR_COMMANDS.indexOf(m.command));
  putAnyMatch(w, m.match, ctx.version);
}

/** Events by number, before 1.4 and since. */
const EVENTS_OLD = ['added', 'removed', 'modified', 'abbrev'] as const;
const EVENTS_14 = [
  ...['initial', 'added', 'removed', 'modified', 'abbrev', 'paused', 'resumed'],
] as FlowUpdate['event'][];
const FULL_LENGTH = 24;
const SHORT_LENGTH = 8;

interface UpdateHead {
  event: FlowUpdate['event'];
  body: Reader;
}

function getHead(r: Reader, events: readonly FlowUpdate['event'][]): UpdateHead {
  const length = r.u16();
  if (length < SHORT_LENGTH || length % 8 !== 0) fail('OFPBRC_BAD_LEN');
  const body = r.sub(length - 2);
  const event = events[body.u16()] ?? fail('NXBRC_FM_BAD_EVENT');
  return { event, body };
}

/** Updates that are not about an entry, or undefined. */
function getShort({ event, body }: UpdateHead): FlowUpdate | undefined {
  if (event !== 'abbrev' && event !== 'paused' && event !== 'resumed') {
    if (body.left < FULL_LENGTH - 4) fail('OFPBRC_BAD_LEN');
    return undefined;
  }
  if (body.left !== SHORT_LENGTH - 4) fail('OFPBRC_BAD_LEN');
  return event === 'abbrev' ? { event, xid: body.u32() } : { event };
}

function getOldUpdate(r: Reader, ctx: MessageContext): FlowUpdate {
  const head = getHead(r, EVENTS_OLD);
  const short = getShort(head);
  if (short !== undefined) return short;
  const { body } = head;
  const event = head.event as FlowUpdateFull['event'];
  const [reason, priority] = [body.u16(), body.u16()];
  const [idleTimeout, hardTimeout] = [body.u16(), body.u16()];
  const length = body.u16();
  const [table, cookie] = [body.u8(), body.skip(1).u64()];
  const onf = ctx.version === OF13;
  const match = onf ? getAnyMatch(body, ctx.version) : getNxMatch(body, length).match;
  const actions = onf
    ? getInstructions(body, body.left, ctx.version)
    : getActions(body, body.left, ctx.version, true);
  return {
    ...{ event, reason, table, priority, idleTimeout, hardTimeout, cookie, match, actions },
  };
}

/** Writes what is not about an entry. @returns false when `u` is */
function putShort(w: Writer, u: FlowUpdate, events: readonly string[]): boolean {
  if ('match' in u) return false;
  w.u16(SHORT_LENGTH).u16(events.indexOf(u.event));
  if (u.event === 'abbrev') w.u32(u.xid);
  else w.zeros(4);
  return true;
}

function putOldUpdate(w: Writer, u: FlowUpdate, ctx: MessageContext): void {
  if (putShort(w, u, EVENTS_OLD)) return;
  const e = u as FlowUpdateFull;
  const start = w.length;
  w.u16(0).u16(EVENTS_OLD.indexOf(e.event === 'initial' ? 'added' : e.event));
  w.u16(e.reason).u16(e.priority).u16(e.idleTimeout).u16(e.hardTimeout);
  const lengthAt = w.length;
  w.u16(0).u8(e.table).zeros(1).u64(e.cookie);
  if (ctx.version === OF13) {
    const at = w.length;
    putAnyMatch(w, e.match, ctx.version);
    w.setU16(lengthAt, matchLength(w, at));
    putInstructions(w, e.actions, ctx.version, e.match);
  } else {
    w.setU16(lengthAt, putNxMatch(w, e.match));
    putActions(w, e.actions, ctx.version, e.match);
  }
  w.setU16(start, w.length - start);
}

function getUpdate14(r: Reader, ctx: MessageContext): FlowUpdate {
  const head = getHead(r, EVENTS_14);
  const short = getShort(head);
  if (short !== undefined) return short;
  const { body } = head;
  const event = head.event as FlowUpdateFull['event'];
  const [table, reason] = [body.u8(), body.u8()];
  const [idleTimeout, hardTimeout, priority] = [body.u16(), body.u16(), body.u16()];
  const cookie = body.skip(4).u64();
  const match = getAnyMatch(body, ctx.version);
  const actions = getInstructions(body, body.left, ctx.version);
  return {
    ...{ event, reason, table, priority, idleTimeout, hardTimeout, cookie, match, actions },
  };
}

function putUpdate14(w: Writer, u: FlowUpdate, ctx: MessageContext): void {
  if (putShort(w, u, EVENTS_14)) return;
  const e = u as FlowUpdateFull;
  const start = w.length;
  w.u16(0).u16(EVENTS_14.indexOf(e.event)).u8(e.table).u8(e.reason);
  w.u16(e.idleTimeout).u16(e.hardTimeout).u16(e.priority).zeros(4).u64(e.cookie);
  putAnyMatch(w, e.match, ctx.version);
  putInstructions(w, e.actions, ctx.version, e.match);
  w.setU16(start, w.length - start);
}

function pauseRows(type: 'flow_monitor_paused' | 'flow_monitor_resumed', nx: number, onf: number) {
  const make = (cls: MessageClass, number: number, min: number, max: number): MessageRow =>
    row({
      ...{ type, cls, number, min, max, body: 0 },
      decode: () => ({ type }),
      encode: () => {},
    });
  return [make('nx', nx, 1, 3), make('onf', onf, 4, 4)];
}

function cancelRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const type = 'flow_monitor_cancel' as const;
  return row({
    ...{ type, cls, number, min, max, body: 4 },
    decode: (r) => ({ type, id: r.u32() }),
    encode: (w, msg) => void w.u32(msg.id),
  });
}

const REQUEST = 'flow_monitor_request';
const REPLY = 'flow_monitor_reply';
const NX = { number: 2, min: 1, max: 3, unit: 8 };
const ONF = { number: 1870, min: 4, max: 4, unit: 8 };
const OF14 = { number: 16, min: 5, max: 6, unit: 8 };

export const MONITOR_ROWS: readonly MessageRow[] = [
  listReply(REQUEST, { cls: 'nx_stats_request', ...NX }, getNxMonitor, putNxMonitor),
  listReply(REQUEST, { cls: 'onf_stats_request', ...ONF }, getOnfMonitor, putOnfMonitor),
  listReply(REQUEST, { cls: 'stats_request', ...OF14 }, getMonitor14, putMonitor14),
  listReply(REPLY, { cls: 'nx_stats_reply', ...NX }, getOldUpdate, putOldUpdate),
  listReply(REPLY, { cls: 'onf_stats_reply', ...ONF }, getOldUpdate, putOldUpdate),
  listReply(REPLY, { cls: 'stats_reply', ...OF14 }, getUpdate14, putUpdate14),
  cancelRow('nx', 21, 1, 3),
  cancelRow('onf', 1870, 4, 4),
  ...pauseRows('flow_monitor_paused', 22, 1871),
  ...pauseRows('flow_monitor_resumed', 23, 1872),
];
