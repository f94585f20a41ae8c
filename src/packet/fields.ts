/**
 * The match field registry: looking fields up and reading and writing them in flow words.
 *
 * One registry serves the codec, the flow syntax, the classifier and set-field. The rows are in
 * fields-table.ts; text is in fields-text.ts; runs of bits within a field in fields-subfield.ts.
 * Not for the packet path: these functions allocate. Compiled actions read words directly.
 *
 * Field values are Uint8Array of `field.nBytes` bytes in network order.
 */
import { FIELDS, type Field, type FieldHeader, type FieldPrereq } from './fields-table.js';
import * as L from './flow-layout.js';

export type { Field, FieldFormat, FieldHeader, FieldPrereq } from './fields-table.js';
export { FIELDS };

const CLASS_EXPERIMENTER = 0xffff;
/** Above every key of a class that has no vendors. */
const EXPERIMENTER_KEYS = 0x1000000;

const byName = new Map<string, Field>();
const byHeader = new Map<number, Field>();
for (const field of FIELDS) {
  for (const name of [field.name, ...field.aliases]) byName.set(name, field);
  for (const h of field.headers) {
    byHeader.set(headerKey(h.vendor, h.class, h.field), field);
    byName.set(h.name, field);
  }
}

function headerKey(vendor: number, cls: number, number: number): number {
  return cls === CLASS_EXPERIMENTER
    ? EXPERIMENTER_KEYS + vendor * 128 + number
    : cls * 128 + number;
}

/** The field of that name, alias or NXM/OXM name, or undefined. Names are case-sensitive. */
export function fieldByName(name: string): Field | undefined {
  return byName.get(name);
}

/** The field of that name; for names written in the program itself. Throws when there is none. */
export function mustField(name: string): Field {
  const field = byName.get(name);
  if (field === undefined) throw new Error(`no field named ${name}`);
  return field;
}

/** The field with that NXM or OXM number, or undefined. `vendor` counts for class 0xffff only. */
export function fieldByHeader(vendor: number, cls: number, number: number): Field | undefined {
  return byHeader.get(headerKey(vendor, cls, number));
}

/**
 * The number to send a field with: OpenFlow's own (newest that `ofVersion` knows) from 1.2 on,
 * Nicira's NXM before that or where OpenFlow has none. Undefined when it has no number at all.
 */
export function fieldHeader(field: Field, ofVersion: number): FieldHeader | undefined {
  let nxm: FieldHeader | undefined;
  let oxm: FieldHeader | undefined;
  for (const h of field.headers) {
    if (h.class <= 1) nxm = h;
    else if (h.ofVersion <= ofVersion) oxm = h;
  }
  if (ofVersion >= 3) return oxm ?? nxm ?? field.headers[0];
  return nxm ?? oxm ?? field.headers[0];
}

/** Reads `count` <= 32 bits that begin at bit `start` and lie in one word. */
export function getRun(words: L.FlowWords, start: number, count: number): number {
  const word = words[start >> 5] >>> 0;
  const shift = 32 - (start & 31) - count;
  return count === 32 ? word : (word >>> shift) & ((1 << count) - 1);
}

/** Writes such a run. */
export function setRun(words: L.FlowWords, start: number, count: number, value: number): void {
  const shift = 32 - (start & 31) - count;
  const run = count === 32 ? -1 : ((1 << count) - 1) << shift;
  const index = start >> 5;
  words[index] = (words[index] & ~run) | ((value << shift) & run);
}

/** Copies the layout's bits into the low end of a value. */
function getRaw(words: L.FlowWords, field: Field): Uint8Array {
  const out = new Uint8Array(field.nBytes);
  let left = Math.min(field.layoutBits, field.nBytes * 8);
  let end = field.startBit + field.layoutBits;
  for (let i = field.nBytes - 1; i >= 0 && left > 0; i--) {
    const n = Math.min(8, left);
    out[i] = getRun(words, end - n, n);
    end -= n;
    left -= n;
  }
  return out;
}

function setRaw(words: L.FlowWords, field: Field, value: Uint8Array): void {
  let left = field.layoutBits;
  let end = field.startBit + field.layoutBits;
  for (let i = field.nBytes - 1; left > 0; i--) {
    const n = Math.min(8, left);
    setRun(words, end - n, n, i >= 0 ? value[i] : 0);
    end -= n;
    left -= n;
  }
}

/** OpenFlow 1.0 port number of a 32-bit one: the reserved range moves to 0xff00 and up. */
export function portTo16(port: number): number {
  const p = port >>> 0;
  if (p >= 0xffffff00) return p & 0xffff;
  return p < 0xff00 ? p : 0xffff;
}

