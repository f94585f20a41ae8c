/**
 * The compiled form of datapath actions: a row of int32 that a worker interprets.
 *
 *     | op | operands ... | op | operands ... | OP_END |
 *
 *     op               operands (words)
 *     OP_END           -
 *     OP_OUTPUT        port
 *     OP_DROP          reason
 *     OP_COPY          -                      make the frame ours alone before it is changed
 *     OP_PUSH_VLAN     tpid(16) tci(16)
 *     OP_POP_VLAN      -
 *     OP_SET_VLAN      value, mask            flow word 5
 *     OP_SET_ETH       3 values, 3 masks      flow words 2..4
 *     OP_SET_IPV4      3 values, 3 masks      nw (tos, ttl), nw_src, nw_dst
 *     OP_SET_IPV6      10 values, 10 masks    nw, label, src (4), dst (4)
 *     OP_SET_PORTS     protocol, value, mask  flow word 11
 *     OP_SET_ARP       6 values, 6 masks      nw (opcode), spa, tpa, sha/tha (3)
 *     OP_SET_ND        7 values, 7 masks      target (4), sll/tll (3)
 *     OP_SET_META      word, value, mask      a metadata word of the key
 *     OP_USERSPACE     8 words                a cookie: userspace-cookie.ts
 *     OP_TRUNC         maxLen
 *     OP_CLONE         n, n words             body, ends in OP_END
 *     OP_SAMPLE        probability, left, n, n words   `left` packets until the next sample; 0: not
 *                                             drawn yet. The only word that a worker changes
 *     OP_CHECK_LEN     size, n, n words, m, m words   longer than size: the first body
 *     OP_HASH          algorithm (0 l4, 1 symmetric), basis
 *     OP_RECIRC        id
 *     OP_PUSH_MPLS     lse, ethernet type
 *     OP_POP_MPLS      ethernet type
 *     OP_SET_MPLS      value, mask            flow word 29
 *     OP_METER         id
 *     OP_LB_OUTPUT     slot of the bond, basis of the hash
 */

export const OP_END = 0;
export const OP_OUTPUT = 1;
export const OP_DROP = 2;
export const OP_COPY = 3;
export const OP_PUSH_VLAN = 4;
export const OP_POP_VLAN = 5;
export const OP_SET_VLAN = 6;
export const OP_SET_ETH = 7;
export const OP_SET_IPV4 = 8;
export const OP_SET_IPV6 = 9;
export const OP_SET_PORTS = 10;
export const OP_SET_ARP = 11;
export const OP_SET_ND = 12;
export const OP_SET_META = 13;
export const OP_USERSPACE = 14;
export const OP_TRUNC = 15;
export const OP_CLONE = 16;
export const OP_SAMPLE = 17;
export const OP_CHECK_LEN = 18;
export const OP_HASH = 19;
export const OP_RECIRC = 20;
export const OP_PUSH_MPLS = 21;
export const OP_POP_MPLS = 22;
export const OP_SET_MPLS = 23;
export const OP_METER = 24;
export const OP_LB_OUTPUT = 25;

/** Operand words of OP_SET_* with values and masks (each half). */
export const SET_ETH_WORDS = 3;
export const SET_IPV4_WORDS = 3;
export const SET_IPV6_WORDS = 10;
export const SET_ARP_WORDS = 6;
export const SET_ND_WORDS = 7;
export const COOKIE_WORDS = 8;

/** Bodies nest at most this deep (clone in clone, recirculation); deeper is a counted drop. */
export const MAX_DEPTH = 12;

/** An action program (see the table above). */
export type ActionProgram = Int32Array;

/** The longest program that is taken, in words. */
export const MAX_PROGRAM_WORDS = 16_384;
