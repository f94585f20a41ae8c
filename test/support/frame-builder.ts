/**
 * Building frames with the switch's own checksums, for tests of what changes them.
 *
 * Every builder returns a new, whole frame. Not for checking checksums: packets.ts is independent.
 *
 * Sources: IEEE 802.3, 802.1Q; RFC 826, 791, 8200, 768, 9293, 792, 4443.
 */
import { addToSum, finishSum, pseudoSum4, pseudoSum6 } from '../../src/packet/checksum.js';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN_8021Q,
} from '../../src/packet/flow-layout.js';

export const ETH_BROADCAST = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** A tag: outermost first in lists. */
export interface VlanTag {
  /** 0x8100 unless given. */
  tpid?: number;
  /** PCP(3) DEI(1) VID(12). */
  tci: number;
}

export interface EthFields {
  dst: Uint8Array;
  src: Uint8Array;
  vlans?: readonly VlanTag[];
}

/** Bytes joined into one new array. */
export function concatBytes(...parts: readonly ArrayLike<number>[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A big-endian number as bytes. */
export function be16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function be32(value: number): number[] {
  return [...be16(value >>> 16), ...be16(value)];
}

/** An address in colon notation as 6 bytes. @throws RangeError when it is not one */
export function macBytes(text: string): Uint8Array {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) {
    throw new RangeError(`${text}: not an Ethernet address`);
  }
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

/** An IPv4 address in dotted notation as an int32. @throws RangeError when it is not one */
export function ipv4Int(text: string): number {
  const parts = text.split('.').map(Number);
  const valid = parts.length === 4 && parts.every((p) => Number.isInteger(p) && p >= 0 && p < 256);
  if (!valid) throw new RangeError(`${text}: not an IPv4 address`);
  return (parts[0] << 24) | (parts[1] << 16) | (parts[2] << 8) | parts[3];
}

/** Ethernet header with tags, and a payload. */
export function ethFrame(eth: EthFields, type: number, payload: ArrayLike<number>): Uint8Array {
  const tags = (eth.vlans ?? []).flatMap(({ tpid, tci }) => [
    ...be16(tpid ?? ETH_TYPE_VLAN_8021Q),
    ...be16(tci),
  ]);
  return concatBytes(eth.dst, eth.src, tags, be16(type), payload);
}

export interface ArpFields {
  op: number;
  sha: Uint8Array;
  spa: number;
  tha: Uint8Array;
  tpa: number;
}

/** ARP (RFC 826) for IPv4 over Ethernet, without padding. */
export function arpFrame(eth: EthFields, arp: ArpFields, type = ETH_TYPE_ARP): Uint8Array {
  return ethFrame(
    eth,
    type,
    concatBytes([0, 1, 8, 0, 6, 4], be16(arp.op), arp.sha, be32(arp.spa), arp.tha, be32(arp.tpa)),
  );
}

/** The RARP request that tells other switches where `address` is now (padded to 60 bytes). */
export function rarpAnnouncement(address: Uint8Array, vlans: readonly VlanTag[] = []): Uint8Array {
  const frame = arpFrame(
    { dst: ETH_BROADCAST, src: address, vlans },
    { op: 3, sha: address, spa: 0, tha: address, tpa: 0 },
    ETH_TYPE_RARP,
  );
  return concatBytes(frame, new Uint8Array(Math.max(0, 60 - frame.length)));
}

export interface Ipv4Fields {
  src: number;
  dst: number;
  protocol: number;
  tos?: number;
  ttl?: number;
  id?: number;
  /** Flags(3) and fragment offset(13). */
  frag?: number;
  /** A multiple of 4 bytes. */
  options?: Uint8Array;
}

/** An IPv4 packet (RFC 791) with its header checksum. */
export function ipv4Packet(ip: Ipv4Fields, payload: Uint8Array): Uint8Array {
  const options = ip.options ?? new Uint8Array(0);
  const headerLen = 20 + options.length;
  const packet = concatBytes(
    [0x40 | (headerLen / 4), ip.tos ?? 0, ...be16(headerLen + payload.length)],
    [...be16(ip.id ?? 0), ...be16(ip.frag ?? 0)],
    [ip.ttl ?? 64, ip.protocol, 0, 0, ...be32(ip.src), ...be32(ip.dst)],
    options,
    payload,
  );
  const view = new DataView(packet.buffer);
  view.setUint16(10, finishSum(addToSum(view, 0, headerLen)));
  return packet;
}

export interface Ipv6Fields {
  /** 16 bytes each. */
  src: Uint8Array;
  dst: Uint8Array;
  nextHeader: number;
  trafficClass?: number;
  label?: number;
  hopLimit?: number;
}

/** An IPv6 packet (RFC 8200). */
export function ipv6Packet(ip: Ipv6Fields, payload: Uint8Array): Uint8Array {
  const flow = (6 << 28) | ((ip.trafficClass ?? 0) << 20) | (ip.label ?? 0);
  return concatBytes(
    be32(flow),
    be16(payload.length),
    [ip.nextHeader, ip.hopLimit ?? 64],
    ip.src,
    ip.dst,
    payload,
  );
}

/** A UDP header (checksum 0) and payload. */
export function udpSegment(src: number, dst: number, payload: Uint8Array): Uint8Array {
  return concatBytes(be16(src), be16(dst), be16(8 + payload.length), [0, 0], payload);
}

/**
 * A TCP header without options (checksum 0) and payload. `flags` is the low 12 bits of the word.
 */
export function tcpSegment(
  src: number,
  dst: number,
  flags: number,
  payload: Uint8Array,
  seq = 0,
  ack = 0,
): Uint8Array {
  return concatBytes(
    be16(src),
    be16(dst),
    be32(seq),
    be32(ack),
    be16((5 << 12) | (flags & 0xfff)),
    be16(65_535),
    [0, 0, 0, 0],
    payload,
  );
}

/** An ICMP or ICMPv6 header (checksum 0), its second word and payload. */
export function icmpSegment(
  type: number,
  code: number,
  rest: number,
  payload: Uint8Array,
): Uint8Array {
  return concatBytes([type, code, 0, 0], be32(rest), payload);
}

/** Where the checksum stands in a transport header. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 2: 2, 6: 16, 17: 6, 58: 2 };

/**
 * Writes the transport checksum into an unfragmented IP packet, in place, and returns it. Protocols
 * without one of 16 bits are left alone.
 */
export function withTransportChecksum(packet: Uint8Array): Uint8Array {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const v4 = packet[0] >>> 4 === 4;
  const l4 = v4 ? (packet[0] & 15) * 4 : 40;
  const protocol = v4 ? packet[9] : packet[6];
  const at = CHECKSUM_AT[protocol];
  const len = packet.length - l4;
  if (at === undefined || len < at + 2) return packet;
  view.setUint16(l4 + at, 0);
  let sum = 0;
  if (!v4) sum = pseudoSum6(view, 0, protocol, len);
  else if (protocol === 6 || protocol === 17) sum = pseudoSum4(view, 0, protocol, len);
  const checksum = finishSum(addToSum(view, l4, len, sum));
  view.setUint16(l4 + at, protocol === 17 && checksum === 0 ? 0xffff : checksum);
  return packet;
}

/** UDP over IPv4, whole. */
export function udp4Frame(
  eth: EthFields,
  ip: Omit<Ipv4Fields, 'protocol'>,
  ports: { src: number; dst: number },
  payload: Uint8Array,
): Uint8Array {
  const packet = ipv4Packet({ ...ip, protocol: 17 }, udpSegment(ports.src, ports.dst, payload));
  return ethFrame(eth, ETH_TYPE_IP, withTransportChecksum(packet));
}

/** TCP over IPv4, whole. */
export function tcp4Frame(
  eth: EthFields,
  ip: Omit<Ipv4Fields, 'protocol'>,
  tcp: { src: number; dst: number; flags: number },
  payload: Uint8Array,
): Uint8Array {
  const segment = tcpSegment(tcp.src, tcp.dst, tcp.flags, payload);
  return ethFrame(
    eth,
    ETH_TYPE_IP,
    withTransportChecksum(ipv4Packet({ ...ip, protocol: 6 }, segment)),
  );
}

/** UDP over IPv6, whole. */
export function udp6Frame(
  eth: EthFields,
  ip: Omit<Ipv6Fields, 'nextHeader'>,
  ports: { src: number; dst: number },
  payload: Uint8Array,
): Uint8Array {
  const segment = udpSegment(ports.src, ports.dst, payload);
  return ethFrame(
    eth,
    ETH_TYPE_IPV6,
    withTransportChecksum(ipv6Packet({ ...ip, nextHeader: 17 }, segment)),
  );
}
