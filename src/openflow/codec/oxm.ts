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
  fieldGet,
  fieldGetMask,
  fieldHeader,
  fieldIsWild,
  fieldPrereqsOk,
  fieldSet,
  fieldValueValid,
  mustField,
} from '../../packet/fields.js';
import { bytesToBigint } from '../../packet/fields-subfield.js';
import * as L from '../../packet/flow-layout.js';
import { fail } from '../errors.js';
import { type Match, matchAny } from '../match.js';
import type { Reader, Writer } from './buffer.js';

const CLASS_EXPERIMENTER = 0xffff;
/** The flow cookie as a pseudo-field of nx_match. */
const NXM_NX_COOKIE = { class: 1, field: 30 };
const COOKIE_BYTES = 8;

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
  return {
    field: fieldByHeader(vendor, cls, number),
    isCookie: cls === NXM_NX_COOKIE.class && number === NXM_NX_COOKIE.field,
    hasMask,
    width: hasMask ? length >> 1 : length,
  };
}

/**
 * Reads a field header as actions carry it (no value follows).
 * The width is not checked against the field: decoders of actions use the field alone.
 */
export function getFieldHeader(r: Reader): Field {
  const entry = readHeader(r);
  if (entry.field === undefined) fail('OFPBAC_BAD_SET_TYPE');
  if (entry.hasMask) fail('OFPBMC_BAD_MASK');
  if (entry.width !== entry.field.nBytes) fail('OFPBAC_BAD_SET_TYPE');
  return entry.field;
}

/** Writes a field header. `ofVersion` 1 prefers NXM numbers. */
export function putFieldHeader(w: Writer, field: Field, ofVersion: number, hasMask = false): void {
  const h = fieldHeader(field, ofVersion);
  if (h === undefined) fail('OFPBAC_BAD_SET_TYPE', `${field.name} has no NXM or OXM number`);
  const length = (hasMask ? 2 : 1) * field.nBytes + (h.class === CLASS_EXPERIMENTER ? 4 : 0);
  w.u16(h.class).u16((h.field << 9) | (hasMask ? 0x100 : 0) | length);
  if (h.class === CLASS_EXPERIMENTER) w.u32(h.vendor);
}

/** Reads a header with value and mask, as in set_field. */
export function getEntry(r: Reader): { field: Field; value: Uint8Array; mask: Uint8Array } {
  const entry = readHeader(r);
  if (entry.field === undefined) fail('OFPBAC_BAD_SET_TYPE');
  if (entry.width !== entry.field.nBytes) fail('OFPBAC_BAD_SET_LEN');
  const value = r.take8(entry.width);
  const mask = entry.hasMask ? r.take8(entry.width) : new Uint8Array(entry.width).fill(0xff);
  if (value.some((b, i) => (b & ~mask[i]) !== 0)) fail('OFPBMC_BAD_WILDCARDS');
  return { field: entry.field, value, mask };
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
  putFieldHeader(w, field, ofVersion, hasMask);
  w.put(value);
  if (hasMask && mask !== undefined) w.put(mask);
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
    const value = r.take8(entry.width);
    const mask = entry.hasMask ? r.take8(entry.width) : new Uint8Array(entry.width).fill(0xff);
    if (value.some((b, i) => (b & ~mask[i]) !== 0)) fail('OFPBMC_BAD_WILDCARDS');
    // The cookie shares its number with NXM_NX_MPLS_TTL, which is one byte wide.
    if (entry.isCookie && allowCookie && entry.width === COOKIE_BYTES) {
      if (out.cookieMask !== 0n) fail('OFPBMC_DUP_FIELD');
      out.cookie = bytesToBigint(value);
      out.cookieMask = bytesToBigint(mask);
    } else if (entry.field !== undefined) {
      setMatchField(out.match, entry.field, value, mask, loose);
    } else if (!loose) fail('OFPBMC_BAD_FIELD');
  }
  return out;
}

function setMatchField(
  match: Match,
  field: Field,
  value: Uint8Array,
  mask: Uint8Array,
  loose: boolean,
): void {
  if (value.length !== field.nBytes) fail('OFPBMC_BAD_LEN');
  const exact = mask.every((b) => b === 0xff);
  if (!field.maskable && !exact && mask.some((b) => b !== 0)) fail('OFPBMC_BAD_MASK');
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

/** Fields that only show words which other fields write already. */
const VIEWS = /^(dl_vlan|dl_vlan_pcp|xreg\d+|xxreg\d+)$/;

/**
 * The order in which Open vSwitch writes entries: what is required comes before what requires it.
 * Fields of one group keep the order of ovs-fields(7).
 */
const WRITE_ORDER: readonly RegExp[] = [
  /^(packet_type|dp_hash|recirc_id|conj_id|in_port|in_port_oxm|actset_output)$/,
  /^eth_/,
  /^vlan_/,
  /^mpls_(tc|bos|ttl)$/,
  /^mpls_label$/,
  /^(ip_src|ip_dst|ipv6_src|ipv6_dst)$/,
  /^ip_frag$/,
  /^(nw_tos|ip_dscp)$/,
  /^nw_ecn$/,
  /^nw_ttl$/,
  /^ipv6_label$/,
  /^nw_proto$/,
  /^(tcp|udp|sctp|icmp|icmpv6)_/,
  /^nd_reserved$/,
  /^nd_target$/,
  /^nd_options_type$/,
  /^nd_/,
  /^arp_/,
  /^tun_id$/,
  /^tun_flags$/,
  /^tun_/,
  /^reg/,
  /^pkt_mark$/,
  /^ct_(state|zone|mark|label)$/,
  /^ct_nw_src$/,
  /^ct_ipv6_src$/,
  /^ct_nw_dst$/,
  /^ct_ipv6_dst$/,
];

function writeRank(field: Field): number {
  const rank = WRITE_ORDER.findIndex((pattern) => pattern.test(field.name));
  return rank < 0 ? WRITE_ORDER.length : rank;
}

const ENCODED: readonly Field[] = FIELDS.filter(
  (f) => f.headers.length > 0 && !VIEWS.test(f.name),
).sort((a, b) => writeRank(a) - writeRank(b));
/** One of each pair for NXM, the other for OXM. */
const NXM_ONLY = new Set(['in_port', 'vlan_tci', 'nw_tos']);
const OXM_ONLY = new Set(['in_port_oxm', 'vlan_vid', 'vlan_pcp', 'ip_dscp']);

/** Writes a match as entries. `ofVersion` 1: NXM. Registers become packet registers from 1.5 on. */
export function putEntries(w: Writer, match: Match, ofVersion: number): void {
  const skip = ofVersion >= 3 ? NXM_ONLY : OXM_ONLY;
  for (const field of ENCODED) {
    if (skip.has(field.name) || fieldIsWild(match.mask, field)) continue;
    if (!fieldPrereqsOk(field, match.flow, match.mask)) continue;
    if (field.special === 'vlan_pcp') {
      // A priority without its whole mask or without a tag cannot be said.
      if ((match.flow[L.W_VLAN0] & 0x1fff) === 0) continue;
    }
    if (/^ct_(tp_|nw_proto)/.test(field.name) && match.flow[L.W_CT_PROTO] === 0) continue;
    const value = fieldGet(match.flow, field);
    const mask = fieldGetMask(match.mask, field);
    if (field.special === 'vlan_vid' && mask[0] === 0x1f && mask[1] === 0xff) mask.fill(0xff);
    putEntry(w, field, ofVersion, value, field.maskable ? mask : undefined);
  }
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
