/**
 * The text syntax of values in ovs-vsctl's database commands, as it is read.
 *
 *     atom     12   1.5   true   name   "any \n text"   550e8400-...   @symbol
 *     set      a,b  [a, b]  []  1-5                a scalar is a set of one
 *     map      k=v,k2=v2  {k=v}  {}
 *
 * A token ends at any of `: = , space [ ] { } ! < >` outside quotes; a backslash takes the next
 * character as it is. Datum.toText writes values; what it writes reads back the same.
 *
 * Not for: `column:key=value` (column-spec.ts).
 */

import { type Atom, isUuid } from '../../ovsdb/atom.js';
import { Datum } from '../../ovsdb/datum.js';
import { OvsdbError } from '../../ovsdb/error.js';
import type { BaseType, ColumnType } from '../../ovsdb/types.js';
import { CtlError } from './errors.js';
import type { SymbolTable } from './symbols.js';

const DELIMITERS = ':=, []{}!<>';
/** Largest number of integers that a range may stand for. */
const RANGE_SIZE_MAX = 4096n;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads a token at `at`. Quotes and the backslashes within them stay in it.
 * @returns the token and the position after it
 */
export function parseToken(text: string, at: number): { token: string; end: number } {
  let token = '';
  let quoted = false;
  let i = at;
  while (i < text.length) {
    const c = text[i];
    if (c === '\\') {
      if (quoted) token += c;
      if (i + 1 >= text.length) {
        throw new CtlError(`${text.slice(at)}: backslash at end of argument`);
      }
      token += text[i + 1];
      i += 2;
      continue;
    }
    if (!quoted && DELIMITERS.includes(c)) break;
    if (c === '"') quoted = !quoted;
    token += c;
    i += 1;
  }
  if (quoted) {
    throw new CtlError(`${text.slice(at)}: quoted string extends past end of argument`);
  }
  return { token, end: i };
}

function toInteger(digits: string): number | bigint | null {
  const big = BigInt(digits.replace(/^\+/, ''));
  if (big < INT64_MIN || big > INT64_MAX) return null;
  const asNumber = Number(big);
  return Number.isSafeInteger(asNumber) ? asNumber : big;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** What a `\u` escape at `at` (behind the `u`) lacks to be one, or null. */
function unicodeFault(text: string, at: number): string | null {
  const hex = text.slice(at, at + 4);
  if (hex.length < 4) return 'quoted string ends within \\u escape';
  if (!/^[0-9a-fA-F]{4}$/.test(hex)) return 'malformed \\u escape';
  return hex === '0000' ? 'null bytes not supported in quoted strings' : null;
}

/** The text between the quotes of `quoted`. Throws CtlError with JSON's complaints. */
function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  const fail = (why: string): CtlError => new CtlError(`${quoted}: ${why}`);
  let out = '';
  for (let i = 0; i < inner.length; i++) {
    const c = inner[i];
    if (c === '"') throw fail('quoted string may not include unescaped "');
    if (c !== '\\') {
      out += c;
      continue;
    }
    i += 1;
    if (i >= inner.length) throw fail('quoted string may not end with backslash');
    if (inner[i] === 'u') {
      const fault = unicodeFault(inner, i + 1);
      if (fault) throw fail(fault);
      out += String.fromCharCode(Number.parseInt(inner.slice(i + 1, i + 5), 16));
      i += 4;
    } else {
      const escaped = ESCAPES[inner[i]];
      if (escaped === undefined) throw fail(`bad escape \\${inner[i]}`);
      out += escaped;
    }
  }
  if (/\p{Surrogate}/u.test(out)) throw fail('malformed \\u escape');
  return out;
}

function parseString(token: string): string {
  if (token === '') {
    throw new CtlError(
      'An empty string is not valid as input; use "" to represent the empty string',
    );
  }
  if (!token.startsWith('"')) return token;
  if (token.length < 2 || !token.endsWith('"')) {
    throw new CtlError(`${token}: missing quote at end of quoted string`);
  }
  return unquote(token);
}

function parseInteger(token: string): Atom {
  const integer = /^\s*[+-]?\d+$/.test(token) ? toInteger(token.trim()) : null;
  if (integer === null) throw new CtlError(`"${token}" is not a valid integer or range`);
  return integer;
}

function parseReal(token: string): number {
  const valid = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(token);
  const real = Number(token);
  if (!valid || !Number.isFinite(real)) {
    throw new CtlError(`"${token}" is not a valid real number`);
  }
  // Minus zero is zero.
  return real + 0;
}

function parseBoolean(token: string): boolean {
  if (['true', 'yes', 'on', '1'].includes(token)) return true;
  if (['false', 'no', 'off', '0'].includes(token)) return false;
  throw new CtlError(`"${token}" is not a valid boolean (use "true" or "false")`);
}

function parseUuid(token: string, base: BaseType, symbols: SymbolTable): string {
  if (token.startsWith('@')) return symbols.refer(token, base).uuid;
  if (isUuid(token)) return token.toLowerCase();
  throw new CtlError(`"${token}" is not a valid UUID`);
}

