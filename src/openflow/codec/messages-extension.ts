/**
 * Rows for Nicira's messages about tunnel options, tracked connections and IPFIX.
 *
 *     TLV map entry:  class(16) type(8) length(8) index(16) zeros(16)
 */
import { fail } from '../errors.js';
import type { CtFlush, CtTuple, TlvMapping } from '../messages-extension.js';
import type { IpfixStatsEntry } from '../messages-stats.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageRow, row } from './message-row.js';
import { getProperty, putProperty, putProperty16 } from './props.js';
import { emptyRequest, listReply } from './stats-list.js';

const ALL = { min: 1, max: 6 };
const TLV_COMMANDS = ['add', 'delete', 'clear'] as const;
const OPTION_LENGTH_MAX = 124;
const TLV_FIELDS = 64;

function getMappings(r: Reader, request: boolean): TlvMapping[] {
  const mappings: TlvMapping[] = [];
  while (r.left > 0) {
    const [optionClass, optionType, length] = [r.u16(), r.u8(), r.u8()];
    const index = r.u16();
    r.skip(2);
    if (request) {
      if (length % 4 !== 0 || length > OPTION_LENGTH_MAX) fail('NXTTMFC_BAD_OPT_LEN');
      if (index >= TLV_FIELDS) fail('NXTTMFC_BAD_FIELD_IDX');
    }
    mappings.push({ optionClass, optionType, length, index });
  }
  return mappings;
}

function putMappings(w: Writer, mappings: readonly TlvMapping[]): void {
  for (const m of mappings)
    w.u16(m.optionClass).u8(m.optionType).u8(m.length).u16(m.index).zeros(2);
}

/** Properties of a tuple: which member, and how many bytes it has. */
const TUPLE = { SRC: 0, DST: 1, SRC_PORT: 2, DST_PORT: 3, ICMP_ID: 4, ICMP_TYPE: 5, ICMP_CODE: 6 };

/** IPv4 addresses are mapped: ::ffff:a.b.c.d. Of ::, nothing can be said. */
function familyOf(address: Uint8Array): 4 | 6 | null {
  if (address.every((byte) => byte === 0)) return null;
  const mapped = address.every((byte, i) => i > 11 || byte === (i < 10 ? 0 : 0xff));
  return mapped ? 4 : 6;
}

/** @throws OFPBPC_BAD_VALUE when addresses of both families are there */
function checkFamilies({ orig, reply }: CtFlush): void {
  const addresses = [orig?.src, orig?.dst, reply?.src, reply?.dst];
  const families = addresses.flatMap((each) => (each === undefined ? [] : (familyOf(each) ?? [])));
  if (new Set(families).size > 1) fail('OFPBPC_BAD_VALUE');
}

function getTuple(r: Reader): CtTuple {
  const tuple: CtTuple = {};
  // What is nested begins at a multiple of 8.
  r.skip(4);
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    if (type === TUPLE.SRC) tuple.src = payload.take8(16);
    else if (type === TUPLE.DST) tuple.dst = payload.take8(16);
    else if (type === TUPLE.SRC_PORT) tuple.srcPort = payload.u16();
    else if (type === TUPLE.DST_PORT) tuple.dstPort = payload.u16();
    else if (type === TUPLE.ICMP_ID) tuple.icmpId = payload.u16();
    else if (type === TUPLE.ICMP_TYPE) tuple.icmpType = payload.u8();
    else if (type === TUPLE.ICMP_CODE) tuple.icmpCode = payload.u8();
  }
  return tuple;
}

function putTuple(w: Writer, type: number, t: CtTuple): void {
  putProperty(w, type, (p) => {
    p.zeros(4);
    const bytes = (n: number, value: Uint8Array | undefined): void => {
      if (value !== undefined) putProperty(p, n, (q) => q.put(value));
    };
    const wide = (n: number, value: number | undefined): void => {
      if (value !== undefined) putProperty16(p, n, value);
    };
    const narrow = (n: number, value: number | undefined): void => {
      if (value !== undefined) putProperty(p, n, (q) => q.u8(value));
    };
    bytes(TUPLE.SRC, t.src);
    bytes(TUPLE.DST, t.dst);
    wide(TUPLE.SRC_PORT, t.srcPort);
    wide(TUPLE.DST_PORT, t.dstPort);
    wide(TUPLE.ICMP_ID, t.icmpId);
    narrow(TUPLE.ICMP_TYPE, t.icmpType);
    narrow(TUPLE.ICMP_CODE, t.icmpCode);
  });
}

