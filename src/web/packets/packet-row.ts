/** A frame in one line: addresses, protocol, what it is about; and the flow to trace it by. */
import { extractFlow } from '../../packet/extract.js';
import * as L from '../../packet/flow-layout.js';
import { formatIpv4, formatIpv6 } from '../../packet/ip-text.js';
import type { PacketRow } from '../api/index.js';
import { flowOfPacket } from './flow-of-packet.js';

export interface RawPacket {
  /** Milliseconds since 1970. */
  at: number;
  length: number;
  data: Uint8Array;
  port: string | null;
  /** 'out': `port` is where it was to leave by. */
  direction?: PacketRow['direction'];
  reason: string | null;
}

const ETH_HEADER_LEN = 14;
const VLAN_CFI = 0x1000;

const IP_PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  47: 'GRE',
  50: 'ESP',
  58: 'ICMPv6',
  89: 'OSPF',
  112: 'VRRP',
  132: 'SCTP',
};

const ETH_TYPES: Readonly<Record<number, string>> = {
  32821: 'RARP',
  34825: 'LACP',
  34887: 'MPLS',
  34888: 'MPLS',
  35020: 'LLDP',
  35047: 'PBB',
};

/** @param bytes of the frame that are shown; null: all that were captured */
export function packetRow(packet: RawPacket, index: number, bytes: number | null): PacketRow {
  const { data } = packet;
  const shown = bytes === null ? data : data.subarray(0, bytes);
  return {
    index,
    at: packet.at,
    length: packet.length,
    direction: packet.direction ?? '',
    port: packet.port,
    reason: packet.reason,
    ...described(data),
    flow: flowOfPacket(data),
    hex: Buffer.from(shown).toString('hex'),
  };
}

type Described = Pick<PacketRow, 'source' | 'destination' | 'protocol' | 'summary'>;

function described(frame: Uint8Array): Described {
  if (frame.length < ETH_HEADER_LEN) {
    return { source: '', destination: '', protocol: 'short', summary: `${frame.length} bytes` };
  }
  const flow = extractFlow(frame);
  const tag = vlanText(flow);
  const what = network(flow, frame);
  return { ...what, summary: [tag, what.summary].filter((part) => part !== '').join(', ') };
}

function vlanText(flow: L.FlowWords): string {
  const tci = flow[L.W_VLAN0] & 0xffff;
  return (tci & VLAN_CFI) === 0 ? '' : `VLAN ${tci & 0xfff}`;
}

function network(flow: L.FlowWords, frame: Uint8Array): Described {
  const type = flow[L.W_DL_TYPE] >>> 16;
  const protocol = flow[L.W_NW] >>> 24;
  if (type === L.ETH_TYPE_IP) {
    const [source, destination] = [ipv4(flow[L.W_NW_SRC]), ipv4(flow[L.W_NW_DST])];
    return { source, destination, ...transport(flow, protocol) };
  }
  if (type === L.ETH_TYPE_IPV6) {
    const [source, destination] = [ipv6(flow, L.W_IPV6_SRC), ipv6(flow, L.W_IPV6_DST)];
    return { source, destination, ...transport(flow, protocol) };
  }
  const [destination, source] = [mac(frame, 0), mac(frame, 6)];
  if (type === L.ETH_TYPE_ARP) {
    const [spa, tpa] = [ipv4(flow[L.W_NW_SRC]), ipv4(flow[L.W_NW_DST])];
    const isReply = protocol === 2;
    const summary = isReply ? `${spa} is at ${source}` : `who has ${tpa}? tell ${spa}`;
    return { source, destination, protocol: 'ARP', summary };
  }
  const name = ETH_TYPES[type];
  const summary = name === undefined ? `Ethernet type 0x${type.toString(16).padStart(4, '0')}` : '';
  return { source, destination, protocol: name ?? 'Ethernet', summary };
}

function transport(flow: L.FlowWords, number: number): Pick<Described, 'protocol' | 'summary'> {
  const protocol = IP_PROTOCOLS[number] ?? `IP ${number}`;
  const [src, dst] = [flow[L.W_TP] >>> 16, flow[L.W_TP] & 0xffff];
  if (number === 6 || number === 17 || number === 132) {
    return { protocol, summary: `${src} → ${dst}` };
  }
  if (number === 1) return { protocol, summary: icmp(src, dst) };
  if (number === 58) return { protocol, summary: `type ${src}, code ${dst}` };
  return { protocol, summary: '' };
}

function icmp(type: number, code: number): string {
  if (type === 8) return 'echo request';
  if (type === 0) return 'echo reply';
  return `type ${type}, code ${code}`;
}

function mac(frame: Uint8Array, at: number): string {
  return [...frame.subarray(at, at + 6)].map((b) => b.toString(16).padStart(2, '0')).join(':');
}

function ipv4(word: number): string {
  return formatIpv4(Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word));
}

function ipv6(flow: L.FlowWords, word: number): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = flow[word + (i >> 2)] >>> (24 - 8 * (i & 3));
  return formatIpv6(bytes);
}
