/**
 * NXM and OXM: matches as a list of type-length-value entries, and single field headers in actions.
 *
 *     class(16) field(7) hasmask(1) length(8) [experimenter(32)] value [mask]
 *
 * Nicira's nx_match of OpenFlow 1.0 is the bare list; from OpenFlow 1.2 on the list follows a
 * header of type and length. Source: OpenFlow 1.5.1 section 7.2.3, ovs-fields(7).
 */

import {
  FIELDS,
  type Field,
  fieldByHeader,
  fieldHeader,
  fieldIsWild,
  fieldPrereqsOk,
  fieldSet,
  fieldValueValid,
  mustField,
} from '../../packet/fields.js';
import { bytesToBigint } from '../../packet/fields-subfield.js';
import { fail } from '../errors.js';
import { type Match, matchAny } from '../match.js';
import { takeTunOption } from '../tun-metadata.js';
import type { Reader, Writer } from './buffer.js';
import { putEntries } from './oxm-write.js';

export { putEntries };

const CLASS_EXPERIMENTER = 0xffff;
/** The flow cookie as a pseudo-field of nx_match. */
const NXM_NX_COOKIE = { class: 1, field: 30 };
const COOKIE_BYTES = 8;
const EVERY_COOKIE_BIT = 0xffffffffffffffffn;

/** A header; the same one each time, as only one is looked at. */
const HEADER: Entry = { field: undefined, isCookie: false, hasMask: false, width: 0 };

interface Entry {
  field: Field | undefined;
  isCookie: boolean;
  hasMask: boolean;
  /** Bytes of value, and of mask. */
  width: number;
}

function readHeader(r: Reader): Entry {
  const cls = r.u16();
  const rest = r.u16();
  let length = rest & 0xff;
  let vendor = 0;
  if (cls === CLASS_EXPERIMENTER) {
    vendor = r.u32();
    if (length < 4) fail('OFPBMC_BAD_LEN');
    length -= 4;
  }
  const number = rest >> 9;
  const hasMask = (rest & 0x100) !== 0;
  HEADER.field = fieldByHeader(vendor, cls, number);
  HEADER.isCookie = cls === NXM_NX_COOKIE.class && number === NXM_NX_COOKIE.field;
  HEADER.hasMask = hasMask;
  HEADER.width = hasMask ? length >> 1 : length;
  return HEADER;
}

/**
 * Reads a field header as actions carry it (no value follows).
 * @param maskToo whether it may say that there is a mask, too: that means nothing
 */
export function getFieldHeader(r: Reader, maskToo = false): Field {
  const entry = readHeader(r);
  if (entry.field === undefined) fail('OFPBAC_BAD_SET_TYPE');
  if (entry.hasMask && !maskToo) fail('OFPBMC_BAD_MASK');
  if (entry.field.option === undefined && entry.width !== entry.field.nBytes) {
    fail('OFPBAC_BAD_SET_TYPE');
  }
  return entry.field;
}

/** Writes a field header. `ofVersion` 1 prefers NXM numbers. */
export function putFieldHeader(
  w: Writer,
  field: Field,
  ofVersion: number,
  hasMask = false,
  nBytes = field.nBytes,
): void {
  const h = fieldHeader(field, ofVersion);
  if (h === undefined) fail('OFPBAC_BAD_SET_TYPE', `${field.name} has no NXM or OXM number`);
  const length = (hasMask ? 2 : 1) * nBytes + (h.class === CLASS_EXPERIMENTER ? 4 : 0);
  w.u16(h.class).u16((h.field << 9) | (hasMask ? 0x100 : 0) | length);
  if (h.class === CLASS_EXPERIMENTER) w.u32(h.vendor);
}

/** A value as long as its field: tunnel options may come without their leading zeros. */
function whole(field: Field, value: Uint8Array): Uint8Array {
  if (value.length === field.nBytes) return value;
  const out = new Uint8Array(field.nBytes);
  const low = value.subarray(0, field.nBytes);
  out.set(low, field.nBytes - low.length);
  return out;
}

/** Reads a header with value and mask, as in set_field. */
export function getEntry(r: Reader): { field: Field; value: Uint8Array; mask: Uint8Array } {
  const entry = readHeader(r);
  if (entry.field === undefined) fail('OFPBAC_BAD_SET_TYPE');
  const { field } = entry;
  if (field.option === undefined && entry.width !== field.nBytes) fail('OFPBAC_BAD_SET_LEN');
  const value = r.take8(entry.width);
  const ones = new Uint8Array(field.nBytes).fill(0xff);
  const mask = entry.hasMask ? r.take8(entry.width) : ones;
  if (entry.hasMask && hasBitsOutside(value, mask)) fail('OFPBMC_BAD_WILDCARDS');
  return { field, value: whole(field, value), mask: entry.hasMask ? whole(field, mask) : ones };
}

