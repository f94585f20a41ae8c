/**
 * Marking groups of fields as consulted: what a hash over them depends on.
 *
 * Not for: single fields (flow-access.ts).
 */
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  type FlowWords,
  W_DL_TYPE,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../packet/flow-layout.js';
import { dlType, nwProto } from './flow-access.js';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_SCTP = 132;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;

/** Addresses, protocol and ports of a flow: everything that hash5Tuple reads. */
export function unwildcard5TupleSymmetric(flow: FlowWords, wc: FlowWords): void {
  const type = dlType(flow);
  wc[W_DL_TYPE] |= 0xffff0000;
  if (type === ETH_TYPE_IPV6) {
    for (let i = 0; i < 4; i++) {
      wc[W_IPV6_SRC + i] = -1;
      wc[W_IPV6_DST + i] = -1;
    }
  } else {
    wc[W_NW_SRC] = -1;
    wc[W_NW_DST] = -1;
    if (type !== ETH_TYPE_IP) {
      wc[W_NW] |= 0xff000000;
      return;
    }
  }
  wc[W_NW] |= 0xff000000;
  const proto = nwProto(flow);
  const hasPorts =
    proto === IPPROTO_TCP ||
    proto === IPPROTO_UDP ||
    proto === IPPROTO_SCTP ||
    proto === IPPROTO_ICMP ||
    proto === IPPROTO_ICMPV6;
  if (hasPorts) wc[W_TP] = -1;
}
