/**
 * Scanning flow syntax: key-value pairs, numbers and runs of bits; errors in Open vSwitch's words.
 */

import { type Field, fieldByName, fieldHeader } from '../../packet/fields.js';
import { FieldTextError, parseCInteger } from '../../packet/fields-text.js';
import type { SubField } from '../actions.js';

/** What is wrong with a flow, in the words that ovs-ofctl uses. */
export class FlowSyntaxError extends Error {
  override readonly name = 'FlowSyntaxError';
  /** Where in the text that was parsed, from 1 on; null where nobody knows. */
  column: number | null = null;
  /** What was expected there, as far as that can be said. */
  expected: string | null = null;
  private token: string | null = null;
  private start = 0;

  /**
   * Says which part of a text is wrong: the innermost one tells what, the outermost one where.
   * @param start where the part begins in the text that is being parsed
   */
  at(token: string, start: number, expected: string): void {
    this.token ??= token;
    this.expected ??= expected;
    this.start = start;
  }

  /** The text that was being parsed begins at `offset` of `text`: finds the column. */
  within(text: string, offset: number): void {
    if (this.token === null || this.column !== null) return;
    const found = text.indexOf(this.token, offset + this.start);
    this.column = (found < 0 ? offset + this.start : found) + 1;
  }
}

export function syntaxError(message: string): never {
  throw new FlowSyntaxError(message);
}

/** Runs a parser of src/packet and turns its errors into syntax errors. */
export function withFieldErrors<T>(parse: () => T): T {
  try {
    return parse();
  } catch (e) {
    if (e instanceof FieldTextError) throw new FlowSyntaxError(e.message);
    throw e;
  }
}

/** Reads keys and values such as `key`, `key=value`, `key:value` and `key(value)`. */
export class KeyValueScanner {
  private pos = 0;
  /** Where the last pair begins. */
  start = 0;

  constructor(private readonly text: string) {}

  /** The last pair, as it is written. */
  get pair(): string {
    return this.text.slice(this.start, this.pos).replace(/[, \t\r\n]+$/, '');
  }

  /** The next pair, or null at the end. `value` is empty when there is none. */
  next(): { key: string; value: string } | null {
    const { text } = this;
    const isDelimiter = (c: string): boolean => /[, \t\r\n]/.test(c);
    while (this.pos < text.length && isDelimiter(text[this.pos])) this.pos++;
    if (this.pos >= text.length) return null;
    const start = this.pos;
    this.start = start;
    let end = start;
    while (end < text.length && !/[:=(, \t\r\n]/.test(text[end])) end++;
    const key = text.slice(start, end);
    const delimiter = text[end] ?? '';
    this.pos = end + (delimiter === '' ? 0 : 1);
    if (delimiter === ':' || delimiter === '=') {
      return { key, value: this.value(isDelimiter) };
    }
    if (delimiter === '(') return { key, value: this.parenthesized() };
    return { key, value: '' };
  }

  private parenthesized(): string {
    const { text } = this;
    const start = this.pos;
    let end = this.valueEnd(start, (c) => c === ')');
    // `(x)->y` belongs together.
    if (text.startsWith(')->', end)) {
      end = this.valueEnd(end, (c) => /[, \t\r\n]/.test(c));
    }
    this.pos = end + (end < text.length ? 1 : 0);
    return text.slice(start, end);
  }

  private value(isDelimiter: (c: string) => boolean): string {
    const start = this.pos;
    const end = this.valueEnd(start, isDelimiter);
    this.pos = end + (end < this.text.length ? 1 : 0);
    return this.text.slice(start, end);
  }

  /** Where a value ends: at a delimiter outside of parentheses, or at the end of the text. */
  private valueEnd(from: number, isDelimiter: (c: string) => boolean): number {
    const { text } = this;
    let n = from;
    while (n < text.length && !isDelimiter(text[n])) {
      if (text[n] !== '(') {
        n++;
        continue;
      }
      let level = 0;
      do {
        if (n >= text.length) return n;
        if (text[n] === '(') level++;
        else if (text[n] === ')') level--;
        n++;
      } while (level > 0);
    }
    return n;
  }
}

/**
 * Takes each key and value of a text; what is wrong with one is told with its place.
 * @param expected says what might stand there
 */
export function eachPair(
  text: string,
  take: (key: string, value: string) => void,
  expected: (key: string, error: FlowSyntaxError) => string,
): void {
  const scanner = new KeyValueScanner(text);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    try {
      take(kv.key, kv.value);
    } catch (e) {
      if (e instanceof FlowSyntaxError) e.at(scanner.pair, scanner.start, expected(kv.key, e));
      throw e;
    }
  }
}

