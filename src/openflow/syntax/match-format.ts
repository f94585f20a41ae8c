/**
 * Matches as text, exactly as Open vSwitch prints them: which fields, in which order, under which
 * names. The reverse is match-parse.ts.
 */
import {
  CT_STATE_FLAGS,
  formatFlags,
  formatFlagsMasked,
  formatPacketType,
  TCP_FLAGS,
  TUN_FLAGS,
} from '../../packet/fields-text.js';
import * as L from '../../packet/flow-layout.js';
import { formatEth, formatIpv4, formatIpv6, formatMaskSuffix } from '../../packet/ip-text.js';
import type { Match } from '../match.js';
import { formatPort, type NameMap } from './names.js';

export const DEFAULT_PRIORITY = 32768;
const NSH_MD_TYPE1 = 1;

const IPPROTO = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58, SCTP: 132 } as const;
const IP4_NAMES: Record<number, string> = {
  [IPPROTO.ICMP]: 'icmp',
  [IPPROTO.TCP]: 'tcp',
  [IPPROTO.UDP]: 'udp',
  [IPPROTO.SCTP]: 'sctp',
};
const IP6_NAMES: Record<number, string> = {
  [IPPROTO.ICMPV6]: 'icmp6',
  [IPPROTO.TCP]: 'tcp6',
  [IPPROTO.UDP]: 'udp6',
  [IPPROTO.SCTP]: 'sctp6',
};
const TYPE_NAMES: Record<number, string> = {
  [L.ETH_TYPE_ARP]: 'arp',
  [L.ETH_TYPE_RARP]: 'rarp',
  [L.ETH_TYPE_MPLS]: 'mpls',
  [L.ETH_TYPE_MPLS_MCAST]: 'mplsm',
};

/** printf's %#x: no prefix for zero. */
const hash = (n: number | bigint): string => (n === 0 || n === 0n ? '0' : `0x${n.toString(16)}`);
const hex = (n: number, width = 0): string => `0x${(n >>> 0).toString(16).padStart(width, '0')}`;

/** A number of any width, without leading zeros. */
function hexBytes(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString('hex').replace(/^0+/, '');
  return digits === '' ? '0' : `0x${digits}`;
}

class MatchPrinter {
  readonly parts: string[] = [];

  constructor(
    private readonly match: Match,
    private readonly ports: NameMap | null,
  ) {}

  put(name: string, text: string): void {
    this.parts.push(`${name}=${text}`);
  }

  word(w: number): [value: number, mask: number] {
    return [this.match.flow[w] >>> 0, this.match.mask[w] >>> 0];
  }

  /** The half of a word: 0 high, 1 low. */
  half(w: number, half: 0 | 1): [value: number, mask: number] {
    const [v, m] = this.word(w);
    return half === 0 ? [v >>> 16, m >>> 16] : [v & 0xffff, m & 0xffff];
  }

  byte(w: number, index: number): [value: number, mask: number] {
    const [v, m] = this.word(w);
    const shift = 24 - 8 * index;
    return [(v >>> shift) & 0xff, (m >>> shift) & 0xff];
  }

  /** `name=0x1/0xff`: %#x, with the mask where it is not all ones. */
  hex32(name: string, w: number): void {
    const [v, m] = this.word(w);
    if (m !== 0) this.put(name, hash(v) + (m === 0xffffffff ? '' : `/${hash(m)}`));
  }

  hex64(name: string, w: number): void {
    const join = (a: Int32Array): bigint => (BigInt(a[w] >>> 0) << 32n) | BigInt(a[w + 1] >>> 0);
    const [v, m] = [join(this.match.flow), join(this.match.mask)];
    if (m !== 0n) this.put(name, hash(v) + (m === 0xffffffffffffffffn ? '' : `/${hash(m)}`));
  }

  /** Decimal when exact, hexadecimal with its mask otherwise. */
  dec16(name: string, [v, m]: [number, number]): void {
    if (m !== 0) this.put(name, m === 0xffff ? String(v) : `${hex(v)}/${hex(m)}`);
  }