const CT = { ORIG: 0, REPLY: 1, ZONE: 2 } as const;

function getCtFlush(r: Reader): CtFlush {
  const msg: CtFlush = { type: 'nx_ct_flush', ipProto: r.u8() };
  r.zeros(7, 'NXBRC_MUST_BE_ZERO');
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    if (type === CT.ORIG) msg.orig = getTuple(payload);
    else if (type === CT.REPLY) msg.reply = getTuple(payload);
    else if (type === CT.ZONE) msg.zone = payload.u16();
  }
  checkFamilies(msg);
  return msg;
}

function putCtFlush(w: Writer, msg: CtFlush): void {
  w.u8(msg.ipProto).zeros(7);
  if (msg.orig !== undefined) putTuple(w, CT.ORIG, msg.orig);
  if (msg.reply !== undefined) putTuple(w, CT.REPLY, msg.reply);
  const { zone } = msg;
  if (zone !== undefined) putProperty16(w, CT.ZONE, zone);
}

/** In their order on the wire. */
const IPFIX_COUNTERS = [
  ...['totalFlows', 'currentFlows', 'packets', 'ipv4Packets', 'ipv6Packets', 'errorPackets'],
  ...['ipv4ErrorPackets', 'ipv6ErrorPackets', 'txPackets', 'txErrors'],
] as (keyof Omit<IpfixStatsEntry, 'collectorSet'>)[];

function getIpfix(r: Reader): IpfixStatsEntry {
  const entry = { collectorSet: 0 } as IpfixStatsEntry;
  for (const name of IPFIX_COUNTERS) entry[name] = r.u64();
  entry.collectorSet = r.u32();
  r.skip(4);
  return entry;
}

function putIpfix(w: Writer, e: IpfixStatsEntry): void {
  for (const name of IPFIX_COUNTERS) w.u64(e[name]);
  w.u32(e.collectorSet).zeros(4);
}

const IPFIX = { cls: 'nx_stats_reply', ...ALL, unit: 88 } as const;

export const EXTENSION_ROWS: readonly MessageRow[] = [
  row({
    ...{ type: 'nx_tlv_table_mod', cls: 'nx', number: 24, ...ALL, body: 8, unit: 8 },
    decode(r) {
      const command = TLV_COMMANDS[r.u16()] ?? fail('NXTTMFC_BAD_COMMAND');
      return { type: 'nx_tlv_table_mod', command, mappings: getMappings(r.skip(6), true) };
    },
    encode(w, msg) {
      w.u16(TLV_COMMANDS.indexOf(msg.command)).zeros(6);
      putMappings(w, msg.mappings);
    },
  }),
  row({
    ...{ type: 'nx_tlv_table_request', cls: 'nx', number: 25, ...ALL, body: 0 },
    decode: () => ({ type: 'nx_tlv_table_request' }),
    encode: () => {},
  }),
  row({
    ...{ type: 'nx_tlv_table_reply', cls: 'nx', number: 26, ...ALL, body: 16, unit: 8 },
    decode(r) {
      const [maxSpace, maxFields] = [r.u32(), r.u16()];
      const mappings = getMappings(r.skip(10), false);
      return { type: 'nx_tlv_table_reply', maxSpace, maxFields, mappings };
    },
    encode(w, msg) {
      w.u32(msg.maxSpace).u16(msg.maxFields).zeros(10);
      putMappings(w, msg.mappings);
    },
  }),
  row({
    ...{ type: 'nx_ct_flush_zone', cls: 'nx', number: 29, ...ALL, body: 8 },
    decode(r) {
      r.zeros(6, 'NXBRC_MUST_BE_ZERO');
      return { type: 'nx_ct_flush_zone', zone: r.u16() };
    },
    encode: (w, msg) => void w.zeros(6).u16(msg.zone),
  }),
  row({
    ...{ type: 'nx_ct_flush', cls: 'nx', number: 32, ...ALL, body: 8, unit: 8 },
    decode: getCtFlush,
    encode: putCtFlush,
  }),
  emptyRequest('ipfix_bridge_stats_request', 3, 1, 6, 'nx_stats_request'),
  emptyRequest('ipfix_flow_stats_request', 4, 1, 6, 'nx_stats_request'),
  listReply('ipfix_bridge_stats_reply', { ...IPFIX, number: 3 }, getIpfix, putIpfix),
  listReply('ipfix_flow_stats_reply', { ...IPFIX, number: 4 }, getIpfix, putIpfix),
];
