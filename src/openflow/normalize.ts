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

interface Allowed {
  addresses: boolean;
  ports: boolean;
  proto: boolean;
  ip: boolean;
  sha: boolean;
  tha: boolean;
  ipv6: boolean;
  target: boolean;
  mpls: boolean;
}

function allowed(flow: L.FlowWords): Allowed {
  const a: Allowed = {
    addresses: false,
    ports: false,
    proto: false,
    ip: false,
    sha: false,
    tha: false,
    ipv6: false,
    target: false,
    mpls: false,
  };
  const dlType = flow[L.W_DL_TYPE] >>> 16;
  const proto = flow[L.W_NW] >>> 24;
  const transport = proto === IPPROTO.TCP || proto === IPPROTO.UDP || proto === IPPROTO.SCTP;
  if (dlType === L.ETH_TYPE_IP) {
    a.proto = a.ip = a.addresses = true;
    a.ports = transport || proto === IPPROTO.ICMP;
  } else if (dlType === L.ETH_TYPE_IPV6) {
    a.proto = a.ip = a.ipv6 = true;
    a.ports = transport || proto === IPPROTO.ICMPV6;
    const type = proto === IPPROTO.ICMPV6 ? flow[L.W_TP] >>> 16 : 0;
    a.target = type === 135 || type === 136;
    a.sha = type === 135;
    a.tha = type === 136;
  } else if (dlType === L.ETH_TYPE_ARP || dlType === L.ETH_TYPE_RARP) {
    a.proto = a.addresses = a.sha = a.tha = true;
  } else if (dlType === L.ETH_TYPE_MPLS || dlType === L.ETH_TYPE_MPLS_MCAST) a.mpls = true;
  // The words of its fields.
  else if (dlType === L.ETH_TYPE_NSH) a.target = a.sha = a.tha = true;
  return a;
}

/** Drops, in place, what the match's types do not have. Returns whether anything was dropped. */
export function normalizeMatch(match: Match): boolean {
  const { flow, mask } = match;
  const a = allowed(flow);
  let changed = false;
  const clear = (word: number, bits = -1): void => {
    if ((mask[word] & bits) === 0) return;
    mask[word] &= ~bits;
    flow[word] &= ~bits;
    changed = true;
  };
  if (!a.addresses) for (const w of ADDRESSES) clear(w);
  if (!a.ports) for (const w of PORTS) clear(w);
  if (!a.proto) clear(L.W_NW, 0xff << 24);
  if (!a.ip) clear(L.W_NW, 0xffff00);
  if (!a.sha) {
    clear(L.W_ARP_SHA);
    clear(L.W_ARP_SHA_THA, 0xffff << 16);
  }
  if (!a.tha) {
    clear(L.W_ARP_SHA_THA, 0xffff);
    clear(L.W_ARP_THA);
  }
  if (!a.ipv6) for (const w of IPV6) clear(w);
  if (!a.target) for (const w of TARGET) clear(w);
  if (!a.mpls) for (const w of MPLS) clear(w);
  return changed;
}
