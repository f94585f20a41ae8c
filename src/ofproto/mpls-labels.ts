/**
 * MPLS labels of a flow: how many, one more, one less.
 *
 * Three labels are seen. Not for: the actions that do it (xlate/mpls.ts), bytes of packets
 * (src/datapath/mpls-edit.ts).
 */
import {
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  type FlowWords,
  W_ARP_SHA,
  W_DL_TYPE,
  W_DP_HASH,
  W_IGMP,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_ND_TARGET,
  W_NW,
  W_TCP_FLAGS,
} from '../packet/flow-layout.js';
import { dlType, isIp } from './flow-access.js';

export const MPLS_LABELS_MAX = 3;
const BOS = 0x100;
/** IPv4 and IPv6 explicit null (RFC 3032): what stands in for a label before one is set. */
const EXPLICIT_NULL_V6 = 2;
const TTL_DEFAULT = 64;

export function isMplsType(type: number): boolean {
  return type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MCAST;
}

/** How many labels there are; marks what tells, given a mask. */
export function countLabels(flow: FlowWords, wc: FlowWords | null): number {
  if (!isMplsType(dlType(flow))) return 0;
  for (let i = 0; i < MPLS_LABELS_MAX; i++) {
    if (wc !== null) wc[W_MPLS + i] |= BOS;
    if ((flow[W_MPLS + i] & BOS) !== 0) return i + 1;
    if (flow[W_MPLS + i] === 0) return i;
  }
  return MPLS_LABELS_MAX;
}

function setType(flow: FlowWords, type: number): void {
  flow[W_DL_TYPE] = (type << 16) | (flow[W_DL_TYPE] & 0xffff);
}

/** Puts a label on the flow. @param clearL3 what was behind the Ethernet type is out of sight */
export function flowPushMpls(
  flow: FlowWords,
  count: number,
  ethType: number,
  wc: FlowWords | null,
  clearL3: boolean,
): void {
  if (count > 0) {
    if (wc !== null) wc.fill(-1, W_MPLS, W_MPLS + count);
    for (let i = count; i >= 1; i--) flow[W_MPLS + i] = flow[W_MPLS + i - 1];
    flow[W_MPLS] = flow[W_MPLS + 1] & ~BOS;
  } else {
    flow[W_MPLS] = firstLabel(flow, wc);
    if (clearL3) clearLayer3(flow);
  }
  setType(flow, ethType);
}

function firstLabel(flow: FlowWords, wc: FlowWords | null): number {
  const label = dlType(flow) === ETH_TYPE_IPV6 ? EXPLICIT_NULL_V6 : 0;
  let tc = 0;
  let ttl = TTL_DEFAULT;
  if (isIp(flow)) {
    if (wc !== null) wc[W_NW] |= 0x00fcff00;
    tc = ((flow[W_NW] >>> 16) & 0xfc) >>> 2;
    ttl = (flow[W_NW] >>> 8) & 0xff || TTL_DEFAULT;
  }
  return (label << 12) | ((tc & 7) << 9) | BOS | ttl;
}

function clearLayer3(flow: FlowWords): void {
  flow[W_DL_TYPE] &= 0xffff0000;
  flow.fill(0, W_NW, W_TCP_FLAGS + 1);
  flow.fill(0, W_IPV6_SRC, W_IPV6_LABEL + 1);
  flow.fill(0, W_ND_TARGET, W_ND_TARGET + 4);
  flow.fill(0, W_ARP_SHA, W_ARP_SHA + 3);
  flow[W_IGMP] = 0;
  flow[W_DP_HASH] = 0;
}

/** Takes the outer label off. @returns false when there is none, or more than are seen */
export function flowPopMpls(
  flow: FlowWords,
  count: number,
  ethType: number,
  wc: FlowWords | null,
): boolean {
  if (count === 0) return false;
  if (count === MPLS_LABELS_MAX) {
    if (wc !== null) wc[W_MPLS + MPLS_LABELS_MAX - 1] |= BOS;
    if ((flow[W_MPLS + MPLS_LABELS_MAX - 1] & BOS) === 0) return false;
  }
  if (wc !== null) wc.fill(-1, W_MPLS + 1, W_MPLS + count);
  for (let i = 1; i < count; i++) flow[W_MPLS + i - 1] = flow[W_MPLS + i];
  flow[W_MPLS + count - 1] = 0;
  setType(flow, ethType);
  return true;
}
