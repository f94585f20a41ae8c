/**
 * Values of match fields as text: parsing `value[/mask]` and printing it, in ovs-fields(7)'s
 * formats.
 *
 * Ports are looked up and named through a PortNames, so that this needs to know of no switch.
 * Errors are FieldTextError with the words that Open vSwitch uses.
 */
import { type Field, portFrom16, portTo16 } from './fields.js';
import {
  formatEth,
  formatIpv4,
  formatIpv6,
  formatMaskSuffix,
  parseEth,
  parseIpv4,
  parseIpv6,
  prefixMask,
} from './ip-text.js';

/** Turns OpenFlow port numbers (32-bit form) into text and back. */
export interface PortNames {
  format(port: number): string;
  /** Null when there is no such port. */
  parse(text: string): number | null;
}

export class FieldTextError extends Error {
  override readonly name = 'FieldTextError';
}

export interface ValueAndMask {
  value: Uint8Array;
  mask: Uint8Array;
}

export const CT_STATE_FLAGS = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
export const TCP_FLAGS = [
  ...['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'],
];
export const TUN_FLAGS = ['oam', 'df', 'csum', 'key'];

const FRAGS: [name: string, mask: number, value: number][] = [
  ['no', 3, 0],
  ['first', 3, 1],
  ['later', 3, 3],
  ['no', 1, 0],
  ['yes', 1, 1],
  ['not_later', 2, 0],
  ['later', 2, 2],
];

const ones = (n: number): Uint8Array => new Uint8Array(n).fill(0xff);
const toHex = (bytes: Uint8Array): string => {
  const digits = Buffer.from(bytes).toString('hex').replace(/^0+/, '');
  return digits === '' ? '0' : `0x${digits}`;
};

/** A number as `strtoull(s, &tail, 0)` reads it: decimal, 0x... or 0... (octal), sign allowed. */
export function parseCInteger(text: string): { value: bigint; tail: string } | null {
  const m = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)/.exec(text);
  if (m === null) return null;
  let digits = m[2];
  let length = m[0].length;
  if (/^0[0-9]/.test(digits)) {
    // Octal stops at the first 8 or 9.
    const octal = (/^0[0-7]*/.exec(digits) as RegExpExecArray)[0];
    length -= digits.length - octal.length;
    digits = octal === '0' ? '0' : `0o${octal.slice(1)}`;
  }
  const magnitude = BigInt(digits);
  return { value: m[1] === '-' ? -magnitude : magnitude, tail: text.slice(length) };
}

export interface ParsedBytes {
  bytes: Uint8Array;
  tail: string;
  tooLarge: boolean;
}

/** An integer into `width` bytes; hexadecimal of any length, others to 64 bits. Null: no number. */
export function parseIntBytes(text: string, width: number): ParsedBytes | null {
  const m = /^0[xX]/.exec(text);
  if (m !== null) {
    // White space between hex digits is skipped, as Open vSwitch does.
    const digits = (/^[0-9a-fA-F \t\r\n]*/.exec(text.slice(2)) as RegExpExecArray)[0];
    const hex = digits.replace(/\s/g, '').replace(/^0+/, '');
    const tail = text.slice(2 + digits.length);
    if (hex.length > 2 * width) return { bytes: new Uint8Array(width), tail, tooLarge: true };
    return {
      bytes: Uint8Array.from(Buffer.from(hex.padStart(2 * width, '0'), 'hex')),
      tail,
      tooLarge: false,
    };
  }
  const parsed = parseCInteger(text);
  if (parsed === null) return null;
  const value = BigInt.asUintN(64, parsed.value);
  const bytes = new Uint8Array(width);
  let left = value;
  for (let i = width - 1; i >= 0; i--, left >>= 8n) bytes[i] = Number(left & 0xffn);
  const overflow = parsed.value > 0xffffffffffffffffn;
  return { bytes, tail: parsed.tail, tooLarge: left !== 0n || overflow };
}

