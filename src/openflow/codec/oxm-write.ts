/**
 * Writing a match as NXM or OXM entries.
 *
 * Which entries a match needs is found from the words of its mask that are set: each word knows the
 * entries that begin in it, so that the many fields that a match does not have cost nothing.
 *
 *     mask words  -->  PLANS[version].byWord[word]  -->  steps, in the order in which they are sent
 */
import {
  FIELDS,
  type Field,
  type FieldHeader,
  fieldGet,
  fieldGetMask,
  fieldHeader,
  fieldIsWild,
  fieldPrereqsOk,
} from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import type { Match } from '../match.js';
import type { Writer } from './buffer.js';

const CLASS_EXPERIMENTER = 0xffff;
const OF12 = 3;
const OF15 = 6;

/** Fields that only show words which other fields write already. */
const VIEWS = /^(dl_vlan|dl_vlan_pcp|xreg\d+|xxreg\d+)$/;
/** In 1.5 registers are sent in pairs. */
const VIEWS_OF15 = /^(dl_vlan|dl_vlan_pcp|reg\d+|xxreg\d+)$/;
/** One of each pair for NXM, the other for OXM. */
const NXM_ONLY = new Set(['in_port', 'vlan_tci', 'nw_tos']);
const OXM_ONLY = new Set(['in_port_oxm', 'vlan_vid', 'vlan_pcp', 'ip_dscp']);

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
  /^tun_(src|dst|ipv6_src|ipv6_dst|gbp_id|gbp_flags)$/,
  /^tun_metadata0$/,
  /^tun_/,
  /^nsh_flags$/,
  /^nsh_ttl$/,
  /^nsh_/,
  /^x?reg/,
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

/** What there is to know of a field that may be sent. */
interface Step {
  field: Field;
  /** Place in the order of sending. */
  order: number;
  cls: number;
  number: number;
  vendor: number;
  /** The word in which the field lies alone, with its shift and its bits; or -1. */
  word: number;
  shift: number;
  bits: number;
  /** Its value is whole words, from `word` on. */
  words: number;
  /** The header of an exact value, when that has no vendor. */
  header: number;
  /** Needs more than the bits of the layout. */
  special: boolean;
  /** Goes with a connection's protocol. */
  needsCtProto: boolean;
}

function makeStep(field: Field, order: number, version: number): Step | null {
  const header = fieldHeader(field, version);
  if (header === undefined) return null;
  if (field.option !== undefined) return optionsStep(field, order, header);
  const offset = field.startBit & 31;
  const inOne = offset + field.layoutBits <= 32;
  const whole =
    offset === 0 && field.layoutBits % 32 === 0 && field.layoutBits === field.nBytes * 8;
  return {
    ...{ field, order, cls: header.class, number: header.field, vendor: header.vendor },
    word: inOne || whole ? field.startBit >> 5 : -1,
    shift: inOne ? 32 - offset - field.layoutBits : 0,
    bits: inOne && field.layoutBits < 32 ? (1 << field.layoutBits) - 1 : -1,
    words: whole ? field.layoutBits / 32 : 0,
    header: (header.class << 16) | (header.field << 9) | field.nBytes,
    special: field.special !== undefined || field.name === 'ct_state',
    needsCtProto: /^ct_(tp_|nw_proto)/.test(field.name),
  };
}

/** Where the tunnel options stand, which are not in the layout. */
function optionsStep(field: Field, order: number, header: FieldHeader): Step {
  return {
    ...{ field, order, cls: header.class, number: header.field, vendor: header.vendor },
    ...{ word: L.W_TUN_METADATA, shift: 0, bits: -1, words: 0, header: 0 },
    ...{ special: true, needsCtProto: false },
  };
}

function putTunOptions(w: Writer, step: Step, match: Match): void {
  for (const { index, value, mask, masked } of match.tunMetadata?.options ?? []) {
    const length = (masked ? 2 : 1) * value.length;
    w.u16(step.cls).u16(((step.number + index) << 9) | (masked ? 0x100 : 0) | length);
    w.put(value);
    if (masked) w.put(mask);
  }
}

/** For each word of the layout, the steps of fields with bits in it. */
function makePlan(version: number): Step[][] {
  const views = version >= OF15 ? VIEWS_OF15 : VIEWS;
  const skip = version >= OF12 ? NXM_ONLY : OXM_ONLY;
  const sent = FIELDS.filter(
    // The first tunnel option stands for all.
    (f) =>
      f.headers.length > 0 && !views.test(f.name) && !skip.has(f.name) && !((f.option ?? 0) > 0),
  ).sort((a, b) => writeRank(a) - writeRank(b));
  const byWord: Step[][] = Array.from({ length: L.FLOW_WORDS }, () => []);
  for (const [order, field] of sent.entries()) {
    const step = makeStep(field, order, version);
    if (step === null) continue;
    if (field.option !== undefined) {
      byWord[L.W_TUN_METADATA].push(step);
      continue;
    }
    const last = (field.startBit + field.layoutBits - 1) >> 5;
    for (let word = field.startBit >> 5; word <= last; word++) byWord[word].push(step);
  }
  return byWord;
}

