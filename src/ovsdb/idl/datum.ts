/**
 * A column's contents as the replica holds them, and the ways in and out: RFC 7047 notation,
 * JavaScript values, comparison, differences.
 *
 *     Datum       keys    ['a', 'b']        sorted, no duplicates
 *                 values  null  (a set)     or as many as keys (a map)
 *
 * A scalar is a set of one, an optional value a set of none or one. An atom is a number (integer,
 * real), a boolean or a string; a UUID atom is its lower-case text. An integer beyond 2^53 is a
 * BigInt, as src/common/json.ts reads it; no other integer ever is, so `===` compares atoms.
 *
 * Not for: the text syntax of the command line (src/cli/vsctl/value.ts) or what a server checks.
 */

import { TapswitchError } from '../../common/errors.js';
import { stringifyJson } from '../../common/json.js';
import type { AtomicType, BaseType, ColumnType } from './schema.js';

export type Atom = number | bigint | string | boolean;

export interface Datum {
  readonly keys: readonly Atom[];
  readonly values: readonly Atom[] | null;
}

/** The name under which an insert of this transaction is known, or null if it is none of them. */
export type NamedUuid = (uuid: string) => string | null;

export function isMap(type: ColumnType): boolean {
  return type.value !== null;
}

export function emptyDatum(type: ColumnType): Datum {
  return { keys: [], values: isMap(type) ? [] : null };
}

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';
const ATOM_DEFAULTS: Record<AtomicType, Atom> = {
  integer: 0,
  real: 0,
  boolean: false,
  string: '',
  uuid: ZERO_UUID,
};

/** What a column holds in a row that was inserted without it (RFC 7047 section 5.2.1). */
export function defaultDatum(type: ColumnType): Datum {
  if (type.min === 0) return emptyDatum(type);
  const values = type.value === null ? null : [ATOM_DEFAULTS[type.value.type]];
  return { keys: [ATOM_DEFAULTS[type.key.type]], values };
}

/** Order of two atoms of one type: negative, 0 or positive. */
export function compareAtoms(a: Atom, b: Atom): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A datum from keys (and values) in any order; of duplicate keys the first one stays. */
export function makeDatum(keys: readonly Atom[], values: readonly Atom[] | null): Datum {
  if (keys.length < 2) return { keys: [...keys], values: values && [...values] };
  const order = keys.map((_, i) => i).sort((i, j) => compareAtoms(keys[i], keys[j]) || i - j);
  const unique = order.filter((at, i) => i === 0 || keys[at] !== keys[order[i - 1]]);
  return { keys: unique.map((i) => keys[i]), values: values && unique.map((i) => values[i]) };
}

export function datumEquals(a: Datum, b: Datum): boolean {
  return compareDatums(a, b) === 0;
}

