/**
 * The model's match fields: reading and writing them in a frame, or in its metadata.
 *
 * A field's value is a bigint, null when the packet does not have it. Names and widths are those of
 * ovs-fields(7); vlan_vid has OpenFlow's 13 bits, the highest of which says that there is a tag.
 */
import { type Headers, parse, Unspecified, updateChecksums } from './frame.js';

/** A packet on its way: its bytes and what the switch keeps beside them. */
export interface Packet {
  bytes: Uint8Array;
  inPort: number;
  metadata: bigint;
  registers: bigint[];
}

export function copyPacket(packet: Packet): Packet {
  return { ...packet, bytes: packet.bytes.slice(), registers: [...packet.registers] };
}

export function fieldBits(name: string): number {
  if (name === 'metadata') return 64;
  if (/^reg\d+$/.test(name) || name === 'in_port_oxm') return 32;
  if (name === 'in_port') return 16;
  if (name === 'vlan_vid') return 13;
  if (name === 'ip_frag') return 2;
  return headerField(name).bits;
}

interface HeaderField {
  bits: number;
  /** Bit offset in the frame, or -1. */
  find(h: Headers): number;
}

const net =
  (kind: Headers['network'], byte: number, bit = 0) =>
  (h: Headers): number =>
    h.network === kind ? (h.netAt + byte) * 8 + bit : -1;

/** At different places for IPv4 and IPv6. */
const ip =
  (bit4: number, bit6: number) =>
  (h: Headers): number => {
    if (h.network === 'ip4') return h.netAt * 8 + bit4;
    return h.network === 'ip6' ? h.netAt * 8 + bit6 : -1;
  };

const transport =
  (proto: number, byte: number, network?: Headers['network']) =>
  (h: Headers): number => {
    if (h.proto !== proto || h.transportAt < 0) return -1;
    if (network !== undefined && h.network !== network) return -1;
    return (h.transportAt + byte) * 8;
  };

const HEADER_FIELDS: Readonly<Record<string, HeaderField>> = {
  eth_dst: { bits: 48, find: () => 0 },
  eth_src: { bits: 48, find: () => 48 },
  eth_type: { bits: 16, find: (h) => h.typeAt * 8 },
  vlan_pcp: { bits: 3, find: (h) => (h.tags > 0 ? 14 * 8 : -1) },
  mpls_label: { bits: 20, find: net('mpls', 0) },
  mpls_tc: { bits: 3, find: net('mpls', 2, 4) },
  mpls_bos: { bits: 1, find: net('mpls', 2, 7) },
  mpls_ttl: { bits: 8, find: net('mpls', 3) },
  ip_src: { bits: 32, find: net('ip4', 12) },
  ip_dst: { bits: 32, find: net('ip4', 16) },
  ipv6_src: { bits: 128, find: net('ip6', 8) },
  ipv6_dst: { bits: 128, find: net('ip6', 24) },
  ipv6_label: { bits: 20, find: net('ip6', 1, 4) },
  nw_proto: { bits: 8, find: ip(72, 48) },
  ip_dscp: { bits: 6, find: ip(8, 4) },
  nw_ecn: { bits: 2, find: ip(14, 10) },
  nw_ttl: { bits: 8, find: ip(64, 56) },
  arp_op: { bits: 16, find: net('arp', 6) },
  arp_sha: { bits: 48, find: net('arp', 8) },
  arp_spa: { bits: 32, find: net('arp', 14) },
  arp_tha: { bits: 48, find: net('arp', 18) },
  arp_tpa: { bits: 32, find: net('arp', 24) },
  tcp_src: { bits: 16, find: transport(6, 0) },
  tcp_dst: { bits: 16, find: transport(6, 2) },
  tcp_flags: {
    bits: 12,
    find: (h) => (transport(6, 12)(h) < 0 ? -1 : transport(6, 12)(h) + 4),
  },
  udp_src: { bits: 16, find: transport(17, 0) },
  udp_dst: { bits: 16, find: transport(17, 2) },
  sctp_src: { bits: 16, find: transport(132, 0) },
  sctp_dst: { bits: 16, find: transport(132, 2) },
  icmp_type: { bits: 8, find: transport(1, 0, 'ip4') },
  icmp_code: { bits: 8, find: transport(1, 1, 'ip4') },
  icmpv6_type: { bits: 8, find: transport(58, 0, 'ip6') },
  icmpv6_code: { bits: 8, find: transport(58, 1, 'ip6') },
};

