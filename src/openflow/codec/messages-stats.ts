/**
 * Rows for statistics: description, flows, aggregates and tables. Not here: ports (ports.ts),
 * queues (messages-queue.ts), what tables can do (messages-table.ts).
 * Source: OpenFlow 1.0 section 5.3.5; OpenFlow 1.3 section 7.3.5; Nicira extensions.
 */
import { portFrom16, portTo16 } from '../../packet/fields.js';
import { fail } from '../errors.js';
import type { FlowStatsEntry, FlowStatsRequest } from '../messages.js';
import type { FlowStatsReply, TableAbilities, TableStatsEntry } from '../messages-stats.js';
import { getActions, getInstructions, putActions, putInstructions } from './actions.js';
import type { Reader, Writer } from './buffer.js';
import { getMatch10, matchFits10, putMatch10 } from './match10.js';
import { getAnyMatch, putAnyMatch } from './match11.js';
import { type MessageClass, type MessageContext, type MessageRow, row } from './message-row.js';
import { flowFlagBits, getFlowFlags } from './messages-flow.js';
import { getNxMatch, getOxmMatch, putNxMatch, putOxmMatch } from './oxm.js';
import { getOxs, putOxs } from './oxs.js';
import { getPort32 } from './port-number.js';
import { emptyRequest, listReply } from './stats-list.js';

const NO_GROUP = 0xffffffff;

function flowRequestRows(number: number, nxNumber: number, aggregate: boolean): MessageRow[] {
  const type = 'flow_stats_request' as const;
  const mine = (msg: FlowStatsRequest): boolean => msg.aggregate === aggregate;
  const none = { outGroup: NO_GROUP, cookie: 0n, cookieMask: 0n };
  return [
    row({
      ...{ type, cls: 'stats_request', number, min: 1, max: 1, body: 44 },
      decode(r) {
        const { match } = getMatch10(r);
        const table = r.u8();
        const outPort = portFrom16(r.skip(1).u16());
        return { type, aggregate, table, match, outPort, ...none };
      },
      encode(w, msg) {
        putMatch10(w, msg.match);
        w.u8(msg.table).zeros(1).u16(portTo16(msg.outPort));
      },
      serves: (msg) => mine(msg) && msg.nx === false,
    }),
    row({
      ...{ type, cls: 'nx_stats_request', number: nxNumber, min: 1, max: 1, body: 8, unit: 8 },
      decode(r) {
        const outPort = portFrom16(r.u16());
        const length = r.u16();
        const table = r.u8();
        const m = getNxMatch(r.skip(3), length, true);
        if (r.left > 0) fail('OFPBRC_BAD_LEN');
        return { type, nx: true, aggregate, table, outPort, outGroup: NO_GROUP, ...m };
      },
      encode(w, msg) {
        w.u16(portTo16(msg.outPort)).u16(0).u8(msg.table).zeros(3);
        const lengthAt = w.length - 6;
        w.setU16(lengthAt, putNxMatch(w, msg.match, msg.cookie, msg.cookieMask));
      },
      serves: (msg) => mine(msg) && msg.nx !== false,
    }),
    row({
      ...{ type, cls: 'stats_request', number, min: 2, max: 6, body: 32, unit: 8 },
      decode(r, ctx) {
        const table = r.u8();
        const outPort = getPort32(r.skip(3));
        const outGroup = r.u32();
        const [cookie, cookieMask] = [r.skip(4).u64(), r.u64()];
        const match = getAnyMatch(r, ctx.version);
        return { type, aggregate, table, match, outPort, outGroup, cookie, cookieMask };
      },
      encode(w, msg, ctx) {
        w.u8(msg.table).zeros(3).u32(msg.outPort).u32(msg.outGroup).zeros(4);
        w.u64(msg.cookie & msg.cookieMask).u64(msg.cookieMask);
        putAnyMatch(w, msg.match, ctx.version);
      },
      serves: mine,
    }),
  ];
}

