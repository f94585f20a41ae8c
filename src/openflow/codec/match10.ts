/**
 * The fixed 40-byte match of OpenFlow 1.0 (struct ofp_match), and which matches it can express.
 * Source: OpenFlow 1.0.0 section 5.2.3.
 */

import { portFrom16, portTo16 } from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import { type Match, matchAny } from '../match.js';
import type { Reader, Writer } from './buffer.js';

const FW = {
  IN_PORT: 1 << 0,
  DL_VLAN: 1 << 1,
  DL_SRC: 1 << 2,
  DL_DST: 1 << 3,
  DL_TYPE: 1 << 4,
  NW_PROTO: 1 << 5,
  TP_SRC: 1 << 6,
  TP_DST: 1 << 7,
  DL_VLAN_PCP: 1 << 20,
  NW_TOS: 1 << 21,
} as const;
/** Every wildcard bit. */
export const OFPFW10_ALL = (1 << 22) - 1;
const NW_SRC_SHIFT = 8;
const NW_DST_SHIFT = 14;
const VLAN_NONE = 0xffff;

function netmask(wildcardBits: number): number {
  const n = wildcardBits & 0x3f;
  return n >= 32 ? 0 : -1 << n;
}

/** Wildcard bits of a CIDR netmask. */
function wildcardBits(mask: number): number {
  return mask === 0 ? 32 : 31 - Math.clz32(mask & -mask);
}

/** Reads a match; `exact` is true when nothing is wildcarded (such flows have the top priority). */
export function getMatch10(r: Reader): { match: Match; exact: boolean; wildcards: number } {
  const wildcards = r.u32() & OFPFW10_ALL;
  const inPort = r.u16();
  const src0 = r.take8(6);
  const dst0 = r.take8(6);
  const vlan = r.u16();
  const pcp = r.u8();
  r.skip(1);
  const dlType = r.u16();
  const tos = r.u8();
  const proto = r.u8();
  r.skip(2);
  const nwSrc = r.u32() | 0;
  const nwDst = r.u32() | 0;
  const tp = (r.u16() << 16) | r.u16();

  const match = matchAny();
  const { flow, mask } = match;
  const on = (bit: number): boolean => (wildcards & bit) === 0;
  if (on(FW.IN_PORT)) {
    mask[L.W_IN_PORT] = -1;
    flow[L.W_IN_PORT] = portFrom16(inPort);
  }
  if (on(FW.DL_DST)) {
    mask[L.W_DL_DST] = -1;
    mask[L.W_DL_DST_SRC] |= 0xffff0000;
  }
  if (on(FW.DL_SRC)) {
    mask[L.W_DL_DST_SRC] |= 0xffff;
    mask[L.W_DL_SRC] = -1;
  }
  flow[L.W_DL_DST] = be32(dst0, 0);
  flow[L.W_DL_DST_SRC] = (be16(dst0, 4) << 16) | be16(src0, 0);
  flow[L.W_DL_SRC] = be32(src0, 2);
  setVlan(match, wildcards, vlan, pcp);
  if (on(FW.DL_TYPE)) mask[L.W_DL_TYPE] = 0xffff << 16;
  flow[L.W_DL_TYPE] = dlType << 16;
  mask[L.W_NW] = (on(FW.NW_PROTO) ? 0xff << 24 : 0) | (on(FW.NW_TOS) ? 0xfc << 16 : 0);
  flow[L.W_NW] = (proto << 24) | ((tos & 0xfc) << 16);
  mask[L.W_NW_SRC] = netmask(wildcards >> NW_SRC_SHIFT);
  flow[L.W_NW_SRC] = nwSrc;
  mask[L.W_NW_DST] = netmask(wildcards >> NW_DST_SHIFT);
  flow[L.W_NW_DST] = nwDst;
  mask[L.W_TP] = (on(FW.TP_SRC) ? 0xffff << 16 : 0) | (on(FW.TP_DST) ? 0xffff : 0);
  flow[L.W_TP] = tp;
  for (let i = 0; i < L.FLOW_WORDS; i++) flow[i] &= mask[i];
  return { match, exact: wildcards === 0, wildcards };
}

function be16(b: Uint8Array, at: number): number {
  return (b[at] << 8) | b[at + 1];
}

function be32(b: Uint8Array, at: number): number {
  return (be16(b, at) << 16) | be16(b, at + 2);
}

function setVlan(match: Match, wildcards: number, vlan: number, pcp: number): void {
  const { flow, mask } = match;
  if ((wildcards & FW.DL_VLAN_PCP) === 0) mask[L.W_VLAN0] |= L.VLAN_PCP_MASK | L.VLAN_CFI;
  if ((wildcards & FW.DL_VLAN) === 0) mask[L.W_VLAN0] |= L.VLAN_VID_MASK | L.VLAN_CFI;
  if ((wildcards & FW.DL_VLAN) === 0 && vlan === VLAN_NONE) {
    mask[L.W_VLAN0] = 0xffff;
    flow[L.W_VLAN0] = 0;
    return;
  }
  flow[L.W_VLAN0] = (vlan & L.VLAN_VID_MASK) | ((pcp & 7) << 13) | L.VLAN_CFI;
}

