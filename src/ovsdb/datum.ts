/**
 * A column's value: a sorted set of atoms, or a map sorted by key (RFC 7047, 5.1, `<value>`).
 *
 *     scalar 5             keys [5]
 *     set {b, a}           keys ['a', 'b']
 *     map {y=2, x=1}       keys ['x', 'y']    values [1, 2]
 *
 * Datums never change: every operation makes a new one, so rows, histories and replies share them.
 *
 * Not for: which operation a client may ask for (mutation.ts, condition.ts).
 */
import type { JsonValue } from '../common/json.js';
import {
  type Atom,
  atomFromJson,
  atomToJson,
  atomToText,
  compareAtoms,
  defaultAtom,
  type SymbolTable,
} from './atom.js';
import { plainError, syntaxError } from './error.js';
import type { ColumnType } from './types.js';

export class Datum {
  private jsonCache: JsonValue | undefined;

  /** @param keys sorted, without duplicates @param values beside the keys of a map, else null */
  constructor(
    readonly keys: readonly Atom[],
    readonly values: readonly Atom[] | null = null,
  ) {}

  get size(): number {
    return this.keys.length;
  }

  /** Position of `key`, or -1. */
  find(key: Atom): number {
    const { keys } = this;
    let low = 0;
    let high = keys.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] === key) return middle;
      if (keys[middle] < key) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  equals(other: Datum): boolean {
    if (this === other) return true;
    if (this.keys.length !== other.keys.length) return false;
    for (let i = 0; i < this.keys.length; i++) {
      if (this.keys[i] !== other.keys[i]) return false;
      if (this.values && this.values[i] !== other.values?.[i]) return false;
    }
    return true;
  }

  /** True when every member is also in `other`; a map's members are pairs. */
  isSubsetOf(other: Datum): boolean {
    return this.keys.every((_, i) => this.memberIn(other, i));
  }

  /** True when no member is in `other`. */
  isDisjointFrom(other: Datum): boolean {
    return !this.keys.some((_, i) => this.memberIn(other, i));
  }

  private memberIn(other: Datum, i: number): boolean {
    const at = other.find(this.keys[i]);
    return at >= 0 && (this.values === null || this.values[i] === other.values?.[at]);
  }

  /** -1, 0 or 1: by keys, then by values, then by size. */
  compare(other: Datum): number {
    const count = Math.min(this.size, other.size);
    for (let i = 0; i < count; i++) {
      const order = compareAtoms(this.keys[i], other.keys[i]);
      if (order !== 0) return order;
    }
    if (this.size !== other.size) return this.size < other.size ? -1 : 1;
    for (let i = 0; this.values && i < count; i++) {
      const order = compareAtoms(this.values[i], (other.values as readonly Atom[])[i]);
      if (order !== 0) return order;
    }
    return 0;
  }

  /** This datum's members and those of `other` whose keys it lacks. */
  union(other: Datum): Datum {
    const added = other.keys.map((_, i) => i).filter((i) => this.find(other.keys[i]) < 0);
    if (added.length === 0) return this;
    const members = [...pairsOf(this), ...added.map((i) => pairAt(other, i))];
    return fromPairs(members, this.values !== null);
  }

  /** This datum without the members of `other`; a set of keys may be taken from a map. */
  subtract(other: Datum): Datum {
    return this.filter((key, value) => {
      const at = other.find(key);
      return at < 0 || (other.values !== null && other.values[at] !== value);
    });
  }

  /** This datum with only the members that `keep` wants; itself when it wants all. */
  filter(keep: (key: Atom, value: Atom | undefined) => boolean): Datum {
    const kept: number[] = [];
    for (let i = 0; i < this.keys.length; i++) {
      if (keep(this.keys[i], this.values?.[i])) kept.push(i);
    }
    if (kept.length === this.keys.length) return this;
    const { values } = this;
    return new Datum(
      kept.map((i) => this.keys[i]),
      values && kept.map((i) => values[i]),
    );
  }

  /** Members in exactly one of both; for a changed value of a map, the pair of `next`. */
  private symmetricDifference(next: Datum): Datum {
    const members: Pair[] = [];
    for (let i = 0; i < this.size; i++) {
      const at = next.find(this.keys[i]);
      if (at < 0) members.push(pairAt(this, i));
      else if (this.values && this.values[i] !== next.values?.[at]) members.push(pairAt(next, at));
    }
    for (let i = 0; i < next.size; i++) {
      if (this.find(next.keys[i]) < 0) members.push(pairAt(next, i));
    }
    return fromPairs(members, this.values !== null || next.values !== null);
  }

  /** What turns this value into `next`: of sets and maps the difference, else `next` itself. */
  diffTo(next: Datum, type: ColumnType): Datum {
    return type.isComposite ? this.symmetricDifference(next) : next;
  }

  /** The value that `diff` (from diffTo) makes of this one. Throws OvsdbError when it cannot be. */
  applyDiff(diff: Datum, type: ColumnType): Datum {
    if (!type.isComposite) return diff;
    const result = this.symmetricDifference(diff);
    if (result.size < type.min || result.size > type.max) {
      throw plainError('Datum crated by diff has size error');
    }
    return result;
  }

  /** Throws OvsdbError (constraint violation) at the first member that `type` does not allow. */
  check(type: ColumnType): void {
    for (const key of this.keys) type.key.check(key);
    if (type.value && this.values) for (const value of this.values) type.value.check(value);
  }

  toJson(type: ColumnType): JsonValue {
    this.jsonCache ??= this.makeJson(type);
    return this.jsonCache;
  }

  private makeJson(type: ColumnType): JsonValue {
    const keyType = type.key.type;
    if (type.value) {
      const valueType = type.value.type;
      const values = this.values as readonly Atom[];
      return [
        'map',
        this.keys.map((key, i) => [atomToJson(keyType, key), atomToJson(valueType, values[i])]),
      ];
    }
    if (this.keys.length === 1) return atomToJson(keyType, this.keys[0]);
    return ['set', this.keys.map((key) => atomToJson(keyType, key))];
  }

  /** As commands and messages show it: `[a, b]`, `{x=1}`, or the bare atom of a scalar. */
  toText(type: ColumnType): string {
    const members = this.keys.map((key, i) => {
      const text = atomToText(type.key.type, key);
      if (!type.value || !this.values) return text;
      return `${text}=${atomToText(type.value.type, this.values[i])}`;
    });
    const joined = members.join(', ');
    if (type.max <= 1 && this.size > 0) return joined;
    return type.isMap ? `{${joined}}` : `[${joined}]`;
  }

  /** The value of a column that nobody wrote to. */
  static defaultOf(type: ColumnType): Datum {
    if (type.min === 0) return new Datum([], type.value && []);
    return new Datum([defaultAtom(type.key.type)], type.value && [defaultAtom(type.value.type)]);
  }

  /** Reads a `<value>`, checking all constraints. Throws OvsdbError. */
  static fromJson(type: ColumnType, json: JsonValue, symbols?: SymbolTable): Datum {
    const isSet = Array.isArray(json) && json[0] === 'set';
    if (!type.isMap && !isSet) {
      const atom = atomFromJson(type.key.type, json, symbols);
      type.key.check(atom);
      return new Datum([atom]);
    }
    const elements = elementsOf(type, json);
    const pairs: Pair[] = elements.map((element) => {
      const [keyJson, valueJson] = type.value ? pairJson(element) : [element, null];
      const key = atomFromJson(type.key.type, keyJson, symbols);
      type.key.check(key);
      if (!type.value) return [key, undefined];
      const value = atomFromJson(type.value.type, valueJson, symbols);
      type.value.check(value);
      return [key, value];
    });
    return fromUncheckedPairs(pairs, type.isMap);
  }

  /** A datum of members in any order. Throws OvsdbError when there are duplicates. */
  static fromMembers(keys: readonly Atom[], values: readonly Atom[] | null = null): Datum {
    return fromUncheckedPairs(
      keys.map((key, i) => [key, values?.[i]]),
      values !== null,
    );
  }
}

