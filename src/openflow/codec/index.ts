/**
 * The OpenFlow codec: bytes of any supported version to messages and back.
 *
 *     header:  version(8) type(8) length(16) xid(32), then the body
 *     vendor:  ... vendor(32) subtype(32)          statistics: ... type(16) flags(16) [zeros(32)]
 *
 * Decoding is bounded and total: any bytes give a message or the OpenFlow error to answer with.
 * Not here: framing a byte stream (../vconn.ts), text (../syntax/).
 */
import { fail, NX_VENDOR_ID, type OfErrorName, OfpError, ONF_VENDOR_ID } from '../errors.js';
import type { OfMessage } from '../messages.js';
import { Reader, Writer } from './buffer.js';
import { type MessagePlace, placeName } from './message-names.js';
import type { CodecOptions, MessageClass, MessageContext, MessageRow } from './message-row.js';
import { ASYNC_ROWS } from './messages-async.js';
import { BUNDLE_ROWS } from './messages-bundle.js';
import { CONTROL_ROWS } from './messages-control.js';
import { EXTENSION_ROWS } from './messages-extension.js';
import { FLOW_ROWS } from './messages-flow.js';
import { GROUP_ROWS } from './messages-group.js';
import { METER_ROWS } from './messages-meter.js';
import { MONITOR_ROWS } from './messages-monitor.js';
import { NOTICE_ROWS } from './messages-notice.js';
import { PACKET_ROWS } from './messages-packet.js';
import { QUEUE_ROWS } from './messages-queue.js';
import { STATS_ROWS } from './messages-stats.js';
import { TABLE_ROWS } from './messages-table.js';
import { forgetMask } from './oxm-write.js';
import { PORT_ROWS } from './ports.js';
import { codecWarning } from './warnings.js';

export type { MessagePlace } from './message-names.js';
export type { CodecOptions, MessageClass } from './message-row.js';

export const HEADER_LENGTH = 8;
export const MAX_LENGTH = 0xffff;
const MAX_VERSION = 6;
const VENDOR_TYPE = 4;
const STATS_VENDOR = 0xffff;
const STATS_MORE = 1;

export type Decoded =
  | { msg: OfMessage; xid: number; error?: undefined }
  | { error: OfErrorName; xid: number; msg?: undefined };

const ROWS: readonly MessageRow[] = [
  ...CONTROL_ROWS,
  ...FLOW_ROWS,
  ...PACKET_ROWS,
  ...STATS_ROWS,
  ...PORT_ROWS,
  ...GROUP_ROWS,
  ...METER_ROWS,
  ...BUNDLE_ROWS,
  ...ASYNC_ROWS,
  ...QUEUE_ROWS,
  ...TABLE_ROWS,
  ...MONITOR_ROWS,
  ...NOTICE_ROWS,
  ...EXTENSION_ROWS,
];
const UNKNOWN: Record<MessageClass, OfErrorName> = {
  msg: 'OFPBRC_BAD_TYPE',
  nx: 'OFPBRC_BAD_SUBTYPE',
  onf: 'OFPBRC_BAD_SUBTYPE',
  stats_request: 'OFPBRC_BAD_STAT',
  stats_reply: 'OFPBRC_BAD_STAT',
  nx_stats_request: 'OFPBRC_BAD_SUBTYPE',
  nx_stats_reply: 'OFPBRC_BAD_SUBTYPE',
  onf_stats_request: 'OFPBRC_BAD_SUBTYPE',
  onf_stats_reply: 'OFPBRC_BAD_SUBTYPE',
};

/** By version. */
type Index<K> = Map<K, MessageRow[]>[];
const makeIndex = <K>(): Index<K> => Array.from({ length: MAX_VERSION + 1 }, () => new Map());
const byNumber = new Map<MessageClass, Index<number>>();
const byType = makeIndex<OfMessage['type']>();

function append<K>(map: Map<K, MessageRow[]>, key: K, r: MessageRow): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [r]);
  else list.push(r);
}

for (const r of ROWS) {
  const index = byNumber.get(r.cls) ?? makeIndex<number>();
  byNumber.set(r.cls, index);
  for (let v = r.min; v <= r.max; v++) {
    append(index[v], r.number, r);
    append(byType[v], r.type, r);
  }
}

function rowsAt(version: number, place: Place, bytes: Uint8Array): MessageRow[] {
  const rows = byNumber.get(place.cls)?.[version]?.get(place.number);
  if (rows !== undefined) return rows;
  codecWarning('ofp_msgs', () => unknownText(place, bytes));
  return fail(UNKNOWN[place.cls]);
}

function unknownText({ cls, number }: Place, bytes: Uint8Array): string {
  let text = `unknown OpenFlow message (version ${bytes[0]}, type ${bytes[1]}`;
  const vendor = cls.startsWith('onf') ? ONF_VENDOR_ID : NX_VENDOR_ID;
  if (cls.includes('stats')) text += `, stat ${cls.includes('_stats_') ? STATS_VENDOR : number}`;
  if (/^(nx|onf)/.test(cls)) text += `, vendor 0x${vendor.toString(16)}, subtype ${number}`;
  return `${text})`;
}

