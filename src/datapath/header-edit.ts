/**
 * Header changes in place, with their checksums.
 *
 * Checksums are updated incrementally (RFC 1624), so a wrong one stays wrong. In a frame whose
 * transport checksum is still to be completed by a device (virtio NEEDS_CSUM), the field holds the
 * pseudo-header's sum alone, so only changes of the pseudo-header count.
 *
 * Operands come from an action program (action-program.ts): values at `pc`, masks behind them.
 * A header that the packet does not have is left alone. Positions come from the extractor, which
 * must have parsed this very frame.
 */
// hot path
import {
  crc32cUpdate,
  updateChecksum16,
  updateChecksum32,
  updatePartialSum32,
} from '../packet/checksum.js';
import {
  CLASS_ARP,
  CLASS_IPV4,
  CLASS_IPV6,
  ETH_HEADER_LEN,
  type FlowExtractor,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  VLAN_HEADER_LEN,
} from '../packet/extract.js';
import { ETH_TYPE_MPLS, ETH_TYPE_MPLS_MCAST } from '../packet/flow-layout.js';
import {
  SET_ARP_WORDS,
  SET_ETH_WORDS,
  SET_IPV4_WORDS,
  SET_IPV6_WORDS,
  SET_ND_WORDS,
} from './action-program.js';
import type { FrameMemory } from './frame-memory.js';
import { VNET_CSUM_OFFSET, VNET_CSUM_START, VNET_F_NEEDS_CSUM, VNET_FLAGS } from './vlan-edit.js';

/** Header editor over one worker's memory. */
export class HeaderEditor {
  private readonly view: DataView;
  /** Offset of the frame being edited. */
  private off = 0;
  /** Operands of a set action that the editor makes itself. */
  private readonly remark = new Int32Array(2 * SET_IPV6_WORDS);

  constructor(
    private readonly memory: FrameMemory,
    private readonly flow: FlowExtractor,
  ) {
    this.view = memory.view;
  }

  /** The outer label; frames without one are left alone. */
  setMpls(value: number, mask: number, frameEnd: number): void {
    const { view, flow } = this;
    const type = view.getUint16(flow.l3 - 2);
    if (type !== ETH_TYPE_MPLS && type !== ETH_TYPE_MPLS_MCAST) return;
    if (frameEnd - flow.l3 >= 4) this.setWord(flow.l3, value, mask);
  }

  /**
   * Adds to the drop precedence of an assured forwarding DSCP (RFC 2597), at most up to the third;
   * other code points, and packets that are not IP, are left alone.
   */
  raiseDropPrecedence(off: number, levels: number): void {
    const { flow, view, remark } = this;
    if (flow.cls !== CLASS_IPV4 && flow.cls !== CLASS_IPV6) return;
    const v4 = flow.cls === CLASS_IPV4;
    const tos = v4 ? view.getUint8(flow.l3 + 1) : (view.getUint16(flow.l3) >>> 4) & 0xff;
    const level = (tos >>> 3) & 3;
    const group = tos >>> 5;
    if (level === 0 || (tos & 4) !== 0 || group < 1 || group > 4) return;
    const raised = (tos & ~0x18) | (Math.min(level + levels, 3) << 3);
    const words = v4 ? SET_IPV4_WORDS : SET_IPV6_WORDS;
    remark.fill(0);
    remark[0] = raised << 16;
    remark[words] = 0x00fc0000;
    if (v4) this.setIpv4(off, remark, 0);
    else this.setIpv6(off, remark, 0);
  }

  /** Words dl_dst, dl_dst/dl_src, dl_src. */
  setEth(off: number, words: Int32Array, pc: number): void {
    for (let i = 0; i < SET_ETH_WORDS; i++) {
      this.setWord(off + 4 * i, words[pc + i], words[pc + SET_ETH_WORDS + i]);
    }
  }

  /** The outer tag, in the layout of flow word 5; frames without a tag are left alone. */
  setVlan(off: number, len: number, value: number, mask: number): void {
    if (len < ETH_HEADER_LEN + VLAN_HEADER_LEN) return;
    const type = this.view.getUint16(off + 12);
    if (type === 0x8100 || type === 0x88a8) this.setWord(off + 12, value, mask & ~0x1000);
  }

