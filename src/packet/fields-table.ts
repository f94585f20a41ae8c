/**
 * The rows of the match field registry: what each field is called, how wide it is, where it lies in
 * the flow layout, its NXM and OXM numbers, what it requires and how people write it.
 *
 * Not here: reading, writing, parsing or printing values (fields.ts, fields-text.ts).
 * Source: ovs-fields(7); OpenFlow 1.5.1 table 12 (OXM numbers).
 *
 * Where a field lies is a run of bits counted from the first bit of word 0, as on the wire:
 *
 *     bit 0 ................ 31 | 32 ............... 63 | ...
 *     msb of word 0 ....... lsb | msb of word 1 ... lsb | ...
 *
 * A value has `nBytes` bytes in network order; its low `nBits` bits mean something. The run in the
 * layout has `layoutBits` bits, which may be more (icmp_type, 8 bits, fills a 16-bit word half).
 */
import * as L from './flow-layout.js';

/** How a person writes a value of the field. */
export type FieldFormat =
  | 'decimal'
  | 'hexadecimal'
  | 'ethernet'
  | 'ipv4'
  | 'ipv6'
  | 'ofport10'
  | 'ofport11'
  | 'frag'
  | 'tun_flags'
  | 'tcp_flags'
  | 'ct_state'
  | 'packet_type';

/** What a flow must match before the field means anything. */
export type FieldPrereq =
  | 'none'
  | 'ethernet'
  | 'arp'
  | 'vlan_vid'
  | 'ipv4'
  | 'ipv6'
  | 'ip_any'
  | 'mpls'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmpv4'
  | 'icmpv6'
  | 'ct_valid'
  | 'nd'
  | 'nd_solicit'
  | 'nd_advert'
  | 'nsh';

/** An NXM/OXM number. `vendor` is nonzero for the experimenter class 0xffff only. */
export interface FieldHeader {
  vendor: number;
  class: number;
  field: number;
  /** First OpenFlow version (wire number) that defines it; 1 for Nicira's NXM. */
  ofVersion: number;
  /** As written in NXM_OF_ETH_SRC, OXM_OF_METADATA... */
  name: string;
}

/** Fields whose value is not simply the bits in the layout (see fields.ts). */
export type FieldSpecial = 'in_port' | 'dl_vlan' | 'vlan_vid' | 'vlan_pcp' | 'vlan_tci' | 'nw_tos';

export interface Field {
  /** Position in FIELDS; stable within one build only. */
  id: number;
  name: string;
  aliases: readonly string[];
  nBytes: number;
  nBits: number;
  /** First bit of the run in the layout: 32 * word + bits from the word's high end. */
  startBit: number;
  layoutBits: number;
  maskable: boolean;
  writable: boolean;
  format: FieldFormat;
  prereq: FieldPrereq;
  headers: readonly FieldHeader[];
  special?: FieldSpecial;
  /** Set: the value is that of this tunnel option and may be shorter than `nBytes`. */
  option?: number;
}

const VENDOR_NX = 0x2320;
const VENDOR_ONF = 0x4f4e4600;
const VENDOR_NSH = 0x005ad650;

const CLASSES: Record<string, Omit<FieldHeader, 'field' | 'name'> & { prefix: string }> = {
  nxm0: { vendor: 0, class: 0x0000, ofVersion: 1, prefix: 'NXM_OF_' },
  nx: { vendor: 0, class: 0x0001, ofVersion: 1, prefix: 'NXM_NX_' },
  of12: { vendor: 0, class: 0x8000, ofVersion: 3, prefix: 'OXM_OF_' },
  of13: { vendor: 0, class: 0x8000, ofVersion: 4, prefix: 'OXM_OF_' },
  of15: { vendor: 0, class: 0x8000, ofVersion: 6, prefix: 'OXM_OF_' },
  pktreg: { vendor: 0, class: 0x8001, ofVersion: 4, prefix: 'OXM_OF_' },
  eric: { vendor: 0, class: 0x1000, ofVersion: 1, prefix: 'ERICOXM_OF_' },
  nxet: { vendor: VENDOR_NX, class: 0xffff, ofVersion: 1, prefix: 'NXOXM_ET_' },
  nsh: { vendor: VENDOR_NSH, class: 0xffff, ofVersion: 1, prefix: 'NXOXM_' },
  onf13: { vendor: VENDOR_ONF, class: 0xffff, ofVersion: 4, prefix: 'ONFOXM_ET_' },
};