/** 32-bit number of an OpenFlow 1.0 port. */
export function portFrom16(port: number): number {
  return port >= 0xff00 ? (port | 0xffff0000) >>> 0 : port;
}

/**
 * The value of a field in a flow.
 * dl_vlan is 0xffff when there is no tag; vlan_vid has 0x1000 set when there is one.
 */
export function fieldGet(flow: L.FlowWords, field: Field): Uint8Array {
  const value = getRaw(flow, field);
  switch (field.special) {
    case 'in_port':
      putU16(value, portTo16(flow[L.W_IN_PORT]));
      break;
    case 'dl_vlan':
      if ((flow[L.W_VLAN0] & L.VLAN_CFI) === 0) putU16(value, 0xffff);
      break;
    case 'nw_tos':
      value[0] = (value[0] << 2) & 0xff;
      break;
    default:
  }
  return value;
}

/** Which bits of a field a mask covers, aligned as values of the field are. */
export function fieldGetMask(mask: L.FlowWords, field: Field): Uint8Array {
  const value = getRaw(mask, field);
  switch (field.special) {
    case 'in_port':
      return value.fill(mask[L.W_IN_PORT] !== 0 ? 0xff : 0);
    case 'nw_tos':
      value[0] = value[0] === 0x3f ? 0xff : (value[0] << 2) & 0xff;
      return value;
    case 'vlan_vid':
    case 'vlan_tci':
      return value;
    default:
      return isRunExact(mask, field) ? value.fill(0xff) : value;
  }
}

/** True when no bit of the field is matched on. */
export function fieldIsWild(mask: L.FlowWords, field: Field): boolean {
  return everyRun(mask, field, 0);
}

function isRunExact(mask: L.FlowWords, field: Field): boolean {
  return everyRun(mask, field, -1);
}

function everyRun(mask: L.FlowWords, field: Field, want: 0 | -1): boolean {
  let start = field.startBit;
  const end = start + field.layoutBits;
  while (start < end) {
    const n = Math.min(32 - (start & 31), end - start);
    const full = n === 32 ? 0xffffffff : (1 << n) - 1;
    if (getRun(mask, start, n) !== (want === 0 ? 0 : full)) return false;
    start += n;
  }
  return true;
}

/** Matches every bit of the field exactly; for wildcards gathered in translation. */
export function fieldMaskExact(mask: L.FlowWords, field: Field): void {
  fillRun(mask, field);
  if (field.special === 'dl_vlan' || field.special === 'vlan_pcp') mask[L.W_VLAN0] |= L.VLAN_CFI;
}

/** Matches those bits of a field, stored as it is named, that are set in `bits`, besides others. */
export function fieldMaskBits(mask: L.FlowWords, field: Field, bits: Uint8Array): void {
  let left = field.layoutBits;
  let end = field.startBit + field.layoutBits;
  for (let i = field.nBytes - 1; left > 0 && i >= 0; i--) {
    const n = Math.min(8, left);
    setRun(mask, end - n, n, getRun(mask, end - n, n) | bits[i]);
    end -= n;
    left -= n;
  }
}

function fillRun(mask: L.FlowWords, field: Field): void {
  let start = field.startBit;
  const end = start + field.layoutBits;
  while (start < end) {
    const n = Math.min(32 - (start & 31), end - start);
    setRun(mask, start, n, -1);
    start += n;
  }
}

function putU16(bytes: Uint8Array, value: number): void {
  bytes[0] = (value >> 8) & 0xff;
  bytes[1] = value & 0xff;
}

const isZeros = (bytes: Uint8Array): boolean => bytes.every((b) => b === 0);
const isOnes = (bytes: Uint8Array): boolean => bytes.every((b) => b === 0xff);

/**
 * Sets a field of a match, replacing what it said about that field before.
 * @param mask all ones or absent: exact; all zeros: the field no longer matters.
 */
export function fieldSet(
  flow: L.FlowWords,
  maskWords: L.FlowWords,
  field: Field,
  value: Uint8Array,
  mask?: Uint8Array,
): void {
  if (field.special !== undefined && setSpecial(flow, maskWords, field, value, mask)) return;
  if (mask === undefined || isOnes(mask)) {
    setRaw(flow, field, value);
    fillRun(maskWords, field);
    return;
  }
  // A flow label's mask of 20 ones is an exact match, as wide as the label is.
  if (field.name === 'ipv6_label' && (mask[1] & 0x0f) === 0x0f && mask[2] === 0xff) {
    if (mask[3] === 0xff) {
      setRaw(flow, field, value);
      fillRun(maskWords, field);
      return;
    }
  }
  const masked = value.map((b, i) => b & mask[i]);
  setRaw(flow, field, masked);
  setRaw(maskWords, field, mask);
}