/** Writes a header with value and, unless it is all ones, mask. */
export function putEntry(
  w: Writer,
  field: Field,
  ofVersion: number,
  value: Uint8Array,
  mask?: Uint8Array,
): void {
  const hasMask = mask?.some((b) => b !== 0xff) === true;
  // Tunnel options go without the zeros that value and mask begin with.
  let from = 0;
  if (field.option !== undefined) {
    while (from < field.nBytes && value[from] === 0 && (!hasMask || mask?.[from] === 0)) from += 1;
  }
  putFieldHeader(w, field, ofVersion, hasMask, field.nBytes - from);
  w.put(value.subarray(from));
  if (hasMask && mask !== undefined) w.put(mask.subarray(from));
}

export interface DecodedMatch {
  match: Match;
  cookie: bigint;
  cookieMask: bigint;
}

/**
 * Reads entries until the reader's end.
 * @param allowCookie whether the cookie pseudo-field may appear (flow mods and flow stats
 *   requests).
 * @param loose skip unknown fields and do not check prerequisites (metadata of packet-ins).
 */
export function getEntries(r: Reader, allowCookie: boolean, loose: boolean): DecodedMatch {
  const out: DecodedMatch = { match: matchAny(), cookie: 0n, cookieMask: 0n };
  while (r.left > 0) {
    if (r.left < 4) fail('OFPBMC_BAD_LEN');
    const entry = readHeader(r);
    const plain = entry.field === undefined ? undefined : PLAIN.get(entry.field);
    if (plain !== undefined && entry.width === plain.field.nBytes) {
      getPlain(r, plain, entry.hasMask, out.match, loose);
      continue;
    }
    const value = r.take8(entry.width);
    const mask = entry.hasMask ? r.take8(entry.width) : undefined;
    if (mask !== undefined && hasBitsOutside(value, mask)) fail('OFPBMC_BAD_WILDCARDS');
    // The cookie shares its number with NXM_NX_MPLS_TTL, which is one byte wide.
    if (entry.isCookie && allowCookie && entry.width === COOKIE_BYTES) {
      if (out.cookieMask !== 0n) fail('OFPBMC_DUP_FIELD');
      out.cookie = bytesToBigint(value);
      out.cookieMask = mask === undefined ? EVERY_COOKIE_BIT : bytesToBigint(mask);
    } else if (entry.field !== undefined) {
      setMatchField(out.match, entry.field, value, mask, loose);
    } else if (!loose) fail('OFPBMC_BAD_FIELD');
  }
  return out;
}

/** A field that is a number of its own in one word, where every number is a valid value. */
interface PlainField {
  field: Field;
  word: number;
  shift: number;
  bits: number;
}

const NOT_PLAIN = /^(nsh_ttl|nsh_mdtype|packet_type|arp_op|ct_state|ipv6_label|tun_erspan.*)$/;

const PLAIN: ReadonlyMap<Field, PlainField> = new Map(
  FIELDS.filter((f) => {
    const sized = f.nBytes === 1 || f.nBytes === 2 || f.nBytes === 4;
    const whole = f.nBits === f.nBytes * 8 && f.layoutBits === f.nBits;
    const inOne = (f.startBit & 31) + f.layoutBits <= 32;
    const usual = f.special === undefined && f.format !== 'ofport11' && !NOT_PLAIN.test(f.name);
    return sized && whole && inOne && usual;
  }).map((field) => [
    field,
    {
      field,
      word: field.startBit >> 5,
      shift: 32 - (field.startBit & 31) - field.layoutBits,
      bits: field.layoutBits === 32 ? -1 : (1 << field.layoutBits) - 1,
    },
  ]),
);

function getNumber(r: Reader, nBytes: number): number {
  return nBytes === 1 ? r.u8() : nBytes === 2 ? r.u16() : r.u32() | 0;
}

/** As setMatchField does with bytes. */
function getPlain(
  r: Reader,
  { field, word, shift, bits }: PlainField,
  hasMask: boolean,
  { flow, mask }: Match,
  loose: boolean,
): void {
  const value = getNumber(r, field.nBytes);
  const maskBits = hasMask ? getNumber(r, field.nBytes) : bits;
  if ((value & ~maskBits) !== 0) fail('OFPBMC_BAD_WILDCARDS');
  if (!field.maskable && maskBits !== bits && maskBits !== 0) fail('OFPBMC_BAD_MASK');
  if (!loose && !fieldPrereqsOk(field, flow, mask)) fail('OFPBMC_BAD_PREREQ');
  if (((mask[word] >>> shift) & bits) !== 0) fail('OFPBMC_DUP_FIELD');
  flow[word] = (flow[word] & ~(bits << shift)) | (value << shift);
  mask[word] |= maskBits << shift;
}