  /** As dec16, in bytes. */
  dec8(name: string, [v, m]: [number, number]): void {
    if (m !== 0) this.put(name, m === 0xff ? String(v) : `${hex(v, 2)}/${hex(m, 2)}`);
  }

  dec32(name: string, w: number): void {
    const [v, m] = this.word(w);
    if (m !== 0) this.put(name, m === 0xffffffff ? String(v) : `${hex(v, 8)}/${hex(m, 8)}`);
  }

  private bytes(words: Int32Array, startBit: number, n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const bit = startBit + 8 * i;
      out[i] = words[bit >> 5] >>> (24 - (bit & 31));
    }
    return out;
  }

  private masked(
    name: string,
    startBit: number,
    n: number,
    format: (value: Uint8Array, mask: Uint8Array) => string,
  ): void {
    const mask = this.bytes(this.match.mask, startBit, n);
    if (mask.every((b) => b === 0)) return;
    this.put(name, format(this.bytes(this.match.flow, startBit, n), mask));
  }

  ip4(name: string, w: number): void {
    this.masked(name, 32 * w, 4, (v, m) => formatIpv4(v) + formatMaskSuffix(m, formatIpv4));
  }

  ip6(name: string, w: number): void {
    this.masked(name, 32 * w, 16, (v, m) => formatIpv6(v) + formatMaskSuffix(m, formatIpv6));
  }

  eth(name: string, startBit: number): void {
    this.masked(name, startBit, 6, (v, m) =>
      m.every((b) => b === 0xff) ? formatEth(v) : `${formatEth(v)}/${formatEth(m)}`,
    );
  }

  hex128(name: string, w: number): void {
    this.masked(name, 32 * w, 16, (v, m) =>
      m.every((b) => b === 0xff) ? hexBytes(v) : `${hexBytes(v)}/${hexBytes(m)}`,
    );
  }

  tunOptions(): void {
    for (const { index, value, mask, masked } of this.match.tunMetadata?.options ?? []) {
      const name = `tun_metadata${index}`;
      if (masked && mask.every((b) => b === 0)) this.parts.push(name);
      else if (mask.every((b) => b === 0xff)) this.put(name, hexBytes(value));
      else this.put(name, `${hexBytes(value)}/${hexBytes(mask)}`);
    }
  }

  port(name: string, w: number): void {
    const [v, m] = this.word(w);
    if (m !== 0) this.put(name, formatPort(v, this.ports));
  }
}

function putMetadata(p: MatchPrinter): void {
  p.hex32('pkt_mark', L.W_PKT_MARK);
  p.hex32('recirc_id', L.W_RECIRC_ID);
  p.hex32('dp_hash', L.W_DP_HASH);
  if (p.word(L.W_CONJ_ID)[1] !== 0) p.put('conj_id', String(p.word(L.W_CONJ_ID)[0]));
  if (p.word(L.W_SKB_PRIORITY)[1] !== 0) {
    p.put('skb_priority', hash(p.word(L.W_SKB_PRIORITY)[0]));
  }
  p.port('actset_output', L.W_ACTSET_OUTPUT);
  const [state, stateMask] = p.half(L.W_CT_STATE, 0);
  if (stateMask !== 0) {
    const full = (stateMask & 0xff) === 0xff;
    const text = full
      ? formatFlags(CT_STATE_FLAGS, state)
      : formatFlagsMasked(CT_STATE_FLAGS, state, stateMask, 0xff);
    p.put('ct_state', text);
  }
  p.dec16('ct_zone', p.half(L.W_CT_STATE, 1));
  p.hex32('ct_mark', L.W_CT_MARK);
  p.hex128('ct_label', L.W_CT_LABEL);
  p.ip4('ct_nw_src', L.W_CT_NW_SRC);
  p.ip6('ct_ipv6_src', L.W_CT_IPV6_SRC);
  p.ip4('ct_nw_dst', L.W_CT_NW_DST);
  p.ip6('ct_ipv6_dst', L.W_CT_IPV6_DST);
  const [proto, protoMask] = p.byte(L.W_CT_PROTO, 0);
  if (protoMask !== 0) {
    p.put('ct_nw_proto', String(proto));
    p.dec16('ct_tp_src', p.half(L.W_CT_TP, 0));
    p.dec16('ct_tp_dst', p.half(L.W_CT_TP, 1));
  }
  const [packetType, packetTypeMask] = p.word(L.W_PACKET_TYPE);
  if (packetTypeMask !== 0 && packetType !== 0) p.parts.push(formatPacketType(packetType));
  // In megaflows (which match recirc_id) plain Ethernet is named too.
  else if (packetTypeMask !== 0 && p.word(L.W_RECIRC_ID)[1] !== 0) p.parts.push('eth');
}