/** By version; made when it is spoken first, for that takes a while. */
const PLANS: (Step[][] | undefined)[] = [];

function planFor(version: number): Step[][] {
  PLANS[version] ??= makePlan(version);
  return PLANS[version];
}

/** The steps of one match; kept from call to call, as only one match is written at a time. */
const chosen: Step[] = [];
/** What they are of: entries of one reply often share their mask. */
let chosenMask: L.FlowWords | null = null;
let chosenPlan: Step[][] | null = null;

/** To be called before the first match of a message: its mask may have changed since. */
export function forgetMask(): void {
  chosenMask = null;
}

function choose(mask: L.FlowWords, plan: Step[][]): void {
  if (mask === chosenMask && plan === chosenPlan) return;
  chosenMask = mask;
  chosenPlan = plan;
  chosen.length = 0;
  for (let word = 0; word < L.FLOW_WORDS; word++) {
    if (mask[word] === 0) continue;
    for (const step of plan[word]) {
      if (step.word >= 0 && step.words === 0) {
        if (((mask[word] >>> step.shift) & step.bits) === 0) continue;
      } else if (fieldIsWild(mask, step.field)) continue;
      // Insertion: there are few, and they come nearly in order.
      let at = chosen.length;
      while (at > 0 && chosen[at - 1].order > step.order) at--;
      if (at > 0 && chosen[at - 1] === step) continue;
      chosen.splice(at, 0, step);
    }
  }
}

/** Writes a match as entries. `ofVersion` 1: NXM. Registers become packet registers from 1.5 on. */
export function putEntries(w: Writer, match: Match, ofVersion: number): void {
  const { flow, mask } = match;
  choose(mask, planFor(ofVersion));
  for (const step of chosen) {
    if (!fieldPrereqsOk(step.field, flow, mask)) continue;
    if (step.needsCtProto && flow[L.W_CT_PROTO] === 0) continue;
    if (step.special) putSpecial(w, step, match);
    else putPlain(w, step, flow, mask);
  }
}

function putHeader(w: Writer, step: Step, hasMask: boolean): void {
  if (!hasMask && step.cls !== CLASS_EXPERIMENTER) {
    w.u32(step.header);
    return;
  }
  const { nBytes } = step.field;
  const extra = step.cls === CLASS_EXPERIMENTER ? 4 : 0;
  w.u16(step.cls);
  w.u16((step.number << 9) | (hasMask ? 0x100 : 0) | ((hasMask ? 2 * nBytes : nBytes) + extra));
  if (extra > 0) w.u32(step.vendor);
}

function putPlain(w: Writer, step: Step, flow: L.FlowWords, mask: L.FlowWords): void {
  const { field, word } = step;
  if (word < 0) {
    putBytes(w, step, fieldGet(flow, field), fieldGetMask(mask, field));
    return;
  }
  if (step.words > 0) {
    let exact = true;
    for (let i = 0; i < step.words; i++) if (mask[word + i] !== -1) exact = false;
    const hasMask = !exact && field.maskable;
    putHeader(w, step, hasMask);
    for (let i = 0; i < step.words; i++) w.u32(flow[word + i]);
    if (hasMask) for (let i = 0; i < step.words; i++) w.u32(mask[word + i]);
    return;
  }
  const { shift, bits } = step;
  const maskBits = (mask[word] >>> shift) & bits;
  const hasMask = field.maskable && maskBits !== bits;
  putHeader(w, step, hasMask);
  putNumber(w, (flow[word] >>> shift) & bits, field.nBytes);
  if (hasMask) putNumber(w, maskBits, field.nBytes);
}

function putNumber(w: Writer, value: number, nBytes: number): void {
  if (nBytes === 1) w.u8(value);
  else if (nBytes === 2) w.u16(value);
  else if (nBytes === 4) w.u32(value);
  else w.zeros(nBytes - 4).u32(value);
}

function putBytes(w: Writer, step: Step, value: Uint8Array, mask: Uint8Array): void {
  const hasMask = step.field.maskable && mask.some((b) => b !== 0xff);
  putHeader(w, step, hasMask);
  w.put(value);
  if (hasMask) w.put(mask);
}

const CT_STATE_BITS = 0xff;

function putSpecial(w: Writer, step: Step, match: Match): void {
  const { field } = step;
  if (field.option !== undefined) {
    putTunOptions(w, step, match);
    return;
  }
  // A priority without its whole mask or without a tag cannot be said.
  if (field.special === 'vlan_pcp' && (match.flow[L.W_VLAN0] & 0x1fff) === 0) return;
  const mask = fieldGetMask(match.mask, field);
  if (field.special === 'vlan_vid' && mask[0] === 0x1f && mask[1] === 0xff) mask.fill(0xff);
  // Eight bits are all that there are, and the mask of all of them is said as such.
  if (field.name === 'ct_state') mask.set([0, 0, 0, mask[3] & CT_STATE_BITS]);
  putBytes(w, step, fieldGet(match.flow, field), mask);
}
