/**
 * Emitting what OpenFlow actions changed: the difference between the flow as it is and the flow as
 * the datapath has it so far, as datapath actions, in front of an output.
 *
 * Headers are committed in a fixed order: Ethernet, network, transport, ICMP, tags, metadata. A
 * set action covers, of the fields that differ, the bits that were matched or written; those that
 * are matched have the matched value, so setting them does no harm and the text is that of Open
 * vSwitch.
 *
 * Not for: deciding when (output.ts).
 */
import type { OdpSetAttr } from '../../datapath/odp-actions.js';
import {
  DP_FLOW_WORDS,
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_RARP,
  type FlowWords,
  NW_FRAG_LATER,
  newFlow,
  W_ARP_SHA,
  W_ARP_SHA_THA,
  W_ARP_THA,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
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
  W_SKB_PRIORITY,
  W_TP,
  W_VLAN0,
} from '../../packet/flow-layout.js';
import { dlType, nwFrag, nwProto, vlanCount } from '../flow-access.js';
import { countLabels, flowPopMpls, flowPushMpls, isMplsType } from '../mpls-labels.js';
import type { XlateContext } from './context.js';

/** The words of one field of a header, and which of their bits are its. */
type FieldWords = readonly (readonly [word: number, bits: number])[];
/** Fields of a header: a set action names those that differ, and no other. */
type HeaderFields = readonly FieldWords[];

const address6 = (word: number): FieldWords => [0, 1, 2, 3].map((i) => [word + i, -1] as const);
const UPPER = 0xffff0000 | 0;
const LOWER = 0x0000ffff;
const TOS: FieldWords = [[W_NW, 0x00ff0000]];
const TTL: FieldWords = [[W_NW, 0x0000ff00]];
/** Of ARP's hardware addresses, or of the options of neighbour discovery. */
const SHA: FieldWords = [
  [W_ARP_SHA, -1],
  [W_ARP_SHA_THA, UPPER],
];
const THA: FieldWords = [
  [W_ARP_SHA_THA, LOWER],
  [W_ARP_THA, -1],
];

const ETH: HeaderFields = [
  [
    [W_DL_DST, -1],
    [W_DL_DST_SRC, UPPER],
  ],
  [
    [W_DL_DST_SRC, LOWER],
    [W_DL_SRC, -1],
  ],
];
const IPV4: HeaderFields = [[[W_NW_SRC, -1]], [[W_NW_DST, -1]], TOS, TTL];
const IPV6: HeaderFields = [
  address6(W_IPV6_SRC),
  address6(W_IPV6_DST),
  [[W_IPV6_LABEL, 0x000fffff]],
  TOS,
  TTL,
];
const ARP: HeaderFields = [[[W_NW_SRC, -1]], [[W_NW_DST, -1]], [[W_NW, 0xff000000 | 0]], SHA, THA];
const PORTS: HeaderFields = [[[W_TP, UPPER]], [[W_TP, LOWER]]];
const ND: HeaderFields = [address6(W_ND_TARGET), SHA, THA];
const PRIORITY: HeaderFields = [[[W_SKB_PRIORITY, -1]]];
const MARK: HeaderFields = [[[W_PKT_MARK, -1]]];

const TRANSPORT: Readonly<Record<number, OdpSetAttr>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/**
 * Emits a set action if the header differs; afterwards `base` agrees with `flow`.
 * @param whole set every bit of the header, not only those in the mask
 * @returns true when it emitted one
 */
function commitHeader(
  ctx: XlateContext,
  attr: OdpSetAttr,
  header: HeaderFields,
  whole = false,
): boolean {
  const { flow, base, wc } = ctx;
  const differs = (field: FieldWords): boolean =>
    field.some(([word, bits]) => ((flow[word] ^ base[word]) & bits) !== 0);
  const changed = header.filter(differs);
  if (changed.length === 0) return false;
  const value = newFlow();
  const mask = newFlow();
  for (const [word, bits] of (whole ? header : changed).flat()) {
    const covered = whole ? bits : ((flow[word] ^ base[word]) | wc[word]) & bits;
    // Every bit that the action overwrites must be known, or be one that it changes.
    wc[word] |= covered;
    mask[word] |= covered;
    value[word] |= flow[word] & covered;
    base[word] = (base[word] & ~bits) | (flow[word] & bits);
  }
  ctx.emit({ type: 'set', attr, value, mask });
  return true;
}