const NO_FLAGS = {
  sendFlowRem: false,
  checkOverlap: false,
  resetCounts: false,
  noPktCounts: false,
  noByteCounts: false,
};

function getFlow10(r: Reader): FlowStatsEntry {
  const length = r.u16();
  if (length < 88) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const table = e.u8();
  const { match } = getMatch10(e.skip(1));
  const [durationSec, durationNsec] = [e.u32(), e.u32()];
  const [priority, idleTimeout, hardTimeout] = [e.u16(), e.u16(), e.u16()];
  const [cookie, packets, bytes] = [e.skip(6).u64(), e.u64(), e.u64()];
  const actions = getActions(e, e.left, 1, true);
  return {
    table,
    match,
    priority,
    cookie,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    idleAge: -1,
    hardAge: -1,
    importance: 0,
    packets,
    bytes,
    flags: { ...NO_FLAGS },
    actions,
  };
}

function putFlow10(w: Writer, e: FlowStatsEntry): void {
  const start = w.length;
  w.u16(0).u8(e.table).zeros(1);
  putMatch10(w, e.match);
  w.u32(e.durationSec).u32(e.durationNsec).u16(e.priority).u16(e.idleTimeout).u16(e.hardTimeout);
  w.zeros(6).u64(e.cookie).u64(e.packets).u64(e.bytes);
  putActions(w, e.actions, 1, e.match);
  w.setU16(start, w.length - start);
}

const getAge = (raw: number): number => (raw === 0 ? -1 : raw - 1);
const ageBits = (age: number): number => (age < 0 ? 0 : Math.min(age + 1, 0xffff));

function getNxFlow(r: Reader): FlowStatsEntry {
  const length = r.u16();
  if (length < 48) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const table = e.u8();
  const [durationSec, durationNsec] = [e.skip(1).u32(), e.u32()];
  const [priority, idleTimeout, hardTimeout] = [e.u16(), e.u16(), e.u16()];
  const matchLength = e.u16();
  const [idleAge, hardAge] = [getAge(e.u16()), getAge(e.u16())];
  const [cookie, packets, bytes] = [e.u64(), e.u64(), e.u64()];
  const { match } = getNxMatch(e, matchLength);
  const actions = getActions(e, e.left, 1, true);
  return {
    table,
    match,
    priority,
    cookie,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    idleAge,
    hardAge,
    importance: 0,
    packets,
    bytes,
    flags: { ...NO_FLAGS },
    actions,
  };
}

function putNxFlow(w: Writer, e: FlowStatsEntry): void {
  const start = w.length;
  w.u16(0).u8(e.table).zeros(1).u32(e.durationSec).u32(e.durationNsec);
  w.u16(e.priority).u16(e.idleTimeout).u16(e.hardTimeout).u16(0);
  w.u16(ageBits(e.idleAge)).u16(ageBits(e.hardAge));
  w.u64(e.cookie).u64(e.packets).u64(e.bytes);
  const matchLength = putNxMatch(w, e.match);
  w.setU16(start + 18, matchLength);
  putActions(w, e.actions, 1, e.match);
  w.setU16(start, w.length - start);
}

function getFlow13(r: Reader, ctx: MessageContext): FlowStatsEntry {
  const length = r.u16();
  if (length < 56) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const table = e.u8();
  const [durationSec, durationNsec] = [e.skip(1).u32(), e.u32()];
  const [priority, idleTimeout, hardTimeout] = [e.u16(), e.u16(), e.u16()];
  const rawFlags = e.u16();
  const importance = e.u16();
  const [cookie, packets, bytes] = [e.skip(2).u64(), e.u64(), e.u64()];
  const match = getAnyMatch(e, ctx.version);
  const actions = getInstructions(e, e.left, ctx.version);
  return {
    table,
    match,
    priority,
    cookie,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    idleAge: -1,
    hardAge: -1,
    importance: ctx.version >= 5 ? importance : 0,
    packets,
    bytes,
    flags: ctx.version >= 4 ? getFlowFlags(rawFlags, ctx.version) : { ...NO_FLAGS },
    actions,
  };
}