function parseInteger(field: Field, text: string): ValueAndMask {
  const part = (what: 'value' | 'mask', s: string): ParsedBytes => {
    const parsed = parseIntBytes(s, field.nBytes);
    if (parsed?.tooLarge === true) {
      throw new FieldTextError(
        `${text}: ${what} too large for ${field.nBytes}-byte field ${field.name}`,
      );
    }
    const end = what === 'value' ? /^(\/|$)/ : /^$/;
    if (parsed === null || !end.test(parsed.tail)) {
      throw new FieldTextError(`${text}: bad syntax for ${field.name} ${what}`);
    }
    return parsed;
  };
  const value = part('value', text);
  if (value.tail === '') return { value: value.bytes, mask: ones(field.nBytes) };
  return { value: value.bytes, mask: part('mask', value.tail.slice(1)).bytes };
}

function parseEthernet(text: string): ValueAndMask {
  const [address, mask, extra] = text.split('/');
  const value = parseEth(address);
  const maskBytes = mask === undefined ? ones(6) : parseEth(mask);
  if (value === null || maskBytes === null || extra !== undefined) {
    throw new FieldTextError(`${text}: invalid Ethernet address`);
  }
  return { value, mask: maskBytes };
}

/** `a.b.c.d`, `a.b.c.d/n` or `a.b.c.d/mask`. */
export function parseIpv4Masked(text: string): ValueAndMask {
  const slash = text.indexOf('/');
  const value = parseIpv4(slash < 0 ? text : text.slice(0, slash));
  if (value !== null) {
    if (slash < 0) return { value, mask: ones(4) };
    const rest = text.slice(slash + 1);
    const mask = parseIpv4(rest);
    if (mask !== null) return { value, mask };
    if (/^-?\d+$/.test(rest)) {
      const length = Number(rest);
      if (length >= 0 && length <= 32) return { value, mask: prefixMask(length, 4) };
      throw new FieldTextError(`${text}: IPv4 network prefix bits not between 0 and 32, inclusive`);
    }
  }
  throw new FieldTextError(`${text}: invalid IP address`);
}

function parseIpv6Masked(text: string): ValueAndMask {
  const slash = text.indexOf('/');
  const value = parseIpv6(slash < 0 ? text : text.slice(0, slash));
  if (value === null) throw new FieldTextError(`${text}: invalid IPv6 address`);
  if (slash < 0) return { value, mask: ones(16) };
  const rest = text.slice(slash + 1);
  if (/^-?\d+$/.test(rest)) {
    const length = Number(rest);
    if (length >= 0 && length <= 128) return { value, mask: prefixMask(length, 16) };
    throw new FieldTextError(`${text}: IPv6 network prefix bits not between 0 and 128, inclusive`);
  }
  const mask = parseIpv6(rest);
  if (mask === null) throw new FieldTextError(`${text}: Invalid IPv6 mask`);
  return { value, mask };
}

function parseFrag(text: string): ValueAndMask {
  for (const [name, mask, value] of FRAGS) {
    if (name === text.toLowerCase()) {
      return { value: Uint8Array.of(value), mask: Uint8Array.of(mask | 0xfc) };
    }
  }
  throw new FieldTextError(
    `${text}: unknown fragment type (valid types are "no", "yes", "first", "later", "not_later"`,
  );
}

interface FlagSet {
  names: readonly string[];
  /** As messages call them. */
  title: string;
  allowed: number;
}

function flagSet(field: Field): FlagSet {
  if (field.format === 'tcp_flags') return { names: TCP_FLAGS, title: 'TCP', allowed: 0xfff };
  if (field.format === 'tun_flags') return { names: TUN_FLAGS, title: 'tunnel', allowed: 1 };
  return { names: CT_STATE_FLAGS, title: 'ct_state', allowed: 0xff };
}