/**
 * One row: `name|alias`, value bytes[:bits], place word.bit:width, flags, format, prerequisite,
 * headers.
 */
type Row = readonly [
  names: string,
  size: string,
  word: number,
  bit: number,
  layoutBits: number,
  /** m maskable, w writable. */
  flags: '' | 'm' | 'w' | 'mw',
  format: FieldFormat,
  prereq: FieldPrereq,
  headers: string,
  special?: FieldSpecial,
];

const N_TUNNEL_OPTIONS = 64;

const dec = 'decimal';
const hex = 'hexadecimal';
const eth = 'ethernet';

const TUNNEL_ROWS: Row[] = [
  ['dp_hash', '4', L.W_DP_HASH, 0, 32, 'm', hex, 'none', 'nx:35 nxet:0'],
  ['recirc_id', '4', L.W_RECIRC_ID, 0, 32, '', dec, 'none', 'nx:36'],
  ['packet_type', '4', L.W_PACKET_TYPE, 0, 32, '', 'packet_type', 'none', 'of15:44'],
  ['conj_id', '4', L.W_CONJ_ID, 0, 32, '', dec, 'none', 'nx:37'],
  ['tun_id|tunnel_id', '8', L.W_TUN_ID, 0, 64, 'mw', hex, 'none', 'nx:16 of13:38=TUNNEL_ID'],
  ['tun_src', '4', L.W_TUN_SRC, 0, 32, 'mw', 'ipv4', 'none', 'nx:31=TUN_IPV4_SRC'],
  ['tun_dst', '4', L.W_TUN_DST, 0, 32, 'mw', 'ipv4', 'none', 'nx:32=TUN_IPV4_DST'],
  ['tun_ipv6_src', '16', L.W_TUN_IPV6_SRC, 0, 128, 'mw', 'ipv6', 'none', 'nx:109'],
  ['tun_ipv6_dst', '16', L.W_TUN_IPV6_DST, 0, 128, 'mw', 'ipv6', 'none', 'nx:110'],
  ['tun_flags', '2:1', L.W_TUN_FLAGS, 15, 1, 'mw', 'tun_flags', 'none', 'nx:104'],
  ['tun_ttl', '1', L.W_TUN_FLAGS, 24, 8, '', dec, 'none', ''],
  ['tun_tos', '1', L.W_TUN_FLAGS, 16, 8, '', dec, 'none', ''],
  ['tun_gbp_id', '2', L.W_TUN_GBP, 0, 16, 'mw', dec, 'none', 'nx:38'],
  ['tun_gbp_flags', '1', L.W_TUN_GBP, 16, 8, 'mw', hex, 'none', 'nx:39'],
  ['tun_erspan_idx', '4:20', L.W_TUN_ERSPAN, 0, 32, 'mw', hex, 'none', 'nxet:11=ERSPAN_IDX'],
  ['tun_erspan_ver', '1:4', L.W_TUN_GBP, 24, 8, 'mw', dec, 'none', 'nxet:12=ERSPAN_VER'],
  ['tun_erspan_dir', '1:1', L.W_TUN_EXT, 0, 8, 'mw', dec, 'none', 'nxet:13=ERSPAN_DIR'],
  ['tun_erspan_hwid', '1:6', L.W_TUN_EXT, 8, 8, 'mw', hex, 'none', 'nxet:14=ERSPAN_HWID'],
  ['tun_gtpu_flags', '1', L.W_TUN_EXT, 16, 8, 'm', hex, 'none', 'nxet:15=GTPU_FLAGS'],
  ['tun_gtpu_msgtype', '1', L.W_TUN_EXT, 24, 8, 'm', dec, 'none', 'nxet:16=GTPU_MSGTYPE'],
];

/** Of up to 124 bytes each; they lie beside the layout (src/openflow/tun-metadata.ts). */
function tunnelOptionRows(): Row[] {
  return Array.from({ length: N_TUNNEL_OPTIONS }, (_, i) => {
    return [`tun_metadata${i}`, '124', 0, 0, 0, 'mw', hex, 'none', `nx:${40 + i}`];
  });
}

