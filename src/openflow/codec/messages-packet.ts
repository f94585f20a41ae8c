/**
 * Rows for packet-in and packet-out, in the specification's and Nicira's forms.
 * Source: OpenFlow 1.0 sections 5.3.6 and 5.4.1; OpenFlow 1.3 sections 7.3.7 and 7.4.1; Nicira
 * extensions.
 */

import { portFrom16, portTo16 } from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import { type Match, matchAny } from '../match.js';
import type { PacketIn, PacketOut } from '../messages.js';
import { getActions, putActions } from './actions.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageRow, row } from './message-row.js';
import { getEntries, getNxMatch, getOxmMatch, putEntries, putNxMatch, putOxmMatch } from './oxm.js';
import { getPort32 } from './port-number.js';
import { getProperty, putProperty } from './props.js';

const NO_COOKIE = 0xffffffffffffffffn;
const BUFFER_NONE = 0xffffffff;

/** Reasons from 3 on exist since 1.4; before, they are 'action'. */
function packetInReason(reason: number, version: number): number {
  return version < 5 && reason > 2 ? 1 : reason;
}

/** Metadata of a packet-in that carries the input port alone. */
function inPortMatch(inPort: number): Match {
  const match = matchAny();
  match.flow[L.W_IN_PORT] = inPort;
  match.mask[L.W_IN_PORT] = -1;
  return match;
}

function packetIn(fields: Partial<PacketIn> & { data: Uint8Array }): PacketIn {
  const metadata = fields.metadata ?? inPortMatch(fields.inPort ?? 0);
  const inPort = metadata.mask[L.W_IN_PORT] !== 0 ? metadata.flow[L.W_IN_PORT] >>> 0 : 0;
  return {
    ...{ type: 'packet_in', bufferId: BUFFER_NONE, totalLen: fields.data.length, reason: 0 },
    ...{ table: 0, cookie: NO_COOKIE, inPort, metadata },
    ...fields,
  };
}

const PACKET_IN_ROWS: MessageRow[] = [
  row({
    type: 'packet_in',
    cls: 'msg',
    number: 10,
    min: 1,
    max: 1,
    body: 10,
    unit: 1,
    decode(r) {
      const [bufferId, totalLen] = [r.u32(), r.u16()];
      const inPort = portFrom16(r.u16());
      const reason = r.u8();
      const data = r.skip(1).rest();
      return packetIn({ format: 'standard', bufferId, totalLen, inPort, reason, data });
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u16(msg.totalLen).u16(portTo16(msg.inPort));
      w.u8(packetInReason(msg.reason, ctx.version)).zeros(1).put(msg.data);
    },
    serves: (msg) => msg.format === undefined || msg.format === 'standard',
  }),
  row({
    type: 'packet_in',
    cls: 'msg',
    number: 10,
    min: 2,
    max: 2,
    body: 16,
    unit: 1,
    decode(r) {
      const [bufferId, inPort] = [r.u32(), getPort32(r)];
      const [totalLen, reason, table] = [r.skip(4).u16(), r.u8(), r.u8()];
      const head = { bufferId, totalLen, inPort, reason, table };
      return packetIn({ format: 'standard', ...head, data: r.rest() });
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u32(msg.inPort).u32(msg.inPort).u16(msg.totalLen);
      w.u8(packetInReason(msg.reason, ctx.version)).u8(msg.table).put(msg.data);
    },
    serves: (msg) => msg.format === undefined || msg.format === 'standard',
  }),
  row({
    type: 'packet_in',
    cls: 'msg',
    number: 10,
    min: 3,
    max: 6,
    body: 8,
    unit: 1,
    decode(r, ctx) {
      const [bufferId, totalLen, reason, table] = [r.u32(), r.u16(), r.u8(), r.u8()];
      const cookie = ctx.version >= 4 ? r.u64() : NO_COOKIE;
      const metadata = getOxmMatch(r, true);
      const data = r.skip(2).rest();
      const head = { bufferId, totalLen, reason, table, cookie, metadata };
      return packetIn({ format: 'standard', ...head, data });
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u16(msg.totalLen);
      w.u8(packetInReason(msg.reason, ctx.version)).u8(msg.table);
      if (ctx.version >= 4) w.u64(msg.cookie);
      putOxmMatch(w, msg.metadata, ctx.version);
      w.zeros(2).put(msg.data);
    },
    serves: (msg) => msg.format === undefined || msg.format === 'standard',
  }),
  row({
    type: 'packet_in',
    cls: 'nx',
    number: 17,
    min: 1,
    max: 6,
    body: 24,
    unit: 1,
    decode(r) {
      const [bufferId, totalLen, reason, table] = [r.u32(), r.u16(), r.u8(), r.u8()];
      const cookie = r.u64();
      const matchLength = r.u16();
      const metadata = getNxMatch(r.skip(6), matchLength, false, true).match;
      const data = r.skip(2).rest();
      const head = { bufferId, totalLen, reason, table, cookie, metadata };
      return packetIn({ format: 'nxt_packet_in', ...head, data });
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u16(msg.totalLen);
      w.u8(packetInReason(msg.reason, ctx.version)).u8(msg.table).u64(msg.cookie);
      const lengthAt = w.length;
      w.u16(0).zeros(6);
      w.setU16(lengthAt, putNxMatch(w, msg.metadata));
      w.zeros(2).put(msg.data);
    },
    serves: (msg) => msg.format === 'nxt_packet_in',
  }),
  row({
    type: 'packet_in',
    cls: 'nx',
    number: 30,
    min: 1,
    max: 6,
    body: 0,
    unit: 8,
    decode: (r) => getPacketIn2(r),
    encode: (w, msg, ctx) => putPacketIn2(w, msg, ctx.version),
    serves: (msg) => msg.format === 'nxt_packet_in2',
  }),
];