type Pair = [key: Atom, value: Atom | undefined];

function pairAt(datum: Datum, i: number): Pair {
  return [datum.keys[i], datum.values?.[i]];
}

function pairsOf(datum: Datum): Pair[] {
  return datum.keys.map((_, i) => pairAt(datum, i));
}

function fromPairs(pairs: Pair[], isMap: boolean): Datum {
  pairs.sort((a, b) => compareAtoms(a[0], b[0]));
  return new Datum(
    pairs.map((pair) => pair[0]),
    isMap ? pairs.map((pair) => pair[1] as Atom) : null,
  );
}

function fromUncheckedPairs(pairs: Pair[], isMap: boolean): Datum {
  const datum = fromPairs(pairs, isMap);
  for (let i = 1; i < datum.size; i++) {
    if (datum.keys[i] === datum.keys[i - 1]) {
      throw plainError(isMap ? 'map contains duplicate key' : 'set contains duplicate');
    }
  }
  return datum;
}

/** The members of `["set", [...]]` or `["map", [...]]`, as many as `type` allows. */
function elementsOf(type: ColumnType, json: JsonValue): JsonValue[] {
  const kind = type.isMap ? 'map' : 'set';
  if (!Array.isArray(json) || json.length !== 2 || json[0] !== kind || !Array.isArray(json[1])) {
    throw syntaxError(json, `expected ["${kind}", <array>]`);
  }
  const count = json[1].length;
  if (count >= type.min && count <= type.max) return json[1];
  throw syntaxError(
    json,
    type.min === 1 && type.max === 1
      ? `${kind} must have exactly one member but ${count} are present`
      : `${kind} must have ${type.min} to ${type.max} members but ${count} are present`,
  );
}

function pairJson(json: JsonValue): [JsonValue, JsonValue] {
  if (!Array.isArray(json) || json.length !== 2) {
    throw syntaxError(json, 'expected 2-element array');
  }
  return [json[0], json[1]];
}
