/**
 * `miniflow_bits(4,2)` in verbose dumps of flows: how many pieces of eight bytes of a flow the mask
 * has bits of, before and behind the network layer, by the order of fields in Open vSwitch's flows.
 *
 * Here it says no more than how much a flow's mask compares; tools and people know the text.
 */
import {
  type FlowWords,
  W_ARP_SHA,
  W_ARP_SHA_THA,
  W_ARP_THA,
  W_CT_IPV6_DST,
  W_CT_IPV6_SRC,
  W_CT_LABEL,
  W_CT_MARK,
  W_CT_NW_DST,
  W_CT_NW_SRC,
  W_CT_PROTO,
  W_CT_STATE,
  W_CT_TP,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_DL_TYPE,
  W_DP_HASH,
  W_IGMP,
  W_IN_PORT,
  W_IPV6_DST,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_ND_TARGET,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
  W_TCP_FLAGS,
  W_TP,
  W_TUN_DST,
  W_TUN_ERSPAN,
  W_TUN_EXT,
  W_TUN_FLAGS,
  W_TUN_GBP,
  W_TUN_ID,
  W_TUN_IPV6_DST,
  W_TUN_IPV6_SRC,
  W_TUN_SRC,
  W_TUN_TP,
} from '../packet/flow-layout.js';

/** nw_frag shares a word with the Ethernet type, which lies elsewhere. */
const DL_TYPE_BITS = 0xffff0000 | 0;
const NW_FRAG_BITS = 0x0000ff00;

type Piece = readonly (readonly [word: number, bits: number])[];

const words = (...list: number[]): Piece => list.map((word) => [word, -1] as const);

/** VLAN tags are a piece that is always compared. */
const VLAN_PIECES = 1;

const BEFORE: readonly Piece[] = [
  words(W_TUN_DST, W_TUN_IPV6_DST),
  words(W_TUN_IPV6_DST + 1, W_TUN_IPV6_DST + 2),
  words(W_TUN_IPV6_DST + 3, W_TUN_SRC),
  words(W_TUN_IPV6_SRC, W_TUN_IPV6_SRC + 1),
  words(W_TUN_IPV6_SRC + 2, W_TUN_IPV6_SRC + 3),
  words(W_TUN_ID, W_TUN_ID + 1),
  words(W_TUN_FLAGS, W_TUN_TP),
  words(W_TUN_GBP, W_TUN_ERSPAN),
  words(W_TUN_EXT),
  words(W_SKB_PRIORITY, W_PKT_MARK),
  words(W_DP_HASH, W_IN_PORT),
  words(W_RECIRC_ID, W_CT_STATE, W_CT_PROTO),
  words(W_CT_MARK),
  words(W_CT_LABEL, W_CT_LABEL + 1),
  words(W_CT_LABEL + 2, W_CT_LABEL + 3),
  words(W_DL_DST, W_DL_DST_SRC),
  [...words(W_DL_SRC), [W_DL_TYPE, DL_TYPE_BITS]],
  words(W_MPLS, W_MPLS + 1),
  words(W_MPLS + 2),
];

const BEHIND: readonly Piece[] = [
  words(W_NW_SRC, W_NW_DST),
  words(W_CT_NW_SRC, W_CT_NW_DST),
  ...[W_IPV6_SRC, W_IPV6_DST, W_CT_IPV6_SRC, W_CT_IPV6_DST].flatMap((word) => [
    words(word, word + 1),
    words(word + 2, word + 3),
  ]),
  [...words(W_IPV6_LABEL, W_NW), [W_DL_TYPE, NW_FRAG_BITS]],
  words(W_ND_TARGET, W_ND_TARGET + 1),
  words(W_ND_TARGET + 2, W_ND_TARGET + 3),
  words(W_ARP_SHA, W_ARP_SHA_THA),
  words(W_ARP_THA, W_TCP_FLAGS),
  words(W_TP, W_CT_TP),
  words(W_IGMP),
];

function count(pieces: readonly Piece[], mask: FlowWords): number {
  return pieces.filter((piece) => piece.some(([word, bits]) => (mask[word] & bits) !== 0)).length;
}

/** `miniflow_bits(4,2)` for a flow's mask. */
export function formatMiniflowBits(mask: FlowWords): string {
  return `miniflow_bits(${count(BEFORE, mask) + VLAN_PIECES},${count(BEHIND, mask)})`;
}
