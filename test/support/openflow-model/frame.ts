/**
 * The model's view of a frame: where its headers are, and its checksums, found anew each time.
 *
 * Part of the naive interpreter of OpenFlow (interpreter.ts): written from the standards alone, it
 * shares no code with src. It reads bytes, bit by bit where that is simplest; speed does not count.
 *
 * Not for: frames that contradict themselves. What the standards leave open throws Unspecified.
 *
 * Sources: IEEE 802.1Q; RFC 791, 8200, 826, 768, 9293, 4960, 792, 4443, 3032, 1624.
 */

/** The standards do not say what happens: nothing can be compared. */
export class Unspecified extends Error {}

/** Headers of a frame; positions are byte offsets. */
export interface Headers {
  /** VLAN tags, at most two are looked at. */
  tags: number;
  /** Of the Ethernet type behind the tags. */
  typeAt: number;
  type: number;
  /** Of what follows the type (of the first MPLS label, too). */
  netAt: number;
  labels: number;
  network: 'ip4' | 'ip6' | 'arp' | 'mpls' | null;
  /** Of the IP header; -1 without one. */
  proto: number;
  fragment: 'no' | 'first' | 'later';
  /** -1: there is no transport header. */
  transportAt: number;
  end: number;
}

export function u16(bytes: Uint8Array, at: number): number {
  if (at + 2 > bytes.length) throw new Unspecified('cut short');
  return bytes[at] * 256 + bytes[at + 1];
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}

const isTag = (type: number): boolean => type === 0x8100 || type === 0x88a8;
export const isMpls = (type: number): boolean => type === 0x8847 || type === 0x8848;

/** Finds the headers. @throws Unspecified */
export function parse(bytes: Uint8Array): Headers {
  let typeAt = 12;
  let tags = 0;
  while (tags < 2 && isTag(u16(bytes, typeAt))) {
    tags += 1;
    typeAt += 4;
  }
  const type = u16(bytes, typeAt);
  const found: Headers = {
    ...{ tags, typeAt, type, netAt: typeAt + 2, labels: 0, network: null, proto: -1 },
    ...{ fragment: 'no', transportAt: -1, end: bytes.length },
  };
  if (isTag(type)) throw new Unspecified('more tags than are looked at');
  if (type === 0x0800) parseIp4(bytes, found);
  else if (type === 0x86dd) parseIp6(bytes, found);
  else if (type === 0x0806) found.network = 'arp';
  else if (isMpls(type)) parseMpls(bytes, found);
  return found;
}

function parseIp4(bytes: Uint8Array, found: Headers): void {
  const at = found.netAt;
  const length = u16(bytes, at + 2);
  if (bytes[at] !== 0x45 || length < 20 || at + length > bytes.length) {
    throw new Unspecified('no sound IPv4 header');
  }
  found.network = 'ip4';
  found.proto = bytes[at + 9];
  found.end = at + length;
  const frag = u16(bytes, at + 6);
  if ((frag & 0x1fff) !== 0) found.fragment = 'later';
  else if ((frag & 0x2000) !== 0) found.fragment = 'first';
  if (found.fragment !== 'later') found.transportAt = at + 20;
}

function parseIp6(bytes: Uint8Array, found: Headers): void {
  const at = found.netAt;
  const length = u16(bytes, at + 4);
  if (bytes[at] >> 4 !== 6 || at + 40 + length > bytes.length) {
    throw new Unspecified('no sound IPv6 header');
  }
  found.network = 'ip6';
  found.proto = bytes[at + 6];
  found.end = at + 40 + length;
  found.transportAt = at + 40;
  if ([0, 43, 44, 51, 60].includes(found.proto)) throw new Unspecified('extension header');
}

function parseMpls(bytes: Uint8Array, found: Headers): void {
  found.network = 'mpls';
  for (let at = found.netAt; ; at += 4) {
    if (found.labels === 3) throw new Unspecified('more labels than are looked at');
    u16(bytes, at + 2);
    found.labels += 1;
    if ((bytes[at + 2] & 1) !== 0) return;
  }
}