/** Writes a match; what OpenFlow 1.0 cannot say is left out (see matchFits10). */
export function putMatch10(w: Writer, match: Match): void {
  const { flow, mask } = match;
  let fw = 0;
  if (mask[L.W_IN_PORT] === 0) fw |= FW.IN_PORT;
  if (mask[L.W_DL_TYPE] >>> 16 === 0) fw |= FW.DL_TYPE;
  if (mask[L.W_NW] >>> 24 === 0) fw |= FW.NW_PROTO;
  if ((mask[L.W_NW] & 0xfc0000) === 0) fw |= FW.NW_TOS;
  fw |= wildcardBits(mask[L.W_NW_SRC]) << NW_SRC_SHIFT;
  fw |= wildcardBits(mask[L.W_NW_DST]) << NW_DST_SHIFT;
  if (mask[L.W_TP] >>> 16 === 0) fw |= FW.TP_SRC;
  if ((mask[L.W_TP] & 0xffff) === 0) fw |= FW.TP_DST;
  if ((mask[L.W_DL_DST_SRC] & 0xffff) === 0 && mask[L.W_DL_SRC] === 0) fw |= FW.DL_SRC;
  if (mask[L.W_DL_DST_SRC] >>> 16 === 0 && mask[L.W_DL_DST] === 0) fw |= FW.DL_DST;
  const tciMask = mask[L.W_VLAN0] & 0xffff;
  const tci = flow[L.W_VLAN0] & 0xffff;
  let vlan = 0;
  let pcp = 0;
  if (tciMask === 0) fw |= FW.DL_VLAN | FW.DL_VLAN_PCP;
  else if ((tciMask & L.VLAN_CFI) !== 0 && (tci & L.VLAN_CFI) === 0) vlan = VLAN_NONE;
  else {
    if ((tciMask & L.VLAN_VID_MASK) === 0) fw |= FW.DL_VLAN;
    else vlan = tci & L.VLAN_VID_MASK;
    if ((tciMask & L.VLAN_PCP_MASK) === 0) fw |= FW.DL_VLAN_PCP;
    else pcp = tci >> 13;
  }
  w.u32(fw).u16(portTo16(flow[L.W_IN_PORT]));
  w.u16(flow[L.W_DL_DST_SRC] & 0xffff).u32(flow[L.W_DL_SRC]);
  w.u32(flow[L.W_DL_DST]).u16(flow[L.W_DL_DST_SRC] >>> 16);
  w.u16(vlan).u8(pcp).zeros(1);
  w.u16((mask[L.W_DL_TYPE] >>> 16 === 0 ? 0 : flow[L.W_DL_TYPE] >>> 16) || 0);
  w.u8((flow[L.W_NW] >>> 16) & 0xfc)
    .u8(flow[L.W_NW] >>> 24)
    .zeros(2);
  w.u32(flow[L.W_NW_SRC]).u32(flow[L.W_NW_DST]).u32(flow[L.W_TP]);
}

/** Words, and bits in them, that the 1.0 match has. */
const EXPRESSIBLE: [word: number, bits: number][] = [
  [L.W_IN_PORT, -1],
  [L.W_DL_DST, -1],
  [L.W_DL_DST_SRC, -1],
  [L.W_DL_SRC, -1],
  [L.W_VLAN0, 0xffff],
  [L.W_DL_TYPE, 0xffff << 16],
  [L.W_NW, (0xff << 24) | (0xfc << 16)],
  [L.W_NW_SRC, -1],
  [L.W_NW_DST, -1],
  [L.W_TP, -1],
];

const isCidr = (mask: number): boolean => {
  const inverted = ~mask;
  return (inverted & (inverted + 1)) === 0;
};
const allOrNone = (bits: number, full: number): boolean => bits === 0 || bits === full;

/** True when OpenFlow 1.0's own match can express this one; otherwise NXM is needed. */
export function matchFits10(match: Match): boolean {
  const { flow, mask } = match;
  const allowed = new Int32Array(L.FLOW_WORDS);
  for (const [word, bits] of EXPRESSIBLE) allowed[word] = bits;
  for (let i = 0; i < L.FLOW_WORDS; i++) if ((mask[i] & ~allowed[i]) !== 0) return false;
  if (mask[L.W_DL_DST] !== 0 || mask[L.W_DL_DST_SRC] >>> 16 !== 0) {
    if (mask[L.W_DL_DST] !== -1 || mask[L.W_DL_DST_SRC] >>> 16 !== 0xffff) return false;
  }
  if (mask[L.W_DL_SRC] !== 0 || (mask[L.W_DL_DST_SRC] & 0xffff) !== 0) {
    if (mask[L.W_DL_SRC] !== -1 || (mask[L.W_DL_DST_SRC] & 0xffff) !== 0xffff) return false;
  }
  if (!isCidr(mask[L.W_NW_SRC]) || !isCidr(mask[L.W_NW_DST])) return false;
  if (!allOrNone(mask[L.W_TP] >>> 16, 0xffff) || !allOrNone(mask[L.W_TP] & 0xffff, 0xffff)) {
    return false;
  }
  if (flow[L.W_DL_TYPE] >>> 16 === L.ETH_TYPE_IPV6) {
    // Addresses aside, 1.0 has no IPv6 at all: its nw_proto and ports are IPv4's.
    if (mask[L.W_NW] !== 0 || mask[L.W_TP] !== 0) return false;
  }
  const tciMask = mask[L.W_VLAN0] & 0xffff;
  const tagged = (flow[L.W_VLAN0] & L.VLAN_CFI) !== 0;
  return (
    tciMask === 0 ||
    (tciMask === 0xffff && (tagged || (flow[L.W_VLAN0] & 0xffff) === 0)) ||
    (tagged && (tciMask === 0x1fff || tciMask === 0xf000))
  );
}
