/**
 * Normalizing a match: dropping what is asked of fields that the match's own types do not have.
 *
 * OpenFlow 1.0 has no notion of prerequisites: a match on an IP address without an ethertype is
 * legal and means 'any'. Matches in NXM and OXM form cannot say such things (the codec refuses
 * them).
 */
import * as L from '../packet/flow-layout.js';
import type { Match } from './match.js';

const IPPROTO = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 } as const;

/** Words that each group of fields occupies. */
const ADDRESSES = [L.W_NW_SRC, L.W_NW_DST];
const PORTS = [L.W_TP];
const IPV6 = range(L.W_IPV6_SRC, 4).concat(range(L.W_IPV6_DST, 4), [L.W_IPV6_LABEL]);
const TARGET = range(L.W_ND_TARGET, 4);
const MPLS = range(L.W_MPLS, 3);

function range(first: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => first + i);
}

/** Groups of fields that a match may ask of: one bit each. */
const ADDRESS = 1;
const PORT = 2;
const PROTO = 4;
const IP = 8;
const SHA = 16;
const THA = 32;
const IP6 = 64;
const ND_TARGET = 128;
const LABELS = 256;

/** What a packet of the match's types has. */
function allowed(flow: L.FlowWords): number {
  const dlType = flow[L.W_DL_TYPE] >>> 16;
  const proto = flow[L.W_NW] >>> 24;
  const transport = proto === IPPROTO.TCP || proto === IPPROTO.UDP || proto === IPPROTO.SCTP;
  switch (dlType) {
    case L.ETH_TYPE_IP: {
      const ports = transport || proto === IPPROTO.ICMP;
      return PROTO | IP | ADDRESS | (ports ? PORT : 0);
    }
    case L.ETH_TYPE_IPV6: {
      const ports = transport || proto === IPPROTO.ICMPV6;
      const type = proto === IPPROTO.ICMPV6 ? flow[L.W_TP] >>> 16 : 0;
      const nd = type === 135 ? ND_TARGET | SHA : type === 136 ? ND_TARGET | THA : 0;
      return PROTO | IP | IP6 | (ports ? PORT : 0) | nd;
    }
    case L.ETH_TYPE_ARP:
    case L.ETH_TYPE_RARP:
      return PROTO | ADDRESS | SHA | THA;
    case L.ETH_TYPE_MPLS:
    case L.ETH_TYPE_MPLS_MCAST:
      return LABELS;
    // The words of its fields.
    case L.ETH_TYPE_NSH:
      return ND_TARGET | SHA | THA;
    default:
      return 0;
  }
}

function clear({ flow, mask }: Match, word: number, bits: number): boolean {
  if ((mask[word] & bits) === 0) return false;
  mask[word] &= ~bits;
  flow[word] &= ~bits;
  return true;
}

function clearAll(match: Match, words: readonly number[]): boolean {
  let changed = false;
  for (let i = 0; i < words.length; i++) changed = clear(match, words[i], -1) || changed;
  return changed;
}

/**
 * Drops, in place, what the match's types do not have. Returns whether anything was dropped. Every
 * flow-mod passes here: nothing is allocated.
 */
export function normalizeMatch(match: Match): boolean {
  const has = allowed(match.flow);
  let changed = false;
  if ((has & ADDRESS) === 0) changed = clearAll(match, ADDRESSES) || changed;
  if ((has & PORT) === 0) changed = clearAll(match, PORTS) || changed;
  if ((has & PROTO) === 0) changed = clear(match, L.W_NW, 0xff << 24) || changed;
  if ((has & IP) === 0) changed = clear(match, L.W_NW, 0xffff00) || changed;
  if ((has & SHA) === 0) {
    changed = clear(match, L.W_ARP_SHA, -1) || changed;
    changed = clear(match, L.W_ARP_SHA_THA, 0xffff << 16) || changed;
  }
  if ((has & THA) === 0) {
    changed = clear(match, L.W_ARP_SHA_THA, 0xffff) || changed;
    changed = clear(match, L.W_ARP_THA, -1) || changed;
  }
  if ((has & IP6) === 0) changed = clearAll(match, IPV6) || changed;
  if ((has & ND_TARGET) === 0) changed = clearAll(match, TARGET) || changed;
  if ((has & LABELS) === 0) changed = clearAll(match, MPLS) || changed;
  return changed;
}
