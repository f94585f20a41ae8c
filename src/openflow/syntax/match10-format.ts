/**
 * The fixed match of OpenFlow 1.0 as text, field by field as it came, with `*` for wildcards: what
 * ovs-ofctl prints of flow-mods with -mmm. Not for: what the match means (match-format.ts).
 */

import { portFrom16 } from '../../packet/fields.js';
import { formatEth, formatIpv4 } from '../../packet/ip-text.js';
import { Reader } from '../codec/buffer.js';
import { formatPort, type NameMap } from './names.js';

const WILD = {
  ...{ IN_PORT: 0x1, VLAN: 0x2, SRC: 0x4, DST: 0x8, TYPE: 0x10, PROTO: 0x20 },
  ...{ TP_SRC: 0x40, TP_DST: 0x80, PCP: 0x100000, TOS: 0x200000 },
} as const;
const NW_SRC_SHIFT = 8;
const NW_DST_SHIFT = 14;
const ADDRESS_BITS = 32;

const IP_NAMES: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const TYPE_NAMES: Readonly<Record<number, string>> = {
  ...{ 2048: 'ip', 2054: 'arp', 32821: 'rarp', 34887: 'mpls', 34888: 'mplsm' },
};

/** @param bytes an ofp10_match */
export function formatMatch10(bytes: Uint8Array, ports: NameMap | null): string {
  const r = new Reader(bytes);
  const wild = r.u32();
  const inPort = portFrom16(r.u16());
  const [src, dst] = [r.take8(6), r.take8(6)];
  const vlan = r.u16();
  const pcp = r.u8();
  r.skip(1);
  const type = r.u16();
  const tos = r.u8();
  const proto = r.u8();
  r.skip(2);
  const [nwSrc, nwDst] = [r.take8(4), r.take8(4)];
  const [tpSrc, tpDst] = [r.u16(), r.u16()];

  const parts: string[] = [];
  const put = (name: string, bit: number, text: string): void => {
    parts.push(`${name}=${(wild & bit) === 0 ? text : '*'}`);
  };
  const address = (name: string, ip: Uint8Array, shift: number): void => {
    const bits = (wild >>> shift) & 0x3f;
    const mask = bits === 0 ? '' : `/${ADDRESS_BITS - bits}`;
    parts.push(`${name}=${bits < ADDRESS_BITS ? formatIpv4(ip) + mask : '*'}`);
  };
  const typeName = (wild & WILD.TYPE) === 0 ? TYPE_NAMES[type] : undefined;
  const ipName = typeName === 'ip' && (wild & WILD.PROTO) === 0 ? IP_NAMES[proto] : undefined;
  if (typeName !== undefined) parts.push(ipName ?? typeName);
  put('in_port', WILD.IN_PORT, formatPort(inPort, ports));
  put('dl_vlan', WILD.VLAN, String(vlan));
  put('dl_vlan_pcp', WILD.PCP, String(pcp));
  put('dl_src', WILD.SRC, formatEth(src));
  put('dl_dst', WILD.DST, formatEth(dst));
  if (typeName === undefined) put('dl_type', WILD.TYPE, `0x${type.toString(16).padStart(4, '0')}`);
  address('nw_src', nwSrc, NW_SRC_SHIFT);
  address('nw_dst', nwDst, NW_DST_SHIFT);
  const arp = type === 0x0806 || type === 0x8035;
  if (ipName === undefined) put(arp ? 'arp_op' : 'nw_proto', WILD.PROTO, String(proto));
  put('nw_tos', WILD.TOS, String(tos));
  const icmp = proto === 1;
  put(icmp ? 'icmp_type' : 'tp_src', WILD.TP_SRC, String(tpSrc));
  put(icmp ? 'icmp_code' : 'tp_dst', WILD.TP_DST, String(tpDst));
  return parts.join(',');
}
