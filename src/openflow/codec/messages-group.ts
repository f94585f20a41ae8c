/**
 * Rows for groups: group mod, statistics, descriptions and features, with the buckets of
 * OpenFlow 1.1 to 1.4 and of 1.5 (which Nicira's extension brings to 1.0).
 *
 *     1.1:  len weight watch_port watch_group pad, actions
 *     1.5:  len actions_len bucket_id, actions, properties
 *
 * Source: OpenFlow 1.3.5 section 7.3.4.2; OpenFlow 1.5.1 section 7.3.4.3.
 */
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import {
  BUCKET,
  type Bucket,
  GROUP_TYPES,
  type GroupCommand,
  type GroupDescEntry,
  type GroupMod,
  type GroupProps,
  type GroupStatsEntry,
  type GroupType,
  NO_GROUP_PROPS,
  OFPG,
} from '../messages-groups.js';
import { getActions, putActions } from './actions.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageClass, type MessageContext, type MessageRow, row } from './message-row.js';
import { getFieldArray, putFieldArray } from './oxm.js';
import { getProperty, putProperty } from './props.js';
import { emptyRequest, listReply } from './stats-list.js';

const COMMAND_NUMBERS: Record<GroupCommand, number> = {
  add: 0,
  modify: 1,
  delete: 2,
  insert_bucket: 3,
  remove_bucket: 5,
  add_or_mod: 0x8000,
};
const COMMANDS = new Map(
  Object.entries(COMMAND_NUMBERS).map(([name, n]) => [n, name as GroupCommand]),
);

/** Bucket properties of 1.5. */
const PROP = { WEIGHT: 0, WATCH_PORT: 1, WATCH_GROUP: 2, EXPERIMENTER: 0xffff } as const;
/** Netronome, and the number that Open vSwitch 2.4 took for it. */
const NTR_VENDORS = [0x154d, 0x1540];
const NTR_SELECTION_METHOD = 1;
const METHOD_BYTES = 16;
const BUCKET11_BYTES = 16;
const BUCKET15_BYTES = 8;

/** 1.0 has Nicira's extension, which is made like 1.5. */
const like15 = (version: number): boolean => version === 1 || version >= 6;

function getWatchPort(port: number): number {
  if (port >= 0xff00 && port < OFPP.MAX) fail('OFPGMFC_BAD_WATCH');
  return port;
}

function getBuckets11(r: Reader, version: number): Bucket[] {
  const buckets: Bucket[] = [];
  while (r.left > 0) {
    if (r.left < BUCKET11_BYTES) fail('OFPGMFC_BAD_BUCKET');
    const length = r.u16();
    if (length < BUCKET11_BYTES || length - 2 > r.left) fail('OFPGMFC_BAD_BUCKET');
    const b = r.sub(length - 2);
    const [weight, watchPort, watchGroup] = [b.u16(), b.u32(), b.u32()];
    const actions = getActions(b.skip(4), b.left, version);
    const id = buckets.length;
    buckets.push({ id, weight, watchPort: getWatchPort(watchPort), watchGroup, actions });
  }
  return buckets;
}

function getBucket15(r: Reader, version: number, select: boolean): Bucket {
  if (r.left < BUCKET15_BYTES) fail('OFPGMFC_BAD_BUCKET');
  const length = r.u16();
  if (length < BUCKET15_BYTES || length - 2 > r.left) fail('OFPGMFC_BAD_BUCKET');
  const b = r.sub(length - 2);
  const [actionsLength, id] = [b.u16(), b.u32()];
  if (actionsLength > b.left) fail('OFPGMFC_BAD_BUCKET');
  const actions = getActions(b, actionsLength, version);
  const bucket: Bucket = {
    ...{ id, weight: select ? 1 : 0, watchPort: OFPP.NONE, watchGroup: OFPG.ANY, actions },
  };
  while (b.left > 0) {
    const { type, payload } = getProperty(b);
    if (type === PROP.EXPERIMENTER) fail('OFPBPC_BAD_EXP_TYPE');
    if (type > PROP.WATCH_GROUP) fail('OFPBPC_BAD_TYPE');
    // A weight is padded, and the padding counts.
    const fits = type === PROP.WEIGHT ? payload.left >= 2 : payload.left === 4;
    if (!fits) fail('OFPBPC_BAD_LEN');
    if (type === PROP.WEIGHT) bucket.weight = payload.u16();
    else if (type === PROP.WATCH_PORT) bucket.watchPort = payload.u32();
    else bucket.watchGroup = payload.u32();
  }
  getWatchPort(bucket.watchPort);
  if (id > BUCKET.MAX) fail('OFPGMFC_BAD_BUCKET');
  return bucket;
}

