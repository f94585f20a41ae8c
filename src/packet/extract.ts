/**
 * Flow key extraction: from a frame's bytes to the words of flow-layout.ts.
 *
 * Total on any bytes: a header that is cut short or contradicts itself ends the parsing, and the
 * fields behind it stay zero, exactly as Open vSwitch does it. Nothing outside the frame is read.
 *
 * It comes in two steps, because most packets of a switch need the first one only:
 *
 *     parseL2(off, len)  words 2..7 : addresses, VLAN tags, dl_type, nw_frag      always
 *     parseRest()        words 8..32: IP, transport, ARP, ND, MPLS, NSH           when consulted
 *
 * Which is enough is known from the megaflows' masks (see datapath/exact-cache.ts). The positions
 * of the layers stay behind in `l3`, `l4` and `l4End` for header changes.
 *
 * Not for: metadata words (in_port, recirc_id...), which belong to the caller.
 *
 * Sources: ovs-fields(7); RFC 791, 8200, 4861, 826, 3032, 8300; IEEE 802.1Q, 802.2.
 */
// hot path
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_NOT_ETHERNET,
  ETH_TYPE_NSH,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_VLAN_8021Q,
  type FlowWords,
  NW_FRAG_ANY,
  NW_FRAG_LATER,
  newFlow,
  VLAN_CFI,
  W_ARP_SHA,
  W_ARP_SHA_THA,
  W_ARP_THA,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_DL_TYPE,
  W_IGMP,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_ND_TARGET,
  W_NSH,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TCP_FLAGS,
  W_TP,
  W_VLAN0,
  W_VLAN1,
} from './flow-layout.js';

/** What the dl_type says about the layout behind it: megaflow masks are joined per class. */
export const CLASS_IPV4 = 0;
export const CLASS_IPV6 = 1;
export const CLASS_ARP = 2;
export const CLASS_OTHER = 3;
export const FLOW_CLASSES = 4;

export const ETH_HEADER_LEN = 14;
export const VLAN_HEADER_LEN = 4;
const IPV4_HEADER_LEN = 20;
const IPV6_HEADER_LEN = 40;
const ARP_ETH_LEN = 28;
const LLC_SNAP_LEN = 8;
const MAX_MPLS_LABELS = 3;
const NSH_BASE_LEN = 8;
const NSH_TYPE1_LEN = 24;

export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_SCTP = 132;
const IPPROTO_HOPOPTS = 0;
const IPPROTO_ROUTING = 43;
const IPPROTO_FRAGMENT = 44;
const IPPROTO_AH = 51;
const IPPROTO_DSTOPTS = 60;

/** Bit n set: IPv6 next header n is an extension header that we walk (n < 64). */
function isIpv6Extension(proto: number): boolean {
  return (
    proto === IPPROTO_HOPOPTS ||
    proto === IPPROTO_ROUTING ||
    proto === IPPROTO_FRAGMENT ||
    proto === IPPROTO_AH ||
    proto === IPPROTO_DSTOPTS
  );
}

/** The class of a frame type (0..0xffff). */
export function flowClass(dlType: number): number {
  if (dlType === ETH_TYPE_IP) return CLASS_IPV4;
  if (dlType === ETH_TYPE_IPV6) return CLASS_IPV6;
  if (dlType === ETH_TYPE_ARP || dlType === ETH_TYPE_RARP) return CLASS_ARP;
  return CLASS_OTHER;
}

/** Extracts keys from frames in one piece of memory. Allocates nothing after its construction. */
export class FlowExtractor {
  /** The key of the frame that was parsed last. */
  readonly key: FlowWords;
  /** How many VLAN tags are looked behind, 0..2 (other_config:vlan-limit). */
  vlanLimit = 2;

  /** Absolute offset behind the Ethernet header and tags (of the first MPLS label, if any). */
  l3 = 0;
  /** Absolute offset of the transport header, or -1 when the network header is not sound. */
  l4 = -1;
  /** End of the network layer's packet (padding excluded); with l4 >= 0 only. */
  l4End = 0;
  /** CLASS_*, of the frame parsed last. */
  cls = CLASS_OTHER;

