/**
 * The programs that forward in the kernel, assembled for one table (layout.ts).
 *
 *     frame on a veth ─> packet socket's filter ── hit ──> decision, not queued ──┐
 *                               │ miss                                            │ same CPU,
 *                               └─> ring ─> worker (TypeScript)                   │ same frame
 *                        tc ingress ── decision? ── yes: steps of the entry <─────┘
 *                               └── no: drop (the worker has it)
 *
 *     frame of the host on a TAP ─> tc egress ── hit: steps of the entry
 *                               └── miss: on to the TAP's reader, the worker
 *
 * The filter alone looks up, and leaves what it found for the other program: between both nothing
 * else can happen on that CPU, so a frame is never forwarded twice nor lost between the two.
 *
 * What a frame may be: Ethernet II without tags in its bytes (the kernel has taken the outer one
 * out), IPv4 without options and fragments, IPv6 without extension headers; whatever is unusual is
 * a miss, and the worker's. No decision is taken here: entries are megaflows, written by the main
 * thread.
 */
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
import { Assembler, B, DW, FRAME, H, type Register, W } from './assembler.js';
import * as at from './layout.js';

/** Kernel functions (enum bpf_func_id). */
const GET_SMP_PROCESSOR_ID = 8;
const SKB_STORE_BYTES = 9;
const CLONE_REDIRECT = 13;
const SKB_VLAN_PUSH = 18;
const SKB_VLAN_POP = 19;
const REDIRECT = 23;
const SKB_LOAD_BYTES = 26;
const KTIME_GET_COARSE_NS = 160;
const F_INGRESS = 1;

/** Offsets in struct __sk_buff. */
const SKB_LEN = 0;
const SKB_VLAN_PRESENT = 20;
const SKB_VLAN_TCI = 24;
const SKB_VLAN_PROTO = 28;
const SKB_IFINDEX = 40;

/** What the programs return. */
const TC_UNSPEC = -1;
const TC_SHOT = 2;
const FILTER_WHOLE = -1;

/** The frame on the stack: key, masked key, number of masks, and headers from the EtherType on. */
const KEY = -64;
const MASKED = -128;
const MASKS = -136;
const SAVED_CONTEXT = -144;
const IP = -192;
const TYPE = IP - 2;

const IPPROTO_ICMP = 1;
const IPPROTO_IGMP = 2;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_ICMPV6 = 58;
const IPPROTO_SCTP = 132;

/** A value of 16 bits as it is read from the wire by a little-endian machine. */
const wire16 = (value: number) => ((value & 0xff) << 8) | (value >>> 8);
const reg = (register: Register) => ({ reg: register });

/** Filter of a packet socket: what hits is not queued. */
export function filterProgram(mapFd: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  decisionOf(asm);
  asm.store(W, 8, 0, 0);
  parse(asm, 'miss');
  lookup(asm, 'miss', 'hit');
  asm.label('hit');
  asm.alu('add', 2, 1);
  asm.store(W, 8, 0, reg(2));
  asm.mov(0, 0);
  asm.exit();
  asm.label('miss');
  asm.mov(0, FILTER_WHOLE);
  asm.exit();
  return asm.assemble();
}

/** tc ingress of the same interface: carries out what the filter decided. */
export function ingressProgram(mapFd: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  decisionOf(asm);
  asm.load(W, 9, 8, 0);
  asm.store(W, 8, 0, 0);
  asm.jumpIf('eq', 9, 0, 'drop');
  asm.alu('sub', 9, 1);
  asm.alu('and', 9, at.ENTRIES - 1);
  asm.alu('lsh', 9, at.ENTRY_SHIFT);
  asm.alu('add', 9, reg(7));
  asm.alu('add', 9, at.OFF_ENTRIES);
  carryOut(asm);
  asm.label('drop');
  asm.mov(0, TC_SHOT);
  asm.exit();
  return asm.assemble();
}

/** tc egress of a TAP: what the host sends. */
export function tapProgram(mapFd: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  // The search needs every register.
  asm.store(DW, FRAME, SAVED_CONTEXT, reg(6));
  parse(asm, 'miss');
  lookup(asm, 'miss', 'hit');
  asm.label('hit');
  asm.load(DW, 6, FRAME, SAVED_CONTEXT);
  asm.mov(9, reg(3));
  carryOut(asm);
  asm.label('drop');
  asm.mov(0, TC_SHOT);
  asm.exit();
  asm.label('miss');
  asm.mov(0, TC_UNSPEC);
  asm.exit();
  return asm.assemble();
}

/** r6: the frame. r7: the table. */
function prologue(asm: Assembler, mapFd: number): void {
  asm.mov(6, reg(1));
  asm.mapValue(7, mapFd, 0);
}

/** r8: this CPU's decision. */
function decisionOf(asm: Assembler): void {
  asm.call(GET_SMP_PROCESSOR_ID);
  asm.alu('and', 0, at.CPUS_MAX - 1);
  asm.alu('lsh', 0, at.DECISION_SHIFT);
  asm.mov(8, reg(7));
  asm.alu('add', 8, reg(0));
}

