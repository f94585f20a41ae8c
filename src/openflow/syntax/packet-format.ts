/**
 * Packets as text: the fields of the flow they belong to and the checksum of their transport
 * header, as packet-in and packet-out are printed.
 */
import { extractFlow } from '../../packet/extract.js';
import * as L from '../../packet/flow-layout.js';
import { type Match, matchAny } from '../match.js';
import { formatMatch } from './match-format.js';

/** Words that a packet's flow is shown by, given its type; the rest is metadata and left out. */
const NSH_WORDS = 6;
const ALWAYS = [L.W_DL_DST, L.W_DL_DST_SRC, L.W_DL_SRC];

function setWords(match: Match, words: readonly number[]): void {
  for (const w of words) match.mask[w] = -1;
}

/** What a match on everything in the packet would be. */
function packetMatch(flow: L.FlowWords): Match {
  const match = matchAny();
  match.flow.set(flow.subarray(0, L.DP_FLOW_WORDS));
  const { mask } = match;
  setWords(match, ALWAYS);
  mask[L.W_VLAN0] = 0xffff;
  if ((flow[L.W_VLAN0] & L.VLAN_CFI) !== 0) mask[L.W_VLAN1] = 0xffff;
  mask[L.W_DL_TYPE] = 0xffff << 16;
  const dlType = flow[L.W_DL_TYPE] >>> 16;
  if (dlType === L.ETH_TYPE_IP) {
    setWords(match, [L.W_NW_SRC, L.W_NW_DST]);
    maskIp(match);
  } else if (dlType === L.ETH_TYPE_IPV6) {
    for (let i = 0; i < 4; i++) setWords(match, [L.W_IPV6_SRC + i, L.W_IPV6_DST + i]);
    setWords(match, [L.W_IPV6_LABEL]);
    maskIp(match);
  } else if (dlType === L.ETH_TYPE_ARP || dlType === L.ETH_TYPE_RARP) {
    setWords(match, [L.W_NW_SRC, L.W_NW_DST, L.W_ARP_SHA, L.W_ARP_SHA_THA, L.W_ARP_THA]);
    mask[L.W_NW] = 0xff << 24;
  } else if (dlType === L.ETH_TYPE_MPLS || dlType === L.ETH_TYPE_MPLS_MCAST) {
    setWords(match, [L.W_MPLS]);
    for (let i = 0; i < 2 && (flow[L.W_MPLS + i] & 0x100) === 0; i++) {
      setWords(match, [L.W_MPLS + i + 1]);
    }
  } else if (dlType === L.ETH_TYPE_NSH) {
    for (let i = 0; i < NSH_WORDS; i++) setWords(match, [L.W_NSH + i]);
    // Open vSwitch shows the IP fields, all 0, as well.
    mask[L.W_NW] = 0xffffff00 | 0;
    mask[L.W_DL_TYPE] |= 0x03 << 8;
  }
  return match;
}

function maskIp(match: Match): void {
  const { flow, mask } = match;
  mask[L.W_NW] = 0xffffff00 | 0;
  mask[L.W_DL_TYPE] |= 0x03 << 8;
  const later = (flow[L.W_DL_TYPE] & (L.NW_FRAG_LATER << 8)) !== 0;
  if (later) return;
  const proto = flow[L.W_NW] >>> 24;
  if (![1, 2, 6, 17, 58, 132].includes(proto)) return;
  mask[L.W_TP] = -1;
  if (proto === 6) mask[L.W_TCP_FLAGS] = 0xffff << 16;
  if (proto !== 58) return;
  const type = flow[L.W_TP] >>> 16;
  if (type !== 135 && type !== 136) return;
  for (let i = 0; i < 4; i++) setWords(match, [L.W_ND_TARGET + i]);
  setWords(match, [L.W_ARP_SHA, L.W_ARP_SHA_THA, L.W_ARP_THA]);
}

/** Where the transport header of an IPv4 or IPv6 packet without extension headers begins, or -1. */
function transportOffset(data: Uint8Array): number {
  let at = 12;
  const u16 = (i: number): number => (data[i] << 8) | data[i + 1];
  while (at + 4 <= data.length && (u16(at) === 0x8100 || u16(at) === 0x88a8)) at += 4;
  const type = u16(at);
  at += 2;
  if (type === L.ETH_TYPE_IP) return at + 4 * (data[at] & 0x0f);
  return type === L.ETH_TYPE_IPV6 ? at + 40 : -1;
}

/** Name, offset and width of the checksum of each protocol. */
const CHECKSUMS: Record<number, [name: string, offset: number, header: number]> = {
  1: ['icmp_csum', 2, 8],
  6: ['tcp_csum', 16, 20],
  17: ['udp_csum', 6, 8],
  58: ['icmp6_csum', 2, 4],
};

function checksum(data: Uint8Array, proto: number): string {
  const at = transportOffset(data);
  if (at < 0) return '';
  if (proto === 132 && at + 12 <= data.length) {
    return ` sctp_csum:${Buffer.from(data.buffer, data.byteOffset)
      .readUInt32BE(at + 8)
      .toString(16)}`;
  }
  const row = CHECKSUMS[proto];
  if (row === undefined || at + row[2] > data.length) return '';
  return ` ${row[0]}:${((data[at + row[1]] << 8) | data[at + row[1] + 1]).toString(16)}`;
}

/** A packet's flow, with the port that it came in by. */
export function formatFlow(flow: L.FlowWords): string {
  const match = packetMatch(flow);
  if (flow[L.W_IN_PORT] !== 0) match.mask[L.W_IN_PORT] = -1;
  return formatMatch(match);
}

/** One line, newline included. */
export function formatPacket(data: Uint8Array): string {
  const flow = extractFlow(data);
  const text = formatMatch(packetMatch(flow));
  return `${text}${checksum(data, flow[L.W_NW] >>> 24)}\n`;
}

/** Bytes in lines of sixteen: offset, hexadecimal and, if asked for, characters. */
export function hexDump(data: Uint8Array, ascii: boolean): string {
  let out = '';
  for (let ofs = 0; ofs < data.length; ofs += 16) {
    const line = data.subarray(ofs, ofs + 16);
    let hex = '';
    for (let i = 0; i < line.length; i++) {
      hex += line[i].toString(16).padStart(2, '0') + (i === 7 ? '-' : ' ');
    }
    let text = `${ofs.toString(16).padStart(8, '0')}  ${hex}`;
    if (ascii) {
      const chars = Array.from(line, (c) => (c >= 32 && c < 127 ? String.fromCharCode(c) : '.'));
      text = `${text.padEnd(10 + 48)}|${chars.join('').padEnd(16)}|`;
    } else text = text.replace(/[ -]$/, '');
    out += `${text}\n`;
  }
  return out;
}