function putFlow13(w: Writer, e: FlowStatsEntry, ctx: MessageContext): void {
  const start = w.length;
  w.u16(0).u8(e.table).zeros(1).u32(e.durationSec).u32(e.durationNsec);
  w.u16(e.priority).u16(e.idleTimeout).u16(e.hardTimeout);
  w.u16(ctx.version >= 4 ? flowFlagBits(e.flags, ctx.version) : 0);
  w.u16(ctx.version >= 5 ? e.importance : 0).zeros(2);
  w.u64(e.cookie).u64(e.packets).u64(e.bytes);
  putAnyMatch(w, e.match, ctx.version);
  putInstructions(w, e.actions, ctx.version, e.match);
  w.setU16(start, w.length - start);
}

function getFlow15(r: Reader, ctx: MessageContext): FlowStatsEntry {
  const length = r.u16();
  if (length < 40) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const table = e.skip(2).u8();
  const [priority, idleTimeout, hardTimeout] = [e.skip(1).u16(), e.u16(), e.u16()];
  const flags = getFlowFlags(e.u16(), ctx.version);
  const [importance, cookie] = [e.u16(), e.u64()];
  const match = getOxmMatch(e);
  const { flows: _, ...stats } = getOxs(e);
  const actions = getInstructions(e, e.left, ctx.version);
  return {
    ...{ table, match, priority, cookie, idleTimeout, hardTimeout, importance, flags, actions },
    ...{ ...stats, hardAge: -1 },
  };
}

function putFlow15(w: Writer, e: FlowStatsEntry, ctx: MessageContext): void {
  const start = w.length;
  w.zeros(4).u8(e.table).zeros(1).u16(e.priority).u16(e.idleTimeout).u16(e.hardTimeout);
  w.u16(flowFlagBits(e.flags, ctx.version)).u16(e.importance).u64(e.cookie);
  putOxmMatch(w, e.match, ctx.version);
  const { durationSec, durationNsec, idleAge, packets, bytes } = e;
  putOxs(w, { durationSec, durationNsec, idleAge, packets, bytes });
  putInstructions(w, e.actions, ctx.version, e.match);
  w.setU16(start, w.length - start);
}

/** Flows that 1.0's own match cannot express are in Nicira's replies alone. */
export const flowFits10 = (e: FlowStatsEntry): boolean => matchFits10(e.match);

const nxReply = (msg: FlowStatsReply): boolean => msg.nx === true;

const FLOW_REPLIES: MessageRow[] = [
  {
    ...listReply('flow_stats_reply', { number: 1, min: 1, max: 1, unit: 1 }, getFlow10, putFlow10),
    serves: (msg: never) => !nxReply(msg),
  },
  {
    ...listReply(
      'flow_stats_reply',
      { cls: 'nx_stats_reply', number: 0, min: 1, max: 1, unit: 1 },
      getNxFlow,
      putNxFlow,
      { nx: true },
    ),
    serves: (msg: never) => nxReply(msg),
  },
  listReply('flow_stats_reply', { number: 1, min: 2, max: 5, unit: 1 }, getFlow13, putFlow13),
  listReply('flow_stats_reply', { number: 1, min: 6, max: 6, unit: 1 }, getFlow15, putFlow15),
].map((each) => ({ ...each, leavesOut: true }));

function aggregateRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const nx = cls === 'nx_stats_reply';
  return row({
    ...{ type: 'aggregate_stats_reply', cls, number, min, max, body: 24 },
    decode(r) {
      const [packets, bytes, flows] = [r.u64(), r.u64(), r.u32()];
      return { type: 'aggregate_stats_reply', ...(nx && { nx }), packets, bytes, flows };
    },
    encode: (w, msg) => void w.u64(msg.packets).u64(msg.bytes).u32(msg.flows).zeros(4),
    serves: (msg, ctx) => ctx.version !== 1 || (msg.nx === true) === nx,
  });
}

const AGGREGATE_15 = row({
  ...{ type: 'aggregate_stats_reply', cls: 'stats_reply', number: 2, min: 6, max: 6 },
  ...{ body: 8, unit: 8 },
  decode(r) {
    const { packets, bytes, flows } = getOxs(r);
    return { type: 'aggregate_stats_reply', packets, bytes, flows };
  },
  encode: (w, { packets, bytes, flows }) => putOxs(w, { packets, bytes, flows }),
});

function getTable10(r: Reader): TableStatsEntry {
  const table = r.u8();
  const name = r.skip(3).text(32);
  const [wildcards, maxEntries, active] = [r.u32(), r.u32(), r.u32()];
  return { table, name, wildcards, maxEntries, active, lookups: r.u64(), matched: r.u64() };
}

function putTable10(w: Writer, e: TableStatsEntry): void {
  w.u8(e.table).zeros(3).text(e.name, 32).u32(e.wildcards).u32(e.maxEntries).u32(e.active);
  w.u64(e.lookups).u64(e.matched);
}

const OF11 = 2;
/** output, set_queue, group, push and pop of tags, fields as 1.1 sets them, time to live. */
export const ACTIONS_11 = 0x01ffe7ff;
/** The same with set_field in place of the actions for single fields. */
export const ACTIONS_12 = 0x03ff8001;
/** The fields of 1.1; bit 10 stands for the type of the match. */
const FIELDS_11 = 0xfbffn;
/** What misses do, in a table's configuration. */
const TABLE_MISS_MASK = 3;
/** The fields of 1.2, by their numbers. */
const FIELDS_12 = 0xfffffffffn;
/** Of these, eth_type and ip_proto cannot be set. */
const SETTABLE_12 = FIELDS_12 & ~((1n << 5n) | (1n << 10n));
/** Bits by number: goto_table 1, write_metadata, write_actions, apply_actions, clear_actions 5. */
const INSTRUCTIONS = 0x3e;
const INSTRUCTIONS_LAST = 0x3c;
const ALL64 = 0xffffffffffffffffn;

function getTable11(r: Reader, ctx: MessageContext): TableStatsEntry {
  const table = r.u8();
  const name = r.skip(7).text(32);
  const abilities = ctx.version === OF11 ? getAbilities11(r) : getAbilities12(r);
  const missConfig = r.u32() & TABLE_MISS_MASK;
  const [maxEntries, active] = [r.u32(), r.u32()];
  const counts = { maxEntries, active, lookups: r.u64(), matched: r.u64() };
  return { table, name, wildcards: 0, ...counts, missConfig, abilities };
}

function getAbilities11(r: Reader): TableAbilities {
  const [wildcards, match] = [BigInt(r.u32()), BigInt(r.u32())];
  const [instructions, writeActions, applyActions] = [r.u32(), r.u32(), r.u32()];
  const actions = { writeActions, applyActions, writeSetFields: 0n, applySetFields: 0n };
  return { match, wildcards, ...actions, metadataMatch: 0n, metadataWrite: 0n, instructions };
}

function getAbilities12(r: Reader): TableAbilities {
  return {
    ...{ match: r.u64(), wildcards: r.u64() },
    ...{ writeActions: r.u32(), applyActions: r.u32() },
    ...{ writeSetFields: r.u64(), applySetFields: r.u64() },
    ...{ metadataMatch: r.u64(), metadataWrite: r.u64(), instructions: r.u32() },
  };
}