function sum16(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += (i - from) % 2 === 0 ? bytes[i] * 256 : bytes[i];
  return sum;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/** CRC-32C of bytes (RFC 4960, appendix B), bit by bit. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc ^ byte) >>> 0;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1) !== 0 ? ((crc >>> 1) ^ 0x82f63b78) >>> 0 : crc >>> 1;
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6, 1: 2, 58: 2 };

/** The sum over the pseudo-header, which ICMP for IPv4 has none of. */
function pseudoSum(bytes: Uint8Array, h: Headers): number {
  if (h.proto === 1) return 0;
  const from = h.netAt + (h.network === 'ip4' ? 12 : 8);
  const to = h.netAt + (h.network === 'ip4' ? 20 : 40);
  return sum16(bytes, from, to) + h.proto + (h.end - h.transportAt);
}

/** Computes every checksum of a whole packet; fragments get the header's alone. */
export function completeChecksums(bytes: Uint8Array): void {
  const h = parse(bytes);
  fixIpHeader(bytes, h);
  if (h.transportAt < 0 || h.fragment !== 'no') return;
  if (h.proto === 132 && h.end - h.transportAt >= 12) {
    const at = h.transportAt + 8;
    bytes.fill(0, at, at + 4);
    const crc = crc32c(bytes.subarray(h.transportAt, h.end));
    for (let i = 0; i < 4; i++) bytes[at + i] = (crc >>> (8 * i)) & 255;
    return;
  }
  const offset = checksumOffset(h);
  if (offset < 0) return;
  const at = h.transportAt + offset;
  put16(bytes, at, 0);
  const sum = fold(pseudoSum(bytes, h) + sum16(bytes, h.transportAt, h.end));
  put16(bytes, at, h.proto === 17 && sum === 0xffff ? 0xffff : 0xffff - sum);
}

function checksumOffset(h: Headers): number {
  const offset = CHECKSUM_AT[h.proto] ?? -1;
  if ((h.proto === 1) !== (h.network === 'ip4' && h.proto === 1)) return -1;
  if (h.proto === 58 && h.network !== 'ip6') return -1;
  return h.transportAt + offset + 2 <= h.end ? offset : -1;
}

function fixIpHeader(bytes: Uint8Array, h: Headers): void {
  if (h.network !== 'ip4') return;
  put16(bytes, h.netAt + 10, 0);
  put16(bytes, h.netAt + 10, 0xffff - fold(sum16(bytes, h.netAt, h.netAt + 20)));
}

/**
 * Brings checksums up to date after headers were changed in place. `before` is the frame as it was.
 * A UDP packet without checksum stays without; a first fragment's is adapted, since what it covers
 * is not all there (RFC 1624, equation 3).
 */
export function updateChecksums(bytes: Uint8Array, before: Uint8Array): void {
  const h = parse(bytes);
  if (h.network !== 'ip4' && h.network !== 'ip6') return;
  if (h.transportAt >= 0 && h.proto === 17 && h.transportAt + 8 <= h.end) {
    if (u16(before, h.transportAt + 6) === 0) {
      fixIpHeader(bytes, h);
      return;
    }
  }
  if (h.fragment !== 'first') {
    completeChecksums(bytes);
    return;
  }
  fixIpHeader(bytes, h);
  if (h.proto === 132) throw new Unspecified('a CRC over bytes that are not all there');
  const offset = checksumOffset(h);
  if (offset < 0) return;
  const at = h.transportAt + offset;
  const covered = (frame: Uint8Array): number =>
    pseudoSum(frame, h) + sum16(frame, h.transportAt, h.end) - u16(frame, at);
  const had = 0xffff - u16(before, at);
  const change = fold(0xffff - fold(covered(before)) + fold(covered(bytes)));
  const sum = fold(had + change);
  put16(bytes, at, h.proto === 17 && sum === 0xffff ? 0xffff : 0xffff - sum);
}

/** `count` bytes put in at `at`. */
export function insertBytes(bytes: Uint8Array, at: number, count: number): Uint8Array {
  const out = new Uint8Array(bytes.length + count);
  out.set(bytes.subarray(0, at));
  out.set(bytes.subarray(at), at + count);
  return out;
}

/** `count` bytes taken out at `at`. */
export function removeBytes(bytes: Uint8Array, at: number, count: number): Uint8Array {
  const out = new Uint8Array(bytes.length - count);
  out.set(bytes.subarray(0, at));
  out.set(bytes.subarray(at + count), at);
  return out;
}