/** Fields that are not matched in fragments, first ones included (ovs-ofctl(8), set-frags). */
const PORT_FIELDS = /^(tcp|udp|sctp)_(src|dst)$|^icmp(v6)?_(type|code)$/;

function headerField(name: string): HeaderField {
  const field = HEADER_FIELDS[name];
  if (field === undefined) throw new RangeError(`the model has no field ${name}`);
  return field;
}

function readBits(bytes: Uint8Array, at: number, count: number): bigint {
  let value = 0n;
  for (let i = at; i < at + count; i++) {
    if (i >> 3 >= bytes.length) throw new Unspecified('field beyond the frame');
    value = value * 2n + BigInt((bytes[i >> 3] >> (7 - (i & 7))) & 1);
  }
  return value;
}

function writeBits(bytes: Uint8Array, at: number, count: number, value: bigint): void {
  for (let i = 0; i < count; i++) {
    const bit = 1 << (7 - ((at + i) & 7));
    const set = ((value >> BigInt(count - 1 - i)) & 1n) === 1n;
    if (set) bytes[(at + i) >> 3] |= bit;
    else bytes[(at + i) >> 3] &= ~bit;
  }
}

/** The field's value, or null. */
export function readField(packet: Packet, name: string): bigint | null {
  if (name === 'metadata') return packet.metadata;
  if (name === 'in_port' || name === 'in_port_oxm') return BigInt(packet.inPort);
  if (name.startsWith('reg')) return packet.registers[Number(name.slice(3))];
  const h = parse(packet.bytes);
  if (name === 'vlan_vid') {
    return h.tags === 0 ? 0n : 0x1000n + readBits(packet.bytes, 14 * 8 + 4, 12);
  }
  if (name === 'ip_frag') {
    if (h.network !== 'ip4' && h.network !== 'ip6') return null;
    return { no: 0n, first: 1n, later: 3n }[h.fragment];
  }
  const { bits, find } = headerField(name);
  const at = find(h);
  return at < 0 ? null : readBits(packet.bytes, at, bits);
}

/** The value that a table compares with. */
export function matchedValue(packet: Packet, name: string): bigint | null {
  if (PORT_FIELDS.test(name)) {
    const h = parse(packet.bytes);
    if (h.fragment !== 'no') return 0n;
  }
  if (name === 'tcp_flags' && parse(packet.bytes).fragment === 'later') return 0n;
  return readField(packet, name);
}

/** Writes a field and the checksums over it; a field that the packet does not have: nothing. */
export function writeField(packet: Packet, name: string, value: bigint): void {
  if (name === 'metadata') packet.metadata = value;
  else if (name === 'in_port' || name === 'in_port_oxm') packet.inPort = Number(value);
  else if (name.startsWith('reg')) packet.registers[Number(name.slice(3))] = value;
  else writeHeader(packet, name, value);
}

function writeHeader(packet: Packet, name: string, value: bigint): void {
  const before = packet.bytes.slice();
  const h = parse(before);
  if (name === 'vlan_vid') {
    // OpenFlow refuses such an entry when it can; what a packet meets is left open.
    if (h.tags === 0) throw new Unspecified('no tag to write a VLAN into');
    writeBits(packet.bytes, 14 * 8 + 4, 12, value & 0xfffn);
    return;
  }
  const { bits, find } = headerField(name);
  const at = find(h);
  if (at < 0) return;
  writeBits(packet.bytes, at, bits, value);
  updateChecksums(packet.bytes, before);
}
