/**
 * IPFIX records: what a sampled packet says, gathered per flow, as bytes of a data record.
 *
 *     key bytes (what tells flows apart)  |  counts gathered since the record began
 *
 * Totals are the exporter's since it was set up; deltas are the flow's since its last record. A
 * sample stands for as many packets as are sampled one of, all of its length.
 */

import {
  dlDst,
  dlType,
  MAC_BROADCAST,
  macIsMulticast,
  nwProto,
  vlanTci,
} from '../ofproto/flow-access.js';
import { Writer } from '../openflow/codec/buffer.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  type FlowWords,
  VLAN_CFI,
  W_DL_DST,
  W_IPV6_DST,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TCP_FLAGS,
  W_TP,
  W_VLAN0,
} from '../packet/flow-layout.js';
import type { L4, TemplateKind } from './ipfix-templates.js';

const ETH_HEADER_BYTES = 14;
const VLAN_HEADER_BYTES = 4;
const IPV4_L4: Readonly<Record<number, L4>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 1: 'icmp' };
const IPV6_L4: Readonly<Record<number, L4>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 58: 'icmp' };
const NAME_BYTES_MAX = 64;
const IF_TYPE_ETHERNET = 6;

/** What is told of a port. */
export interface InterfaceInfo {
  ifindex: number;
  name: string;
}

export function templateKindOf(key: FlowWords, egress: boolean): TemplateKind {
  const vlan = (key[W_VLAN0] & VLAN_CFI) !== 0;
  const type = dlType(key);
  if (type === ETH_TYPE_IP)
    return { vlan, egress, l3: 'ipv4', l4: IPV4_L4[nwProto(key)] ?? 'other' };
  if (type === ETH_TYPE_IPV6)
    return { vlan, egress, l3: 'ipv6', l4: IPV6_L4[nwProto(key)] ?? 'other' };
  return { vlan, egress, l3: 'none', l4: 'other' };
}

export interface KeyFields {
  observationPoint: number;
  /** Null: a port that is not known. */
  input: InterfaceInfo | null;
  output: InterfaceInfo | null;
}

/** The part of a record that tells flows apart, in the order of the template. */
export function encodeKey(kind: TemplateKind, key: FlowWords, fields: KeyFields): Uint8Array {
  const w = new Writer(128);
  w.u32(fields.observationPoint).u8(kind.egress ? 1 : 0);
  const d = new DataView(new ArrayBuffer(12));
  for (let i = 0; i < 3; i++) d.setInt32(i * 4, key[W_DL_DST + i]);
  const macs = new Uint8Array(d.buffer);
  w.put(macs.subarray(6)).put(macs.subarray(0, 6));
  w.u16(dlType(key)).u8(ethernetBytes(kind));
  putInterface(w, fields.input);
  if (kind.egress) putInterface(w, fields.output);
  if (kind.vlan) {
    const tci = vlanTci(key);
    w.u16(tci & 0xfff)
      .u16(tci & 0xfff)
      .u8(tci >>> 13);
  }
  if (kind.l3 !== 'none') putIp(w, kind, key);
  if (kind.l4 === 'icmp') w.u8(key[W_TP] >>> 16).u8(key[W_TP]);
  else if (kind.l4 !== 'other') w.u16(key[W_TP] >>> 16).u16(key[W_TP]);
  return w.finish();
}

function ethernetBytes(kind: TemplateKind): number {
  return ETH_HEADER_BYTES + (kind.vlan ? VLAN_HEADER_BYTES : 0);
}

function putInterface(w: Writer, info: InterfaceInfo | null): void {
  const name = Buffer.from(info?.name ?? '', 'utf8').subarray(0, NAME_BYTES_MAX);
  w.u32(info?.ifindex ?? 0).u32(info === null ? 0 : IF_TYPE_ETHERNET);
  // Without a description.
  w.u8(name.length).put(name).u8(0);
}

function putIp(w: Writer, kind: TemplateKind, key: FlowWords): void {
  const tos = (key[W_NW] >>> 16) & 0xff;
  w.u8(kind.l3 === 'ipv4' ? 4 : 6)
    .u8(key[W_NW] >>> 8)
    .u8(nwProto(key));
  w.u8(tos >>> 2)
    .u8(tos >>> 5)
    .u8(tos);
  if (kind.l3 === 'ipv4') {
    w.u32(key[W_NW_SRC]).u32(key[W_NW_DST]);
    return;
  }
  for (let i = 0; i < 4; i++) w.u32(key[W_IPV6_SRC + i]);
  for (let i = 0; i < 4; i++) w.u32(key[W_IPV6_DST + i]);
  w.u32(key[W_IPV6_LABEL]);
}