  private nwProto = 0;
  private nwFrag = 0;
  private frameEnd = 0;
  /** Words 13..32 of the key may be other than 0. */
  private highWordsDirty = false;

  constructor(
    private readonly view: DataView,
    key: FlowWords = newFlow(),
  ) {
    this.key = key;
  }

  /**
   * Fills words 2..7 for the frame at [off, off + len) and finds the layers.
   * @param len at least ETH_HEADER_LEN
   * @returns its class (CLASS_*)
   */
  parseL2(off: number, len: number): number {
    const view = this.view;
    const key = this.key;
    const end = off + len;
    key[W_DL_DST] = view.getInt32(off);
    key[W_DL_DST_SRC] = view.getInt32(off + 4);
    key[W_DL_SRC] = view.getInt32(off + 8);

    let pos = off + 12;
    let type = view.getUint16(pos);
    let vlan0 = 0;
    let vlan1 = 0;
    if (
      (type === ETH_TYPE_VLAN_8021Q || type === ETH_TYPE_VLAN_8021AD) &&
      this.vlanLimit > 0 &&
      end - pos >= 6
    ) {
      vlan0 = view.getInt32(pos) | VLAN_CFI;
      pos += VLAN_HEADER_LEN;
      type = view.getUint16(pos);
      if (
        (type === ETH_TYPE_VLAN_8021Q || type === ETH_TYPE_VLAN_8021AD) &&
        this.vlanLimit > 1 &&
        end - pos >= 6
      ) {
        vlan1 = view.getInt32(pos) | VLAN_CFI;
        pos += VLAN_HEADER_LEN;
        type = view.getUint16(pos);
      }
    }
    key[W_VLAN0] = vlan0;
    key[W_VLAN1] = vlan1;
    pos += 2;
    this.l4 = -1;
    this.nwFrag = 0;
    this.frameEnd = end;
    if (type < 0x0600) {
      type = this.snapType(pos, end);
      pos += type === ETH_TYPE_NOT_ETHERNET ? 0 : LLC_SNAP_LEN;
    }
    this.l3 = pos;
    let cls = CLASS_OTHER;
    if (type === ETH_TYPE_IP) {
      cls = CLASS_IPV4;
      this.findIpv4(pos, end);
    } else if (type === ETH_TYPE_IPV6) {
      cls = CLASS_IPV6;
      this.findIpv6(pos, end);
    } else if (type === ETH_TYPE_ARP || type === ETH_TYPE_RARP) {
      cls = CLASS_ARP;
    }
    key[W_DL_TYPE] = (type << 16) | (this.nwFrag << 8);
    this.cls = cls;
    return cls;
  }

  /** Fills words 8..32 for the frame that parseL2 looked at. */
  parseRest(): void {
    const key = this.key;
    if (this.highWordsDirty) {
      key.fill(0, W_IPV6_SRC, W_IGMP + 1);
      this.highWordsDirty = false;
    }
    key[W_TP] = 0;
    key[W_TCP_FLAGS] = 0;
    if (this.cls === CLASS_IPV4) {
      this.ipv4();
    } else {
      key[W_NW] = 0;
      key[W_NW_SRC] = 0;
      key[W_NW_DST] = 0;
      if (this.cls === CLASS_IPV6) this.ipv6();
      else if (this.cls === CLASS_ARP) this.arp();
      else this.mplsOrNsh();
    }
  }

  /** Both steps. Frames shorter than an Ethernet header give zeros. */
  parse(off: number, len: number): void {
    if (len < ETH_HEADER_LEN) {
      this.key.fill(0, W_DL_DST, W_IGMP + 1);
      this.cls = CLASS_OTHER;
      this.l3 = off + len;
      this.l4 = -1;
      return;
    }
    this.parseL2(off, len);
    this.parseRest();
  }

  /** The IP protocol behind `l4` (0 when l4 < 0). */
  get protocol(): number {
    return this.l4 < 0 ? 0 : this.nwProto;
  }