/** Says how long a message may be, by the first of the rows that it might be of. */
function warnOfLength(rows: readonly MessageRow[], place: Place, reader: Reader): void {
  codecWarning('ofp_msgs', () => {
    const [{ body, unit, type }] = rows;
    const { bytes } = reader;
    const least = reader.pos + body;
    const name = placeName({ ...place, type, xid: 0, version: bytes[0] }, undefined);
    const wrong = `received ${name} with incorrect length ${bytes.length}`;
    if (unit === undefined) return `${wrong} (expected length ${least})`;
    if (unit === 1) return `${wrong} (expected length at least ${least} bytes)`;
    const more = `or longer by an integer multiple of ${unit} bytes`;
    return `${wrong} (must be exactly ${least} bytes ${more})`;
  });
}

const statsTypes = (version: number): [request: number, reply: number] =>
  version === 1 ? [16, 17] : [18, 19];

interface Place {
  cls: MessageClass;
  number: number;
  more: boolean;
}

/** Reads what follows the header up to the body, and says which message this is. */
function getPlace(r: Reader, version: number, type: number): Place {
  if (type === VENDOR_TYPE) {
    const vendor = r.u32();
    if (vendor !== NX_VENDOR_ID && vendor !== ONF_VENDOR_ID) fail('OFPBRC_BAD_VENDOR');
    return { cls: vendor === NX_VENDOR_ID ? 'nx' : 'onf', number: r.u32(), more: false };
  }
  const [request, reply] = statsTypes(version);
  if (type !== request && type !== reply) return { cls: 'msg', number: type, more: false };
  const kind = type === request ? 'stats_request' : 'stats_reply';
  const number = r.u16();
  const more = (r.u16() & STATS_MORE) !== 0;
  if (version > 1) r.skip(4);
  if (number !== STATS_VENDOR) return { cls: kind, number, more };
  const vendor = r.u32();
  if (vendor !== NX_VENDOR_ID && vendor !== ONF_VENDOR_ID) fail('OFPBRC_BAD_VENDOR');
  const subtype = r.u32();
  if (version === 1) r.skip(4);
  return { cls: `${vendor === NX_VENDOR_ID ? 'nx' : 'onf'}_${kind}`, number: subtype, more };
}

function lengthFits(r: MessageRow, left: number): boolean {
  if (left < r.body) return false;
  const rest = left - r.body;
  return r.unit === undefined ? rest === 0 : rest % r.unit === 0;
}

function decodeBody(bytes: Uint8Array, version: number, options: CodecOptions): OfMessage {
  const reader = new Reader(bytes, HEADER_LENGTH);
  const place = getPlace(reader, version, bytes[1]);
  const { left } = reader;
  let r: MessageRow | undefined;
  const rows = rowsAt(version, place, bytes);
  for (const candidate of rows) {
    if (r === undefined && lengthFits(candidate, left)) r = candidate;
  }
  if (r === undefined) {
    warnOfLength(rows, place, reader);
    fail('OFPBRC_BAD_LEN');
  }
  return r.decode(reader, { version, options, more: place.more });
}

/**
 * Decodes one message.
 * @param version the negotiated version (wire number), or 0 to take the message's own. Hello, error
 *   and echo messages are read in any version.
 * @param bytes exactly one message, header included.
 * @returns the message, or the name of the error to answer with; never throws for any bytes.
 */
export function decodeMessage(
  version: number,
  bytes: Uint8Array,
  options: CodecOptions = {},
): Decoded {
  const xid =
    bytes.length >= HEADER_LENGTH
      ? ((bytes[4] << 24) | (bytes[5] << 16) | (bytes[6] << 8) | bytes[7]) >>> 0
      : 0;
  try {
    if (bytes.length < HEADER_LENGTH) fail('OFPBRC_BAD_LEN');
    if (((bytes[2] << 8) | bytes[3]) !== bytes.length) fail('OFPBRC_BAD_LEN');
    const own = bytes[0];
    const always = bytes[1] <= 3;
    if (own === 0 || (!always && own > MAX_VERSION)) fail('OFPBRC_BAD_VERSION');
    if (version !== 0 && own !== version && !always) fail('OFPBRC_BAD_VERSION');
    return { msg: decodeBody(bytes, Math.min(own, MAX_VERSION), options), xid };
  } catch (e) {
    if (e instanceof OfpError) return { error: e.error, xid };
    throw e;
  }
}

/**
 * Which message a frame is, without decoding its body.
 * @param cut it may lack its end
 * @returns the error name when its header or length is wrong or it is unknown.
 */