function putTunnel(p: MatchPrinter): void {
  p.hex64('tun_id', L.W_TUN_ID);
  p.ip4('tun_src', L.W_TUN_SRC);
  p.ip4('tun_dst', L.W_TUN_DST);
  p.ip6('tun_ipv6_src', L.W_TUN_IPV6_SRC);
  p.ip6('tun_ipv6_dst', L.W_TUN_IPV6_DST);
  p.dec16('tun_gbp_id', p.half(L.W_TUN_GBP, 0));
  const shown = (name: string, [v, m]: [number, number], text: string): void => {
    if (m !== 0 && v >= 0) p.put(name, text);
  };
  const gbpFlags = p.byte(L.W_TUN_GBP, 2);
  shown('tun_gbp_flags', gbpFlags, hash(gbpFlags[0]));
  const tos = p.byte(L.W_TUN_FLAGS, 2);
  shown('tun_tos', tos, tos[0].toString(16));
  const ttl = p.byte(L.W_TUN_FLAGS, 3);
  shown('tun_ttl', ttl, String(ttl[0]));
  const version = p.byte(L.W_TUN_GBP, 3);
  shown('tun_erspan_ver', version, String(version[0]));
  if (version[0] === 1) {
    const index = p.word(L.W_TUN_ERSPAN);
    shown('tun_erspan_idx', index, hash(index[0]));
  }
  if (version[0] === 2) {
    const dir = p.byte(L.W_TUN_EXT, 0);
    shown('tun_erspan_dir', dir, String(dir[0]));
    const hwid = p.byte(L.W_TUN_EXT, 1);
    shown('tun_erspan_hwid', hwid, hash(hwid[0]));
  }
  const gtpFlags = p.byte(L.W_TUN_EXT, 2);
  shown('gtpu_flags', gtpFlags, hash(gtpFlags[0]));
  const gtpType = p.byte(L.W_TUN_EXT, 3);
  shown('gtpu_msgtype', gtpType, String(gtpType[0]));
  const [flags, flagsMask] = p.half(L.W_TUN_FLAGS, 0);
  if ((flagsMask & 0xf) !== 0) {
    p.put('tun_flags', formatFlagsMasked(TUN_FLAGS, flags & 0xf, flagsMask & 0xf, 0xf));
  }
  p.tunOptions();
}

function putVlans(p: MatchPrinter): void {
  for (const [i, w] of [L.W_VLAN0, L.W_VLAN1].entries()) {
    const [tci, mask] = p.half(w, 1);
    if (mask === 0) return;
    const suffix = i === 0 ? '' : String(i);
    const vidMask = mask & L.VLAN_VID_MASK;
    const pcpMask = mask & L.VLAN_PCP_MASK;
    const tagged = (mask & tci & L.VLAN_CFI) !== 0;
    const whole =
      (vidMask === 0 || vidMask === L.VLAN_VID_MASK) &&
      (pcpMask === 0 || pcpMask === L.VLAN_PCP_MASK);
    if (tagged && whole && (vidMask !== 0 || pcpMask !== 0)) {
      if (vidMask !== 0) p.put(`dl_vlan${suffix}`, String(tci & L.VLAN_VID_MASK));
      if (pcpMask !== 0) p.put(`dl_vlan_pcp${suffix}`, String(tci >> 13));
    } else if (mask === 0xffff) p.put(`vlan_tci${suffix}`, hex(tci, 4));
    else p.put(`vlan_tci${suffix}`, `${hex(tci, 4)}/${hex(mask, 4)}`);
  }
}