/** The fields of the VLAN word, the 16-bit port and the DSCP with its two low bits absent. */
function setSpecial(
  flow: L.FlowWords,
  maskWords: L.FlowWords,
  field: Field,
  value: Uint8Array,
  mask: Uint8Array | undefined,
): boolean {
  const wild = mask !== undefined && isZeros(mask);
  const number = value.length === 1 ? value[0] : (value[0] << 8) | value[1];
  switch (field.special) {
    case 'in_port':
      flow[L.W_IN_PORT] = wild ? 0 : portFrom16(number);
      maskWords[L.W_IN_PORT] = wild ? 0 : -1;
      return true;
    case 'nw_tos':
      setRun(flow, field.startBit, 6, wild ? 0 : number >> 2);
      setRun(maskWords, field.startBit, 6, wild ? 0 : -1);
      return true;
    case 'vlan_vid': {
      if (wild) return clearVlan(flow, maskWords, L.VLAN_PCP_MASK);
      const bits = (mask === undefined ? 0xffff : (mask[0] << 8) | mask[1]) & 0x1fff;
      flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~0x1fff) | (number & bits);
      maskWords[L.W_VLAN0] = (maskWords[L.W_VLAN0] & ~0x1fff) | bits;
      return true;
    }
    case 'dl_vlan':
      if (wild) return clearVlan(flow, maskWords, L.VLAN_PCP_MASK);
      if (number === 0xffff) {
        flow[L.W_VLAN0] &= ~0xffff;
        maskWords[L.W_VLAN0] |= 0xffff;
      } else {
        flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~0xfff) | (number & 0xfff) | L.VLAN_CFI;
        maskWords[L.W_VLAN0] |= 0x1fff;
      }
      return true;
    case 'vlan_pcp':
      if (wild) return clearVlan(flow, maskWords, L.VLAN_VID_MASK);
      flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~L.VLAN_PCP_MASK) | ((number & 7) << 13) | L.VLAN_CFI;
      maskWords[L.W_VLAN0] |= L.VLAN_PCP_MASK | L.VLAN_CFI;
      return true;
    default:
      return false;
  }
}

/** Forgets one half of the tag; the tag's presence too, unless the other half needs it. */
function clearVlan(flow: L.FlowWords, maskWords: L.FlowWords, other: number): true {
  const keep = (maskWords[L.W_VLAN0] & other) !== 0 ? other | L.VLAN_CFI : 0;
  flow[L.W_VLAN0] &= ~0xffff | keep;
  maskWords[L.W_VLAN0] &= ~0xffff | keep;
  return true;
}

/**
 * Writes a field of a packet's flow, as set-field does: setting a VLAN field adds a tag where there
 * is none (802.1Q), and a TCI without the presence bit removes it.
 */
export function fieldWrite(flow: L.FlowWords, field: Field, value: Uint8Array): void {
  const number = value.length === 1 ? value[0] : (value[0] << 8) | value[1];
  switch (field.special) {
    case 'in_port':
      flow[L.W_IN_PORT] = portFrom16(number);
      return;
    case 'nw_tos':
      setRun(flow, field.startBit, 6, number >> 2);
      return;
    case 'dl_vlan':
      if (number === 0xffff) flow[L.W_VLAN0] &= ~0xffff;
      else flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~0xfff) | (number & 0xfff) | L.VLAN_CFI;
      break;
    case 'vlan_pcp':
      flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~L.VLAN_PCP_MASK) | ((number & 7) << 13) | L.VLAN_CFI;
      break;
    default:
      setRaw(flow, field, value);
  }
  if (field.special !== undefined) fixTpid(flow);
}

function fixTpid(flow: L.FlowWords): void {
  if ((flow[L.W_VLAN0] & L.VLAN_CFI) === 0) flow[L.W_VLAN0] = 0;
  else if (flow[L.W_VLAN0] >>> 16 === 0) {
    flow[L.W_VLAN0] = (L.ETH_TYPE_VLAN_8021Q << 16) | (flow[L.W_VLAN0] & 0xffff);
  }
}