/** Counts of an exporter since it was set up. */
export class IpfixTotals {
  packets = 0;
  droppedPackets = 0;
  octets = 0;
  droppedOctets = 0;
  octetSquares = 0n;
  layer2Octets = 0;
  inUnicast = 0;
  inMulticast = 0;
  inBroadcast = 0;
  outUnicast = 0;
  outBroadcast = 0;
  outMulticast = 0;
  outMulticastOctets = 0;
  /** ACK, FIN, PSH, RST, SYN, URG: in the order of the template. */
  readonly tcp = [0, 0, 0, 0, 0, 0];
}

/** TCP's flags in the order of IpfixTotals.tcp. */
const TCP_FLAGS = [0x10, 0x01, 0x08, 0x04, 0x02, 0x20] as const;

/** A sampled packet, as far as counts go. */
export interface SampleCounts {
  kind: TemplateKind;
  key: FlowWords;
  frameBytes: number;
  /** How many packets the sample stands for. */
  packets: number;
  dropped: boolean;
}

/** A flow's counts since its last record. */
export class IpfixFlow {
  packets = 0;
  droppedPackets = 0;
  octets = 0;
  droppedOctets = 0;
  octetSquares = 0n;
  layer2Octets = 0;
  minLength = 0;
  maxLength = 0;
  outMulticast = 0;
  outMulticastOctets = 0;
  endUsec: number;

  constructor(
    readonly kind: TemplateKind,
    readonly domain: number,
    readonly keyBytes: Uint8Array,
    /** Microseconds since 1970. */
    readonly startUsec: number,
    /** Clock ms. */
    readonly startMs: number,
  ) {
    this.endUsec = startUsec;
  }

  /** Counts a sample, here and in the exporter's totals. */
  count(sample: SampleCounts, totals: IpfixTotals, nowUsec: number): void {
    const { kind, packets, dropped, frameBytes } = sample;
    const multicast = countCast(sample, totals);
    const length = kind.l3 === 'none' ? 0 : frameBytes - ethernetBytes(kind);
    const octets = packets * length;
    const squares = BigInt(octets) * BigInt(length);
    for (const to of [this, totals]) {
      to.packets += packets;
      to.layer2Octets += packets * frameBytes;
      to.octets += octets;
      to.octetSquares += squares;
      if (dropped) to.droppedPackets += packets;
      if (dropped) to.droppedOctets += octets;
      if (multicast) to.outMulticast += packets;
      if (multicast) to.outMulticastOctets += octets;
    }
    if (length > 0) {
      this.minLength = this.minLength === 0 ? length : Math.min(this.minLength, length);
      this.maxLength = Math.max(this.maxLength, length);
    }
    this.endUsec = Math.max(this.endUsec, nowUsec);
    if (kind.l4 !== 'tcp') return;
    const flags = sample.key[W_TCP_FLAGS] >>> 16;
    for (const [i, bit] of TCP_FLAGS.entries()) if ((flags & bit) !== 0) totals.tcp[i] += packets;
  }

  /** The whole data record. @param exportSec the time in the message's header */
  encode(
    totals: IpfixTotals,
    options: { exportSec: number; endReason: number; virtualObsId: Uint8Array | null },
  ): Uint8Array {
    const w = new Writer(512);
    w.put(this.keyBytes);
    const { exportSec, virtualObsId } = options;
    if (virtualObsId !== null) w.u8(virtualObsId.length).put(virtualObsId);
    const exportUsec = exportSec * 1_000_000;
    w.u32(exportUsec - this.startUsec).u32(exportUsec - this.endUsec);
    put64(w, totals.droppedPackets, this.droppedPackets, totals.packets, this.packets);
    put64(w, totals.inUnicast, totals.inMulticast, totals.inBroadcast);
    put64(w, totals.outUnicast, totals.outBroadcast);
    put64(w, totals.outMulticast, this.outMulticast, totals.layer2Octets, this.layer2Octets);
    w.u8(options.endReason);
    if (this.kind.l3 !== 'none') {
      put64(w, totals.droppedOctets, this.droppedOctets, totals.octets, this.octets);
      w.u64(totals.octetSquares).u64(this.octetSquares);
      put64(w, this.minLength, this.maxLength, totals.outMulticastOctets, this.outMulticastOctets);
    }
    if (this.kind.l4 === 'tcp') put64(w, ...totals.tcp);
    return w.finish();
  }
}

function put64(w: Writer, ...values: number[]): void {
  for (const value of values) w.u64(BigInt(value));
}

/** Counts to whom the packet goes. @returns true when it is one multicast packet sent out */
function countCast(sample: SampleCounts, totals: IpfixTotals): boolean {
  const { kind, packets } = sample;
  const dst = dlDst(sample.key);
  if (dst === MAC_BROADCAST) {
    if (kind.egress) totals.outBroadcast += packets;
    else totals.inBroadcast += packets;
  } else if (macIsMulticast(dst)) {
    if (kind.egress) return true;
    totals.inMulticast += packets;
  } else if (kind.egress) totals.outUnicast += packets;
  else totals.inUnicast += packets;
  return false;
}