/** The name of the protocol, if it has one; and whether it says the IP protocol as well. */
function protocolName(dlType: number, proto: number, protoMask: number): [string?, boolean?] {
  if (dlType === L.ETH_TYPE_IP || dlType === L.ETH_TYPE_IPV6) {
    const names = dlType === L.ETH_TYPE_IP ? IP4_NAMES : IP6_NAMES;
    const bare = dlType === L.ETH_TYPE_IP ? 'ip' : 'ipv6';
    const name = protoMask !== 0 ? names[proto] : undefined;
    return name === undefined ? [bare, false] : [name, true];
  }
  return [TYPE_NAMES[dlType], false];
}

function putNsh(p: MatchPrinter): void {
  for (const [i, name] of ['flags', 'ttl', 'mdtype', 'np'].entries()) {
    p.dec8(`nsh_${name}`, p.byte(L.W_NSH, i));
  }
  const [path, pathMask] = p.word(L.W_NSH_PATH);
  const spiMask = pathMask >>> 8;
  if (spiMask !== 0) {
    p.put('nsh_spi', hex(path >>> 8) + (spiMask === 0xffffff ? '' : `/${hex(spiMask)}`));
  }
  p.dec8('nsh_si', p.byte(L.W_NSH_PATH, 3));
  const [mdtype, mdtypeMask] = p.byte(L.W_NSH, 2);
  if (mdtypeMask !== 0xff || mdtype !== NSH_MD_TYPE1) return;
  for (let i = 0; i < 4; i++) {
    const [v, m] = p.word(L.W_NSH_CONTEXT + i);
    if (m !== 0) p.put(`nsh_c${i + 1}`, hex(v) + (m === 0xffffffff ? '' : `/${hex(m)}`));
  }
}

function putAddresses(p: MatchPrinter, dlType: number): void {
  if (dlType === L.ETH_TYPE_IPV6) {
    p.ip6('ipv6_src', L.W_IPV6_SRC);
    p.ip6('ipv6_dst', L.W_IPV6_DST);
    const [label, mask] = p.word(L.W_IPV6_LABEL);
    if (mask !== 0) {
      p.put('ipv6_label', hex(label, 5) + (mask === 0xffffffff ? '' : `/${hex(mask, 5)}`));
    }
  } else if (dlType === L.ETH_TYPE_NSH) putNsh(p);
  else {
    const arp = dlType === L.ETH_TYPE_ARP || dlType === L.ETH_TYPE_RARP;
    p.ip4(arp ? 'arp_spa' : 'nw_src', L.W_NW_SRC);
    p.ip4(arp ? 'arp_tpa' : 'nw_dst', L.W_NW_DST);
  }
}

function putNetwork(p: MatchPrinter, dlType: number, skipProto: boolean): void {
  const arp = dlType === L.ETH_TYPE_ARP || dlType === L.ETH_TYPE_RARP;
  const [proto, protoMask] = p.byte(L.W_NW, 0);
  if (!skipProto && protoMask !== 0) p.put(arp ? 'arp_op' : 'nw_proto', String(proto));
  if (arp) {
    p.eth('arp_sha', 32 * L.W_ARP_SHA);
    p.eth('arp_tha', 32 * L.W_ARP_SHA_THA + 16);
  }
  const [tos, tosMask] = p.byte(L.W_NW, 1);
  if ((tosMask & 0xfc) !== 0) p.put('nw_tos', String(tos & 0xfc));
  if ((tosMask & 0x03) !== 0) p.put('nw_ecn', String(tos & 0x03));
  const [ttl, ttlMask] = p.byte(L.W_NW, 2);
  if (ttlMask !== 0) p.put('nw_ttl', String(ttl));
  const [lse, lseMask] = p.word(L.W_MPLS);
  if (lseMask >>> 12 !== 0) p.put('mpls_label', String(lse >>> 12));
  if ((lseMask & 0xe00) !== 0) p.put('mpls_tc', String((lse >>> 9) & 7));
  if ((lseMask & 0xff) !== 0) p.put('mpls_ttl', String(lse & 0xff));
  if ((lseMask & 0x100) !== 0) p.put('mpls_bos', String((lse >>> 8) & 1));
  p.dec32('mpls_lse1', L.W_MPLS + 1);
  p.dec32('mpls_lse2', L.W_MPLS + 2);
  putFrag(p);
}

