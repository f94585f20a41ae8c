/**
 * The hash action: dp_hash over a packet's addresses, protocol and ports.
 *
 * Any well-mixed hash serves: translation only matches on some of its bits (a bond's buckets).
 * The symmetric one gives both directions of a conversation the same value.
 */
// hot path
import {
  type FlowWords,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_DL_TYPE,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../packet/flow-layout.js';
import { HASH_MULTIPLIER } from './subtable.js';

function mix(hash: number, word: number): number {
  hash = Math.imul(hash ^ word, HASH_MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** Avalanches a hash, so that its low bits depend on all words. */
function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Hash of the 5-tuple (addresses of IPv4 or IPv6, protocol, ports), an int32. */
export function hashL4(key: FlowWords, basis: number): number {
  let hash = mix(basis, key[W_NW_SRC]);
  hash = mix(hash, key[W_NW_DST]);
  for (let i = 0; i < 8; i++) hash = mix(hash, key[W_IPV6_SRC + i]);
  hash = mix(hash, key[W_NW] >>> 24);
  hash = mix(hash, key[W_TP]);
  return finish(hash);
}

/** The same for both directions: Ethernet addresses, type, network addresses, protocol, ports. */
export function hashSymL4(key: FlowWords, basis: number): number {
  const tp = key[W_TP];
  let hash = mix(basis, key[W_DL_DST] ^ ((key[W_DL_DST_SRC] << 16) | (key[W_DL_SRC] >>> 16)));
  hash = mix(hash, (key[W_DL_DST_SRC] >>> 16) ^ (key[W_DL_SRC] & 0xffff));
  hash = mix(hash, key[W_DL_TYPE] >>> 16);
  hash = mix(hash, key[W_NW_SRC] ^ key[W_NW_DST]);
  for (let i = 0; i < 4; i++) hash = mix(hash, key[W_IPV6_SRC + i] ^ key[W_IPV6_DST + i]);
  hash = mix(hash, key[W_NW] >>> 24);
  hash = mix(hash, (tp >>> 16) ^ (tp & 0xffff));
  return finish(hash);
}