export function identifyMessage(bytes: Uint8Array, cut = false): MessagePlace | OfErrorName {
  try {
    if (bytes.length < HEADER_LENGTH) fail('OFPBRC_BAD_LEN');
    const reader = new Reader(bytes, HEADER_LENGTH);
    const version = Math.min(bytes[0], MAX_VERSION);
    const place = getPlace(reader, version, bytes[1]);
    const rows = rowsAt(version, place, bytes);
    if (!cut && !rows.some((r) => lengthFits(r, reader.left))) {
      warnOfLength(rows, place, reader);
      fail('OFPBRC_BAD_LEN');
    }
    const xid = ((bytes[4] << 24) | (bytes[5] << 16) | (bytes[6] << 8) | bytes[7]) >>> 0;
    return { ...place, xid, version: bytes[0], type: rows[0].type };
  } catch (e) {
    if (e instanceof OfpError) return e.error;
    throw e;
  }
}

/** Writes everything before the body. */
function putHead(w: Writer, r: MessageRow, version: number, xid: number, more: boolean): void {
  const stats = r.cls.endsWith('stats_request') || r.cls.endsWith('stats_reply');
  const [request, reply] = statsTypes(version);
  let type = r.number;
  if (stats) type = r.cls.endsWith('request') ? request : reply;
  else if (r.cls === 'nx' || r.cls === 'onf') type = VENDOR_TYPE;
  w.u8(version).u8(type).u16(0).u32(xid);
  if (!stats) {
    if (r.cls === 'nx') w.u32(NX_VENDOR_ID).u32(r.number);
    else if (r.cls === 'onf') w.u32(ONF_VENDOR_ID).u32(r.number);
    return;
  }
  const vendor = r.cls.includes('_stats_');
  w.u16(vendor ? STATS_VENDOR : r.number).u16(more ? STATS_MORE : 0);
  if (version > 1) w.zeros(4);
  if (vendor) {
    w.u32(r.cls.startsWith('nx_') ? NX_VENDOR_ID : ONF_VENDOR_ID).u32(r.number);
    if (version === 1) w.zeros(4);
  }
}

function findRow(msg: OfMessage, ctx: MessageContext): MessageRow {
  const rows = byType[ctx.version]?.get(msg.type);
  const r = rows?.find((c) => c.serves === undefined || c.serves(msg as never, ctx));
  if (r === undefined) {
    throw new OfpError('OFPBRC_BAD_TYPE', `${msg.type} cannot be sent in version ${ctx.version}`);
  }
  return r;
}

/**
 * Encodes a message as one frame.
 * @throws OfpError when the version has no such message or it is longer than a frame can be
 *   (use encodeReplies for long lists).
 */
export function encodeMessage(
  version: number,
  msg: OfMessage,
  xid: number,
  options: CodecOptions = {},
): Uint8Array {
  const frames = encodeReplies(version, msg, xid, options);
  if (frames.length > 1) throw new OfpError('OFPBRC_BAD_LEN', `${msg.type} is too long`);
  return frames[0];
}

/** Between messages: frames are copied out of it. */
let spareWriter: Writer | null = null;

/** Encodes a message; lists of entries that do not fit one frame come as several. */
export function encodeReplies(
  version: number,
  msg: OfMessage,
  xid: number,
  options: CodecOptions = {},
): Uint8Array[] {
  const ctx: MessageContext = { version, options, more: false };
  const r = findRow(msg, ctx);
  const frames: Uint8Array[] = [];
  forgetMask();
  const moreAfter = 'more' in msg && msg.more === true;
  const w = spareWriter ?? new Writer();
  spareWriter = null;
  w.length = 0;
  const start = (): void => {
    putHead(w, r, version, xid, moreAfter);
    r.encode(w, msg as never, ctx);
  };
  const finish = (more: boolean): void => {
    if (w.length > MAX_LENGTH) throw new OfpError('OFPBRC_BAD_LEN', `${msg.type} is too long`);
    w.setU16(2, w.length);
    if (more) w.setU16(10, STATS_MORE);
    frames.push(w.finish());
  };
  start();
  const { encodeEntry } = r;
  if (encodeEntry !== undefined) {
    const bare = w.length;
    for (const entry of (msg as unknown as { entries?: never[] }).entries ?? []) {
      const before = w.length;
      encodeEntry(w, entry, ctx);
      if (w.length <= MAX_LENGTH) continue;
      if (before > bare) {
        // Too long: the frame ends before this entry, which opens the next one.
        w.length = before;
        finish(true);
        w.length = 0;
        start();
        encodeEntry(w, entry, ctx);
      }
      if (w.length <= MAX_LENGTH || r.leavesOut !== true) continue;
      w.length = bare;
      options.onLeftOut?.();
    }
  }
  finish(false);
  spareWriter = w;
  return frames;
}

/** A message as one version numbers it. */
export interface MessageKind {
  version: number;
  cls: MessageClass;
  number: number;
  type: OfMessage['type'];
}

/** Every message that the codec knows, in each version that has it. */
export function messageKinds(): MessageKind[] {
  return ROWS.flatMap(({ min, max, cls, number, type }) =>
    Array.from({ length: max - min + 1 }, (_, i) => ({ version: min + i, cls, number, type })),
  );
}