function getBuckets15(r: Reader, version: number, type: number): Bucket[] {
  const buckets: Bucket[] = [];
  const ids = new Set<number>();
  while (r.left > 0) {
    const bucket = getBucket15(r, version, GROUP_TYPES[type] === 'select');
    buckets.push(bucket);
    ids.add(bucket.id);
  }
  if (ids.size < buckets.length) fail('OFPGMFC_BAD_BUCKET');
  return buckets;
}

function getSelectionMethod(p: Reader, type: number, changes: boolean): GroupProps {
  if (type >= GROUP_TYPES.length) fail('OFPGMFC_BAD_TYPE');
  if (GROUP_TYPES[type] !== 'select' || !changes) fail('OFPBPC_BAD_VALUE');
  // Padding, the method's name and its parameter.
  if (p.left < 4 + METHOD_BYTES + 8) fail('OFPBPC_BAD_LEN');
  const name = p.skip(4).text(METHOD_BYTES);
  if (name !== 'hash' && name !== 'dp_hash') fail('OFPBPC_BAD_VALUE');
  const selectionMethodParam = p.u64();
  if (p.left > 0 && name !== 'hash') fail('OFPBPC_BAD_VALUE');
  return { selectionMethod: name, selectionMethodParam, fields: getFieldArray(p) };
}

/** @param changes whether the message makes or changes a group, or describes one. */
function getProps(r: Reader, type: number, changes: boolean): GroupProps {
  let props = NO_GROUP_PROPS;
  while (r.left > 0) {
    const property = getProperty(r);
    if (property.type !== PROP.EXPERIMENTER) fail('OFPBPC_BAD_TYPE');
    if (property.payload.left < 8) fail('OFPBPC_BAD_LEN');
    const [vendor, number] = [property.payload.u32(), property.payload.u32()];
    if (!NTR_VENDORS.includes(vendor) || number !== NTR_SELECTION_METHOD) {
      fail('OFPBPC_BAD_EXP_TYPE');
    }
    props = getSelectionMethod(property.payload, type, changes);
  }
  return props;
}

function putBuckets11(w: Writer, buckets: readonly Bucket[], version: number): void {
  for (const b of buckets) {
    const start = w.length;
    w.u16(0).u16(b.weight).u32(b.watchPort).u32(b.watchGroup).zeros(4);
    putActions(w, b.actions, version);
    w.setU16(start, w.length - start);
  }
}

/** Numbers for buckets that have none: the lowest that no bucket before has. */
function bucketIds(buckets: readonly Bucket[]): number[] {
  const used = new Set(buckets.map((b) => b.id));
  let free = 0;
  return buckets.map((b) => {
    if (b.id <= BUCKET.MAX) return b.id;
    while (used.has(free)) free++;
    used.add(free);
    return free;
  });
}

function putBuckets15(
  w: Writer,
  buckets: readonly Bucket[],
  version: number,
  type: GroupType,
): void {
  const ids = bucketIds(buckets);
  for (const [i, b] of buckets.entries()) {
    const start = w.length;
    w.u16(0).u16(0).u32(ids[i]);
    putActions(w, b.actions, version);
    w.setU16(start + 2, w.length - start - BUCKET15_BYTES);
    if (type === 'select' || b.weight !== 0) {
      putProperty(w, PROP.WEIGHT, (p) => p.u16(b.weight).zeros(2));
    }
    if (b.watchPort !== OFPP.NONE) {
      putProperty(w, PROP.WATCH_PORT, (p) => p.u32(b.watchPort));
    }
    if (b.watchGroup !== OFPG.ANY) {
      putProperty(w, PROP.WATCH_GROUP, (p) => p.u32(b.watchGroup));
    }
    w.setU16(start, w.length - start);
  }
}

function putProps(w: Writer, props: GroupProps, version: number): void {
  if (props.selectionMethod === '') return;
  putProperty(w, PROP.EXPERIMENTER, (p) => {
    p.u32(NTR_VENDORS[0]).u32(NTR_SELECTION_METHOD).zeros(4);
    p.text(props.selectionMethod, METHOD_BYTES).u64(props.selectionMethodParam);
    putFieldArray(p, props.fields, version);
  });
}