const METADATA_ROWS: Row[] = [
  ['metadata', '8', L.W_METADATA, 0, 64, 'mw', hex, 'none', 'of12:2'],
  ['in_port', '2', L.W_IN_PORT, 0, 32, 'w', 'ofport10', 'none', 'nxm0:0', 'in_port'],
  ['in_port_oxm', '4', L.W_IN_PORT, 0, 32, 'w', 'ofport11', 'none', 'of12:0=IN_PORT'],
  ['actset_output', '4', L.W_ACTSET_OUTPUT, 0, 32, '', 'ofport11', 'none', 'onf13:43 of15:43'],
  ['skb_priority', '4', L.W_SKB_PRIORITY, 0, 32, '', hex, 'none', ''],
  ['pkt_mark', '4', L.W_PKT_MARK, 0, 32, 'mw', hex, 'none', 'nx:33'],
  ['ct_state', '4', L.W_CT_STATE, 8, 8, 'm', 'ct_state', 'none', 'nx:105'],
  ['ct_zone', '2', L.W_CT_STATE, 16, 16, '', hex, 'none', 'nx:106'],
  ['ct_mark', '4', L.W_CT_MARK, 0, 32, 'mw', hex, 'none', 'nx:107'],
  ['ct_label', '16', L.W_CT_LABEL, 0, 128, 'mw', hex, 'none', 'nx:108'],
  ['ct_nw_proto', '1', L.W_CT_PROTO, 0, 8, '', dec, 'ct_valid', 'nx:119'],
  ['ct_nw_src', '4', L.W_CT_NW_SRC, 0, 32, 'm', 'ipv4', 'ct_valid', 'nx:120'],
  ['ct_nw_dst', '4', L.W_CT_NW_DST, 0, 32, 'm', 'ipv4', 'ct_valid', 'nx:121'],
  ['ct_ipv6_src', '16', L.W_CT_IPV6_SRC, 0, 128, 'm', 'ipv6', 'ct_valid', 'nx:122'],
  ['ct_ipv6_dst', '16', L.W_CT_IPV6_DST, 0, 128, 'm', 'ipv6', 'ct_valid', 'nx:123'],
  ['ct_tp_src', '2', L.W_CT_TP, 0, 16, 'm', dec, 'ct_valid', 'nx:124'],
  ['ct_tp_dst', '2', L.W_CT_TP, 16, 16, 'm', dec, 'ct_valid', 'nx:125'],
];

/** reg0 to reg15, and the 64-bit and 128-bit views of the same words. */
function registerRows(): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < L.N_REGS; i++) {
    rows.push([`reg${i}`, '4', L.W_REG0 + i, 0, 32, 'mw', hex, 'none', `nx:${i}`]);
  }
  for (let i = 0; i < L.N_REGS / 2; i++) {
    rows.push([
      `xreg${i}`,
      '8',
      L.W_REG0 + 2 * i,
      0,
      64,
      'mw',
      hex,
      'none',
      `pktreg:${i}=PKT_REG${i}`,
    ]);
  }
  for (let i = 0; i < L.N_REGS / 4; i++) {
    rows.push([`xxreg${i}`, '16', L.W_REG0 + 4 * i, 0, 128, 'mw', hex, 'none', `nx:${111 + i}`]);
  }
  return rows;
}

const LINK_ROWS: Row[] = [
  ['eth_src|dl_src', '6', L.W_DL_DST_SRC, 16, 48, 'mw', eth, 'ethernet', 'nxm0:2 of12:4'],
  ['eth_dst|dl_dst', '6', L.W_DL_DST, 0, 48, 'mw', eth, 'ethernet', 'nxm0:1 of12:3'],
  ['eth_type|dl_type', '2', L.W_DL_TYPE, 0, 16, '', hex, 'ethernet', 'nxm0:3 of12:5'],
  ['vlan_tci', '2', L.W_VLAN0, 16, 16, 'mw', hex, 'ethernet', 'nxm0:4', 'vlan_tci'],
  ['dl_vlan', '2:12', L.W_VLAN0, 20, 12, 'w', dec, 'ethernet', '', 'dl_vlan'],
  ['vlan_vid', '2:12', L.W_VLAN0, 19, 13, 'mw', dec, 'ethernet', 'of12:6', 'vlan_vid'],
  ['dl_vlan_pcp', '1:3', L.W_VLAN0, 16, 3, 'w', dec, 'ethernet', '', 'vlan_pcp'],
  ['vlan_pcp', '1:3', L.W_VLAN0, 16, 3, 'w', dec, 'vlan_vid', 'of12:7', 'vlan_pcp'],
  ['mpls_label', '4:20', L.W_MPLS, 0, 20, 'w', dec, 'mpls', 'of12:34'],
  ['mpls_tc', '1:3', L.W_MPLS, 20, 3, 'w', dec, 'mpls', 'of12:35'],
  ['mpls_bos', '1:1', L.W_MPLS, 23, 1, '', dec, 'mpls', 'of13:36'],
  ['mpls_ttl', '1', L.W_MPLS, 24, 8, 'w', dec, 'mpls', 'nx:30'],
];

