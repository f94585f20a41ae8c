/**
 * JSON text to values and back, with 64-bit integers kept exact.
 *
 * OVSDB's integers have 64 bits, JavaScript's numbers 53. An integer that a number cannot hold
 * comes out of `parseJson` as a BigInt (as far as int64 goes; beyond it, a real, as Open vSwitch
 * has it), and `stringifyJson` writes BigInts as plain digits. Everything else is the built-in
 * JSON, which does the work whenever no such integer can be in the text.
 *
 * Not for: streams (see json-stream.ts).
 */

/** What JSON text can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | JsonValue[]
  | { [key: string]: JsonValue };

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Sixteen digits in a row: only then can an integer lie beyond Number.MAX_SAFE_INTEGER. */
const MAYBE_BIG = /\d{16}/;
/** An integer with many digits, at the place where it stands. */
const LONG_NUMBER = /-?\d{16,}(?![\d.eE])/y;
/** Opens a string that stands for a long integer; a control character cannot be in JSON's text. */
const MARK = '\u0001int:';

/**
 * The value of a JSON text. Throws SyntaxError as JSON.parse does.
 *
 * Integers beyond 2^53 and within int64 become BigInt.
 */
export function parseJson(text: string): JsonValue {
  if (!MAYBE_BIG.test(text)) return JSON.parse(text) as JsonValue;
  const marked = markLongIntegers(text);
  if (marked === null) return JSON.parse(text) as JsonValue;
  return JSON.parse(marked, unmark) as JsonValue;
}

/** The JSON text of a value, without white space; BigInts as integers. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return writeValue(value);
  }
}

/** Puts long integers that stand outside strings into marked strings; null when there are none. */
function markLongIntegers(text: string): string | null {
  let out = '';
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      i = endOfString(text, i);
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      LONG_NUMBER.lastIndex = i;
      const match = LONG_NUMBER.exec(text);
      if (match) {
        // JSON has no leading zeros: leave those for JSON.parse to refuse.
        if (!/^-?0/.test(match[0])) {
          out += `${text.slice(copied, i)}"\\u0001int:${match[0]}"`;
          copied = i + match[0].length;
        }
        i += match[0].length - 1;
      } else {
        i = endOfNumber(text, i);
      }
    }
  }
  return copied === 0 ? null : out + text.slice(copied);
}

/**
 * Index of the quote that ends the string which opens at `start`; the text's length if none does.
 */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5c) i += 1;
    else if (code === 0x22) return i;
  }
  return text.length;
}

/** Index of the last character of the number that starts at `start`. */
function endOfNumber(text: string, start: number): number {
  let i = start;
  while (i + 1 < text.length && '0123456789+-.eE'.includes(text[i + 1])) i += 1;
  return i;
}

function unmark(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  const digits = value.slice(MARK.length);
  if (!/^-?\d{16,}$/.test(digits)) return value;
  const asNumber = Number(digits);
  if (Number.isSafeInteger(asNumber)) return asNumber;
  const big = BigInt(digits);
  return big >= INT64_MIN && big <= INT64_MAX ? big : asNumber;
}

/**
 * JSON.stringify for trees with BigInts in them. Depth is that of the value, so bound it before.
 */
function writeValue(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(writeValue).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => `${JSON.stringify(key)}:${writeValue(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