function putFrag(p: MatchPrinter): void {
  const [frag, mask] = p.byte(L.W_DL_TYPE, 2);
  const any = (frag & L.NW_FRAG_ANY) !== 0;
  const later = (frag & L.NW_FRAG_LATER) !== 0;
  switch (mask & 3) {
    case 3:
      p.put('nw_frag', any ? (later ? 'later' : 'first') : later ? '<error>' : 'no');
      break;
    case L.NW_FRAG_ANY:
      p.put('nw_frag', any ? 'yes' : 'no');
      break;
    case L.NW_FRAG_LATER:
      p.put('nw_frag', later ? 'later' : 'not_later');
      break;
    default:
  }
}

function putTransport(p: MatchPrinter, dlType: number): void {
  const proto = p.byte(L.W_NW, 0)[0];
  const ip4 = dlType === L.ETH_TYPE_IP;
  const ip6 = dlType === L.ETH_TYPE_IPV6;
  const [src, dst] = [p.half(L.W_TP, 0), p.half(L.W_TP, 1)];
  if (ip4 && proto === IPPROTO.ICMP) {
    p.dec16('icmp_type', src);
    p.dec16('icmp_code', dst);
  } else if (ip6 && proto === IPPROTO.ICMPV6) {
    p.dec16('icmp_type', src);
    p.dec16('icmp_code', dst);
    p.ip6('nd_target', L.W_ND_TARGET);
    p.eth('nd_sll', 32 * L.W_ARP_SHA);
    p.eth('nd_tll', 32 * L.W_ARP_SHA_THA + 16);
    p.dec32('nd_reserved', L.W_IGMP);
    p.dec16('nd_options_type', p.half(L.W_TCP_FLAGS, 0));
  } else {
    p.dec16('tp_src', src);
    p.dec16('tp_dst', dst);
  }
  const [flags, mask] = p.half(L.W_TCP_FLAGS, 0);
  if ((ip4 || ip6) && proto === IPPROTO.TCP && mask !== 0) {
    p.put('tcp_flags', formatFlagsMasked(TCP_FLAGS, flags, mask & 0xfff, 0xfff));
  }
}

/**
 * A match as Open vSwitch prints it.
 * @param priority printed first unless it is the default (32768), which is also the default here.
 */
export function formatMatch(
  match: Match,
  ports: NameMap | null = null,
  priority = DEFAULT_PRIORITY,
): string {
  const p = new MatchPrinter(match, ports);
  if (priority !== DEFAULT_PRIORITY) p.put('priority', String(priority));
  putMetadata(p);
  const [packetType, packetTypeMask] = p.word(L.W_PACKET_TYPE);
  let [dlType, dlTypeMask] = p.half(L.W_DL_TYPE, 0);
  if (packetTypeMask !== 0 && packetType >>> 16 === 1) dlType = packetType & 0xffff;
  let [name, skipProto]: [string?, boolean?] = [undefined, false];
  if (dlTypeMask !== 0) [name, skipProto] = protocolName(dlType, ...p.byte(L.W_NW, 0));
  if (name !== undefined) p.parts.push(name);
  for (let i = 0; i < L.N_REGS; i++) p.hex32(`reg${i}`, L.W_REG0 + i);
  putTunnel(p);
  p.hex64('metadata', L.W_METADATA);
  p.port('in_port', L.W_IN_PORT);
  putVlans(p);
  p.eth('dl_src', 32 * L.W_DL_DST_SRC + 16);
  p.eth('dl_dst', 32 * L.W_DL_DST);
  if (name === undefined && dlTypeMask !== 0) p.put('dl_type', hex(dlType, 4));
  putAddresses(p, dlType);
  putNetwork(p, dlType, skipProto === true);
  putTransport(p, dlType);
  return p.parts.join(',');
}
