/**
 * Ethernet, IPv4 and IPv6 addresses with masks, as text.
 *
 * Printing follows the C library (inet_ntop) and Open vSwitch (prefix lengths where a mask has
 * one). Parsers return null for what is no address; the caller says so in its own words.
 */

const hex2 = (b: number): string => b.toString(16).padStart(2, '0');

export function formatEth(mac: Uint8Array): string {
  return Array.from(mac, hex2).join(':');
}

/** Six groups of one or two hex digits; null if it is anything else. */
export function parseEth(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) return null;
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

export function formatIpv4(ip: Uint8Array): string {
  return ip.join('.');
}

export function parseIpv4(text: string): Uint8Array | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const parts = text.split('.').map(Number);
  return parts.every((p) => p < 256) ? Uint8Array.from(parts) : null;
}

/** Length of a mask's run of leading ones, or -1 when there are ones after it. */
export function prefixLength(mask: Uint8Array): number {
  let length = 0;
  let ended = false;
  for (const byte of mask) {
    for (let bit = 0x80; bit > 0; bit >>= 1) {
      if ((byte & bit) === 0) ended = true;
      else if (ended) return -1;
      else length++;
    }
  }
  return length;
}

/** A mask of `length` leading ones in `nBytes` bytes. */
export function prefixMask(length: number, nBytes: number): Uint8Array {
  const mask = new Uint8Array(nBytes);
  for (let i = 0; i < length; i++) mask[i >> 3] |= 0x80 >> (i & 7);
  return mask;
}

/** `/n`, `/mask`, or nothing when the mask is all ones. */
export function formatMaskSuffix(mask: Uint8Array, format: (mask: Uint8Array) => string): string {
  if (mask.every((b) => b === 0xff)) return '';
  const length = prefixLength(mask);
  return length >= 0 ? `/${length}` : `/${format(mask)}`;
}

/** The longest run of at least two zero groups; the first of equals. */
function zeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < groups.length; ) {
    if (groups[i] !== 0) {
      i++;
      continue;
    }
    const start = i;
    while (i < groups.length && groups[i] === 0) i++;
    if (i - start > best.length) best = { start, length: i - start };
  }
  return best;
}

export function formatIpv6(ip: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((ip[i] << 8) | ip[i + 1]);
  const run = zeroRun(groups);
  // An embedded IPv4 address: ::a.b.c.d and ::ffff:a.b.c.d.
  const v4 = run.start === 0 && (run.length === 6 || (run.length === 5 && groups[5] === 0xffff));
  let out = '';
  for (let i = 0; i < 8; i++) {
    if (i === run.start) {
      out += i === 0 ? '::' : ':';
      i += run.length - 1;
      continue;
    }
    if (i === 6 && v4) return out + formatIpv4(ip.subarray(12));
    out += groups[i].toString(16);
    if (i < 7) out += ':';
  }
  return out;
}

/** An IPv6 address in any of its written forms. */
export function parseIpv6(text: string): Uint8Array | null {
  let rest = text;
  let tail: number[] = [];
  const dotted = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text);
  if (dotted !== null) {
    const v4 = parseIpv4(dotted[2]);
    if (v4 === null) return null;
    rest = dotted[1];
    tail = [(v4[0] << 8) | v4[1], (v4[2] << 8) | v4[3]];
    // The colon before the dotted part ends a group, unless it is half of '::'.
    if (!rest.endsWith('::')) rest = rest.slice(0, -1);
  }
  const halves = rest.split('::');
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (groups.flat().some((g) => !/^[0-9a-f]{1,4}$/i.test(g))) return null;
  const head = groups[0].map((g) => Number.parseInt(g, 16));
  const end = [...(groups[1] ?? []).map((g) => Number.parseInt(g, 16)), ...tail];
  const missing = 8 - head.length - end.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...end];
  return Uint8Array.from(all.flatMap((g) => [g >> 8, g & 0xff]));
}
