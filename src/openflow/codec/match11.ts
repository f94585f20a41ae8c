/**
 * The fixed 88-byte match of OpenFlow 1.1 (struct ofp11_match). Bits that are set in its masks are
 * those that are not looked at. Later versions have OXM in its place.
 * Source: OpenFlow 1.1.0, section A.2.3.
 */
import * as L from '../../packet/flow-layout.js';
import { fail } from '../errors.js';
import { type Match, matchAny } from '../match.js';
import type { Reader, Writer } from './buffer.js';
import { getOxmMatch, putOxmMatch } from './oxm.js';
import { portExists } from './port-number.js';

const FW = {
  IN_PORT: 1 << 0,
  DL_VLAN: 1 << 1,
  DL_VLAN_PCP: 1 << 2,
  DL_TYPE: 1 << 3,
  NW_TOS: 1 << 4,
  NW_PROTO: 1 << 5,
  TP_SRC: 1 << 6,
  TP_DST: 1 << 7,
  MPLS_LABEL: 1 << 8,
  MPLS_TC: 1 << 9,
} as const;
const STANDARD_TYPE = 0;
const OXM_TYPE = 1;
const STANDARD_LENGTH = 88;
const VLAN_ANY = 0xfffe;
const VLAN_NONE = 0xffff;
const OF11 = 2;
const LABEL_BITS = 0xfffff000 | 0;
const TC_BITS = 0x00000e00;

/** The match of a message of 1.1 or later. */
export function getAnyMatch(r: Reader, version: number): Match {
  return version === OF11 ? getMatch11(r) : getOxmMatch(r);
}

export function putAnyMatch(w: Writer, match: Match, version: number): void {
  if (version === OF11) putMatch11(w, match);
  else putOxmMatch(w, match, version);
}

function getMatch11(r: Reader): Match {
  // Open vSwitch tells flows in OXM where this form has no words for them.
  if (r.left >= 4 && r.peek16() === OXM_TYPE) return getOxmMatch(r);
  if (r.u16() !== STANDARD_TYPE) fail('OFPBMC_BAD_TYPE');
  if (r.u16() !== STANDARD_LENGTH) fail('OFPBMC_BAD_LEN');
  const match = matchAny();
  const { flow, mask } = match;
  const inPort = r.u32() >>> 0;
  const wildcards = r.u32();
  const on = (bit: number): boolean => (wildcards & bit) === 0;
  if (on(FW.IN_PORT)) {
    if (!portExists(inPort)) fail('OFPBMC_BAD_VALUE');
    flow[L.W_IN_PORT] = inPort;
    mask[L.W_IN_PORT] = -1;
  }
  const [srcHigh, srcLow, srcMaskHigh, srcMaskLow] = [r.u16(), r.u32(), r.u16(), r.u32()];
  const [dstHigh, dstLow, dstMaskHigh, dstMaskLow] = [r.u32(), r.u16(), r.u32(), r.u16()];
  flow[L.W_DL_DST] = dstHigh;
  mask[L.W_DL_DST] = ~dstMaskHigh;
  flow[L.W_DL_DST_SRC] = (dstLow << 16) | srcHigh;
  mask[L.W_DL_DST_SRC] = ~((dstMaskLow << 16) | srcMaskHigh);
  flow[L.W_DL_SRC] = srcLow;
  mask[L.W_DL_SRC] = ~srcMaskLow;
  getVlan(match, on, r.u16(), r.u8());
  flow[L.W_DL_TYPE] = r.skip(1).u16() << 16;
  if (on(FW.DL_TYPE)) mask[L.W_DL_TYPE] = 0xffff << 16;
  // The DSCP stands where it stands in the header, as Open vSwitch has it.
  const [tos, proto] = [r.u8(), r.u8()];
  const isIp = on(FW.DL_TYPE) && flow[L.W_DL_TYPE] >>> 16 === L.ETH_TYPE_IP;
  if (on(FW.NW_TOS) && isIp && (tos & 0x03) !== 0) fail('OFPBMC_BAD_VALUE');
  flow[L.W_NW] = (proto << 24) | ((tos & 0xfc) << 16);
  mask[L.W_NW] = (on(FW.NW_PROTO) ? 0xff << 24 : 0) | (on(FW.NW_TOS) ? 0xfc << 16 : 0);
  flow[L.W_NW_SRC] = r.u32();
  mask[L.W_NW_SRC] = ~r.u32();
  flow[L.W_NW_DST] = r.u32();
  mask[L.W_NW_DST] = ~r.u32();
  flow[L.W_TP] = r.u32();
  mask[L.W_TP] = (on(FW.TP_SRC) ? 0xffff << 16 : 0) | (on(FW.TP_DST) ? 0xffff : 0);
  const [label, tc] = [r.u32(), r.u8()];
  flow[L.W_MPLS] = (label << 12) | ((tc & 7) << 9);
  mask[L.W_MPLS] = (on(FW.MPLS_LABEL) ? LABEL_BITS : 0) | (on(FW.MPLS_TC) ? TC_BITS : 0);
  flow[L.W_METADATA] = r.skip(3).u32();
  flow[L.W_METADATA + 1] = r.u32();
  mask[L.W_METADATA] = ~r.u32();
  mask[L.W_METADATA + 1] = ~r.u32();
  dropMissing(match);
  for (let i = 0; i < L.FLOW_WORDS; i++) flow[i] &= mask[i];
  return match;
}

