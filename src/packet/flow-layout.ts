/**
 * The flow key: where every header and metadata field lies in a fixed row of 32-bit words.
 *
 * One layout serves the datapath (keys and masks of megaflows) and the OpenFlow layer (matches,
 * translation). A flow or a mask is an Int32Array of FLOW_WORDS words; bits are counted as in the
 * packet (network order: the first byte on the wire is the highest of its word). Int32Array, not
 * Uint32Array: its elements stay small integers in the JIT; print with `>>> 0`.
 *
 *     word  contents (high bits first)
 *      0    recirc_id
 *      1    in_port (datapath port number in the datapath, OpenFlow port in translation)
 *      2    dl_dst[0..3]
 *      3    dl_dst[4..5] dl_src[0..1]
 *      4    dl_src[2..5]
 *      5    outer VLAN: tpid(16) tci(16); tci has 0x1000 set when there is a tag, 0 when not
 *      6    inner VLAN, the same
 *      7    dl_type(16) nw_frag(8) zero(8)
 *      8    nw_proto(8) nw_tos(8) nw_ttl(8) zero(8)
 *      9    nw_src (ARP: spa)
 *     10    nw_dst (ARP: tpa)
 *     11    tp_src(16) tp_dst(16)   (ICMP: type, code)
 *     12    tcp_flags(16) zero(16)
 *     13    ipv6_src  4 words
 *     17    ipv6_dst  4 words
 *     21    ipv6_label
 *     22    nd_target 4 words
 *     26    arp_sha[0..3]           (ND: sll)
 *     27    arp_sha[4..5] arp_tha[0..1]
 *     28    arp_tha[2..5]           (ND: tll)
 *     22..27 of NSH: flags(8) ttl(8) mdtype(8) np(8), spi(24) si(8), c1 to c4
 *     29    mpls_lse 3 words
 *     32    igmp_group_ip4
 *     33... metadata of the datapath (hash, priority, mark, packet type, conntrack, tunnel)
 *     72... metadata of OpenFlow alone (never in the datapath)
 *
 * Source for meanings and value conventions: ovs-fields(7), OpenFlow 1.5 section 7.2.3.
 */

export const W_RECIRC_ID = 0;
export const W_IN_PORT = 1;
export const W_DL_DST = 2;
export const W_DL_DST_SRC = 3;
export const W_DL_SRC = 4;
export const W_VLAN0 = 5;
export const W_VLAN1 = 6;
export const W_DL_TYPE = 7;
export const W_NW = 8;
export const W_NW_SRC = 9;
export const W_NW_DST = 10;
export const W_TP = 11;
export const W_TCP_FLAGS = 12;
export const W_IPV6_SRC = 13;
export const W_IPV6_DST = 17;
export const W_IPV6_LABEL = 21;
export const W_ND_TARGET = 22;
/** NSH has no addresses of ARP and ND: its words are theirs. */
export const W_NSH = 22;
export const W_NSH_PATH = 23;
export const W_NSH_CONTEXT = 24;
export const W_ARP_SHA = 26;
export const W_ARP_SHA_THA = 27;
export const W_ARP_THA = 28;
export const W_MPLS = 29;
export const W_IGMP = 32;
export const W_DP_HASH = 33;
export const W_SKB_PRIORITY = 34;
export const W_PKT_MARK = 35;
/** namespace(16) type(16); 0 for Ethernet. */
export const W_PACKET_TYPE = 36;
/** ct_state(16) ct_zone(16). */
export const W_CT_STATE = 37;
export const W_CT_MARK = 38;
export const W_CT_LABEL = 39;
export const W_CT_NW_SRC = 43;
export const W_CT_NW_DST = 44;
/** ct_tp_src(16) ct_tp_dst(16). */
export const W_CT_TP = 45;
export const W_CT_IPV6_SRC = 46;
export const W_CT_IPV6_DST = 50;
/** ct_nw_proto(8) zero(24). */
export const W_CT_PROTO = 54;
export const W_TUN_ID = 55;
export const W_TUN_SRC = 57;
export const W_TUN_DST = 58;
export const W_TUN_IPV6_SRC = 59;
export const W_TUN_IPV6_DST = 63;
/** tun_flags(16) tos(8) ttl(8). */
export const W_TUN_FLAGS = 67;
/** gbp_id(16) gbp_flags(8) erspan_ver(8). */
export const W_TUN_GBP = 68;
/** tp_src(16) tp_dst(16). */
export const W_TUN_TP = 69;
export const W_TUN_ERSPAN = 70;
/** erspan_dir(8) erspan_hwid(8) gtpu_flags(8) gtpu_msgtype(8). */
export const W_TUN_EXT = 71;

/** Words of the datapath's key: everything below is consulted by OpenFlow tables alone. */
export const DP_FLOW_WORDS = 72;

export const W_METADATA = 72;
export const W_REG0 = 74;
export const N_REGS = 16;
export const W_ACTSET_OUTPUT = 90;
export const W_CONJ_ID = 91;
/** The number of a set of tunnel options that a match asks for; 0 in packets. */
export const W_TUN_METADATA = 92;

/** Words of a whole flow. */
export const FLOW_WORDS = 93;

/** Set in a TCI when a tag is present (the CFI/DEI bit, as Open vSwitch uses it). */
export const VLAN_CFI = 0x1000;
export const VLAN_VID_MASK = 0x0fff;
export const VLAN_PCP_MASK = 0xe000;

/** nw_frag bits. */
export const NW_FRAG_ANY = 1;
export const NW_FRAG_LATER = 2;

export const ETH_TYPE_IP = 0x0800;
export const ETH_TYPE_ARP = 0x0806;
export const ETH_TYPE_VLAN_8021Q = 0x8100;
export const ETH_TYPE_VLAN_8021AD = 0x88a8;
export const ETH_TYPE_RARP = 0x8035;
export const ETH_TYPE_IPV6 = 0x86dd;
export const ETH_TYPE_MPLS = 0x8847;
export const ETH_TYPE_MPLS_MCAST = 0x8848;
export const ETH_TYPE_NSH = 0x894f;
export const ETH_TYPE_LACP = 0x8809;
/** dl_type of a frame whose type field is an 802.3 length without SNAP. */
export const ETH_TYPE_NOT_ETHERNET = 0x05ff;

/** A flow key or a mask over one: FLOW_WORDS words in the layout above. */
export type FlowWords = Int32Array;

export function newFlow(): FlowWords {
  return new Int32Array(FLOW_WORDS);
}

/** True when two flows, or masks, of the same length have the same words. */
export function sameWords(a: FlowWords, b: FlowWords): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