  /** True when the frame is a fragment other than the first: there is no transport header. */
  get laterFragment(): boolean {
    return (this.nwFrag & NW_FRAG_LATER) !== 0;
  }

  /** The type behind an 802.2 header with SNAP, else ETH_TYPE_NOT_ETHERNET. */
  private snapType(pos: number, end: number): number {
    const view = this.view;
    if (end - pos < LLC_SNAP_LEN) return ETH_TYPE_NOT_ETHERNET;
    // DSAP and SSAP 0xaa, control 0x03, organisation 00-00-00.
    if (view.getInt32(pos) !== (0xaaaa0300 | 0) || view.getUint16(pos + 4) !== 0) {
      return ETH_TYPE_NOT_ETHERNET;
    }
    const type = view.getUint16(pos + 6);
    return type < 0x0600 ? ETH_TYPE_NOT_ETHERNET : type;
  }

  private findIpv4(pos: number, end: number): void {
    const view = this.view;
    const size = end - pos;
    if (size < IPV4_HEADER_LEN) return;
    const headerLen = (view.getUint8(pos) & 0x0f) * 4;
    const totalLen = view.getUint16(pos + 2);
    if (headerLen < IPV4_HEADER_LEN || headerLen > totalLen || totalLen > size) return;
    const frag = view.getUint16(pos + 6) & 0x3fff;
    if (frag !== 0) this.nwFrag = (frag & 0x1fff) !== 0 ? NW_FRAG_ANY | NW_FRAG_LATER : NW_FRAG_ANY;
    this.nwProto = view.getUint8(pos + 9);
    this.l4 = pos + headerLen;
    this.l4End = pos + totalLen;
  }

  private findIpv6(pos: number, end: number): void {
    const view = this.view;
    const size = end - pos;
    if (size < IPV6_HEADER_LEN) return;
    const payloadLen = view.getUint16(pos + 4);
    if (payloadLen + IPV6_HEADER_LEN > size) return;
    const next = view.getUint8(pos + 6);
    const l4End = pos + IPV6_HEADER_LEN + payloadLen;
    this.l4End = l4End;
    this.nwProto = next;
    if (isIpv6Extension(next)) {
      this.walkIpv6Extensions(pos + IPV6_HEADER_LEN, l4End);
    } else {
      this.l4 = pos + IPV6_HEADER_LEN;
    }
  }

  /** Sets nwProto, nwFrag and l4; leaves l4 at -1 (and nwFrag at 0) when the chain is broken. */
  private walkIpv6Extensions(pos: number, end: number): void {
    const view = this.view;
    let proto = this.nwProto;
    let frag = 0;
    // Every header takes 8 bytes at least, so this ends.
    while (isIpv6Extension(proto)) {
      if (end - pos < 8) return;
      const next = view.getUint8(pos);
      let headerLen = 8;
      if (proto === IPPROTO_FRAGMENT) {
        const offlg = view.getUint16(pos + 2);
        if (offlg !== 0) {
          frag = NW_FRAG_ANY;
          if ((offlg & 0xfff8) !== 0) {
            this.nwFrag = NW_FRAG_ANY | NW_FRAG_LATER;
            this.nwProto = IPPROTO_FRAGMENT;
            this.l4 = pos + 8;
            return;
          }
        }
      } else if (proto === IPPROTO_AH) {
        headerLen = (view.getUint8(pos + 1) + 2) * 4;
      } else {
        headerLen = (view.getUint8(pos + 1) + 1) * 8;
      }
      if (headerLen > end - pos) return;
      pos += headerLen;
      proto = next;
    }
    this.nwProto = proto;
    this.nwFrag = frag;
    this.l4 = pos;
  }