function checked(atom: Atom, base: BaseType): Atom {
  try {
    base.check(atom);
  } catch (error) {
    if (error instanceof OvsdbError) throw new CtlError(error.message);
    throw error;
  }
  return atom;
}

/** Reads an atom. Throws CtlError for one that is not of type `base` or breaks its constraints. */
export function parseAtom(token: string, base: BaseType, symbols: SymbolTable): Atom {
  switch (base.type) {
    case 'integer':
      return checked(parseInteger(token), base);
    case 'real':
      return checked(parseReal(token), base);
    case 'boolean':
      return parseBoolean(token);
    case 'string':
      return checked(parseString(token), base);
    case 'uuid':
      return parseUuid(token, base, symbols);
  }
}

/** The integers of `first-last`, or null if `token` is no range. */
function parseRange(token: string, base: BaseType): Atom[] | null {
  const match = /^\s*([+-]?\d+)-\s*([+-]?\d+)$/.exec(token);
  if (base.type !== 'integer' || !match) return null;
  const first = toInteger(match[1]);
  const last = toInteger(match[2]);
  if (first === null || last === null) return null;
  if (last < first) {
    throw new CtlError(`"${token}" is not a valid range. Range end cannot be before start.`);
  }
  checked(first, base);
  checked(last, base);
  const count = BigInt(last) - BigInt(first) + 1n;
  if (count > RANGE_SIZE_MAX) {
    throw new CtlError(
      `constraint violation: Range "${first}-${last}" is too big. ` +
        `Maximum allowed size is ${RANGE_SIZE_MAX}.`,
    );
  }
  return Array.from({ length: Number(count) }, (_, i) =>
    checked(toInteger(String(BigInt(first) + BigInt(i))) as Atom, base),
  );
}

function skipSpaces(text: string, at: number): number {
  while (text[at] === ' ') at += 1;
  return at;
}

/** The members of a set or map from `at` up to `close` (or the end of the text). */
class MemberReader {
  readonly keys: Atom[] = [];
  readonly values: Atom[] = [];

  constructor(
    private readonly text: string,
    private readonly type: ColumnType,
    private readonly symbols: SymbolTable,
  ) {}

  /** Reads members until `close`; returns the position of what ended them. */
  read(at: number, close: string): number {
    const { text } = this;
    while (at < text.length && text[at] !== close) {
      if (DELIMITERS.includes(text[at])) {
        const english = this.type.toEnglish();
        throw new CtlError(`${text}: unexpected "${text[at]}" parsing ${english}`);
      }
      at = skipSpaces(text, this.readMember(at));
      if (text[at] === ',') at = skipSpaces(text, at + 1);
    }
    return at;
  }

  private readMember(at: number): number {
    const { text, type, symbols } = this;
    const { token, end } = parseToken(text, at);
    if (!type.value) {
      const range = parseRange(token, type.key);
      for (const key of range ?? [parseAtom(token, type.key, symbols)]) this.keys.push(key);
      return end;
    }
    const key = parseAtom(token, type.key, symbols);
    const equals = skipSpaces(text, end);
    if (text[equals] !== '=') {
      const found = text[equals] ?? '';
      throw new CtlError(`${text.slice(at)}: syntax error at "${found}" expecting "="`);
    }
    const value = parseToken(text, skipSpaces(text, equals + 1));
    this.keys.push(key);
    this.values.push(parseAtom(value.token, type.value, symbols));
    return value.end;
  }
}

function checkCount(text: string, count: number, type: ColumnType): void {
  const noun = type.isMap ? 'pair(s)' : 'value(s)';
  const specified = `${text}: ${count} ${noun} specified but the`;
  if (count < type.min) throw new CtlError(`${specified} minimum number is ${type.min}`);
  if (count > type.max) throw new CtlError(`${specified} maximum number is ${type.max}`);
}

/** Reads a value of `type`. Throws CtlError. */
export function parseDatum(text: string, type: ColumnType, symbols: SymbolTable): Datum {
  const [open, closer] = type.isMap ? ['{', '}'] : ['[', ']'];
  let at = skipSpaces(text, 0);
  if (at >= text.length) {
    throw new CtlError(
      type.isMap ? 'use "{}" to specify the empty map' : 'use "[]" to specify the empty set',
    );
  }
  const close = text[at] === open ? closer : '';
  if (close) at = skipSpaces(text, at + 1);
  const reader = new MemberReader(text, type, symbols);
  at = reader.read(at, close);
  if (close) {
    if (text[at] !== close) throw new CtlError(`${text}: missing "${close}" at end of data`);
    if (skipSpaces(text, at + 1) < text.length) {
      throw new CtlError(`${text}: trailing garbage after "${close}"`);
    }
  }
  checkCount(text, reader.keys.length, type);
  if (new Set(reader.keys).size !== reader.keys.length) {
    const what = type.isMap ? 'map contains duplicate key' : 'set contains duplicate value';
    throw new CtlError(`${text}: ${what}`);
  }
  return Datum.fromMembers(reader.keys, type.isMap ? reader.values : null);
}