const NETWORK_ROWS: Row[] = [
  ['ip_src|nw_src', '4', L.W_NW_SRC, 0, 32, 'mw', 'ipv4', 'ipv4', 'nxm0:7 of12:11=IPV4_SRC'],
  ['ip_dst|nw_dst', '4', L.W_NW_DST, 0, 32, 'mw', 'ipv4', 'ipv4', 'nxm0:8 of12:12=IPV4_DST'],
  ['ipv6_src', '16', L.W_IPV6_SRC, 0, 128, 'mw', 'ipv6', 'ipv6', 'nx:19 of12:26'],
  ['ipv6_dst', '16', L.W_IPV6_DST, 0, 128, 'mw', 'ipv6', 'ipv6', 'nx:20 of12:27'],
  ['ipv6_label', '4:20', L.W_IPV6_LABEL, 0, 32, 'mw', hex, 'ipv6', 'nx:27 of12:28=IPV6_FLABEL'],
  ['nw_proto|ip_proto', '1', L.W_NW, 0, 8, '', dec, 'ip_any', 'nxm0:6=IP_PROTO of12:10=IP_PROTO'],
  ['nw_tos', '1', L.W_NW, 8, 6, 'w', dec, 'ip_any', 'nxm0:5=IP_TOS', 'nw_tos'],
  ['ip_dscp', '1:6', L.W_NW, 8, 6, 'w', dec, 'ip_any', 'of12:8'],
  ['nw_ecn|ip_ecn', '1:2', L.W_NW, 14, 2, 'w', dec, 'ip_any', 'nx:28=IP_ECN of12:9=IP_ECN'],
  ['nw_ttl', '1', L.W_NW, 16, 8, 'w', dec, 'ip_any', 'nx:29=IP_TTL'],
  ['ip_frag|nw_frag', '1:2', L.W_DL_TYPE, 22, 2, 'm', 'frag', 'ip_any', 'nx:26'],
  ['arp_op', '2', L.W_NW, 0, 8, 'w', dec, 'arp', 'nxm0:15 of12:21'],
  ['arp_spa', '4', L.W_NW_SRC, 0, 32, 'mw', 'ipv4', 'arp', 'nxm0:16 of12:22'],
  ['arp_tpa', '4', L.W_NW_DST, 0, 32, 'mw', 'ipv4', 'arp', 'nxm0:17 of12:23'],
  ['arp_sha', '6', L.W_ARP_SHA, 0, 48, 'mw', eth, 'arp', 'nx:17 of12:24'],
  ['arp_tha', '6', L.W_ARP_SHA_THA, 16, 48, 'mw', eth, 'arp', 'nx:18 of12:25'],
];

const TRANSPORT_ROWS: Row[] = [
  ['tcp_src|tp_src', '2', L.W_TP, 0, 16, 'mw', dec, 'tcp', 'nxm0:9 of12:13'],
  ['tcp_dst|tp_dst', '2', L.W_TP, 16, 16, 'mw', dec, 'tcp', 'nxm0:10 of12:14'],
  ['tcp_flags', '2:12', L.W_TCP_FLAGS, 0, 16, 'm', 'tcp_flags', 'tcp', 'nx:34 onf13:42 of15:42'],
  ['udp_src', '2', L.W_TP, 0, 16, 'mw', dec, 'udp', 'nxm0:11 of12:15'],
  ['udp_dst', '2', L.W_TP, 16, 16, 'mw', dec, 'udp', 'nxm0:12 of12:16'],
  ['sctp_src', '2', L.W_TP, 0, 16, 'mw', dec, 'sctp', 'of12:17'],
  ['sctp_dst', '2', L.W_TP, 16, 16, 'mw', dec, 'sctp', 'of12:18'],
  ['icmp_type', '1', L.W_TP, 0, 16, 'w', dec, 'icmpv4', 'nxm0:13 of12:19=ICMPV4_TYPE'],
  ['icmp_code', '1', L.W_TP, 16, 16, 'w', dec, 'icmpv4', 'nxm0:14 of12:20=ICMPV4_CODE'],
  ['icmpv6_type', '1', L.W_TP, 0, 16, 'w', dec, 'icmpv6', 'nx:21 of12:29'],
  ['icmpv6_code', '1', L.W_TP, 16, 16, 'w', dec, 'icmpv6', 'nx:22 of12:30'],
  ['nd_target', '16', L.W_ND_TARGET, 0, 128, 'mw', 'ipv6', 'nd', 'nx:23 of12:31=IPV6_ND_TARGET'],
  ['nd_sll', '6', L.W_ARP_SHA, 0, 48, 'mw', eth, 'nd_solicit', 'nx:24 of12:32=IPV6_ND_SLL'],
  ['nd_tll', '6', L.W_ARP_SHA_THA, 16, 48, 'mw', eth, 'nd_advert', 'nx:25 of12:33=IPV6_ND_TLL'],
  ['nd_reserved', '4', L.W_IGMP, 0, 32, 'w', dec, 'nd', 'eric:1=ICMPV6_ND_RESERVED'],
  ['nd_options_type', '1', L.W_TCP_FLAGS, 0, 16, 'w', dec, 'nd', 'eric:2=ICMPV6_ND_OPTIONS_TYPE'],
];

