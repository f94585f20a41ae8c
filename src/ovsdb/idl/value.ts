/**
 * Between JavaScript values and datums, and datums with names for rows that do not exist yet.
 *
 *     column       JavaScript to write                      datum
 *     scalar       5, 'a', true, row                        keys [5]
 *     optional     the same or null                         keys [] or [5]
 *     set          array or other iterable of them          keys [1, 2, 5]
 *     map          Map or plain object                      keys ['a'], values ['b']
 *
 * A row stands for its UUID.
 *
 * Not for: datums themselves (../datum.ts), or the text syntax of the command line.
 */

import { TapswitchError } from '../../common/errors.js';
import { type JsonValue, stringifyJson } from '../../common/json.js';
import { type Atom, atomToJson, compareAtoms } from '../atom.js';
import { Datum } from '../datum.js';
import type { BaseType, ColumnType } from '../types.js';

/** Anything that stands for a row: its UUID is what is stored. */
export interface HasUuid {
  readonly uuid: string;
}

/** What may be written into a column. */
export type ColumnValue =
  | Atom
  | HasUuid
  | null
  | undefined
  | Iterable<Atom | HasUuid>
  | ReadonlyMap<Atom, Atom | HasUuid>
  | { readonly [key: string]: Atom | HasUuid };

/** The name under which an insert of this transaction is known, or null if it is none of them. */
export type NamedUuid = (uuid: string) => string | null;

function bad(value: unknown, expected: string): TapswitchError {
  const text = isRow(value) ? 'a row' : String(stringifyJson(value)).slice(0, 80);
  return new TapswitchError('E_OVSDB_VALUE', `${text} is not ${expected}`);
}

function isRow(value: unknown): value is HasUuid {
  return typeof value === 'object' && value !== null && 'uuid' in value;
}

const JS_TYPES = { integer: 'number', real: 'number', boolean: 'boolean', string: 'string' };

function toAtom(value: Atom | HasUuid, base: BaseType): Atom {
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

/** A datum of keys (and values) in any order; of duplicate keys the first one stays. */
export function makeDatum(keys: readonly Atom[], values: readonly Atom[] | null = null): Datum {
  if (keys.length < 2) return new Datum(keys, values);
  const order = keys.map((_, i) => i).sort((i, j) => compareAtoms(keys[i], keys[j]) || i - j);
  const unique = order.filter((at, i) => i === 0 || keys[at] !== keys[order[i - 1]]);
  return new Datum(
    unique.map((i) => keys[i]),
    values && unique.map((i) => values[i]),
  );
}

/** Keys of a plain object are strings: those of an integer-keyed map become numbers. */
function mapKey(key: Atom, base: BaseType): Atom {
  return base.type === 'integer' && typeof key === 'string' ? Number(key) : key;
}

function mapDatum(value: ColumnValue, type: ColumnType): Datum {
  if (typeof value !== 'object' || isRow(value) || Array.isArray(value)) throw bad(value, 'a map');
  const base = type.value as BaseType;
  const pairs = value instanceof Map ? [...value] : Object.entries(value as object);
  const keys = pairs.map(([key]) => toAtom(mapKey(key, type.key), type.key));
  return makeDatum(
    keys,
    pairs.map(([, atom]) => toAtom(atom, base)),
  );
}

/**
 * A datum from a JavaScript value, as the table above has it. Checking constraints is the server's.
 * Throws E_OVSDB_VALUE where the value does not fit the column's type.
 */
export function datumFromValue(value: ColumnValue, type: ColumnType): Datum {
  if (value === null || value === undefined) return new Datum([], type.value && []);
  if (type.isMap) return mapDatum(value, type);
  if (typeof value === 'object' && !isRow(value)) {
    if (!(Symbol.iterator in value)) throw bad(value, 'a set');
    const atoms = [...(value as Iterable<Atom | HasUuid>)];
    return makeDatum(atoms.map((atom) => toAtom(atom, type.key)));
  }
  return new Datum([toAtom(value, type.key)]);
}

/** RFC 7047 notation of a datum in which rows that this transaction inserts have names. */
export function datumToJson(datum: Datum, type: ColumnType, named: NamedUuid): JsonValue {
  if (type.key.type !== 'uuid' && type.value?.type !== 'uuid') return datum.toJson(type);
  const atom = (base: BaseType, value: Atom): JsonValue => {
    const name = base.type === 'uuid' ? named(value as string) : null;
    return name === null ? atomToJson(base.type, value) : ['named-uuid', name];
  };
  const { key, value } = type;
  if (value) {
    const values = datum.values as readonly Atom[];
    return ['map', datum.keys.map((k, i) => [atom(key, k), atom(value, values[i])])];
  }
  if (datum.size === 1) return atom(key, datum.keys[0]);
  return ['set', datum.keys.map((k) => atom(key, k))];
}
