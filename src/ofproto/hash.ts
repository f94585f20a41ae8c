/**
 * Hashes over header fields that must give known values: bond/hash prints them, and which member
 * a MAC address takes depends on them. MurmurHash3's mixing (public domain, Austin Appleby), fed
 * with words as Open vSwitch feeds it on machines without CRC32 instructions.
 *
 * Not for: hash tables (the classifier has its own).
 */
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  type FlowWords,
  W_IPV6_SRC,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../packet/flow-layout.js';
import { dlType, type MacNumber, nwProto } from './flow-access.js';

const IPPROTO_WITH_PORTS = new Set([1, 6, 17, 58, 132]);
const TWO_32 = 2 ** 32;

export function hashAdd(hash: number, word: number): number {
  let h = hash;
  if (word !== 0) {
    const k = Math.imul(word, 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  }
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** @returns an unsigned 32-bit hash */
export function hashFinish(hash: number, final: number): number {
  let h = hash ^ final;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** The hash that balance-slb chooses a bucket by. @param vlan VLAN id without priority bits */
export function hashMac(mac: MacNumber, vlan: number, basis: number): number {
  const low = (mac % TWO_32) | 0;
  const high = Math.floor(mac / TWO_32) | (vlan << 16);
  return hashFinish(hashAdd(hashAdd(basis, low), high), 8);
}

/** A word as a little-endian machine loads it from a packet. */
function swap32(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** The hash of addresses, protocol and ports that balance-tcp chooses a bucket by. */
export function hash5Tuple(flow: FlowWords, basis: number): number {
  let hash = basis | 0;
  const type = dlType(flow);
  if (type === ETH_TYPE_IPV6) {
    for (let i = 0; i < 8; i++) hash = hashAdd(hash, swap32(flow[W_IPV6_SRC + i]));
  } else if (type === ETH_TYPE_IP || type === ETH_TYPE_ARP) {
    hash = hashAdd(hashAdd(hash, swap32(flow[W_NW_SRC])), swap32(flow[W_NW_DST]));
  } else return hashFinish(hash, 42);
  const proto = nwProto(flow);
  hash = hashAdd(hash, proto);
  if (IPPROTO_WITH_PORTS.has(proto)) hash = hashAdd(hash, swap32(flow[W_TP]));
  return hashFinish(hash, 42);
}