function bounded(text: string, name: string | null, max: number): number {
  const parsed = parseCInteger(text);
  if (parsed === null || parsed.tail !== '' || parsed.value < 0n || parsed.value > BigInt(max)) {
    syntaxError(`invalid ${name ?? '(null)'} "${text}"`);
  }
  return Number(parsed.value);
}

export const parseU8 = (text: string, name: string): number => bounded(text, name, 0xff);
export const parseU16 = (text: string, name: string | null): number => bounded(text, name, 0xffff);

function wide(text: string): bigint {
  if (text === '') syntaxError('missing required numeric argument');
  const parsed = parseCInteger(text);
  if (parsed === null || parsed.tail !== '' || parsed.value > 0xffffffffffffffffn) {
    syntaxError(`invalid numeric format ${text}`);
  }
  return BigInt.asUintN(64, parsed.value);
}

export const parseU32 = (text: string): number => Number(BigInt.asUintN(32, wide(text)));
export const parseU64 = (text: string): bigint => wide(text);

/** As atoi(3): leading digits, 0 when there are none. */
export function atoi(text: string): number {
  const m = /^\s*[+-]?\d+/.exec(text);
  return m === null ? 0 : Number(m[0]) | 0;
}

/** True when a header of 32 bits can say the field: that of its oldest number. */
export const hasNxmHeader = (field: Field): boolean => {
  const header = fieldHeader(field, 1);
  return header !== undefined && header.class !== 0xffff;
};

export interface ScannedSubfield {
  sub: SubField;
  field: Field;
  /** What follows it. */
  rest: string;
}

/** Reads `field`, `field[]`, `field[bit]` or `field[first..last]` at the start of a text. */
export function scanSubfield(text: string): ScannedSubfield {
  const name = (/^[^[-]*/.exec(text) as RegExpExecArray)[0];
  const field = fieldByName(name);
  if (field === undefined) syntaxError(`${text}: unknown field \`${name}'`);
  let rest = text.slice(name.length);
  let [first, last] = [0, field.nBits - 1];
  if (rest.startsWith('[')) {
    const m = /^\[(?:\]|(-?\d+)\.\.(-?\d+)\]|(-?\d+)\])/.exec(rest);
    if (m === null) {
      syntaxError(`${text}: syntax error expecting [] or [<bit>] or [<start>..<end>]`);
    }
    if (m[1] !== undefined) [first, last] = [Number(m[1]), Number(m[2])];
    else if (m[3] !== undefined) first = last = Number(m[3]);
    rest = rest.slice(m[0].length);
  }
  const width = `is not valid because field is only ${field.nBits} bits wide`;
  if (first > last) syntaxError(`${text}: starting bit ${first} is after ending bit ${last}`);
  if (first < 0 || first >= field.nBits) syntaxError(`${text}: starting bit ${first} ${width}`);
  if (last >= field.nBits) syntaxError(`${text}: ending bit ${last} ${width}`);
  return { sub: { field: field.name, ofs: first, nBits: last - first + 1 }, field, rest };
}

/** Reads a run of bits that is the whole text. */
export function parseSubfield(text: string): ScannedSubfield {
  const scanned = scanSubfield(text);
  if (scanned.rest !== '') syntaxError('unexpected input following field syntax');
  return scanned;
}