function getVlan(match: Match, on: (bit: number) => boolean, vlan: number, pcp: number): void {
  const { flow, mask } = match;
  if (!on(FW.DL_VLAN)) return;
  if (vlan === VLAN_NONE) {
    mask[L.W_VLAN0] = 0xffff;
    return;
  }
  if (vlan !== VLAN_ANY && vlan > L.VLAN_VID_MASK) fail('OFPBMC_BAD_VALUE');
  flow[L.W_VLAN0] = L.VLAN_CFI | (vlan === VLAN_ANY ? 0 : vlan);
  mask[L.W_VLAN0] = L.VLAN_CFI | (vlan === VLAN_ANY ? 0 : L.VLAN_VID_MASK);
  if (!on(FW.DL_VLAN_PCP)) return;
  if (pcp > 7) fail('OFPBMC_BAD_VALUE');
  flow[L.W_VLAN0] |= pcp << 13;
  mask[L.W_VLAN0] |= L.VLAN_PCP_MASK;
}

/** Fields of headers that packets of the type do not have mean nothing in this form. */
function dropMissing({ flow, mask }: Match): void {
  const type = mask[L.W_DL_TYPE] === 0 ? 0 : flow[L.W_DL_TYPE] >>> 16;
  const ip = type === L.ETH_TYPE_IP;
  const arp = type === L.ETH_TYPE_ARP || type === L.ETH_TYPE_RARP;
  if (!ip) mask[L.W_NW] &= arp ? 0xff << 24 : 0;
  if (!ip && !arp) mask.fill(0, L.W_NW_SRC, L.W_NW_DST + 1);
  const proto = mask[L.W_NW] >>> 24 === 0 ? 0 : flow[L.W_NW] >>> 24;
  if (!ip || ![1, 6, 17, 132].includes(proto)) mask[L.W_TP] = 0;
  if (type !== L.ETH_TYPE_MPLS && type !== L.ETH_TYPE_MPLS_MCAST) mask[L.W_MPLS] = 0;
}

function putMatch11(w: Writer, { flow, mask }: Match): void {
  let fw = 0;
  const off = (bits: number, bit: number): void => {
    if (bits === 0) fw |= bit;
  };
  off(mask[L.W_IN_PORT], FW.IN_PORT);
  off(mask[L.W_DL_TYPE] >>> 16, FW.DL_TYPE);
  off(mask[L.W_NW] & 0xfc0000, FW.NW_TOS);
  off(mask[L.W_NW] >>> 24, FW.NW_PROTO);
  off(mask[L.W_TP] >>> 16, FW.TP_SRC);
  off(mask[L.W_TP] & 0xffff, FW.TP_DST);
  off(mask[L.W_MPLS] & LABEL_BITS, FW.MPLS_LABEL);
  off(mask[L.W_MPLS] & TC_BITS, FW.MPLS_TC);
  const tci = flow[L.W_VLAN0] & 0xffff;
  const tciMask = mask[L.W_VLAN0] & 0xffff;
  off(tciMask, FW.DL_VLAN);
  let vlan = 0;
  if (tciMask !== 0) {
    if ((tciMask & L.VLAN_CFI) !== 0 && (tci & L.VLAN_CFI) === 0) vlan = VLAN_NONE;
    else vlan = (tciMask & L.VLAN_VID_MASK) === 0 ? VLAN_ANY : tci & L.VLAN_VID_MASK;
  }
  const hasPcp = (tciMask & L.VLAN_PCP_MASK) !== 0 && vlan !== VLAN_NONE;
  if (!hasPcp) fw |= FW.DL_VLAN_PCP;
  w.u16(STANDARD_TYPE).u16(STANDARD_LENGTH).u32(flow[L.W_IN_PORT]).u32(fw);
  w.u16(flow[L.W_DL_DST_SRC] & 0xffff).u32(flow[L.W_DL_SRC]);
  w.u16(~mask[L.W_DL_DST_SRC] & 0xffff).u32(~mask[L.W_DL_SRC]);
  w.u32(flow[L.W_DL_DST]).u16(flow[L.W_DL_DST_SRC] >>> 16);
  w.u32(~mask[L.W_DL_DST]).u16(~mask[L.W_DL_DST_SRC] >>> 16);
  w.u16(vlan)
    .u8(hasPcp ? tci >> 13 : 0)
    .zeros(1);
  w.u16(flow[L.W_DL_TYPE] >>> 16);
  w.u8((flow[L.W_NW] >>> 16) & 0xfc).u8(flow[L.W_NW] >>> 24);
  w.u32(flow[L.W_NW_SRC]).u32(~mask[L.W_NW_SRC]);
  w.u32(flow[L.W_NW_DST]).u32(~mask[L.W_NW_DST]);
  w.u32(flow[L.W_TP]);
  w.u32(flow[L.W_MPLS] >>> 12)
    .u8((flow[L.W_MPLS] >>> 9) & 7)
    .zeros(3);
  w.u32(flow[L.W_METADATA]).u32(flow[L.W_METADATA + 1]);
  w.u32(~mask[L.W_METADATA]).u32(~mask[L.W_METADATA + 1]);
}
