/**
 * Atoms: the single values of OVSDB (RFC 7047, section 5.1), in memory, in JSON and as text.
 *
 *     integer   number, or bigint where a number is not exact   12
 *     real      number                                          1.5
 *     boolean   boolean                                         true
 *     string    string                                          "abc"
 *     uuid      string of 36 characters, lower case             ["uuid","550e8400-..."]
 *
 * Not for: constraints on atoms (types.ts), sets and maps of them (datum.ts).
 */
import type { JsonValue } from '../common/json.js';
import { syntaxError } from './error.js';
import { isId } from './object-parser.js';
import { randomUuid } from './uuid.js';

export const ATOMIC_TYPES = ['integer', 'real', 'boolean', 'string', 'uuid'] as const;
export type AtomicType = (typeof ATOMIC_TYPES)[number];
export type Atom = number | bigint | boolean | string;

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The names that a transaction gives to rows it is about to insert (`named-uuid`). */
export class SymbolTable {
  private readonly symbols = new Map<string, { uuid: string; created: boolean }>();

  /** The row's UUID; a new random one for a name that was not used before. */
  uuidOf(name: string): string {
    return this.symbol(name).uuid;
  }

  /**
   * Marks `name` as inserted and returns its UUID (`uuid` if given), or null if it was inserted
   * before.
   */
  create(name: string, uuid?: string): string | null {
    const symbol = this.symbol(name);
    if (symbol.created) return null;
    symbol.created = true;
    if (uuid !== undefined) symbol.uuid = uuid;
    return symbol.uuid;
  }

  private symbol(name: string): { uuid: string; created: boolean } {
    let symbol = this.symbols.get(name);
    if (!symbol) {
      symbol = { uuid: randomUuid(), created: false };
      this.symbols.set(name, symbol);
    }
    return symbol;
  }
}

/** What a column holds when nobody wrote to it. */
export function defaultAtom(type: AtomicType): Atom {
  switch (type) {
    case 'integer':
    case 'real':
      return 0;
    case 'boolean':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
  }
}

/** -1, 0 or 1. UUIDs order as 128-bit numbers, false before true, strings by code unit. */
export function compareAtoms(a: Atom, b: Atom): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Reads an `<atom>`. Throws OvsdbError (syntax error). */
export function atomFromJson(type: AtomicType, json: JsonValue, symbols?: SymbolTable): Atom {
  switch (type) {
    case 'integer': {
      const integer = toInteger(json);
      if (integer !== null) return integer;
      break;
    }
    case 'real':
      if (typeof json === 'number') return json + 0;
      if (typeof json === 'bigint') return Number(json);
      break;
    case 'boolean':
      if (typeof json === 'boolean') return json;
      break;
    case 'string':
      if (typeof json === 'string') return json;
      break;
    case 'uuid':
      return uuidFromJson(json, symbols);
  }
  throw syntaxError(json, `expected ${type}`);
}

function toInteger(json: JsonValue): number | bigint | null {
  // Adding zero turns -0 into 0.
  if (Number.isSafeInteger(json)) return (json as number) + 0;
  if (typeof json === 'bigint') return json;
  if (Number.isInteger(json) && Math.abs(json as number) < 2 ** 63) return BigInt(json as number);
  return null;
}

function uuidFromJson(json: JsonValue, symbols?: SymbolTable): string {
  if (Array.isArray(json) && json.length === 2 && typeof json[1] === 'string') {
    if (json[0] === 'uuid') {
      if (!isUuid(json[1])) throw syntaxError(json, `"${json[1]}" is not a valid UUID`);
      return json[1].toLowerCase();
    }
    if (json[0] === 'named-uuid' && symbols) {
      if (!isId(json[1])) throw syntaxError(json, 'named-uuid string is not a valid <id>');
      return symbols.uuidOf(json[1]);
    }
  }
  throw syntaxError(json, 'expected ["uuid", <string>]');
}

export function atomToJson(type: AtomicType, atom: Atom): JsonValue {
  return type === 'uuid' ? ['uuid', atom as string] : atom;
}

/** The same as JSON text. */
export function atomToJsonText(type: AtomicType, atom: Atom): string {
  if (type === 'uuid') return `["uuid","${atom}"]`;
  return type === 'string' || type === 'real' ? JSON.stringify(atom) : String(atom);
}

/** The atom as commands and messages show it: strings are quoted only where they must be. */
export function atomToText(type: AtomicType, atom: Atom): string {
  if (type === 'string') return needsQuotes(atom as string) ? JSON.stringify(atom) : String(atom);
  return type === 'real' ? realToText(atom as number) : String(atom);
}

function needsQuotes(text: string): boolean {
  return (
    !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text) || text === 'true' || text === 'false' || isUuid(text)
  );
}

/** A real with 15 significant digits, as printf's %.15g writes it. */
export function realToText(value: number): string {
  const [mantissa, exponentText] = value.toExponential(14).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 15) return String(Number(value.toPrecision(15)));
  const digits = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  const sign = exponent < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
