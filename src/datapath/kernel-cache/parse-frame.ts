/**
 * Assembles how a frame becomes a key on the stack (layout.ts says which words).
 *
 *     stack:  | ... | IP and what follows | context, masks | masked key | key |  frame pointer
 *
 * Whatever is unusual goes to `miss`. r6: the frame, r7: the table; r9 becomes the frame's class.
 */
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IGMP,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../../packet/extract.js';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_LACP,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_VLAN_8021Q,
  VLAN_CFI,
} from '../../packet/flow-layout.js';
import { type Assembler, B, DW, FRAME, H, reg, W } from './assembler.js';
import {
  SKB_GSO_SIZE,
  SKB_IFINDEX,
  SKB_LEN,
  SKB_LOAD_BYTES,
  SKB_VLAN_PRESENT,
  SKB_VLAN_PROTO,
  SKB_VLAN_TCI,
} from './kernel.js';
import * as at from './layout.js';

/** Headers from the EtherType on: the network header is aligned. */
const IP = -192;
const TYPE = IP - 2;
/** Data offset and flags of a TCP header, and what has to be kept while they are fetched. */
const TCP_CONTROL = -222;
const KEPT = -220;
/** What others want to know of the frame: its length, 0 when a device cuts it; its TCP flags. */
export const LENGTH = -216;
export const FLAGS = -212;
const TCP_HEADER_MIN = 20;
const ETH_HEADER = 14;

/** A value of 16 bits as it is read from the wire by a little-endian machine. */
const wire16 = (value: number) => ((value & 0xff) << 8) | (value >>> 8);

/** Types whose frames hold more than the key does. */
const NOT_PLAIN = [
  ETH_TYPE_VLAN_8021Q,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_ARP,
  ETH_TYPE_RARP,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_LACP,
];

/** Offset of a word of the key on the stack. */
export const key = (word: number) => -64 + 4 * word;

function loadBytes(asm: Assembler, from: number, to: number, n: number, otherwise: string): void {
  asm.mov(1, reg(6));
  asm.mov(2, from);
  asm.mov(3, reg(FRAME));
  asm.alu('add', 3, to);
  asm.mov(4, n);
  asm.call(SKB_LOAD_BYTES);
  asm.jumpIf('ne', 0, 0, otherwise);
}

/** Builds the key; ends at the label of the frame's class: found-ipv4, found-ipv6, other. */
export function parse(asm: Assembler, miss: string): void {
  loadBytes(asm, 0, key(1), 12, miss);
  loadBytes(asm, 12, TYPE, 26, miss);
  asm.store(W, FRAME, FLAGS, 0);
  asm.load(W, 1, 6, SKB_LEN);
  asm.load(W, 2, 6, SKB_GSO_SIZE);
  asm.jumpIf('eq', 2, 0, 'whole');
  asm.mov(1, 0);
  asm.label('whole');
  asm.store(W, FRAME, LENGTH, reg(1));
  asm.load(W, 1, 6, SKB_IFINDEX);
  asm.store(W, FRAME, key(0), reg(1));
  for (let word = 6; word < at.KEY_WORDS; word += 2) asm.store(DW, FRAME, key(word), 0);
  asm.mov(2, 0);
  asm.load(W, 1, 6, SKB_VLAN_PRESENT);
  asm.jumpIf('eq', 1, 0, 'untagged');
  asm.load(W, 2, 6, SKB_VLAN_TCI);
  asm.alu('or', 2, VLAN_CFI);
  asm.load(W, 3, 6, SKB_VLAN_PROTO);
  asm.swap16(3);
  asm.alu('lsh', 3, 16);
  asm.alu('or', 2, reg(3));
  asm.label('untagged');
  asm.store(W, FRAME, key(4), reg(2));
  asm.load(H, 1, FRAME, TYPE);
  asm.store(W, FRAME, key(5), reg(1));
  asm.mov(9, reg(7));
  asm.jumpIf('eq', 1, wire16(0x0800), 'ipv4');
  asm.jumpIf('eq', 1, wire16(0x86dd), 'ipv6');
  for (const type of NOT_PLAIN) asm.jumpIf('eq', 1, wire16(type), miss);
  asm.swap16(1);
  asm.jumpIf('lt', 1, 0x0600, miss);
  asm.alu('add', 9, at.OFF_CLASSES + at.CLASS_OTHER * at.CLASS_BYTES);
  asm.jump('other');
  parseIpv4(asm, miss);
  parseIpv6(asm, miss);
}
function parseIpv4(asm: Assembler, miss: string): void {
  asm.label('ipv4');
  asm.load(B, 1, FRAME, IP);
  asm.jumpIf('ne', 1, 0x45, miss);
  asm.load(H, 1, FRAME, IP + 6);
  asm.alu('and', 1, wire16(0x3fff));
  asm.jumpIf('ne', 1, 0, miss);
  // r2: the packet's length, as it says and as it is.
  asm.load(H, 2, FRAME, IP + 2);
  asm.swap16(2);
  asm.load(W, 3, 6, SKB_LEN);
  asm.alu('sub', 3, 14);
  asm.jumpIf('gt', 2, reg(3), miss);
  asm.jumpIf('lt', 2, 20, miss);
  asm.load(B, 4, FRAME, IP + 9);
  network(asm, [
    [4, 0],
    [IP + 1, 8],
    [IP + 8, 16],
  ]);
  for (const word of [0, 1]) {
    asm.load(W, 1, FRAME, IP + 12 + 4 * word);
    asm.store(W, FRAME, key(7 + word), reg(1));
  }
  transport(asm, 'ipv4', IP + 20, 20, IPPROTO_ICMP, [IPPROTO_SCTP, IPPROTO_IGMP], miss);
  asm.store(W, FRAME, key(9), reg(5));
  asm.alu('add', 9, at.OFF_CLASSES + at.CLASS_IPV4 * at.CLASS_BYTES);
  asm.jump('found-ipv4');
}