function getPacketIn2(r: Reader): PacketIn {
  const out: Partial<PacketIn> = { format: 'nxt_packet_in2', metadata: matchAny() };
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    if (type === 0) out.data = payload.rest();
    else if (type === 1) out.totalLen = payload.u32();
    else if (type === 2) out.bufferId = payload.u32();
    else if (type === 3) out.table = payload.u8();
    else if (type === 4) out.cookie = payload.skip(4).u64();
    else if (type === 5) out.reason = payload.u8();
    else if (type === 6) out.metadata = getEntries(payload, false, true).match;
    else if (type === 7) out.userdata = payload.rest();
    else if (type === 8) out.continuation = payload.skip(4).rest();
    else fail('OFPBPC_BAD_TYPE');
  }
  const { data } = out;
  if (data === undefined || data.length === 0) fail('OFPBRC_BAD_LEN');
  if (out.totalLen !== undefined && out.totalLen < data.length) fail('OFPBRC_BAD_LEN');
  return packetIn({ ...out, data });
}

function putPacketIn2(w: Writer, msg: PacketIn, version: number): void {
  putProperty(w, 0, (p) => p.put(msg.data));
  if (msg.totalLen !== msg.data.length) putProperty(w, 1, (p) => p.u32(msg.totalLen));
  if (msg.bufferId !== BUFFER_NONE) putProperty(w, 2, (p) => p.u32(msg.bufferId));
  putProperty(w, 3, (p) => p.u8(msg.table));
  if (msg.cookie !== NO_COOKIE) putProperty(w, 4, (p) => p.zeros(4).u64(msg.cookie));
  putProperty(w, 5, (p) => p.u8(packetInReason(msg.reason, version)));
  putProperty(w, 6, (p) => putEntries(p, msg.metadata, version));
  const { userdata } = msg;
  if (userdata !== undefined) putProperty(w, 7, (p) => p.put(userdata));
  putContinuation(w, msg.continuation);
}

/** Properties in a property: they begin at a multiple of eight. */
function putContinuation(w: Writer, continuation: Uint8Array | undefined): void {
  if (continuation !== undefined) putProperty(w, 8, (p) => p.zeros(4).put(continuation));
}

const RESUME_ROW: MessageRow = row({
  type: 'nx_resume',
  cls: 'nx',
  number: 28,
  min: 1,
  max: 6,
  body: 0,
  unit: 8,
  decode(r) {
    const { data, metadata, reason, continuation = new Uint8Array(0) } = getPacketIn2(r);
    const resume = { type: 'nx_resume' as const, data, metadata, continuation };
    return reason === 0 ? resume : { ...resume, reason };
  },
  encode(w, msg, ctx) {
    putProperty(w, 0, (p) => p.put(msg.data));
    const { reason } = msg;
    if (reason !== undefined) putProperty(w, 5, (p) => p.u8(packetInReason(reason, ctx.version)));
    putProperty(w, 6, (p) => putEntries(p, msg.metadata, ctx.version));
    putContinuation(w, msg.continuation);
  },
});

