/**
 * Types of columns: base types with their constraints, and sets and maps of them (RFC 7047,
 * section 3.2, `<base-type>` and `<type>`).
 *
 * Not for: the values (atom.ts, datum.ts).
 */
import type { JsonValue } from '../common/json.js';
import {
  ATOMIC_TYPES,
  type Atom,
  type AtomicType,
  atomFromJson,
  atomToText,
  compareAtoms,
} from './atom.js';
import { constraintViolation, syntaxError } from './error.js';
import { ObjectParser } from './object-parser.js';

/** `"max": "unlimited"`: the largest count there is. */
export const UNLIMITED = 2 ** 32 - 1;

type JsonObject = { [key: string]: JsonValue };

/** A base type: an atomic type and what its values must satisfy. Immutable. */
export class BaseType {
  /** The allowed values, sorted; null when all are. */
  readonly enumeration: readonly Atom[] | null = null;
  /** Bounds of an integer or real, inclusive; null when there is none. */
  readonly min: number | bigint | null = null;
  readonly max: number | bigint | null = null;
  /** Bounds of a string's length, characters. */
  readonly minLength: number = 0;
  readonly maxLength: number = UNLIMITED;
  /** The table that a uuid refers to. */
  readonly refTable: string | null = null;
  readonly refType: 'strong' | 'weak' = 'strong';

  constructor(
    readonly type: AtomicType,
    constraints: Partial<Omit<BaseType, 'type'>> = {},
  ) {
    Object.assign(this, constraints);
  }

  get isStrongRef(): boolean {
    return this.refTable !== null && this.refType === 'strong';
  }

  get isWeakRef(): boolean {
    return this.refTable !== null && this.refType === 'weak';
  }

  /** The same type without constraints. */
  unconstrained(): BaseType {
    return new BaseType(this.type);
  }

  /** Throws OvsdbError (constraint violation) when `atom` is not allowed. */
  check(atom: Atom): void {
    if (this.enumeration) {
      if (!this.enumeration.includes(atom)) {
        const valid = this.enumeration.map((value) => atomToText(this.type, value)).join(', ');
        const actual = atomToText(this.type, atom);
        throw constraintViolation(`${actual} is not one of the allowed values ([${valid}])`);
      }
    } else if (this.type === 'string') {
      this.checkString(atom as string);
    } else if (this.type === 'integer' || this.type === 'real') {
      this.checkRange(atom as number | bigint);
    }
  }

  private checkString(text: string): void {
    if (!text.isWellFormed() || text.includes('\0')) {
      throw constraintViolation('not a valid UTF-8 string');
    }
    if (this.minLength === 0 && this.maxLength >= text.length) return;
    const length = [...text].length;
    const quoted = `"${text}" length ${length} is`;
    if (length < this.minLength) {
      throw constraintViolation(`${quoted} less than minimum allowed length ${this.minLength}`);
    }
    if (length > this.maxLength) {
      throw constraintViolation(`${quoted} greater than maximum allowed length ${this.maxLength}`);
    }
  }

  private checkRange(value: number | bigint): void {
    const { min, max } = this;
    const below = min !== null && value < min;
    const above = (max !== null && value > max) || !fits(this.type, value);
    if (!below && !above) return;
    const text = (bound: Atom) => atomToText(this.type, bound);
    if (min !== null && max !== null) {
      throw constraintViolation(
        `${text(value)} is not in the valid range ${text(min)} to ${text(max)} (inclusive)`,
      );
    }
    throw constraintViolation(
      below
        ? `${text(value)} is less than minimum allowed value ${text(min as Atom)}`
        : `${text(value)} is greater than maximum allowed value ${text(max ?? Number.MAX_VALUE)}`,
    );
  }

  /** Reads a `<base-type>`. Throws OvsdbError (syntax error). */
  static fromJson(json: JsonValue): BaseType {
    if (typeof json === 'string') return new BaseType(atomicType(json));
    const parser = new ObjectParser(json, 'ovsdb type');
    const type = atomicType(parser.requiredString('type'));
    const base = new BaseType(type, constraintsFromJson(type, parser, json));
    parser.finish();
    return base;
  }

  toJson(): JsonValue {
    const json: JsonObject = { type: this.type };
    if (this.enumeration) {
      const values = [...this.enumeration];
      json.enum = values.length === 1 ? values[0] : ['set', values];
    }
    if (this.type === 'integer' || this.type === 'real') {
      const suffix = this.type === 'integer' ? 'Integer' : 'Real';
      if (this.min !== null) json[`min${suffix}`] = this.min;
      if (this.max !== null) json[`max${suffix}`] = this.max;
    }
    if (this.minLength !== 0) json.minLength = this.minLength;
    if (this.maxLength !== UNLIMITED) json.maxLength = this.maxLength;
    if (this.refTable !== null) {
      json.refTable = this.refTable;
      if (this.refType === 'weak') json.refType = 'weak';
    }
    return Object.keys(json).length === 1 ? this.type : json;
  }
}

/** False for infinities, which JSON's text can produce but OVSDB does not have. */
function fits(type: AtomicType, value: number | bigint): boolean {
  return type !== 'real' || Number.isFinite(value);
}

function atomicType(text: string): AtomicType {
  if ((ATOMIC_TYPES as readonly string[]).includes(text)) return text as AtomicType;
  throw syntaxError(text, `"${text}" is not an atomic-type`);
}

/** A limit as the schema has it. JSON reads large integers exactly, but a real is a real. */
function bound(json: JsonValue | undefined, type: AtomicType): number | bigint | null {
  if (json === undefined) return null;
  return type === 'real' ? Number(json) : (json as number | bigint);
}