/** Order of two datums of one type: by size, then keys, then values (as Open vSwitch compares). */
export function compareDatums(a: Datum, b: Datum): number {
  if (a.keys.length !== b.keys.length) return a.keys.length - b.keys.length;
  for (let i = 0; i < a.keys.length; i++) {
    const order = compareAtoms(a.keys[i], b.keys[i]);
    if (order !== 0) return order;
  }
  if (!a.values || !b.values) return 0;
  for (let i = 0; i < a.values.length; i++) {
    const order = compareAtoms(a.values[i], b.values[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/**
 * The datum that a `modify` of update2 or update3 describes (ovsdb-server(7), "update2"): a column
 * that holds at most one value is replaced; in a set the named members change sides; in a map a pair
 * that is there goes, another value replaces, a new key comes.
 */
export function applyDiff(old: Datum, diff: Datum, type: ColumnType): Datum {
  if (type.max === 1) return diff;
  const merged = new Map<Atom, Atom | null>();
  old.keys.forEach((key, i) => {
    merged.set(key, old.values ? old.values[i] : null);
  });
  diff.keys.forEach((key, i) => {
    const value = diff.values ? diff.values[i] : null;
    if (merged.has(key) && merged.get(key) === value) merged.delete(key);
    else merged.set(key, value);
  });
  const values = diff.values === null ? null : ([...merged.values()] as Atom[]);
  return makeDatum([...merged.keys()], values);
}

function bad(json: unknown, expected: string): TapswitchError {
  const text = String(stringifyJson(json)).slice(0, 80);
  return new TapswitchError('E_OVSDB_NOTATION', `${text} is not ${expected}`);
}

const JS_TYPES: Record<AtomicType, string> = {
  integer: 'number',
  real: 'number',
  boolean: 'boolean',
  string: 'string',
  uuid: 'uuid',
};

function atomFromJson(json: unknown, base: BaseType): Atom {
  if (base.type === 'uuid') {
    if (Array.isArray(json) && json[0] === 'uuid' && typeof json[1] === 'string') {
      return json[1].toLowerCase();
    }
    throw bad(json, 'a uuid');
  }
  if (typeof json === 'bigint') {
    if (base.type === 'integer') return json;
    if (base.type === 'real') return Number(json);
  }
  if (typeof json !== JS_TYPES[base.type]) throw bad(json, `a value of type ${base.type}`);
  return json as Atom;
}

/** A datum from RFC 7047 notation. Throws E_OVSDB_NOTATION for anything else. */
export function datumFromJson(json: unknown, type: ColumnType): Datum {
  if (type.value !== null) {
    if (!Array.isArray(json) || json[0] !== 'map' || !Array.isArray(json[1])) {
      throw bad(json, 'a map');
    }
    const keys: Atom[] = [];
    const values: Atom[] = [];
    for (const pair of json[1]) {
      if (!Array.isArray(pair) || pair.length !== 2) throw bad(pair, 'a pair');
      keys.push(atomFromJson(pair[0], type.key));
      values.push(atomFromJson(pair[1], type.value));
    }
    return makeDatum(keys, values);
  }
  if (Array.isArray(json) && json[0] === 'set') {
    if (!Array.isArray(json[1])) throw bad(json, 'a set');
    const keys = json[1].map((atom: unknown) => atomFromJson(atom, type.key));
    return makeDatum(keys, null);
  }
  return { keys: [atomFromJson(json, type.key)], values: null };
}

function atomToJson(atom: Atom, base: BaseType, named: NamedUuid | undefined): unknown {
  if (base.type !== 'uuid') return atom;
  const name = named?.(atom as string) ?? null;
  return name === null ? ['uuid', atom] : ['named-uuid', name];
}

/** RFC 7047 notation of a datum; `named` turns rows that this transaction inserts into names. */
export function datumToJson(datum: Datum, type: ColumnType, named?: NamedUuid): unknown {
  if (type.value !== null) {
    const { value } = type;
    const pairs = datum.keys.map((key, i) => [
      atomToJson(key, type.key, named),
      atomToJson(datum.values![i], value, named),
    ]);
    return ['map', pairs];
  }
  if (datum.keys.length === 1) return atomToJson(datum.keys[0], type.key, named);
  return ['set', datum.keys.map((key) => atomToJson(key, type.key, named))];
}

/** Anything that stands for a row: its UUID is what is stored. */
export interface HasUuid {
  readonly uuid: string;
}

/** What may be written into a column: see `datumFromValue`. */
export type ColumnValue =
  | Atom
  | HasUuid
  | null
  | undefined
  | Iterable<Atom | HasUuid>
  | ReadonlyMap<Atom, Atom | HasUuid>
  | { readonly [key: string]: Atom | HasUuid };

function isRow(value: unknown): value is HasUuid {
  return typeof value === 'object' && value !== null && 'uuid' in value;
}

function atomFromValue(value: Atom | HasUuid, base: BaseType): Atom {
  if (base.type === 'uuid') {
    if (typeof value === 'string') return value.toLowerCase();
    if (isRow(value)) return value.uuid;
    throw bad(value, 'a uuid or row');
  }
  if (typeof value === 'bigint' && base.type === 'integer') {
    const asNumber = Number(value);
    return Number.isSafeInteger(asNumber) ? asNumber : value;
  }
  if (typeof value !== JS_TYPES[base.type]) throw bad(value, `a value of type ${base.type}`);
  if (base.type === 'integer' && !Number.isInteger(value)) throw bad(value, 'an integer');
  return value as Atom;
}

/**
 * A datum from a JavaScript value: an atom (or a row, for a reference), null for an empty optional
 * value, an array or other iterable for a set, a Map or plain object for a map.
 * Throws E_OVSDB_NOTATION where the value does not fit the column's type.
 */
export function datumFromValue(value: ColumnValue, type: ColumnType): Datum {
  if (value === null || value === undefined) return emptyDatum(type);
  if (type.value !== null) {
    if (typeof value !== 'object' || isRow(value) || Array.isArray(value))
      throw bad(value, 'a map');
    const base = type.value;
    const pairs = value instanceof Map ? [...value] : Object.entries(value);
    const keys = pairs.map(([key]) => atomFromValue(mapKey(key as Atom, type.key), type.key));
    return makeDatum(
      keys,
      pairs.map(([, atom]) => atomFromValue(atom, base)),
    );
  }
  if (typeof value === 'object' && !isRow(value)) {
    if (!(Symbol.iterator in value)) throw bad(value, 'a set');
    const atoms = [...(value as Iterable<Atom | HasUuid>)];
    return makeDatum(
      atoms.map((atom) => atomFromValue(atom, type.key)),
      null,
    );
  }
  return { keys: [atomFromValue(value, type.key)], values: null };
}

/** Keys of a plain object are strings: those of an integer-keyed map become numbers. */
function mapKey(key: Atom, base: BaseType): Atom {
  return base.type === 'integer' && typeof key === 'string' ? Number(key) : key;
}
