/**
 * Cuts a large frame, which a device was to cut (generic segmentation offload), into its packets.
 *
 *     vnet: gso_type gso_size | Ethernet, tags, labels | IP | TCP or UDP | payload ............ |
 *                             '------------- headerLen ---------------' '- gso_size -'- ... -'
 *     packet i:                       the headers, changed                 part i of the payload
 *
 *     changed       in which packets
 *     IPv4          id + i, total length, header checksum
 *     IPv6          payload length
 *     TCP           sequence number + i * gso_size; FIN and PSH in the last, CWR in the first only
 *     UDP           length
 *     TCP, UDP      checksum, complete
 *
 * `read` looks at a frame, `build` writes one packet of it. Positions are kept relative to the
 * frame, so that it may be moved between two packets. Not for: UDP fragmentation offload (a type
 * that no kernel makes any more); deciding when to cut (cut-output.ts).
 *
 * Sources: virtio 1.2 section 5.1.6; RFC 791, 768, 8200, 9293; RFC 3168 section 6.1.2 (CWR).
 */
// hot path
import { VNET_HDR_LEN } from '../native/binding.js';
import { addToSum, finishSum, foldSum, pseudoSum4, pseudoSum6 } from '../packet/checksum.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../packet/extract.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_VLAN_8021Q,
} from '../packet/flow-layout.js';
import type { FrameMemory } from './frame-memory.js';
import {
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_F_NEEDS_CSUM,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
} from './vlan-edit.js';

/** gso_type of struct virtio_net_hdr; bit 7 says that TCP's ECN is in use. */
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;

const IPV4_MIN = 20;
const IPV6_LEN = 40;
const TCP_MIN = 20;
const UDP_LEN = 8;
const FIN_PSH = 0x09;
const CWR = 0x80;
/** Where SCTP has its checksum, which is no sum but a CRC. */
const SCTP_CSUM_OFFSET = 8;

/** Cuts frames of one worker's memory. */
export class Segmenter {
  /** Of the frame that was read: its number of packets, at least 1. */
  packets = 0;
  /** Bytes of headers in each packet. */
  headerLen = 0;
  /** Bytes of the longest packet. */
  packetLen = 0;
  /** The frame has an MPLS label (set also when read() returns false). */
  labelled = false;

  private readonly view: DataView;
  private l3 = 0;
  private l4 = 0;
  private payloadLen = 0;
  private partLen = 0;
  private v4 = false;
  private tcp = false;
  /** Sum of the pseudo-header without the length. */
  private pseudoSum = 0;

  constructor(private readonly memory: FrameMemory) {
    this.view = memory.view;
  }

  /** Looks at a frame; false when it is not one that can be cut here. */
  read(off: number, len: number): boolean {
    const view = this.view;
    const gsoType = view.getUint8(off + VNET_GSO_TYPE) & ~GSO_ECN;
    const isTcp = gsoType === GSO_TCPV4 || gsoType === GSO_TCPV6;
    this.labelled = false;
    if (!isTcp && gsoType !== GSO_UDP_L4) return false;
    this.tcp = isTcp;
    if (!this.findNetwork(off, len) || !this.findTransport(off, len)) return false;
    const partLen = view.getUint16(off + VNET_GSO_SIZE, true);
    const payloadLen = len - this.headerLen;
    if (partLen === 0 || payloadLen < 0) return false;
    this.partLen = partLen;
    this.payloadLen = payloadLen;
    this.packets = payloadLen <= partLen ? 1 : Math.ceil(payloadLen / partLen);
    this.packetLen = this.headerLen + Math.min(partLen, payloadLen);
    this.readPseudoSum(off, len);
    return true;
  }

  /**
   * Writes packet `index` of the frame that was read (now at `from`) to `to`, with an empty virtio
   * header. Checksums are those of the whole packet, however little of it is wanted.
   * @param maxLen of the packet; at least the headers are written, so that is the room it needs
   * @returns the packet's length, at most maxLen
   */
  build(index: number, from: number, to: number, maxLen: number): number {
    const { view, headerLen, l4, partLen, payloadLen } = this;
    const start = index * partLen;
    const size = Math.min(partLen, payloadLen - start);
    const data = from + headerLen + start;
    const u8 = this.memory.u8;
    u8.fill(0, to - VNET_HDR_LEN, to);
    u8.copyWithin(to, from, from + headerLen);
    const kept = Math.min(size, maxLen - headerLen);
    if (kept > 0) u8.copyWithin(to + headerLen, data, data + kept);
    const l4Len = headerLen - l4 + size;
    if (this.v4) this.writeIpv4(to + this.l3, index, l4Len);
    else view.setUint16(to + this.l3 + 4, l4 - this.l3 - IPV6_LEN + l4Len);
    if (this.tcp) this.writeTcp(to + l4, start, index);
    else view.setUint16(to + l4 + 4, l4Len);
    const csumAt = to + l4 + (this.tcp ? 16 : 6);
    view.setUint16(csumAt, 0);
    let sum = addToSum(view, to + l4, headerLen - l4, this.pseudoSum + l4Len);
    sum = finishSum(addToSum(view, data, size, sum));
    view.setUint16(csumAt, sum === 0 && !this.tcp ? 0xffff : sum);
    return Math.min(headerLen + size, maxLen);
  }