function constraintsFromJson(
  type: AtomicType,
  parser: ObjectParser,
  json: JsonValue,
): Partial<BaseType> {
  const enumeration = parser.optional('enum');
  if (enumeration !== undefined) return { enumeration: enumFromJson(type, enumeration) };
  switch (type) {
    case 'integer':
    case 'real': {
      const suffix = type === 'integer' ? 'Integer' : 'Real';
      const kind = type === 'integer' ? 'integer' : 'number';
      const min = bound(parser.optional(`min${suffix}`, kind), type);
      const max = bound(parser.optional(`max${suffix}`, kind), type);
      if (min !== null && max !== null && min > max) {
        throw syntaxError(json, `min${suffix} exceeds max${suffix}`);
      }
      return { min, max };
    }
    case 'string': {
      const minLength = lengthFromJson(parser, 'minLength') ?? 0;
      const maxLength = lengthFromJson(parser, 'maxLength') ?? UNLIMITED;
      if (minLength > maxLength) throw syntaxError(json, 'minLength exceeds maxLength');
      return { minLength, maxLength };
    }
    case 'uuid':
      return refFromJson(parser, json);
    case 'boolean':
      return {};
  }
}

function enumFromJson(type: AtomicType, json: JsonValue): readonly Atom[] {
  const isSet = Array.isArray(json) && json[0] === 'set' && Array.isArray(json[1]);
  const members = isSet ? ((json as JsonValue[])[1] as JsonValue[]) : [json];
  const atoms = members.map((member) => atomFromJson(type, member)).sort(compareAtoms);
  if (atoms.length === 0) throw syntaxError(json, 'set must have 1 to 4294967295 members');
  if (new Set(atoms).size !== atoms.length) throw syntaxError(json, 'set contains duplicate');
  return atoms;
}

function lengthFromJson(parser: ObjectParser, member: string): number | undefined {
  const json = parser.optional(member, 'integer');
  if (json === undefined) return undefined;
  if ((json as number) < 0 || (json as number) > UNLIMITED) {
    throw syntaxError(json, `${member} out of valid range 0 to ${UNLIMITED}`);
  }
  return Number(json);
}

function refFromJson(parser: ObjectParser, json: JsonValue): Partial<BaseType> {
  const refTable = parser.optional('refTable', 'id') as string | undefined;
  if (refTable === undefined) return {};
  const refType = (parser.optional('refType', 'id') as string | undefined) ?? 'strong';
  if (refType !== 'strong' && refType !== 'weak') {
    throw syntaxError(json, `refType must be "strong" or "weak" (not "${refType}")`);
  }
  return { refTable, refType };
}

/** A column's type: one atom, or a set or map of `min` to `max` of them. Immutable. */
export class ColumnType {
  constructor(
    readonly key: BaseType,
    readonly value: BaseType | null = null,
    /** 0 or 1. */
    readonly min: number = 1,
    /** 1 to UNLIMITED. */
    readonly max: number = 1,
  ) {}

  get isMap(): boolean {
    return this.value !== null;
  }
  get isScalar(): boolean {
    return this.value === null && this.min === 1 && this.max === 1;
  }
  get isOptionalScalar(): boolean {
    return this.value === null && this.min === 0 && this.max === 1;
  }
  get isSet(): boolean {
    return this.value === null && (this.min !== 1 || this.max !== 1);
  }
  /** True when a change is described by added and removed members, not by the whole value. */
  get isComposite(): boolean {
    return this.max > 1;
  }

  /** The same type with other counts. */
  withCounts(min: number, max: number): ColumnType {
    return new ColumnType(this.key, this.value, min, max);
  }

  /** `set of up to 3 strings` and the like, for messages. */
  toEnglish(): string {
    if (this.isScalar) return this.key.type;
    let count = ` of up to ${this.max}`;
    if (this.max === UNLIMITED) count = this.min ? ` of ${this.min} or more` : ' of';
    else if (this.min) count = ` of ${this.min} to ${this.max}`;
    return this.value
      ? `map${count} (${this.key.type}, ${this.value.type}) pairs`
      : `set${count} ${this.key.type}s`;
  }

  /** Reads a `<type>`. Throws OvsdbError (syntax error). */
  static fromJson(json: JsonValue): ColumnType {
    if (typeof json === 'string') return new ColumnType(BaseType.fromJson(json));
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      throw syntaxError(json, 'ovsdb type expected');
    }
    const parser = new ObjectParser(json, 'ovsdb type');
    const key = BaseType.fromJson(parser.required('key', 'string', 'object'));
    const valueJson = parser.optional('value', 'string', 'object');
    const value = valueJson === undefined ? null : BaseType.fromJson(valueJson);
    const min = countFromJson(parser.optional('min', 'integer')) ?? 1;
    const maxJson = parser.optional('max', 'integer', 'string');
    const max = maxJson === 'unlimited' ? UNLIMITED : (countFromJson(maxJson) ?? 1);
    parser.finish();
    if (min > 1 || max < 1) throw syntaxError(json, 'ovsdb type fails constraint checks');
    return new ColumnType(key, value, min, max);
  }

  toJson(): JsonValue {
    const key = this.key.toJson();
    if (this.isScalar && typeof key === 'string') return key;
    const json: JsonObject = { key };
    if (this.value) json.value = this.value.toJson();
    if (this.min !== 1) json.min = this.min;
    if (this.max !== 1) json.max = this.max === UNLIMITED ? 'unlimited' : this.max;
    return json;
  }
}

function countFromJson(json: JsonValue | undefined): number | undefined {
  if (json === undefined) return undefined;
  if (typeof json === 'number' && json >= 0 && json < UNLIMITED) return json;
  throw syntaxError(json, 'bad min or max value');
}