function checkInPort(port: number): number {
  if (port < 0xff00 || port === OFPP.LOCAL || port === OFPP.NONE || port === OFPP.CONTROLLER) {
    return port;
  }
  return fail('OFPBRC_BAD_PORT');
}

/** Words of the packet itself, which a controller's packet brings along. */
const PACKET_WORDS = { from: L.W_DL_DST, to: L.W_IGMP } as const;

/** What a match says besides the port, or null. @throws OFPBRC_PIPELINE_FIELDS_ONLY */
function beyondInPort(match: Match): Match | null {
  const { from, to } = PACKET_WORDS;
  if (match.mask.subarray(from, to + 1).some((word) => word !== 0)) {
    fail('OFPBRC_PIPELINE_FIELDS_ONLY');
  }
  const rest = { ...match, flow: match.flow.slice(), mask: match.mask.slice() };
  rest.flow[L.W_IN_PORT] = 0;
  rest.mask[L.W_IN_PORT] = 0;
  return rest.mask.some((word) => word !== 0) ? rest : null;
}

function packetOutMatch({ inPort, metadata }: PacketOut): Match {
  const port = inPortMatch(inPort);
  if (metadata === undefined) return port;
  const match = { ...metadata, flow: metadata.flow.slice(), mask: metadata.mask.slice() };
  match.flow[L.W_IN_PORT] = port.flow[L.W_IN_PORT];
  match.mask[L.W_IN_PORT] = -1;
  return match;
}

function finishPacketOut(r: Reader, bufferId: number, inPort: number, length: number, v: number) {
  const actions = getActions(r, length, v);
  const data = bufferId === BUFFER_NONE ? r.rest() : new Uint8Array(0);
  const msg: PacketOut = {
    type: 'packet_out',
    bufferId,
    inPort: checkInPort(inPort),
    data,
    actions,
  };
  return msg;
}

const PACKET_OUT_ROWS: MessageRow[] = [
  row({
    type: 'packet_out',
    cls: 'msg',
    number: 13,
    min: 1,
    max: 1,
    body: 8,
    unit: 1,
    decode(r) {
      const [bufferId, inPort, length] = [r.u32(), portFrom16(r.u16()), r.u16()];
      return finishPacketOut(r, bufferId, inPort, length, 1);
    },
    encode(w, msg) {
      w.u32(msg.bufferId).u16(portTo16(msg.inPort)).u16(0);
      const start = w.length;
      putActions(w, msg.actions, 1);
      w.setU16(start - 2, w.length - start);
      w.put(msg.data);
    },
  }),
  row({
    type: 'packet_out',
    cls: 'msg',
    number: 13,
    min: 2,
    max: 5,
    body: 16,
    unit: 1,
    decode(r, ctx) {
      const [bufferId, inPort, length] = [r.u32(), getPort32(r), r.u16()];
      return finishPacketOut(r.skip(6), bufferId, inPort, length, ctx.version);
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u32(msg.inPort).u16(0).zeros(6);
      const start = w.length;
      putActions(w, msg.actions, ctx.version);
      w.setU16(start - 8, w.length - start);
      w.put(msg.data);
    },
  }),
  row({
    type: 'packet_out',
    cls: 'msg',
    number: 13,
    min: 6,
    max: 6,
    body: 8,
    unit: 1,
    decode(r, ctx) {
      const [bufferId, length] = [r.u32(), r.u16()];
      const match = getOxmMatch(r.skip(2), true);
      if (match.mask[L.W_IN_PORT] === 0) fail('OFPBRC_BAD_PORT');
      const inPort = match.flow[L.W_IN_PORT] >>> 0;
      const msg = finishPacketOut(r, bufferId, inPort, length, ctx.version);
      const metadata = beyondInPort(match);
      return metadata === null ? msg : { ...msg, metadata };
    },
    encode(w, msg, ctx) {
      w.u32(msg.bufferId).u16(0).zeros(2);
      const lengthAt = w.length - 4;
      putOxmMatch(w, packetOutMatch(msg), ctx.version);
      const start = w.length;
      putActions(w, msg.actions, ctx.version);
      w.setU16(lengthAt, w.length - start);
      w.put(msg.data);
    },
  }),
];

export const PACKET_ROWS: readonly MessageRow[] = [
  ...PACKET_IN_ROWS,
  RESUME_ROW,
  ...PACKET_OUT_ROWS,
];