  /** Words nw (tos, ttl), nw_src, nw_dst. */
  setIpv4(off: number, words: Int32Array, pc: number): void {
    const flow = this.flow;
    if (flow.cls !== CLASS_IPV4 || flow.l4 < 0) return;
    this.off = off;
    const ip = flow.l3;
    const masks = pc + SET_IPV4_WORDS;
    this.setIpv4Address(ip + 12, words[pc + 1], words[masks + 1]);
    this.setIpv4Address(ip + 16, words[pc + 2], words[masks + 2]);
    const tosMask = (words[masks] >>> 16) & 0xff;
    if (tosMask !== 0) {
      this.setIpv4Half(ip, tosMask, (words[pc] >>> 16) & tosMask);
    }
    const ttlMask = words[masks] & 0xff00;
    if (ttlMask !== 0) this.setIpv4Half(ip + 8, ttlMask, words[pc] & ttlMask);
  }

  /** Words nw (tos, ttl), label, ipv6_src (4), ipv6_dst (4). */
  setIpv6(off: number, words: Int32Array, pc: number): void {
    const { view, flow } = this;
    if (flow.cls !== CLASS_IPV6 || flow.l4 < 0) return;
    this.off = off;
    const ip = flow.l3;
    const masks = pc + SET_IPV6_WORDS;
    const dstCounts = !this.hasRoutingHeader();
    for (let i = 0; i < 8; i++) {
      const mask = words[masks + 2 + i];
      if (mask === 0) continue;
      const at = ip + 8 + 4 * i;
      const before = view.getInt32(at);
      const after = (before & ~mask) | (words[pc + 2 + i] & mask);
      view.setInt32(at, after);
      if (i < 4 || dstCounts) this.pseudoHeaderChanged(before, after);
    }
    const classMask = ((words[masks] >>> 16) & 0xff) << 20;
    const labelMask = words[masks + 1] & 0xfffff;
    const value = (((words[pc] >>> 16) & 0xff) << 20) | (words[pc + 1] & 0xfffff);
    this.setWord(ip, value, classMask | labelMask);
    const hopMask = (words[masks] >>> 8) & 0xff;
    const hop = view.getUint8(ip + 7);
    view.setUint8(ip + 7, (hop & ~hopMask) | ((words[pc] >>> 8) & hopMask));
  }

