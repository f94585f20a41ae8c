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
  atomToJsonText,
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

  /** Text that is the same for equal values of one column. Atoms hold no NUL to confuse it. */
  get key(): string {
    if (this.keys.length === 1 && !this.values) return String(this.keys[0]);
    const members = this.values ? [...this.keys, ...this.values] : this.keys;
    return `\0${this.keys.length}\0${members.join('\0')}`;
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
    return this.merge(other, 'union');
  }

  /**
   * Goes through the members of both in order. `union`: all of them; `difference`: those that are
   * in one of both only. Of two pairs with the same key and different values, a union has that of
   * this datum and a difference that of `other`.
   */
  private merge(other: Datum, mode: 'union' | 'difference'): Datum {
    const { keys: a, values: aValues } = this;
    const { keys: b, values: bValues } = other;
    const keys: Atom[] = [];
    const values: Atom[] | null = aValues || bValues ? [] : null;
    const take = (from: readonly Atom[], fromValues: readonly Atom[] | null, at: number) => {
      keys.push(from[at]);
      if (values && fromValues) values.push(fromValues[at]);
    };
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      if (j === b.length || (i < a.length && a[i] < b[j])) take(a, aValues, i++);
      else if (i === a.length || b[j] < a[i]) take(b, bValues, j++);
      else {
        if (mode === 'union') take(a, aValues, i);
        else if (aValues && aValues[i] !== bValues?.[j]) take(b, bValues, j);
        i += 1;
        j += 1;
      }
    }
    return mode === 'union' && keys.length === a.length ? this : new Datum(keys, values);
  }

  /** This datum without the members of `other`; a set of keys may be taken from a map. */
  subtract(other: Datum): Datum {
    const { keys: b, values: bValues } = other;
    if (b.length === 0) return this;
    let j = 0;
    return this.filter((key, value) => {
      while (j < b.length && b[j] < key) j += 1;
      return j === b.length || b[j] !== key || (bValues !== null && bValues[j] !== value);
    });
  }

  /** This datum with only the members that `keep` wants; itself when it wants all. */
  filter(keep: (key: Atom, value: Atom | undefined) => boolean): Datum {
    const { keys, values } = this;
    const keptKeys: Atom[] = [];
    const keptValues: Atom[] | null = values && [];
    for (let i = 0; i < keys.length; i++) {
      if (!keep(keys[i], values?.[i])) continue;
      keptKeys.push(keys[i]);
      if (values) keptValues?.push(values[i]);
    }
    return keptKeys.length === keys.length ? this : new Datum(keptKeys, keptValues);
  }

  /** What turns this value into `next`: of sets and maps the difference, else `next` itself. */
  diffTo(next: Datum, type: ColumnType): Datum {
    return type.isComposite ? this.merge(next, 'difference') : next;
  }

  /** The value that `diff` (from diffTo) makes of this one. Throws OvsdbError when it cannot be. */
  applyDiff(diff: Datum, type: ColumnType): Datum {
    if (!type.isComposite) return diff;
    const result = this.merge(diff, 'difference');
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

  /** The same as JSON text. */
  toJsonText(type: ColumnType): string {
    const { keys, values } = this;
    const keyType = type.key.type;
    if (keys.length === 1 && !type.value) return atomToJsonText(keyType, keys[0]);
    let text = '';
    for (let i = 0; i < keys.length; i++) {
      const member = atomToJsonText(keyType, keys[i]);
      if (i > 0) text += ',';
      if (type.value && values) {
        text += `[${member},${atomToJsonText(type.value.type, values[i])}]`;
      } else text += member;
    }
    return `["${type.value ? 'map' : 'set'}",[${text}]]`;
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
    if (!type.value) return Datum.of(defaultAtom(type.key.type));
    return new Datum([defaultAtom(type.key.type)], [defaultAtom(type.value.type)]);
  }

  /** The value of a scalar. */
  static of(atom: Atom): Datum {
    // An array that begins with a string is of the kind that holds anything: code that is compiled
    // for it serves integers and strings, of whichever database, alike.
    const keys: Atom[] = [''];
    keys[0] = atom;
    return new Datum(keys);
  }

  /** Reads a `<value>`, checking all constraints. Throws OvsdbError. */
  static fromJson(type: ColumnType, json: JsonValue, symbols?: SymbolTable): Datum {
    const isSet = Array.isArray(json) && json[0] === 'set';
    if (!type.isMap && !isSet) {
      const atom = atomFromJson(type.key.type, json, symbols);
      type.key.check(atom);
      return Datum.of(atom);
    }
    const elements = elementsOf(type, json);
    const keys: Atom[] = [];
    const values: Atom[] | null = type.value && [];
    let sorted = true;
    for (const element of elements) {
      const [keyJson, valueJson] = type.value ? pairJson(element) : [element, null];
      const key = atomFromJson(type.key.type, keyJson, symbols);
      type.key.check(key);
      sorted &&= keys.length === 0 || keys[keys.length - 1] < key;
      keys.push(key);
      if (!type.value) continue;
      const value = atomFromJson(type.value.type, valueJson, symbols);
      type.value.check(value);
      values?.push(value);
    }
    return sorted ? new Datum(keys, values) : Datum.fromMembers(keys, values);
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