  private ipv4(): void {
    const view = this.view;
    const key = this.key;
    const pos = this.l3;
    if (this.l4 < 0) {
      key[W_NW] = 0;
      key[W_NW_SRC] = 0;
      key[W_NW_DST] = 0;
      return;
    }
    key[W_NW] =
      (this.nwProto << 24) | (view.getUint8(pos + 1) << 16) | (view.getUint8(pos + 8) << 8);
    key[W_NW_SRC] = view.getInt32(pos + 12);
    key[W_NW_DST] = view.getInt32(pos + 16);
    if ((this.nwFrag & NW_FRAG_LATER) === 0) this.transport(this.nwProto);
  }

  private ipv6(): void {
    const view = this.view;
    const key = this.key;
    const pos = this.l3;
    const size = this.frameEnd - pos;
    if (size < IPV6_HEADER_LEN || view.getUint16(pos + 4) + IPV6_HEADER_LEN > size) return;
    this.highWordsDirty = true;
    // Source and destination follow each other in the packet and in the key.
    for (let i = 0; i < 8; i++) key[W_IPV6_SRC + i] = view.getInt32(pos + 8 + 4 * i);
    if (this.l4 < 0) return;
    const flow = view.getInt32(pos);
    key[W_IPV6_LABEL] = flow & 0xfffff;
    key[W_NW] =
      (this.nwProto << 24) | (((flow >>> 20) & 0xff) << 16) | (view.getUint8(pos + 7) << 8);
    if ((this.nwFrag & NW_FRAG_LATER) === 0) this.transport(this.nwProto);
  }

  private transport(proto: number): void {
    const view = this.view;
    const key = this.key;
    const pos = this.l4;
    const size = this.l4End - pos;
    if (proto === IPPROTO_UDP) {
      if (size >= 8) key[W_TP] = view.getInt32(pos);
    } else if (proto === IPPROTO_TCP) {
      if (size < 20) return;
      const ctl = view.getUint16(pos + 12);
      const headerLen = (ctl >>> 12) * 4;
      if (headerLen < 20 || headerLen > size) return;
      key[W_TP] = view.getInt32(pos);
      key[W_TCP_FLAGS] = (ctl & 0x0fff) << 16;
    } else if (proto === IPPROTO_ICMP) {
      if (size >= 8) key[W_TP] = (view.getUint8(pos) << 16) | view.getUint8(pos + 1);
    } else if (proto === IPPROTO_SCTP) {
      if (size >= 12) key[W_TP] = view.getInt32(pos);
    } else if (proto === IPPROTO_IGMP) {
      if (size < 8) return;
      key[W_TP] = (view.getUint8(pos) << 16) | view.getUint8(pos + 1);
      key[W_IGMP] = view.getInt32(pos + 4);
      this.highWordsDirty = true;
    } else if (proto === IPPROTO_ICMPV6) {
      if (size >= 8) this.icmpv6(pos, this.l4End);
    }
  }

  private icmpv6(pos: number, end: number): void {
    const view = this.view;
    const key = this.key;
    const type = view.getUint8(pos);
    const code = view.getUint8(pos + 1);
    key[W_TP] = (type << 16) | code;
    if (code !== 0 || (type !== 135 && type !== 136)) return;
    // Neighbour solicitation or advertisement.
    this.highWordsDirty = true;
    key[W_IGMP] = view.getInt32(pos + 4);
    pos += 8;
    if (end - pos < 16) return;
    for (let i = 0; i < 4; i++) key[W_ND_TARGET + i] = view.getInt32(pos + 4 * i);
    this.ndOptions(pos + 16, end);
  }

  /** Link-layer address options. The same option twice makes target and addresses zero. */
  private ndOptions(pos: number, end: number): void {
    const view = this.view;
    const key = this.key;
    let optType = 0;
    // Every option takes 8 bytes at least, so this ends.
    while (end - pos >= 8) {
      const len = view.getUint8(pos + 1) * 8;
      if (len === 0 || len > end - pos) break;
      const type = view.getUint8(pos);
      if (len === 8 && (type === 1 || type === 2)) {
        if (!this.ndAddress(type, pos + 2)) {
          key.fill(0, W_ND_TARGET, W_MPLS);
          break;
        }
        if (optType === 0) optType = type;
      }
      pos += len;
    }
    key[W_TCP_FLAGS] = optType << 16;
  }