/** What a group mod says wrong however its bytes are right. */
function checkGroupMod(command: number, type: number, buckets: readonly Bucket[]): void {
  const name = COMMANDS.get(command);
  const kind = GROUP_TYPES[type] ?? fail('OFPGMFC_BAD_TYPE');
  if (kind === 'indirect' && name !== 'delete' && buckets.length !== 1) {
    fail('OFPGMFC_INVALID_GROUP');
  }
  if (name === undefined) fail('OFPGMFC_BAD_COMMAND');
  if (name === 'remove_bucket' && buckets.length > 0) fail('OFPGMFC_BAD_BUCKET');
  for (const b of buckets) {
    if (b.weight !== 0 && kind !== 'select' && name !== 'insert_bucket') {
      fail('OFPGMFC_INVALID_GROUP');
    }
    const watches = b.watchPort !== OFPP.NONE || b.watchGroup !== OFPG.ANY;
    if (watches && (kind === 'all' || kind === 'indirect')) fail('OFPGMFC_WATCH_UNSUPPORTED');
    if (!watches && kind === 'ff') fail('OFPGMFC_INVALID_GROUP');
  }
}

function asGroupMod(
  command: number,
  type: number,
  rest: Omit<GroupMod, 'type' | 'command' | 'groupType'>,
): GroupMod {
  checkGroupMod(command, type, rest.buckets);
  const name = COMMANDS.get(command) as GroupCommand;
  return { type: 'group_mod', command: name, groupType: GROUP_TYPES[type], ...rest };
}

function getGroupMod11(r: Reader, ctx: MessageContext): GroupMod {
  const [command, type, group] = [r.u16(), r.u8(), r.skip(1).u32()];
  const buckets = getBuckets11(r, ctx.version);
  if (ctx.version >= 4 && command === COMMAND_NUMBERS.delete && buckets.length > 0) {
    fail('OFPGMFC_INVALID_GROUP');
  }
  const commandBucketId = BUCKET.ALL;
  return asGroupMod(command, type, { group, commandBucketId, buckets, props: NO_GROUP_PROPS });
}

function commandBucketOk(command: number, id: number): boolean {
  const name = COMMANDS.get(command);
  if (name !== 'insert_bucket' && name !== 'remove_bucket') return id === BUCKET.ALL;
  if (name === 'remove_bucket' && id === BUCKET.ALL) return true;
  return id <= BUCKET.MAX || id === BUCKET.FIRST || id === BUCKET.LAST;
}

function getGroupMod15(r: Reader, ctx: MessageContext): GroupMod {
  const [command, type, group] = [r.u16(), r.u8(), r.skip(1).u32()];
  const bucketsLength = r.u16();
  const commandBucketId = r.skip(2).u32();
  if (!commandBucketOk(command, commandBucketId)) fail('OFPGMFC_BAD_BUCKET');
  if (bucketsLength > r.left) fail('OFPBRC_BAD_LEN');
  const buckets = getBuckets15(r.sub(bucketsLength), ctx.version, type);
  const changes = ['add', 'modify', 'add_or_mod'].includes(COMMANDS.get(command) ?? '');
  const props = getProps(r, type, changes);
  return asGroupMod(command, type, { group, commandBucketId, buckets, props });
}

function putGroupMod(w: Writer, msg: GroupMod, ctx: MessageContext): void {
  w.u16(COMMAND_NUMBERS[msg.command]).u8(GROUP_TYPES.indexOf(msg.groupType)).zeros(1);
  w.u32(msg.group);
  if (!like15(ctx.version)) {
    putBuckets11(w, msg.buckets, ctx.version);
    return;
  }
  const lengthAt = w.length;
  w.u16(0).zeros(2).u32(msg.commandBucketId);
  const start = w.length;
  putBuckets15(w, msg.buckets, ctx.version, msg.groupType);
  w.setU16(lengthAt, w.length - start);
  putProps(w, msg.props, ctx.version);
}

function modRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const wide = like15(min);
  return row({
    ...{ type: 'group_mod', cls, number, min, max, body: wide ? 16 : 8, unit: 8 },
    decode: wide ? getGroupMod15 : getGroupMod11,
    encode: putGroupMod,
  });
}

function requestRow(
  type: 'group_stats_request' | 'group_desc_request',
  place: { cls?: MessageClass; number: number; min: number; max: number },
): MessageRow {
  return row({
    ...{ type, cls: 'stats_request', body: 8, ...place },
    decode: (r) => ({ type, group: r.u32() }),
    encode: (w, msg) => void w.u32(msg.group).zeros(4),
  });
}

function getDesc(r: Reader, ctx: MessageContext): GroupDescEntry {
  const wide = like15(ctx.version);
  const length = r.u16();
  if (length < (wide ? 16 : 8) || length - 2 > r.left) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const [type, group] = [e.u8(), e.skip(1).u32()];
  if (type >= GROUP_TYPES.length) fail('OFPGMFC_BAD_TYPE');
  const groupType = GROUP_TYPES[type];
  if (!wide) {
    return { group, groupType, buckets: getBuckets11(e, ctx.version), props: NO_GROUP_PROPS };
  }
  const bucketsLength = e.u16();
  e.skip(6);
  if (bucketsLength > e.left) fail('OFPBRC_BAD_LEN');
  const buckets = getBuckets15(e.sub(bucketsLength), ctx.version, type);
  return { group, groupType, buckets, props: getProps(e, type, true) };
}