/** True when bits beyond the field's meaning are zero (a 12-bit VLAN id of 5000 is not valid). */
export function fieldValueValid(field: Field, value: Uint8Array): boolean {
  switch (field.special) {
    case 'nw_tos':
      return (value[0] & 3) === 0;
    case 'vlan_vid':
      return (value[0] & 0xe0) === 0;
    case 'dl_vlan':
      return (value[0] & 0xf0) === 0;
    default:
  }
  if (field.name === 'arp_op') return value[0] === 0;
  if (field.name === 'nsh_ttl') return value[0] < 64;
  if (field.name === 'nsh_mdtype') return value[0] === 1 || value[0] === 2;
  if (field.name === 'ct_state') return value[0] === 0 && value[1] === 0 && value[2] === 0;
  if (field.format === 'ofport11') {
    // Below 0xff00, or from 0xffffff00 on.
    const high = (value[0] << 8) | value[1];
    return high === 0 ? value[2] !== 0xff : high === 0xffff && value[2] === 0xff;
  }
  if (field.name.startsWith('tun_erspan')) return true;
  let spare = field.nBytes * 8 - field.nBits;
  for (let i = 0; spare > 0; i++, spare -= 8) {
    const high = spare >= 8 ? 0xff : (0xff << (8 - spare)) & 0xff;
    if ((value[i] & high) !== 0) return false;
  }
  return true;
}

/**
 * True when a flow satisfies what the field requires. For a match pass its mask as well: a valid
 * connection can there also be asked for by 'tracked and not invalid'.
 */
export function fieldPrereqsOk(field: Field, flow: L.FlowWords, mask?: L.FlowWords): boolean {
  return prereqOk(field.prereq, flow, mask);
}

const IPPROTO = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 };

function prereqOk(prereq: FieldPrereq, flow: L.FlowWords, mask?: L.FlowWords): boolean {
  if (prereq === 'none') return true;
  const dlType = effectiveDlType(flow);
  if (prereq === 'ipv4') return dlType === L.ETH_TYPE_IP;
  const ip = dlType === L.ETH_TYPE_IP || dlType === L.ETH_TYPE_IPV6;
  const proto = flow[L.W_NW] >>> 24;
  const later = (flow[L.W_DL_TYPE] & (L.NW_FRAG_LATER << 8)) !== 0;
  const type = flow[L.W_TP] >>> 16;
  const icmp6 = dlType === L.ETH_TYPE_IPV6 && proto === IPPROTO.ICMPV6;
  // An ND message: code 0, type solicitation or advertisement.
  const nd = icmp6 && (flow[L.W_TP] & 0xffff) === 0 && (type === 135 || type === 136);
  switch (prereq) {
    case 'ethernet':
      return flow[L.W_PACKET_TYPE] === 0;
    case 'arp':
      return dlType === L.ETH_TYPE_ARP || dlType === L.ETH_TYPE_RARP;
    case 'vlan_vid':
      return (flow[L.W_VLAN0] & L.VLAN_CFI) !== 0;
    case 'ipv6':
      return dlType === L.ETH_TYPE_IPV6;
    case 'ip_any':
      return ip;
    case 'mpls':
      return dlType === L.ETH_TYPE_MPLS || dlType === L.ETH_TYPE_MPLS_MCAST;
    case 'tcp':
      return ip && proto === IPPROTO.TCP && !later;
    case 'udp':
      return ip && proto === IPPROTO.UDP && !later;
    case 'sctp':
      return ip && proto === IPPROTO.SCTP && !later;
    case 'icmpv4':
      return dlType === L.ETH_TYPE_IP && proto === IPPROTO.ICMP;
    case 'icmpv6':
      return icmp6;
    case 'ct_valid':
      return ctValid(flow, mask);
    case 'nd':
      return nd;
    case 'nd_solicit':
      return nd && type === 135;
    case 'nd_advert':
      return nd && type === 136;
    case 'nsh':
      return dlType === L.ETH_TYPE_NSH;
  }
}

/** dl_type, or the ethertype of a packet type that is not Ethernet. */
function effectiveDlType(flow: L.FlowWords): number {
  const pt = flow[L.W_PACKET_TYPE];
  return pt >>> 16 === 1 ? pt & 0xffff : flow[L.W_DL_TYPE] >>> 16;
}

/** The original tuple of a connection exists (bits: new 1, est 2, rel 4, rpl 8, inv 16, trk 32). */
function ctValid(flow: L.FlowWords, mask?: L.FlowWords): boolean {
  const state = flow[L.W_CT_STATE] >>> 16;
  if (mask === undefined) return (state & 0x0b) !== 0;
  if ((state & 0xcf) !== 0) return true;
  return (state & 0x20) !== 0 && ((mask[L.W_CT_STATE] >>> 16) & 0x10) !== 0 && (state & 0x10) === 0;
}