function parseIpv6(asm: Assembler, miss: string): void {
  asm.label('ipv6');
  loadBytes(asm, 14, IP, 44, miss);
  asm.load(B, 1, FRAME, IP);
  asm.mov(2, reg(1));
  asm.alu('rsh', 2, 4);
  asm.jumpIf('ne', 2, 6, miss);
  // Traffic class: the low half of the first byte and the high half of the second.
  asm.alu('and', 1, 0x0f);
  asm.alu('lsh', 1, 4);
  asm.load(B, 2, FRAME, IP + 1);
  asm.alu('rsh', 2, 4);
  asm.alu('or', 1, reg(2));
  asm.store(B, FRAME, key(6) + 1, reg(1));
  asm.load(B, 4, FRAME, IP + 6);
  asm.store(B, FRAME, key(6), reg(4));
  asm.load(B, 1, FRAME, IP + 7);
  asm.store(B, FRAME, key(6) + 2, reg(1));
  asm.load(H, 2, FRAME, IP + 4);
  asm.swap16(2);
  asm.load(W, 3, 6, SKB_LEN);
  asm.alu('sub', 3, 54);
  asm.jumpIf('gt', 2, reg(3), miss);
  for (let word = 0; word < 8; word++) {
    asm.load(W, 1, FRAME, IP + 8 + 4 * word);
    asm.store(W, FRAME, key(7 + word), reg(1));
  }
  transport(asm, 'ipv6', IP + 40, 0, IPPROTO_ICMPV6, null, miss);
  asm.store(W, FRAME, key(15), reg(5));
  asm.alu('add', 9, at.OFF_CLASSES + at.CLASS_IPV6 * at.CLASS_BYTES);
  asm.jump('found-ipv6');
}

/** Word 6 of the key, from bytes of the stack (or r4). */
function network(asm: Assembler, bytes: readonly [number, number][]): void {
  asm.mov(5, 0);
  for (const [from, shift] of bytes) {
    if (from === 4) asm.mov(1, reg(4));
    else asm.load(B, 1, FRAME, from);
    asm.alu('lsh', 1, shift);
    asm.alu('or', 5, reg(1));
  }
  asm.store(W, FRAME, key(6), reg(5));
}

/**
 * r5: the word of the ports, 0 when the protocol (r4) has none.
 * @param head bytes of the IP header that r2, the length, counts
 * @param others protocols that are misses; null: all others are
 */
function transport(
  asm: Assembler,
  name: string,
  from: number,
  head: number,
  icmp: number,
  others: readonly number[] | null,
  miss: string,
): void {
  asm.mov(5, 0);
  asm.jumpIf('eq', 4, IPPROTO_TCP, `${name}-tcp`);
  asm.jumpIf('eq', 4, IPPROTO_UDP, `${name}-udp`);
  asm.jumpIf('eq', 4, icmp, `${name}-icmp`);
  if (others === null) asm.jump(miss);
  else for (const protocol of others) asm.jumpIf('eq', 4, protocol, miss);
  if (others !== null) asm.jump(`${name}-ports`);
  asm.label(`${name}-tcp`);
  asm.jumpIf('lt', 2, head + TCP_HEADER_MIN, miss);
  tcpFlags(asm, from, head, miss);
  asm.load(W, 5, FRAME, from);
  asm.jump(`${name}-ports`);
  asm.label(`${name}-udp`);
  asm.jumpIf('lt', 2, head + 8, miss);
  asm.load(W, 5, FRAME, from);
  asm.jump(`${name}-ports`);
  asm.label(`${name}-icmp`);
  asm.jumpIf('lt', 2, head + 8, miss);
  // Type and code stand for the ports: 16 bits each.
  asm.load(B, 5, FRAME, from);
  // Neighbour discovery carries more fields than the key.
  if (icmp === IPPROTO_ICMPV6) {
    asm.jumpIf('lt', 5, 133, `${name}-plain`);
    asm.jumpIf('le', 5, 137, miss);
    asm.label(`${name}-plain`);
  }
  asm.alu('lsh', 5, 8);
  asm.load(B, 1, FRAME, from + 1);
  asm.alu('lsh', 1, 24);
  asm.alu('or', 5, reg(1));
  asm.label(`${name}-ports`);
}

/** Keeps the flags of a TCP header of sound length; `from` is where it stands on the stack. */
function tcpFlags(asm: Assembler, from: number, head: number, miss: string): void {
  asm.store(W, FRAME, KEPT, reg(2));
  loadBytes(asm, ETH_HEADER + from - IP + 12, TCP_CONTROL, 2, miss);
  asm.load(H, 1, FRAME, TCP_CONTROL);
  asm.swap16(1);
  asm.mov(2, reg(1));
  asm.alu('and', 2, 0x0fff);
  asm.store(W, FRAME, FLAGS, reg(2));
  asm.alu('rsh', 1, 12);
  asm.alu('lsh', 1, 2);
  asm.jumpIf('lt', 1, TCP_HEADER_MIN, miss);
  asm.alu('add', 1, head);
  asm.load(W, 2, FRAME, KEPT);
  asm.jumpIf('gt', 1, reg(2), miss);
}