/** `+set-unset`, `name|name`, a number, or `value/mask`. Returns value and mask as numbers. */
function parseFlagNumbers(text: string, set: FlagSet): { flags: number; mask: number } {
  const unknown = (at = text): FieldTextError =>
    new FieldTextError(`${at}: unknown ${set.title} flag(s)`);
  const masked = /^(-?(?:0x[0-9a-f]+|\d+))\/(-?(?:0x[0-9a-f]+|\d+))/i.exec(text);
  if (masked !== null) {
    const [flags, mask] = [Number(masked[1]), Number(masked[2])];
    if ((flags & ~set.allowed) !== 0 || (mask & ~set.allowed) !== 0) throw unknown();
    return { flags, mask };
  }
  const bitOf = (name: string): number => {
    const i = set.names.indexOf(name);
    return i >= 0 && ((1 << i) & set.allowed) !== 0 ? 1 << i : 0;
  };
  if (/^[+-]/.test(text)) return parseSignedFlags(text, set, bitOf, unknown);
  let flags = 0;
  for (const name of text.replace(/\|$/, '').split('|')) {
    const bit = bitOf(name);
    const number = bit === 0 ? parseCInteger(name) : null;
    if (bit !== 0) flags |= bit;
    else if (number === null || number.tail !== '') throw unknown();
    else if ((Number(number.value) & ~set.allowed) !== 0) throw unknown();
    else flags |= Number(number.value);
  }
  return { flags, mask: -1 };
}

function parseSignedFlags(
  text: string,
  set: FlagSet,
  bitOf: (name: string) => number,
  unknown: (at?: string) => FieldTextError,
): { flags: number; mask: number } {
  let [flags, mask] = [0, 0];
  for (let rest = text; rest !== ''; ) {
    const m = /^([+-])([^+-]*)/.exec(rest);
    if (m === null) {
      const rule = `must be preceded by '+' (for SET) or '-' (NOT SET)`;
      throw new FieldTextError(`${rest}: ${set.title} ${rule}`);
    }
    const bit = bitOf(m[2]);
    if (bit === 0) throw unknown(rest.slice(1));
    if ((mask & bit) !== 0) {
      const name = rest.slice(1);
      throw new FieldTextError(`${name}: Each ${set.title} flag can be specified only once`);
    }
    mask |= bit;
    if (m[1] === '+') flags |= bit;
    rest = rest.slice(m[0].length);
  }
  return { flags, mask };
}

function numberBytes(value: number, nBytes: number): Uint8Array {
  const out = new Uint8Array(nBytes);
  for (let i = nBytes - 1, v = value >>> 0; i >= 0; i--, v >>>= 8) out[i] = v & 0xff;
  return out;
}

function bytesNumber(bytes: Uint8Array): number {
  let value = 0;
  for (const b of bytes) value = value * 256 + b;
  return value;
}

function parsePort(field: Field, text: string, ports: PortNames): ValueAndMask {
  const port = ports.parse(text);
  const wide = field.format === 'ofport11';
  if (port === null) {
    throw new FieldTextError(
      wide
        ? `${text}: port value out of range for ${field.name}`
        : `${text}: invalid or unknown port for ${field.name}`,
    );
  }
  const value = wide ? numberBytes(port, 4) : numberBytes(portTo16(port), 2);
  return { value, mask: ones(field.nBytes) };
}

function parsePacketType(text: string): ValueAndMask {
  const bad = (what: string): FieldTextError =>
    new FieldTextError(`${what}: bad syntax for packet type`);
  const m = /^\(([^,]*),([^)]*)\)/.exec(text);
  const ns = m === null ? null : parseIntBytes(m[1], 2);
  const type = m === null ? null : parseIntBytes(m[2], 2);
  if (ns === null || type === null || ns.tail !== '' || type.tail !== '') throw bad(text);
  return { value: Uint8Array.of(...ns.bytes, ...type.bytes), mask: ones(4) };
}

/**
 * Parses `value`, `value/mask` or `*` for a field.
 * @throws FieldTextError
 */
export function parseFieldText(field: Field, text: string, ports: PortNames): ValueAndMask {
  if (text === '*') {
    return { value: new Uint8Array(field.nBytes), mask: new Uint8Array(field.nBytes) };
  }
  const parsed = parseByFormat(field, text, ports);
  const { mask } = parsed;
  const whole = mask.every((b) => b === 0xff) || mask.every((b) => b === 0);
  if (!field.maskable && !whole) {
    throw new FieldTextError(`${text}: invalid mask for field ${field.name}`);
  }
  return parsed;
}

