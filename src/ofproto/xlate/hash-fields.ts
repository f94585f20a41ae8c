/**
 * Hashes over groups of header fields that multipath, bundle and select groups choose by, and
 * marking what they read.
 *
 * Each name is one of OpenFlow extensions' fields (ovs-actions(7), "multipath"). The value of a
 * hash is nobody's interface; that both directions of a conversation have the same symmetric one
 * is.
 */
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  type FlowWords,
  NW_FRAG_LATER,
  VLAN_CFI,
  VLAN_VID_MASK,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import { dlType, isIp, nwFrag, nwProto } from '../flow-access.js';
import { hashAdd, hashFinish } from '../hash.js';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const NW_PROTO_BITS = 0xff000000 | 0;

/** What a name reads; each is a superset of what its hash depends on. */
interface Parts {
  ethSrc?: boolean;
  eth?: boolean;
  vlan?: boolean;
  ipSrc?: boolean;
  ipDst?: boolean;
  /** Protocols whose ports are read; undefined: not even the protocol is. */
  ports?: readonly number[];
}

const NO_PARTS: Parts = {};
const PARTS: Readonly<Record<string, Parts>> = {
  eth_src: { ethSrc: true },
  symmetric_l4: { eth: true, vlan: true, ipSrc: true, ipDst: true, ports: [TCP, SCTP] },
  symmetric_l3l4: { ipSrc: true, ipDst: true, ports: [TCP, SCTP] },
  'symmetric_l3l4+udp': { ipSrc: true, ipDst: true, ports: [TCP, UDP, SCTP] },
  symmetric_l3: { ipSrc: true, ipDst: true },
  nw_src: { ipSrc: true },
  nw_dst: { ipDst: true },
};

function readsPorts(flow: FlowWords, parts: Parts): boolean {
  const later = (nwFrag(flow) & NW_FRAG_LATER) !== 0;
  return !later && (parts.ports?.includes(nwProto(flow)) ?? false);
}

/** Marks what `hashFields` reads of this packet. */
export function unwildcardFields(flow: FlowWords, wc: FlowWords, name: string): void {
  const parts = PARTS[name] ?? NO_PARTS;
  if (parts.ethSrc || parts.eth) {
    wc[W_DL_DST_SRC] |= 0xffff;
    wc[W_DL_SRC] = -1;
  }
  if (parts.eth) {
    wc[W_DL_DST] = -1;
    wc[W_DL_DST_SRC] = -1;
  }
  if (parts.vlan) {
    wc[W_VLAN0] |= VLAN_VID_MASK | VLAN_CFI;
    if ((flow[W_VLAN0] & VLAN_CFI) !== 0) wc[W_VLAN1] |= VLAN_VID_MASK | VLAN_CFI;
  }
  if (!isIp(flow)) return;
  const v6 = dlType(flow) === ETH_TYPE_IPV6;
  if (parts.ipSrc) wc.fill(-1, v6 ? W_IPV6_SRC : W_NW_SRC, v6 ? W_IPV6_SRC + 4 : W_NW_SRC + 1);
  if (parts.ipDst) wc.fill(-1, v6 ? W_IPV6_DST : W_NW_DST, v6 ? W_IPV6_DST + 4 : W_NW_DST + 1);
  if (parts.ports === undefined) return;
  wc[W_NW] |= NW_PROTO_BITS;
  if (readsPorts(flow, parts)) wc[W_TP] = -1;
}

/** @returns an unsigned 32-bit hash of the named fields */
export function hashFields(flow: FlowWords, name: string, basis: number): number {
  const parts = PARTS[name] ?? NO_PARTS;
  let hash = basis | 0;
  const src = [flow[W_DL_DST_SRC] & 0xffff, flow[W_DL_SRC]];
  if (parts.ethSrc) hash = hashAdd(hashAdd(hash, src[0]), src[1]);
  if (parts.eth) {
    const low = (flow[W_DL_DST] << 16) | (flow[W_DL_DST_SRC] >>> 16);
    hash = hashAdd(hashAdd(hash, src[0] ^ (flow[W_DL_DST] >>> 16)), src[1] ^ low);
  }
  if (parts.vlan) {
    hash = hashAdd(hash, (flow[W_VLAN0] & VLAN_VID_MASK) ^ (flow[W_VLAN1] & VLAN_VID_MASK));
  }
  const type = dlType(flow);
  if (type === ETH_TYPE_IP || type === ETH_TYPE_IPV6) hash = hashNetwork(flow, parts, hash);
  return hashFinish(hash, 24);
}

function hashNetwork(flow: FlowWords, parts: Parts, basis: number): number {
  const v6 = dlType(flow) === ETH_TYPE_IPV6;
  const src = v6 ? W_IPV6_SRC : W_NW_SRC;
  const dst = v6 ? W_IPV6_DST : W_NW_DST;
  let hash = basis;
  for (let i = 0; i < (v6 ? 4 : 1); i++) {
    const from = parts.ipSrc ? flow[src + i] : 0;
    const to = parts.ipDst ? flow[dst + i] : 0;
    hash = hashAdd(hash, from ^ to);
  }
  if (parts.ports === undefined) return hash;
  hash = hashAdd(hash, nwProto(flow));
  if (readsPorts(flow, parts)) hash = hashAdd(hash, (flow[W_TP] >>> 16) ^ (flow[W_TP] & 0xffff));
  return hash;
}
