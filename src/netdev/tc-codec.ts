/**
 * rtnetlink messages about traffic control: queueing disciplines, their classes and filters.
 *
 *     | nlmsghdr 16 | tcmsg 20: family, ifindex, handle, parent, info | attributes ... |
 *                                                  TCA_KIND "htb", TCA_OPTIONS { nested }
 *
 * Rates are bytes in a second. Source: linux/pkt_sched.h, linux/rtnetlink.h. Not for: what is
 * asked of the kernel, and when (kernel-classes.ts).
 */
import { endianness } from 'node:os';
import { decodeAttributes, NLM_F_REQUEST, type RtnetlinkMessage } from './rtnetlink-codec.js';

const LE = endianness() === 'LE';

export const RTM_NEWQDISC = 36;
export const RTM_DELQDISC = 37;
export const RTM_NEWTCLASS = 40;
export const RTM_DELTCLASS = 41;
export const RTM_GETTCLASS = 42;
export const RTM_NEWTFILTER = 44;

export const NLM_F_REPLACE = 0x100;
export const NLM_F_CREATE = 0x400;

/** The parent of an interface's first discipline. */
export const TC_H_ROOT = 0xffffffff;

const HEADER_BYTES = 16;
const TCMSG_BYTES = 20;
const ATTRIBUTE_BYTES = 4;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_STATS2 = 7;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;
const TCA_STATS_PKT64 = 8;

const TCA_HTB_PARMS = 1;
const TCA_HTB_INIT = 2;
const TCA_HTB_RATE64 = 6;
const TCA_HTB_CEIL64 = 7;
const HTB_VERSION = 3;
const HTB_RATE2QUANTUM = 10;
/** Said so, the kernel wants no tables of transmission times. */
const LINKLAYER_ETHERNET = 1;
/** A tick of the kernel's packet scheduler, in nanoseconds. */
const TICK_NS = 64;

const TCA_HFSC_RSC = 1;
const TCA_HFSC_FSC = 2;
const TCA_HFSC_USC = 3;

const TCA_BPF_OPS_LEN = 4;
const TCA_BPF_OPS = 5;
const ETH_P_ALL = 0x0003;
const FILTER_PRIORITY = 1;

const UINT32_MAX = 0xffffffff;

/** What a request about traffic control says. */
export interface TcRequest {
  type: number;
  /** NLM_F_* beside NLM_F_REQUEST. */
  flags: number;
  ifindex: number;
  /** MAJOR << 16 | minor. */
  handle: number;
  parent: number;
  info?: number;
  /** 'htb'; without: the request names an object that is there. */
  kind?: string;
  /** What stands in TCA_OPTIONS: attributes, or the bytes of a struct. */
  options?: Uint8Array;
}

/** A class's rates as HTB has them. */
export interface HtbClass {
  rate: number;
  ceil: number;
  /** Bytes that may go at once, beyond either rate. */
  burst: number;
  ceilBurst: number;
  /** Bytes of a turn among classes that borrow. */
  quantum: number;
  /** Lower ones borrow first: 0 to 7. */
  priority: number;
}

export interface TcClassStats {
  handle: number;
  packets: number;
  bytes: number;
  dropped: number;
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const data = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    data.setUint32(i * 4, value >>> 0, LE);
  });
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((ATTRIBUTE_BYTES + value.length + 3) & ~3);
  const data = new DataView(bytes.buffer);
  data.setUint16(0, ATTRIBUTE_BYTES + value.length, LE);
  data.setUint16(2, type, LE);
  bytes.set(value, ATTRIBUTE_BYTES);
  return bytes;
}

export function encodeTcRequest(request: TcRequest, seq: number): Uint8Array {
  const { type, flags, ifindex, handle, parent, info = 0, kind, options } = request;
  const parts: Uint8Array[] = [new Uint8Array(HEADER_BYTES + TCMSG_BYTES)];
  if (kind !== undefined) parts.push(attribute(TCA_KIND, Buffer.from(`${kind}\0`)));
  if (options) parts.push(attribute(TCA_OPTIONS, options));
  const bytes = concat(parts);
  const data = new DataView(bytes.buffer);
  data.setUint32(0, bytes.length, LE);
  data.setUint16(4, type, LE);
  data.setUint16(6, flags | NLM_F_REQUEST, LE);
  data.setUint32(8, seq, LE);
  data.setInt32(HEADER_BYTES + 4, ifindex, LE);
  data.setUint32(HEADER_BYTES + 8, handle >>> 0, LE);
  data.setUint32(HEADER_BYTES + 12, parent >>> 0, LE);
  data.setUint32(HEADER_BYTES + 16, info >>> 0, LE);
  return bytes;
}