  /** Flow word 11 (ports, or type and code) of `protocol`'s header. */
  setPorts(off: number, protocol: number, value: number, mask: number): void {
    const { view, flow } = this;
    if (flow.protocol !== protocol || flow.laterFragment) return;
    const l4 = flow.l4;
    const size = flow.l4End - l4;
    this.off = off;
    if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
      if (size < 8) return;
      const bits = ((mask >>> 8) & 0xff00) | (mask & 0xff);
      const before = view.getUint16(l4);
      const after = (before & ~bits) | ((((value >>> 8) & 0xff00) | (value & 0xff)) & bits);
      view.setUint16(l4, after);
      if (!this.isPartial(l4 + 2)) {
        view.setUint16(l4 + 2, updateChecksum16(view.getUint16(l4 + 2), before, after));
      }
      return;
    }
    const before = view.getInt32(l4);
    const after = (before & ~mask) | (value & mask);
    if (after === before) return;
    if (protocol === IPPROTO_TCP) {
      if (!this.tcpHeaderFits(l4, size)) return;
      view.setInt32(l4, after);
      this.bodyChanged(l4 + 16, before, after);
    } else if (protocol === IPPROTO_UDP) {
      if (size < 8) return;
      view.setInt32(l4, after);
      this.bodyChanged(l4 + 6, before, after);
    } else if (protocol === IPPROTO_SCTP && size >= 12) {
      this.setSctpPorts(l4, size, after);
    }
  }

  /** Words nw (opcode), spa, tpa, sha/tha (3). */
  setArp(words: Int32Array, pc: number, frameEnd: number): void {
    const { view, flow } = this;
    const arp = flow.l3;
    if (flow.cls !== CLASS_ARP || frameEnd - arp < 28) return;
    if (view.getInt32(arp) !== 0x00010800 || view.getUint16(arp + 4) !== 0x0604) return;
    const masks = pc + SET_ARP_WORDS;
    const opMask = words[masks] >>> 24;
    if (opMask !== 0) {
      const op = view.getUint16(arp + 6);
      view.setUint16(arp + 6, (op & ~opMask) | ((words[pc] >>> 24) & opMask));
    }
    this.setWord(arp + 14, words[pc + 1], words[masks + 1]);
    this.setWord(arp + 24, words[pc + 2], words[masks + 2]);
    this.setWord(arp + 8, words[pc + 3], words[masks + 3]);
    this.setHalf(arp + 12, words[pc + 4] >>> 16, words[masks + 4] >>> 16);
    this.setHalf(arp + 18, words[pc + 4] & 0xffff, words[masks + 4] & 0xffff);
    this.setWord(arp + 20, words[pc + 5], words[masks + 5]);
  }

  /** Words nd_target (4), sll/tll (3) of a neighbour solicitation or advertisement. */
  setNd(off: number, words: Int32Array, pc: number): void {
    const { view, flow } = this;
    if (flow.protocol !== IPPROTO_ICMPV6 || flow.laterFragment) return;
    const icmp = flow.l4;
    const type = view.getUint8(icmp);
    if (flow.l4End - icmp < 24 || (type !== 135 && type !== 136)) return;
    if (view.getUint8(icmp + 1) !== 0) return;
    this.off = off;
    const masks = pc + SET_ND_WORDS;
    for (let i = 0; i < 4; i++) {
      this.setSummed(icmp + 8 + 4 * i, words[pc + i], words[masks + i], icmp + 2);
    }
    let at = icmp + 24;
    while (flow.l4End - at >= 8) {
      const len = view.getUint8(at + 1) * 8;
      const option = view.getUint8(at);
      if (len === 0) return;
      if (len === 8 && (option === 1 || option === 2)) {
        this.setNdAddress(option, at + 2, words, pc + 4, masks + 4, icmp + 2);
        return;
      }
      at += len;
    }
  }

  private setNdAddress(
    option: number,
    at: number,
    words: Int32Array,
    values: number,
    masks: number,
    csumAt: number,
  ): void {
    if (option === 1) {
      this.setSummed(at, words[values], words[masks], csumAt);
      this.setSummedHalf(at + 4, words[values + 1] >>> 16, words[masks + 1] >>> 16, csumAt);
    } else {
      this.setSummedHalf(at, words[values + 1] & 0xffff, words[masks + 1] & 0xffff, csumAt);
      this.setSummed(at + 2, words[values + 2], words[masks + 2], csumAt);
    }
  }

  private setWord(at: number, value: number, mask: number): void {
    if (mask === 0) return;
    this.view.setInt32(at, (this.view.getInt32(at) & ~mask) | (value & mask));
  }

  private setHalf(at: number, value: number, mask: number): void {
    if (mask === 0) return;
    this.view.setUint16(at, (this.view.getUint16(at) & ~mask) | (value & mask));
  }

  private setSummed(at: number, value: number, mask: number, csumAt: number): void {
    if (mask === 0) return;
    const before = this.view.getInt32(at);
    const after = (before & ~mask) | (value & mask);
    this.view.setInt32(at, after);
    this.bodyChanged(csumAt, before, after);
  }

  private setSummedHalf(at: number, value: number, mask: number, csumAt: number): void {
    if (mask === 0) return;
    const before = this.view.getUint16(at);
    const after = (before & ~mask) | (value & mask);
    this.view.setUint16(at, after);
    this.bodyChanged(csumAt, before, after);
  }

  private setIpv4Address(at: number, value: number, mask: number): void {
    if (mask === 0) return;
    const view = this.view;
    const before = view.getInt32(at);
    const after = (before & ~mask) | (value & mask);
    if (after === before) return;
    view.setInt32(at, after);
    const csumAt = this.flow.l3 + 10;
    view.setUint16(csumAt, updateChecksum32(view.getUint16(csumAt), before, after));
    this.pseudoHeaderChanged(before, after);
  }

  private setIpv4Half(at: number, mask: number, value: number): void {
    const view = this.view;
    const before = view.getUint16(at);
    const after = (before & ~mask) | value;
    if (after === before) return;
    view.setUint16(at, after);
    const csumAt = this.flow.l3 + 10;
    view.setUint16(csumAt, updateChecksum16(view.getUint16(csumAt), before, after));
  }

  /** A 32-bit word of the pseudo-header changed: update the transport checksum, if there is one. */
  private pseudoHeaderChanged(before: number, after: number): void {
    const { view, flow } = this;
    if (before === after || flow.laterFragment) return;
    const l4 = flow.l4;
    const size = flow.l4End - l4;
    const protocol = flow.protocol;
    let csumAt = -1;
    if (protocol === IPPROTO_TCP && size >= 20) csumAt = l4 + 16;
    else if (protocol === IPPROTO_UDP && size >= 8) csumAt = l4 + 6;
    else if (protocol === IPPROTO_ICMPV6 && flow.cls === CLASS_IPV6 && size >= 4) csumAt = l4 + 2;
    if (csumAt < 0) return;
    if (this.isPartial(csumAt)) {
      view.setUint16(csumAt, updatePartialSum32(view.getUint16(csumAt), before, after));
    } else {
      this.updateFull(csumAt, before, after);
    }
  }

  /** A word under the transport checksum changed. */
  private bodyChanged(csumAt: number, before: number, after: number): void {
    if (before !== after && !this.isPartial(csumAt)) this.updateFull(csumAt, before, after);
  }

  private updateFull(csumAt: number, before: number, after: number): void {
    const view = this.view;
    const old = view.getUint16(csumAt);
    const udp = this.flow.protocol === IPPROTO_UDP;
    // UDP: 0 means that there is no checksum.
    if (udp && old === 0) return;
    const checksum = updateChecksum32(old, before, after);
    view.setUint16(csumAt, udp && checksum === 0 ? 0xffff : checksum);
  }

  /** True when the device is to complete the checksum that stands at `csumAt`. */
  private isPartial(csumAt: number): boolean {
    const { view, off } = this;
    if ((view.getUint8(off + VNET_FLAGS) & VNET_F_NEEDS_CSUM) === 0) return false;
    const start = view.getUint16(off + VNET_CSUM_START, true);
    return off + start + view.getUint16(off + VNET_CSUM_OFFSET, true) === csumAt;
  }

  private tcpHeaderFits(l4: number, size: number): boolean {
    if (size < 20) return false;
    const headerLen = (this.view.getUint8(l4 + 12) >>> 4) * 4;
    return headerLen >= 20 && headerLen <= size;
  }

  /** CRC-32C covers the whole packet. What was wrong in it stays wrong, as with the sums. */
  private setSctpPorts(l4: number, size: number, ports: number): void {
    const { view } = this;
    const field = view.getInt32(l4 + 8, true);
    const partial = this.isPartial(l4 + 8);
    const before = partial ? 0 : this.sctpCrc(l4, size);
    view.setInt32(l4, ports);
    if (!partial) view.setInt32(l4 + 8, field ^ before ^ this.sctpCrc(l4, size), true);
  }

  /** CRC-32C of an SCTP packet with its checksum field taken as zero. */
  private sctpCrc(l4: number, size: number): number {
    const bytes = this.memory.u8;
    const field = this.view.getInt32(l4 + 8);
    this.view.setInt32(l4 + 8, 0);
    const crc = crc32cUpdate(-1, bytes, l4, size);
    this.view.setInt32(l4 + 8, field);
    return ~crc;
  }

  /** A routing header with segments left: the final destination is not the one in the header. */
  private hasRoutingHeader(): boolean {
    const { view, flow } = this;
    let protocol = view.getUint8(flow.l3 + 6);
    let at = flow.l3 + 40;
    // Every header takes 8 bytes at least, so this ends.
    while (at < flow.l4) {
      if (protocol === 43 && view.getUint8(at + 3) > 0) return true;
      const next = view.getUint8(at);
      const units = view.getUint8(at + 1);
      at += protocol === 44 ? 8 : protocol === 51 ? (units + 2) * 4 : (units + 1) * 8;
      protocol = next;
    }
    return false;
  }
}