function parseByFormat(field: Field, text: string, ports: PortNames): ValueAndMask {
  switch (field.format) {
    case 'ethernet':
      return parseEthernet(text);
    case 'ipv4':
      return parseIpv4Masked(text);
    case 'ipv6':
      return parseIpv6Masked(text);
    case 'ofport10':
    case 'ofport11':
      return parsePort(field, text, ports);
    case 'frag':
      return parseFrag(text);
    case 'tcp_flags':
    case 'tun_flags':
    case 'ct_state': {
      const { flags, mask } = parseFlagNumbers(text, flagSet(field));
      return { value: numberBytes(flags, field.nBytes), mask: numberBytes(mask, field.nBytes) };
    }
    case 'packet_type':
      return parsePacketType(text);
    default:
      return parseInteger(field, text);
  }
}

/** Names of set bits joined by '|'; what has no name as a number; '0' for none. */
export function formatFlags(names: readonly string[], flags: number): string {
  if (flags === 0) return '0';
  const parts: string[] = [];
  let bad = 0;
  for (let i = 0; i < 32; i++) {
    const bit = 2 ** i;
    if ((flags & bit) === 0) continue;
    if (names[i] === undefined) bad += bit;
    else parts.push(names[i]);
  }
  if (bad !== 0) parts.push(`0x${bad.toString(16)}`);
  return parts.join('|');
}

/** `+set-unset` over the masked bits, or plain names when every bit of `full` is masked. */
export function formatFlagsMasked(
  names: readonly string[],
  flags: number,
  mask: number,
  full: number,
): string {
  if (mask === full) return formatFlags(names, flags);
  if (mask === 0) return '0/0';
  let out = '';
  for (let i = 0; i < 32; i++) {
    if ((mask & (1 << i)) === 0) continue;
    out += ((flags & (1 << i)) !== 0 ? '+' : '-') + (names[i] ?? '[Unknown]');
  }
  return out;
}

function formatFrag(value: number, mask: number): string {
  const found = FRAGS.find(([, m, v]) => m === (mask & 3) && v === (value & mask & 3));
  return found === undefined ? '<error>' : found[0];
}

/** Prints a value, and its mask where that is neither absent nor all ones. */
export function formatFieldText(
  field: Field,
  value: Uint8Array,
  mask: Uint8Array | undefined,
  ports: PortNames,
): string {
  if (mask?.every((b) => b === 0) === true) return 'ANY';
  const exact = mask === undefined || mask.every((b) => b === 0xff);
  const m = mask ?? ones(field.nBytes);
  switch (field.format) {
    case 'ethernet':
      return exact ? formatEth(value) : `${formatEth(value)}/${formatEth(m)}`;
    case 'ipv4':
      return formatIpv4(value) + formatMaskSuffix(m, formatIpv4);
    case 'ipv6':
      return formatIpv6(value) + formatMaskSuffix(m, formatIpv6);
    case 'frag':
      return formatFrag(value[0], m[0]);
    case 'tcp_flags':
      return formatFlagsMasked(TCP_FLAGS, bytesNumber(value), bytesNumber(m) & 0xfff, 0xfff);
    case 'tun_flags':
      return formatFlagsMasked(TUN_FLAGS, bytesNumber(value), bytesNumber(m) & 1, 1);
    case 'ct_state':
      return formatFlagsMasked(CT_STATE_FLAGS, bytesNumber(value), bytesNumber(m) & 0xffff, 0xffff);
    case 'ofport10':
    case 'ofport11':
      if (!exact) break;
      return ports.format(
        field.format === 'ofport10' ? portFrom16(bytesNumber(value)) : bytesNumber(value),
      );
    case 'packet_type':
      return formatPacketType(bytesNumber(value));
    default:
  }
  const number =
    field.format === 'hexadecimal' ? toHex(value) : BigInt.asIntN(64, BigInt(toHex(value)));
  return exact ? `${number}` : `${number}/${toHex(m)}`;
}

/** A packet type as matches show it: `packet_type=(ns,type)`. */
export function formatPacketType(value: number): string {
  if (value === 0) return 'eth';
  const part = (n: number): string => (n > 9 ? `0x${n.toString(16)}` : String(n));
  return `packet_type=(${part(Math.floor(value / 65536))},${part(value & 0xffff)})`;
}