  /** Finds the IP header behind tags and labels. */
  private findNetwork(off: number, len: number): boolean {
    const view = this.view;
    const end = off + len;
    let at = off + 14;
    let type = view.getUint16(off + 12);
    while (type === ETH_TYPE_VLAN_8021Q || type === ETH_TYPE_VLAN_8021AD) {
      if (at + 4 > end) return false;
      type = view.getUint16(at + 2);
      at += 4;
    }
    if (type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MCAST) {
      this.labelled = true;
      let bottom = false;
      while (!bottom) {
        if (at + 4 > end) return false;
        bottom = (view.getUint8(at + 2) & 1) !== 0;
        at += 4;
      }
    } else if (type !== ETH_TYPE_IP && type !== ETH_TYPE_IPV6) {
      return false;
    }
    if (at + IPV4_MIN > end) return false;
    const version = view.getUint8(at) >>> 4;
    this.v4 = version === 4;
    this.l3 = at - off;
    return version === 4 || (version === 6 && at + IPV6_LEN <= end);
  }

  /** Finds the transport header: where the virtio header says it is, else right behind IP's. */
  private findTransport(off: number, len: number): boolean {
    const { view, l3, v4 } = this;
    const protocol = this.tcp ? IPPROTO_TCP : IPPROTO_UDP;
    const ip = off + l3;
    const least = l3 + (v4 ? (view.getUint8(ip) & 0xf) * 4 : IPV6_LEN);
    let l4 = least;
    if (v4) {
      if (least - l3 < IPV4_MIN || view.getUint8(ip + 9) !== protocol) return false;
    } else if (this.isPartial(off)) {
      l4 = view.getUint16(off + VNET_CSUM_START, true);
    } else if (view.getUint8(ip + 6) !== protocol) {
      return false;
    }
    if (l4 < least || l4 + (this.tcp ? TCP_MIN : UDP_LEN) > len) return false;
    const l4HeaderLen = this.tcp ? (view.getUint8(off + l4 + 12) >>> 4) * 4 : UDP_LEN;
    if (this.tcp && l4HeaderLen < TCP_MIN) return false;
    this.l4 = l4;
    this.headerLen = l4 + l4HeaderLen;
    return true;
  }

  private isPartial(off: number): boolean {
    return (this.view.getUint8(off + VNET_FLAGS) & VNET_F_NEEDS_CSUM) !== 0;
  }

  /**
   * The sum of the pseudo-header stands in an unfinished checksum's field (which knows of the
   * final destination behind a routing header, too), with the length of the whole.
   */
  private readPseudoSum(off: number, len: number): void {
    const { view, l3, l4 } = this;
    if (this.isPartial(off)) {
      const field = view.getUint16(off + l4 + (this.tcp ? 16 : 6));
      this.pseudoSum = foldSum(field + (~(len - l4) & 0xffff));
      return;
    }
    const protocol = this.tcp ? IPPROTO_TCP : IPPROTO_UDP;
    this.pseudoSum = this.v4
      ? pseudoSum4(view, off + l3, protocol, 0)
      : pseudoSum6(view, off + l3, protocol, 0);
  }

  private writeIpv4(ip: number, index: number, l4Len: number): void {
    const view = this.view;
    const headerLen = this.l4 - this.l3;
    view.setUint16(ip + 2, headerLen + l4Len);
    view.setUint16(ip + 4, view.getUint16(ip + 4) + index);
    view.setUint16(ip + 10, 0);
    view.setUint16(ip + 10, finishSum(addToSum(view, ip, headerLen)));
  }

  private writeTcp(l4: number, start: number, index: number): void {
    const view = this.view;
    view.setInt32(l4 + 4, view.getInt32(l4 + 4) + start);
    let flags = view.getUint8(l4 + 13);
    if (index !== this.packets - 1) flags &= ~FIN_PSH;
    if (index !== 0) flags &= ~CWR;
    view.setUint8(l4 + 13, flags);
  }
}

/**
 * Completes the checksum of a frame that says NEEDS_CSUM, in a copy of its first bytes.
 * @param off, len the whole frame
 * @param to the copy, of `kept` bytes; its virtio header is not looked at
 */
export function finishChecksum(
  view: DataView,
  off: number,
  len: number,
  to: number,
  kept: number,
): void {
  if ((view.getUint8(off + VNET_FLAGS) & VNET_F_NEEDS_CSUM) === 0) return;
  const start = view.getUint16(off + VNET_CSUM_START, true);
  const offset = view.getUint16(off + VNET_CSUM_OFFSET, true);
  const at = start + offset;
  if (offset === SCTP_CSUM_OFFSET || at + 2 > kept || at + 2 > len) return;
  const sum = finishSum(addToSum(view, off + start, len - start));
  view.setUint16(to + at, sum === 0 ? 0xffff : sum);
}
