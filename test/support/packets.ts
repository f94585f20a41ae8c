/**
 * Frames for tests, built byte by byte and independently of src/packet: what checks the switch does
 * not share its code.
 */

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ETH_ARP = 0x0806;
export const ETH_IPV4 = 0x0800;
/** IEEE 802's 'local experimental' type: nothing answers it. */
export const ETH_EXPERIMENTAL = 0x88b5;

export interface Tag {
  vid: number;
  pcp?: number;
  tpid?: number;
}

export interface EthernetFields {
  dst: string;
  src: string;
  tags?: Tag[];
  type?: number;
  payload?: Uint8Array;
}

export function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function ipv4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    bytes.writeUInt16BE(value & 0xffff, index * 2);
  });
  return bytes;
}

/** An Ethernet frame, padded to the 60 bytes that a wire asks for. */
export function ethernet(fields: EthernetFields): Buffer {
  const { dst, src, tags = [], type = ETH_EXPERIMENTAL, payload = Buffer.alloc(0) } = fields;
  const tagBytes = tags.map((tag) => u16(tag.tpid ?? 0x8100, ((tag.pcp ?? 0) << 13) | tag.vid));
  const frame = Buffer.concat([mac(dst), mac(src), ...tagBytes, u16(type), payload]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]);
}

/** The Internet checksum (RFC 1071) of whole bytes, an odd one padded. */
export function checksum(...parts: Uint8Array[]): number {
  let sum = 0;
  const bytes = Buffer.concat(parts);
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export interface ArpFields {
  src: string;
  sourceIp: string;
  targetIp: string;
  tags?: Tag[];
}

/** A broadcast ARP request. */
export function arpRequest({ src, sourceIp, targetIp, tags }: ArpFields): Buffer {
  const head = Buffer.concat([u16(1, ETH_IPV4), Buffer.from([6, 4]), u16(1)]);
  const target = [Buffer.alloc(6), ipv4(targetIp)];
  const payload = Buffer.concat([head, mac(src), ipv4(sourceIp), ...target]);
  return ethernet({ dst: BROADCAST, src, tags, type: ETH_ARP, payload });
}

export interface IcmpEchoFields {
  dst: string;
  src: string;
  sourceIp: string;
  targetIp: string;
}

/** An ICMP echo request. */
export function icmpEcho({ dst, src, sourceIp, targetIp }: IcmpEchoFields): Buffer {
  const icmp = Buffer.concat([u16(0x0800, 0, 0x7777, 1), Buffer.from('tapswitch')]);
  icmp.writeUInt16BE(checksum(icmp), 2);
  const header = Buffer.concat([
    u16(0x4500, 20 + icmp.length, 0, 0),
    Buffer.from([64, 1]),
    u16(0),
    ipv4(sourceIp),
    ipv4(targetIp),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return ethernet({ dst, src, type: ETH_IPV4, payload: Buffer.concat([header, icmp]) });
}

/** Source MAC of a frame, as text. */
export function sourceOf(frame: Uint8Array): string {
  return [...frame.subarray(6, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** VLAN ids of a frame's tags, outermost first. */
export function vidsOf(frame: Buffer): number[] {
  const vids: number[] = [];
  for (let at = 12; at + 4 <= frame.length; at += 4) {
    const type = frame.readUInt16BE(at);
    if (type !== 0x8100 && type !== 0x88a8) break;
    vids.push(frame.readUInt16BE(at + 2) & 0xfff);
  }
  return vids;
}