function loadBytes(asm: Assembler, from: number, to: number, n: number, otherwise: string): void {
  asm.mov(1, reg(6));
  asm.mov(2, from);
  asm.mov(3, reg(FRAME));
  asm.alu('add', 3, to);
  asm.mov(4, n);
  asm.call(SKB_LOAD_BYTES);
  asm.jumpIf('ne', 0, 0, otherwise);
}

const key = (word: number) => KEY + 4 * word;

/** Builds the key; r9: the frame's class. */
function parse(asm: Assembler, miss: string): void {
  loadBytes(asm, 0, key(1), 12, miss);
  loadBytes(asm, 12, TYPE, 26, miss);
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
const NOT_PLAIN = [
  ETH_TYPE_VLAN_8021Q,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_ARP,
  ETH_TYPE_RARP,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_LACP,
];

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
  asm.jumpIf('lt', 2, head + 20, miss);
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

/** One search per class, since classes differ in words. r2, r3: number and address of the entry. */
function lookup(asm: Assembler, miss: string, hit: string): void {
  asm.label('found-ipv4');
  search(asm, 'ipv4', at.CLASS_KEY_WORDS[at.CLASS_IPV4], miss, hit);
  asm.label('found-ipv6');
  search(asm, 'ipv6', at.CLASS_KEY_WORDS[at.CLASS_IPV6], miss, hit);
  asm.label('other');
  search(asm, 'other', at.CLASS_KEY_WORDS[at.CLASS_OTHER], miss, hit);
}

/**
 * Tries the masks of the class at r9, one after the other.
 * r0: tag, r1: hash, r2: number, r3: entry, r4: masks tried, r5 and r6: free, r9: mask
 */
function search(asm: Assembler, name: string, words: number, miss: string, hit: string): void {
  asm.load(W, 1, 9, 0);
  asm.store(DW, FRAME, MASKS, reg(1));
  asm.alu('add', 9, at.CLASS_HEAD_BYTES);
  asm.mov(4, 0);
  asm.label(`${name}-mask`);
  asm.jumpIf('ge', 4, at.MASKS_MAX, miss);
  asm.load(DW, 1, FRAME, MASKS);
  asm.jumpIf('ge', 4, reg(1), miss);
  asm.load(W, 0, 9, 0);
  asm.jumpIf('eq', 0, 0, `${name}-next`);
  asm.alu32('mov', 1, reg(0));
  for (let word = 0; word < words; word++) {
    asm.load(W, 2, FRAME, key(word));
    if (word > 0) {
      asm.load(W, 3, 9, 4 * word);
      asm.alu32('and', 2, reg(3));
    }
    asm.store(W, FRAME, MASKED + 4 * word, reg(2));
    asm.alu32('xor', 1, reg(2));
    asm.alu32('mul', 1, at.HASH_MULTIPLIER);
    asm.alu32('mov', 3, reg(1));
    asm.alu32('rsh', 3, 15);
    asm.alu32('xor', 1, reg(3));
  }
  for (let way = 0; way < at.WAYS; way++) {
    const next = `${name}-way${way}`;
    asm.alu32('mov', 2, reg(1));
    asm.alu32('xor', 2, way);
    asm.alu32('and', 2, at.ENTRIES - 1);
    asm.mov(3, reg(2));
    asm.alu('lsh', 3, at.ENTRY_SHIFT);
    asm.alu('add', 3, reg(7));
    asm.alu('add', 3, at.OFF_ENTRIES);
    asm.load(W, 5, 3, at.E_TAG);
    asm.jumpIf('ne', 5, reg(0), next);
    for (let word = 0; word < words; word++) {
      asm.load(W, 5, 3, at.E_KEY + 4 * word);
      asm.load(W, 6, FRAME, MASKED + 4 * word);
      asm.jumpIf('ne', 5, reg(6), next);
    }
    asm.jump(hit);
    asm.label(next);
  }
  asm.label(`${name}-next`);
  asm.alu('add', 9, at.MASK_BYTES);
  asm.alu('add', 4, 1);
  asm.jump(`${name}-mask`);
}

/** Counts the packet and goes through the steps of the entry at r9. */
function carryOut(asm: Assembler): void {
  frameLength(asm, 2, 'counted');
  asm.mov(4, 1);
  counter(asm, 3, at.E_IN_PORT, at.PORTS_MAX, at.PORT_SHIFT, at.OFF_PORTS);
  asm.atomicAdd(3, 0, 4);
  asm.atomicAdd(3, 8, 2);
  counter(asm, 8, at.E_SLOT, at.FLOWS_MAX, at.FLOW_SHIFT, at.OFF_FLOWS);
  asm.atomicAdd(8, 0, 4);
  asm.atomicAdd(8, 8, 2);
  asm.call(KTIME_GET_COARSE_NS);
  asm.store(DW, 8, 16, reg(0));
  for (let i = 0; i < at.STEPS_MAX; i++) step(asm, i);
}

/** `dst`: the address of the counters that a word of the entry numbers. */
function counter(
  asm: Assembler,
  dst: Register,
  word: number,
  count: number,
  shift: number,
  base: number,
): void {
  asm.load(W, dst, 9, word);
  asm.alu('and', dst, count - 1);
  asm.alu('lsh', dst, shift);
  asm.alu('add', dst, reg(7));
  asm.alu('add', dst, base);
}

/** `dst`: the frame's length with its tag; r3 is lost. */
function frameLength(asm: Assembler, dst: Register, name: string): void {
  asm.load(W, dst, 6, SKB_LEN);
  asm.load(W, 3, 6, SKB_VLAN_PRESENT);
  asm.jumpIf('eq', 3, 0, name);
  asm.alu('add', dst, 4);
  asm.label(name);
}

function step(asm: Assembler, i: number): void {
  const next = `step${i + 1}`;
  const to = (operation: string) => `step${i}-${operation}`;
  if (i > 0) asm.label(`step${i}`);
  asm.load(W, 8, 9, at.E_STEPS + 8 * i);
  asm.mov(1, reg(8));
  asm.alu('and', 1, 0xff);
  asm.jumpIf('eq', 1, at.STEP_END, 'drop');
  asm.jumpIf('le', 1, at.STEP_DELIVER_LAST, to('output'));
  asm.jumpIf('eq', 1, at.STEP_PUSH_VLAN, to('push'));
  asm.jumpIf('eq', 1, at.STEP_POP_VLAN, to('pop'));
  asm.jumpIf('eq', 1, at.STEP_SET_DL_DST, to('dst'));
  asm.jumpIf('eq', 1, at.STEP_SET_DL_SRC, to('src'));
  asm.load(W, 1, 9, at.E_STEPS + 8 * i + 4);
  asm.alu('and', 1, at.DROP_REASONS_MAX - 1);
  asm.alu('lsh', 1, 3);
  asm.alu('add', 1, reg(7));
  asm.alu('add', 1, at.OFF_DROPS);
  asm.mov(2, 1);
  asm.atomicAdd(1, 0, 2);
  asm.jump('drop');

  asm.label(to('output'));
  asm.mov(5, reg(8));
  asm.alu('rsh', 5, 8);
  asm.alu('and', 5, at.PORTS_MAX - 1);
  asm.alu('lsh', 5, at.PORT_SHIFT);
  asm.alu('add', 5, reg(7));
  asm.alu('add', 5, at.OFF_PORTS);
  frameLength(asm, 2, to('length'));
  asm.mov(4, 1);
  asm.atomicAdd(5, 16, 4);
  asm.atomicAdd(5, 24, 2);
  asm.load(W, 2, 9, at.E_STEPS + 8 * i + 4);
  asm.mov(3, 0);
  asm.jumpIf('lt', 1, at.STEP_DELIVER, to('way'));
  asm.mov(3, F_INGRESS);
  asm.label(to('way'));
  asm.jumpIf('eq', 1, at.STEP_OUTPUT_LAST, to('last'));
  asm.jumpIf('eq', 1, at.STEP_DELIVER_LAST, to('last'));
  asm.mov(1, reg(6));
  asm.call(CLONE_REDIRECT);
  asm.jump(next);
  asm.label(to('last'));
  asm.mov(1, reg(2));
  asm.mov(2, reg(3));
  asm.call(REDIRECT);
  asm.exit();

  asm.label(to('push'));
  asm.load(W, 3, 9, at.E_STEPS + 8 * i + 4);
  asm.mov(2, reg(3));
  asm.alu('rsh', 2, 16);
  asm.swap16(2);
  asm.alu('and', 3, 0xffff);
  asm.mov(1, reg(6));
  asm.call(SKB_VLAN_PUSH);
  asm.jumpIf('ne', 0, 0, 'drop');
  asm.jump(next);
  asm.label(to('pop'));
  asm.mov(1, reg(6));
  asm.call(SKB_VLAN_POP);
  asm.jumpIf('ne', 0, 0, 'drop');
  asm.jump(next);
  for (const [name, from, offset] of [
    ['dst', at.E_DL_DST, 0],
    ['src', at.E_DL_SRC, 6],
  ] as const) {
    asm.label(to(name));
    asm.mov(1, reg(6));
    asm.mov(2, offset);
    asm.mov(3, reg(9));
    asm.alu('add', 3, from);
    asm.mov(4, 6);
    asm.mov(5, 0);
    asm.call(SKB_STORE_BYTES);
    asm.jumpIf('ne', 0, 0, 'drop');
    if (name === 'dst') asm.jump(next);
  }
  if (i === at.STEPS_MAX - 1) asm.label(next);
}
