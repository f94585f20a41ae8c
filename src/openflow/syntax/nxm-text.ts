/**
 * NXM and OXM entries as text, byte for byte: `NXM_OF_ETH_TYPE(0800), NXM_NX_REG0_W(01/0f)`.
 *
 * What a field means is left open here: any header can be written, as eight hexadecimal digits if
 * it has no name (sixteen for an experimenter's). Not for: matches as people write them
 * (match-parse.ts).
 */
import { FIELDS, type FieldHeader } from '../../packet/fields.js';
import { Reader, Writer } from '../codec/buffer.js';
import { parseHexBytes } from './action-parse-args.js';
import { syntaxError } from './scan.js';

const CLASS_EXPERIMENTER = 0xffff;
const ANY = '<any>';
const COOKIE_NAME = 'NXM_NX_COOKIE';

interface Header {
  class: number;
  field: number;
  /** 0 but for experimenters. */
  vendor: number;
  hasMask: boolean;
  /** Bytes of the value. */
  width: number;
  /** The width is up to the value. */
  variable?: boolean;
}

interface NamedHeader extends FieldHeader {
  width: number;
  maskable: boolean;
}

const byName = new Map<string, NamedHeader>();
const byNumber = new Map<string, NamedHeader>();
for (const f of FIELDS) {
  for (const h of f.headers) {
    const variable = f.option !== undefined;
    const named = { ...h, width: f.nBytes, maskable: f.maskable, variable };
    byName.set(h.name, named);
    byNumber.set(`${h.vendor}:${h.class}:${h.field}`, named);
  }
}
const COOKIE: NamedHeader = {
  ...{ vendor: 0, class: 1, field: 30, ofVersion: 1, name: COOKIE_NAME },
  ...{ width: 8, maskable: true },
};
byName.set(COOKIE_NAME, COOKIE);

function hexHeader(text: string): Header | undefined {
  if (!/^[0-9a-f]+$/i.test(text) || (text.length !== 8 && text.length !== 16)) return undefined;
  const bits = Number.parseInt(text.slice(0, 8), 16);
  const cls = bits >>> 16;
  const vendor = text.length === 16 ? Number.parseInt(text.slice(8), 16) : 0;
  if (text.length === 16 && cls !== CLASS_EXPERIMENTER) return undefined;
  const hasMask = (bits & 0x100) !== 0;
  const length = (bits & 0xff) - (cls === CLASS_EXPERIMENTER ? 4 : 0);
  const width = Math.max(0, hasMask ? length >> 1 : length);
  return { class: cls, field: (bits >>> 9) & 0x7f, vendor, hasMask, width };
}

function parseName(name: string): Header | undefined {
  const plain = byName.get(name);
  if (plain !== undefined) return { ...plain, hasMask: false };
  const masked = name.endsWith('_W') ? byName.get(name.slice(0, -2)) : undefined;
  if (masked?.maskable === true) return { ...masked, hasMask: true };
  return hexHeader(name);
}

function putHeader(w: Writer, h: Header): void {
  const extra = h.class === CLASS_EXPERIMENTER ? 4 : 0;
  const length = extra + (h.hasMask ? 2 * h.width : h.width);
  w.u16(h.class).u16((h.field << 9) | (h.hasMask ? 0x100 : 0) | (length & 0xff));
  if (extra > 0) w.u32(h.vendor);
}

/**
 * Entries from text. Throws FlowSyntaxError.
 * @returns the entries without padding
 */
export function parseNxmText(text: string): Uint8Array {
  const w = new Writer();
  if (text === ANY) return w.finish();
  let rest = text;
  const skip = (pattern: RegExp): void => {
    rest = rest.replace(pattern, '');
  };
  for (skip(/^[, ]+/); rest !== ''; skip(/^[, ]+/)) {
    const end = rest.indexOf('(');
    if (end < 0) syntaxError(`${text}: missing ( at end of nx_match`);
    const name = rest.slice(0, end);
    const header = parseName(name);
    if (header === undefined) syntaxError(`${text}: unknown field \`${name}'`);
    rest = rest.slice(end + 1);
    const take = (): Uint8Array => {
      const { bytes, rest: after } = parseHexBytes(rest);
      rest = after;
      return bytes;
    };
    const value = take();
    if (header.variable === true) header.width = value.length;
    putHeader(w, header);
    if (value.length !== header.width) {
      syntaxError(`expected to read ${header.width} bytes but got ${value.length}`);
    }
    w.put(value);
    if (header.hasMask) {
      skip(/^ +/);
      if (!rest.startsWith('/')) syntaxError(`${text}: missing / in masked field ${name}`);
      rest = rest.slice(1);
      const mask = take();
      if (mask.length !== header.width) syntaxError(`${rest.slice(0, 2)}: hex digits expected`);
      w.put(mask);
    }
    skip(/^ +/);
    if (!rest.startsWith(')')) syntaxError(`${text}: missing ) following field ${name}`);
    rest = rest.slice(1);
  }
  return w.finish();
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function getHeader(r: Reader): Header {
  const cls = r.u16();
  const bits = r.u16();
  const vendor = cls === CLASS_EXPERIMENTER ? r.u32() : 0;
  const length = (bits & 0xff) - (cls === CLASS_EXPERIMENTER ? 4 : 0);
  const hasMask = (bits & 0x100) !== 0;
  return { class: cls, field: bits >>> 9, vendor, hasMask, width: hasMask ? length >> 1 : length };
}

function nameOf(h: Header): string {
  const isCookie = h.class === COOKIE.class && h.field === COOKIE.field && h.width === COOKIE.width;
  const named = isCookie ? COOKIE : byNumber.get(`${h.vendor}:${h.class}:${h.field}`);
  if (named === undefined) return `${h.class}:${h.field}`;
  return h.hasMask ? `${named.name}_W` : named.name;
}

/** Well-formed entries (without padding) as text. */
export function formatNxmText(entries: Uint8Array): string {
  if (entries.length === 0) return ANY;
  const r = new Reader(entries);
  const parts: string[] = [];
  while (r.left > 0) {
    const h = getHeader(r);
    const value = hex(r.take8(h.width));
    parts.push(`${nameOf(h)}(${value}${h.hasMask ? `/${hex(r.take8(h.width))}` : ''})`);
  }
  return parts.join(', ');
}