  /** Stores one ND link-layer address; false when there was one already. */
  private ndAddress(type: number, pos: number): boolean {
    const view = this.view;
    const key = this.key;
    if (type === 1) {
      if (key[W_ARP_SHA] !== 0 || key[W_ARP_SHA_THA] >>> 16 !== 0) return false;
      key[W_ARP_SHA] = view.getInt32(pos);
      key[W_ARP_SHA_THA] = (key[W_ARP_SHA_THA] & 0xffff) | (view.getUint16(pos + 4) << 16);
    } else {
      if (key[W_ARP_THA] !== 0 || (key[W_ARP_SHA_THA] & 0xffff) !== 0) return false;
      key[W_ARP_SHA_THA] = (key[W_ARP_SHA_THA] & ~0xffff) | view.getUint16(pos);
      key[W_ARP_THA] = view.getInt32(pos + 2);
    }
    return true;
  }

  private arp(): void {
    const view = this.view;
    const key = this.key;
    const pos = this.l3;
    if (this.frameEnd - pos < ARP_ETH_LEN) return;
    // Ethernet (1), IPv4 (0x0800), address lengths 6 and 4.
    if (view.getInt32(pos) !== 0x00010800 || view.getUint16(pos + 4) !== 0x0604) return;
    const op = view.getUint16(pos + 6);
    if (op <= 0xff) key[W_NW] = op << 24;
    key[W_NW_SRC] = view.getInt32(pos + 14);
    key[W_NW_DST] = view.getInt32(pos + 24);
    key[W_ARP_SHA] = view.getInt32(pos + 8);
    key[W_ARP_SHA_THA] = (view.getUint16(pos + 12) << 16) | view.getUint16(pos + 18);
    key[W_ARP_THA] = view.getInt32(pos + 20);
    this.highWordsDirty = true;
  }

  /** Version 0 alone; contexts of metadata type 1, which has just these. */
  private nsh(): void {
    const view = this.view;
    const key = this.key;
    const pos = this.l3;
    const size = this.frameEnd - pos;
    if (size < NSH_BASE_LEN) return;
    const base = view.getUint16(pos);
    const length = (base & 0x3f) * 4;
    const mdtype = view.getUint8(pos + 2);
    if (length > size || base >>> 14 !== 0) return;
    if (mdtype === 1 ? length !== NSH_TYPE1_LEN : mdtype === 2 && length < NSH_BASE_LEN) return;
    this.highWordsDirty = true;
    key[W_NSH] = ((base & 0x3000) << 12) | ((base & 0x0fc0) << 10) | view.getUint16(pos + 2);
    key[W_NSH + 1] = view.getInt32(pos + 4);
    if (mdtype !== 1) return;
    for (let i = 2; i < 6; i++) key[W_NSH + i] = view.getInt32(pos + 4 * i);
  }

  private mplsOrNsh(): void {
    const key = this.key;
    const type = key[W_DL_TYPE] >>> 16;
    if (type === ETH_TYPE_NSH) this.nsh();
    if (type !== ETH_TYPE_MPLS && type !== ETH_TYPE_MPLS_MCAST) return;
    let pos = this.l3;
    for (let i = 0; i < MAX_MPLS_LABELS && this.frameEnd - pos >= 4; i++) {
      const lse = this.view.getInt32(pos);
      key[W_MPLS + i] = lse;
      this.highWordsDirty = true;
      if ((lse & 0x100) !== 0) return;
      pos += 4;
    }
  }
}

/**
 * The key of one frame, for callers outside the packet path.
 * @param frame the whole Ethernet frame
 * @param inPort goes into the in_port word
 */
export function extractFlow(frame: Uint8Array, inPort = 0, vlanLimit = 2): FlowWords {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const extractor = new FlowExtractor(view);
  extractor.vlanLimit = vlanLimit;
  extractor.parse(0, frame.byteLength);
  extractor.key[1] = inPort;
  return extractor.key;
}