/** Pops, sets and pushes labels until the datapath's stack is the flow's. */
function commitMpls(ctx: XlateContext): void {
  const { flow, base } = ctx;
  let baseLeft = countLabels(base, null);
  const wanted = countLabels(flow, null);
  let common = 0;
  while (
    common < Math.min(baseLeft, wanted) &&
    base[W_MPLS + baseLeft - 1 - common] === flow[W_MPLS + wanted - 1 - common]
  ) {
    common += 1;
  }
  while (baseLeft > common) {
    if (baseLeft - 1 === common && wanted > common) {
      const value = newFlow();
      const mask = newFlow();
      value[W_MPLS] = flow[W_MPLS + wanted - baseLeft];
      mask[W_MPLS] = -1;
      ctx.emit({ type: 'set', attr: 'mpls', value, mask });
      base[W_MPLS] = value[W_MPLS];
      common += 1;
    } else {
      const type = dlType(flow);
      const ethType = !isMplsType(type) && baseLeft > 1 ? ETH_TYPE_MPLS : type;
      ctx.emit({ type: 'pop_mpls', ethType });
      flowPopMpls(base, baseLeft, type, null);
      baseLeft -= 1;
    }
  }
  while (baseLeft < wanted) {
    const lse = flow[W_MPLS + wanted - baseLeft - 1];
    ctx.emit({ type: 'push_mpls', lse, ethType: dlType(flow) });
    flowPushMpls(base, baseLeft, dlType(flow), null, false);
    base[W_MPLS] = lse;
    baseLeft += 1;
  }
}

function commitNetwork(ctx: XlateContext): void {
  const type = dlType(ctx.base);
  // Behind a label that was pushed there is nothing to change.
  if (dlType(ctx.flow) !== type || nwProto(ctx.flow) === 0) return;
  if (type === ETH_TYPE_IP) commitHeader(ctx, 'ipv4', IPV4);
  else if (type === ETH_TYPE_IPV6) {
    commitHeader(ctx, 'ipv6', IPV6);
    if (isNd(ctx.base) && commitHeader(ctx, 'nd', ND)) needsHelp(ctx);
  } else if (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP) {
    if (commitHeader(ctx, 'arp', ARP)) needsHelp(ctx);
  }
}

/** Headers that some datapaths cannot change: the main thread does it for each packet. */
function needsHelp(ctx: XlateContext): void {
  if (!ctx.ofproto.backer.support.setsAnyHeader) ctx.slow ??= 'action';
}

function isNd(flow: FlowWords): boolean {
  const type = flow[W_TP] >>> 16;
  return nwProto(flow) === 58 && (flow[W_TP] & 0xffff) === 0 && (type === 135 || type === 136);
}

function isIpv4OrIpv6(flow: FlowWords): boolean {
  const type = dlType(flow);
  return type === ETH_TYPE_IP || type === ETH_TYPE_IPV6;
}

function commitTransport(ctx: XlateContext): void {
  const { flow } = ctx;
  if (!isIpv4OrIpv6(flow) || (nwFrag(flow) & NW_FRAG_LATER) !== 0) return;
  const proto = nwProto(flow);
  const attr = TRANSPORT[proto];
  if (attr !== undefined) commitHeader(ctx, attr, PORTS);
  else if (proto === 1 && dlType(flow) === ETH_TYPE_IP) {
    if (commitHeader(ctx, 'icmp', PORTS, true)) needsHelp(ctx);
  } else if (proto === 58 && dlType(flow) === ETH_TYPE_IPV6) {
    if (commitHeader(ctx, 'icmpv6', PORTS, true)) needsHelp(ctx);
  }
}

/** Pops the tags that differ, from the outside, and pushes the wanted ones. */
function commitVlans(ctx: XlateContext): void {
  const { flow, base } = ctx;
  let baseLeft = vlanCount(base);
  let flowLeft = vlanCount(flow);
  while (
    baseLeft > 0 &&
    flowLeft > 0 &&
    base[W_VLAN0 + baseLeft - 1] === flow[W_VLAN0 + flowLeft - 1]
  ) {
    baseLeft -= 1;
    flowLeft -= 1;
  }
  for (let i = baseLeft - 1; i >= 0; i--) {
    ctx.emit({ type: 'pop_vlan' });
  }
  for (let i = flowLeft - 1; i >= 0; i--) {
    const word = flow[W_VLAN0 + i];
    ctx.emit({ type: 'push_vlan', tpid: word >>> 16, tci: word & 0xffff });
  }
  base[W_VLAN0] = flow[W_VLAN0];
  base[W_VLAN0 + 1] = flow[W_VLAN0 + 1];
}

/** Emits every pending header change; `ctx.base` equals `ctx.flow` afterwards. */
export function commitActions(ctx: XlateContext): void {
  if (headersEqual(ctx.flow, ctx.base)) return;
  commitHeader(ctx, 'eth', ETH);
  // A packet must be no MPLS packet any more before what is behind the labels is changed.
  const popsAll = isMplsType(dlType(ctx.base)) && !isMplsType(dlType(ctx.flow));
  if (popsAll) commitMpls(ctx);
  commitNetwork(ctx);
  commitTransport(ctx);
  if (!popsAll) commitMpls(ctx);
  commitVlans(ctx);
  commitHeader(ctx, 'skb_priority', PRIORITY, true);
  commitHeader(ctx, 'skb_mark', MARK, true);
}

/** Nothing that the datapath could change differs: so it is for most packets. */
function headersEqual(flow: FlowWords, base: FlowWords): boolean {
  for (let w = 0; w < DP_FLOW_WORDS; w++) if (flow[w] !== base[w] && w !== W_IN_PORT) return false;
  return true;
}