/** TCA_OPTIONS of an HTB discipline. @param minor of the class of whatever names none */
export function htbInit(minor: number): Uint8Array {
  return attribute(TCA_HTB_INIT, words(HTB_VERSION, HTB_RATE2QUANTUM, minor, 0, 0));
}

function rate64(type: number, rate: number): Uint8Array {
  if (rate <= UINT32_MAX) return new Uint8Array(0);
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(Math.round(rate)), LE);
  return attribute(type, value);
}

/** How long `bytes` take at a rate, in the scheduler's ticks. */
function ticks(bytes: number, rate: number): number {
  return Math.min(Math.ceil(((bytes / rate) * 1e9) / TICK_NS), UINT32_MAX);
}

/** TCA_OPTIONS of a class of HTB. */
export function htbClass({ rate, ceil, burst, ceilBurst, ...turn }: HtbClass): Uint8Array {
  const spec = (value: number) => {
    const bytes = words(0, 0, Math.min(Math.round(value), UINT32_MAX));
    bytes[1] = LINKLAYER_ETHERNET;
    return bytes;
  };
  const { quantum, priority } = turn;
  const rest = words(ticks(burst, rate), ticks(ceilBurst, ceil), quantum, 0, priority);
  return concat([
    attribute(TCA_HTB_PARMS, concat([spec(rate), spec(ceil), rest])),
    rate64(TCA_HTB_RATE64, rate),
    rate64(TCA_HTB_CEIL64, ceil),
  ]);
}

/** TCA_OPTIONS of an HFSC discipline: a struct of its own, without an attribute around it. */
export function hfscInit(minor: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, minor, LE);
  return bytes;
}

/** TCA_OPTIONS of a class of HFSC, with straight service curves. */
export function hfscClass({ rate, ceil }: Pick<HtbClass, 'rate' | 'ceil'>): Uint8Array {
  const curve = (value: number) => {
    const m = Math.min(Math.round(value), UINT32_MAX);
    return words(m, 0, m);
  };
  return concat([
    attribute(TCA_HFSC_RSC, curve(rate)),
    attribute(TCA_HFSC_FSC, curve(rate)),
    attribute(TCA_HFSC_USC, curve(ceil)),
  ]);
}

/**
 * tcm_info and TCA_OPTIONS of a filter that takes a packet's mark for the number of its class: two
 * instructions of classic BPF (ld mark; ret a).
 */
export function markFilter(): { info: number; options: Uint8Array } {
  const program = new Uint8Array(16);
  const data = new DataView(program.buffer);
  // BPF_LD | BPF_W | BPF_ABS of SKF_AD_OFF + SKF_AD_MARK.
  data.setUint16(0, 0x20, LE);
  data.setInt32(4, -0x1000 + 20, LE);
  // BPF_RET | BPF_A.
  data.setUint16(8, 0x16, LE);
  const length = new Uint8Array(2);
  new DataView(length.buffer).setUint16(0, 2, LE);
  const protocol = LE ? ETH_P_ALL << 8 : ETH_P_ALL;
  const options = [attribute(TCA_BPF_OPS_LEN, length), attribute(TCA_BPF_OPS, program)];
  return { info: (FILTER_PRIORITY << 16) | protocol, options: concat(options) };
}

/** Counters of the class that an RTM_NEWTCLASS is about; null when it does not say. */
export function decodeClassStats({ type, payload }: RtnetlinkMessage): TcClassStats | null {
  if (type !== RTM_NEWTCLASS || payload.length < TCMSG_BYTES) return null;
  const data = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const stats = decodeAttributes(payload.subarray(TCMSG_BYTES)).get(TCA_STATS2);
  if (!stats) return null;
  const parts = decodeAttributes(stats);
  const basic = parts.get(TCA_STATS_BASIC);
  const queue = parts.get(TCA_STATS_QUEUE);
  const packets64 = parts.get(TCA_STATS_PKT64);
  if (!basic || basic.length < 12) return null;
  return {
    handle: data.getUint32(8, LE),
    bytes: uint64(basic, 0),
    packets: packets64 && packets64.length >= 8 ? uint64(packets64, 0) : uint32(basic, 8),
    dropped: queue && queue.length >= 12 ? uint32(queue, 8) : 0,
  };
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, LE);
}

function uint64(bytes: Uint8Array, at: number): number {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Number(data.getBigUint64(at, LE));
}