const NSH_ROWS: Row[] = [
  ['nsh_flags', '1', L.W_NSH, 0, 8, 'mw', dec, 'nsh', 'nsh:1'],
  ['nsh_mdtype', '1', L.W_NSH, 16, 8, '', dec, 'nsh', 'nsh:2'],
  ['nsh_np', '1', L.W_NSH, 24, 8, '', dec, 'nsh', 'nsh:3'],
  ['nsh_spi|nsp', '4:24', L.W_NSH_PATH, 0, 24, 'w', hex, 'nsh', 'nsh:4'],
  ['nsh_si|nsi', '1', L.W_NSH_PATH, 24, 8, 'w', dec, 'nsh', 'nsh:5'],
  ['nsh_c1|nshc1', '4', L.W_NSH_CONTEXT, 0, 32, 'mw', hex, 'nsh', 'nsh:6'],
  ['nsh_c2|nshc2', '4', L.W_NSH_CONTEXT + 1, 0, 32, 'mw', hex, 'nsh', 'nsh:7'],
  ['nsh_c3|nshc3', '4', L.W_NSH_CONTEXT + 2, 0, 32, 'mw', hex, 'nsh', 'nsh:8'],
  ['nsh_c4|nshc4', '4', L.W_NSH_CONTEXT + 3, 0, 32, 'mw', hex, 'nsh', 'nsh:9'],
  ['nsh_ttl', '1', L.W_NSH, 8, 8, 'w', dec, 'nsh', 'nsh:10'],
];

/**
 * Reads `class:number` or `class:number=NAME`; the name is the field's own in capitals if absent.
 */
function header(text: string, fieldName: string): FieldHeader {
  const [, cls, number, name] = /^(\w+):(\d+)(?:=(\w+))?$/.exec(text) as RegExpExecArray;
  const { prefix, ...numbers } = CLASSES[cls];
  return { ...numbers, field: Number(number), name: prefix + (name ?? fieldName.toUpperCase()) };
}

function field(row: Row, id: number): Field {
  const [names, size, word, bit, layoutBits, flags, format, prereq, headers, special] = row;
  const [name, ...aliases] = names.split('|');
  const [bytes, bits] = size.split(':');
  return {
    id,
    name,
    aliases,
    nBytes: Number(bytes),
    nBits: bits === undefined ? Number(bytes) * 8 : Number(bits),
    startBit: word * 32 + bit,
    layoutBits,
    maskable: flags.includes('m'),
    writable: flags.includes('w'),
    format,
    prereq,
    headers: headers === '' ? [] : headers.split(' ').map((h) => header(h, name)),
    special,
    option: /^tun_metadata(\d+)$/.test(name)
      ? Number(name.slice('tun_metadata'.length))
      : undefined,
  };
}

/** Every field, in the order of ovs-fields(7), in which matches are written on the wire. */
export const FIELDS: readonly Field[] = [
  ...TUNNEL_ROWS,
  ...tunnelOptionRows(),
  ...METADATA_ROWS,
  ...registerRows(),
  ...LINK_ROWS,
  ...NETWORK_ROWS,
  ...TRANSPORT_ROWS,
  ...NSH_ROWS,
].map(field);