function putDesc(w: Writer, e: GroupDescEntry, ctx: MessageContext): void {
  const start = w.length;
  w.u16(0).u8(GROUP_TYPES.indexOf(e.groupType)).zeros(1).u32(e.group);
  if (like15(ctx.version)) {
    w.u16(0).zeros(6);
    const at = w.length;
    putBuckets15(w, e.buckets, ctx.version, e.groupType);
    w.setU16(start + 8, w.length - at);
    putProps(w, e.props, ctx.version);
  } else putBuckets11(w, e.buckets, ctx.version);
  w.setU16(start, w.length - start);
}

const hasDuration = (version: number): boolean => version === 1 || version >= 4;

function getStats(r: Reader, ctx: MessageContext): GroupStatsEntry {
  const timed = hasDuration(ctx.version);
  const length = r.u16();
  if (length < (timed ? 40 : 32)) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const [group, refCount] = [e.skip(2).u32(), e.u32()];
  const [packets, bytes] = [e.skip(4).u64(), e.u64()];
  const durationSec = timed ? e.u32() : 0xffffffff;
  const durationNsec = timed ? e.u32() : 0xffffffff;
  const buckets: GroupStatsEntry['buckets'] = [];
  while (e.left > 0) buckets.push({ packets: e.u64(), bytes: e.u64() });
  return { group, refCount, packets, bytes, durationSec, durationNsec, buckets };
}

function putStats(w: Writer, e: GroupStatsEntry, ctx: MessageContext): void {
  const timed = hasDuration(ctx.version);
  w.u16((timed ? 40 : 32) + 16 * e.buckets.length).zeros(2);
  w.u32(e.group).u32(e.refCount).zeros(4).u64(e.packets).u64(e.bytes);
  if (timed) w.u32(e.durationSec).u32(e.durationNsec);
  for (const b of e.buckets) w.u64(b.packets).u64(b.bytes);
}

function featuresRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const four = (r: Reader): number[] => [r.u32(), r.u32(), r.u32(), r.u32()];
  return row({
    ...{ type: 'group_features_reply', cls, number, min, max, body: 40 },
    decode(r) {
      const [types, capabilities] = [r.u32(), r.u32()];
      const [maxGroups, actions] = [four(r), four(r)];
      return { type: 'group_features_reply', types, capabilities, maxGroups, actions };
    },
    encode(w, msg) {
      w.u32(msg.types).u32(msg.capabilities);
      for (const n of [...msg.maxGroups, ...msg.actions]) w.u32(n);
    },
  });
}

/** 1.1 to 1.4 ask for the description of all groups. */
const DESC_REQUEST_11 = row({
  ...{ type: 'group_desc_request', cls: 'stats_request', number: 7, min: 2, max: 5, body: 0 },
  decode: () => ({ type: 'group_desc_request', group: OFPG.ALL }),
  encode: () => {},
});

const NX_REQUEST = { cls: 'nx_stats_request', min: 1, max: 1 } as const;
const NX_REPLY = { cls: 'nx_stats_reply', min: 1, max: 1, unit: 8 } as const;

export const GROUP_ROWS: readonly MessageRow[] = [
  modRow('nx', 31, 1, 1),
  modRow('msg', 15, 2, 5),
  modRow('msg', 15, 6, 6),
  requestRow('group_stats_request', { ...NX_REQUEST, number: 7 }),
  requestRow('group_stats_request', { number: 6, min: 2, max: 6 }),
  listReply('group_stats_reply', { ...NX_REPLY, number: 7 }, getStats, putStats),
  listReply('group_stats_reply', { number: 6, min: 2, max: 6, unit: 8 }, getStats, putStats),
  requestRow('group_desc_request', { ...NX_REQUEST, number: 8 }),
  DESC_REQUEST_11,
  requestRow('group_desc_request', { number: 7, min: 6, max: 6 }),
  listReply('group_desc_reply', { ...NX_REPLY, number: 8 }, getDesc, putDesc),
  listReply('group_desc_reply', { number: 7, min: 2, max: 6, unit: 8 }, getDesc, putDesc),
  emptyRequest('group_features_request', 9, 1, 2, 'nx_stats_request'),
  emptyRequest('group_features_request', 8, 3, 6),
  featuresRow('nx_stats_reply', 9, 1, 2),
  featuresRow('stats_reply', 8, 3, 6),
];