/** All that this switch can. */
function abilitiesOf(e: TableStatsEntry, version: number): TableAbilities {
  const [instructions, fields, actions] = [
    e.last === true ? INSTRUCTIONS_LAST : INSTRUCTIONS,
    version === OF11 ? FIELDS_11 : FIELDS_12,
    version === OF11 ? ACTIONS_11 : ACTIONS_12,
  ];
  return {
    ...{ match: fields, wildcards: fields, writeActions: actions, applyActions: actions },
    ...{ writeSetFields: SETTABLE_12, applySetFields: SETTABLE_12 },
    ...{ metadataMatch: ALL64, metadataWrite: ALL64, instructions },
  };
}

function putTable11(w: Writer, e: TableStatsEntry, ctx: MessageContext): void {
  const a = e.abilities ?? abilitiesOf(e, ctx.version);
  w.u8(e.table).zeros(7).text(e.name, 32);
  if (ctx.version === OF11) {
    w.u32(Number(a.wildcards)).u32(Number(a.match)).u32(a.instructions);
    w.u32(a.writeActions).u32(a.applyActions);
  } else {
    w.u64(a.match).u64(a.wildcards).u32(a.writeActions).u32(a.applyActions);
    w.u64(a.writeSetFields).u64(a.applySetFields).u64(a.metadataMatch).u64(a.metadataWrite);
    w.u32(a.instructions);
  }
  w.u32(e.missConfig ?? 0)
    .u32(e.maxEntries)
    .u32(e.active)
    .u64(e.lookups)
    .u64(e.matched);
}

function getTable13(r: Reader): TableStatsEntry {
  const table = r.u8();
  const active = r.skip(3).u32();
  const counts = { active, lookups: r.u64(), matched: r.u64() };
  return { table, name: '', wildcards: 0, maxEntries: 0, ...counts };
}

function putTable13(w: Writer, e: TableStatsEntry): void {
  w.u8(e.table).zeros(3).u32(e.active).u64(e.lookups).u64(e.matched);
}

const DESC_LENGTHS = {
  mfrDesc: 256,
  hwDesc: 256,
  swDesc: 256,
  serialNum: 32,
  dpDesc: 256,
} as const;

export const STATS_ROWS: readonly MessageRow[] = [
  emptyRequest('desc_stats_request', 0, 1, 6),
  row({
    ...{ type: 'desc_stats_reply', cls: 'stats_reply', number: 0, min: 1, max: 6, body: 1056 },
    decode: (r) => ({
      type: 'desc_stats_reply',
      mfrDesc: r.text(DESC_LENGTHS.mfrDesc),
      hwDesc: r.text(DESC_LENGTHS.hwDesc),
      swDesc: r.text(DESC_LENGTHS.swDesc),
      serialNum: r.text(DESC_LENGTHS.serialNum),
      dpDesc: r.text(DESC_LENGTHS.dpDesc),
    }),
    encode(w, msg) {
      for (const key of Object.keys(DESC_LENGTHS) as (keyof typeof DESC_LENGTHS)[]) {
        w.text(msg[key], DESC_LENGTHS[key]);
      }
    },
  }),
  ...flowRequestRows(1, 0, false),
  ...flowRequestRows(2, 1, true),
  ...FLOW_REPLIES,
  aggregateRow('stats_reply', 2, 1, 5),
  aggregateRow('nx_stats_reply', 1, 1, 1),
  AGGREGATE_15,
  emptyRequest('table_stats_request', 3, 1, 6),
  listReply('table_stats_reply', { number: 3, min: 1, max: 1, unit: 64 }, getTable10, putTable10),
  listReply('table_stats_reply', { number: 3, min: 2, max: 2, unit: 88 }, getTable11, putTable11),
  listReply('table_stats_reply', { number: 3, min: 3, max: 3, unit: 128 }, getTable11, putTable11),
  listReply('table_stats_reply', { number: 3, min: 4, max: 6, unit: 24 }, getTable13, putTable13),
];