function hasBitsOutside(value: Uint8Array, mask: Uint8Array): boolean {
  for (let i = 0; i < value.length; i++) if ((value[i] & ~mask[i]) !== 0) return true;
  return false;
}

/** All ones or all zeros. */
const isUniform = (mask: Uint8Array): boolean =>
  mask.every((b) => b === 0xff) || mask.every((b) => b === 0);

function setMatchField(
  match: Match,
  field: Field,
  value: Uint8Array,
  mask: Uint8Array | undefined,
  loose: boolean,
): void {
  if (field.option !== undefined) {
    takeTunOption(match, field, value, mask);
    return;
  }
  if (value.length !== field.nBytes) {
    if (loose) return;
    fail('OFPBMC_BAD_LEN');
  }
  if (!field.maskable && mask !== undefined && !isUniform(mask)) fail('OFPBMC_BAD_MASK');
  if (!fieldValueValid(field, value)) fail('OFPBMC_BAD_VALUE');
  if (!loose && !fieldPrereqsOk(field, match.flow, match.mask)) fail('OFPBMC_BAD_PREREQ');
  if (!fieldIsWild(match.mask, field)) fail('OFPBMC_DUP_FIELD');
  // Ethernet is what every packet is: asking for it says nothing.
  if (field.name === 'packet_type' && value.every((b) => b === 0)) return;
  fieldSet(match.flow, match.mask, field, value, mask);
}

/** Reads an nx_match of `length` bytes and the padding after it. */
export function getNxMatch(r: Reader, length: number, allowCookie = false, loose = false) {
  const padded = (length + 7) & ~7;
  if (padded > r.left) fail('OFPBMC_BAD_LEN');
  const entries = r.sub(length, 'OFPBMC_BAD_LEN');
  r.skip(padded - length);
  return getEntries(entries, allowCookie, loose);
}

/** Reads an ofp_match of OpenFlow 1.2 and later, with its padding. */
export function getOxmMatch(r: Reader, loose = false): Match {
  if (r.left < 4) fail('OFPBMC_BAD_LEN');
  const type = r.u16();
  const length = r.u16();
  if (length < 4) fail('OFPBMC_BAD_LEN');
  if (type !== 1) fail('OFPBMC_BAD_TYPE');
  const padded = ((length + 7) & ~7) - 4;
  if (padded > r.left) fail('OFPBMC_BAD_LEN');
  const entries = r.sub(length - 4, 'OFPBMC_BAD_LEN');
  r.skip(padded - (length - 4));
  return getEntries(entries, false, loose).match;
}

/**
 * Writes an nx_match with padding; returns its length without. A zero cookie mask writes no cookie.
 */
export function putNxMatch(w: Writer, match: Match, cookie = 0n, cookieMask = 0n): number {
  const start = w.length;
  putEntries(w, match, 1);
  if (cookieMask !== 0n) {
    const masked = cookieMask !== 0xffffffffffffffffn;
    w.u16(NXM_NX_COOKIE.class).u16(
      (NXM_NX_COOKIE.field << 9) | (masked ? 0x100 : 0) | (masked ? 16 : 8),
    );
    w.u64(cookie & cookieMask);
    if (masked) w.u64(cookieMask);
  }
  const length = w.length - start;
  w.align(start);
  return length;
}

/** Writes an ofp_match of OpenFlow 1.2 and later, with padding. */
export function putOxmMatch(w: Writer, match: Match, ofVersion: number): void {
  const start = w.length;
  w.u16(1).u16(0);
  putEntries(w, match, ofVersion);
  w.setU16(start + 2, w.length - start);
  w.align(start);
}

/**
 * Reads fields as a select group names them: headers without mask bit, each followed by the mask of
 * the bits that count.
 */
export function getFieldArray(r: Reader): { field: string; mask: Uint8Array }[] {
  const fields: { field: string; mask: Uint8Array }[] = [];
  while (r.left > 0) {
    if (r.left < 4) fail('OFPBMC_BAD_LEN');
    const entry = readHeader(r);
    const mask = r.take8(entry.hasMask ? entry.width * 2 : entry.width);
    const { field } = entry;
    if (field === undefined) fail('OFPBMC_BAD_FIELD');
    if (entry.hasMask || mask.length !== field.nBytes) fail('OFPBMC_BAD_LEN');
    if (fields.some((f) => f.field === field.name)) fail('OFPBMC_DUP_FIELD');
    if (!field.maskable && !mask.every((b) => b === 0xff || b === 0)) fail('OFPBMC_BAD_MASK');
    fields.push({ field: field.name, mask });
  }
  return fields;
}

/** Writes what getFieldArray reads. */
export function putFieldArray(
  w: Writer,
  fields: readonly { field: string; mask: Uint8Array }[],
  ofVersion: number,
): void {
  for (const { field, mask } of fields) {
    putFieldHeader(w, mustField(field), ofVersion);
    w.put(mask);
  }
}
