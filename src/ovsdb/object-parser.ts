/**
 * Takes the members out of a JSON object that a client or a schema file wrote.
 *
 * Each member is asked for by name and kind; `finish` refuses the object when it has others.
 *
 * Not for: values inside the members (types.ts, datum.ts).
 */
import type { JsonValue } from '../common/json.js';
import { type OvsdbError, syntaxError } from './error.js';

/** What a member may be. `id` is a string that is an RFC 7047 `<id>`. */
export type MemberKind = 'object' | 'array' | 'string' | 'id' | 'integer' | 'number' | 'boolean';

const ID = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** True for an `<id>`: letters, digits and underscores, no digit first. */
export function isId(text: string): boolean {
  return ID.test(text);
}

export class ObjectParser {
  private readonly members: { [key: string]: JsonValue };
  private readonly used: string[] = [];

  /** @param name what the object is, for error messages */
  constructor(
    readonly json: JsonValue,
    private readonly name: string | (() => string),
  ) {
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      throw this.error('Object expected.');
    }
    this.members = json;
  }

  /** The member's value; throws when it is missing or of none of `kinds`. */
  required(member: string, ...kinds: MemberKind[]): JsonValue {
    const value = this.optional(member, ...kinds);
    if (value === undefined) throw this.error(`Required '${member}' member is missing.`);
    return value;
  }

  /**
   * The member's value or undefined; throws when it is of none of `kinds` (none given: any). Ask
   * for each member once.
   */
  optional(member: string, ...kinds: MemberKind[]): JsonValue | undefined {
    if (!Object.hasOwn(this.members, member)) return undefined;
    const value = this.members[member];
    if (kinds.length > 0 && !isAnyKind(value, kinds)) {
      throw this.error(`Type mismatch for member '${member}'.`);
    }
    this.used.push(member);
    return value;
  }

  requiredString(member: string, kind: 'string' | 'id' = 'string'): string {
    return this.required(member, kind) as string;
  }

  requiredArray(member: string): JsonValue[] {
    return this.required(member, 'array') as JsonValue[];
  }

  optionalArray(member: string): JsonValue[] | undefined {
    return this.optional(member, 'array') as JsonValue[] | undefined;
  }

  optionalBoolean(member: string, byDefault: boolean): boolean {
    return (this.optional(member, 'boolean') as boolean | undefined) ?? byDefault;
  }

  /** Throws when the object has members that nobody asked for. */
  finish(): void {
    const members = Object.keys(this.members);
    if (members.length === this.used.length) return;
    const unused = members.filter((member) => !this.used.includes(member));
    if (unused.length === 0) return;
    const others = unused.length - 1;
    throw this.error(
      others === 0
        ? `Member '${unused[0]}' is present but not allowed here.`
        : `Member '${unused[0]}' and ${others} other member${others > 1 ? 's' : ''} ` +
            'are present but not allowed here.',
    );
  }

  error(details: string): OvsdbError {
    const object = isKind(this.json, 'object') ? this.json : undefined;
    const name = typeof this.name === 'string' ? this.name : this.name();
    return syntaxError(object, `Parsing ${name} failed: ${details}`);
  }
}

function isAnyKind(value: JsonValue, kinds: readonly MemberKind[]): boolean {
  for (const kind of kinds) if (isKind(value, kind)) return true;
  return false;
}

function isKind(value: JsonValue, kind: MemberKind): boolean {
  switch (kind) {
    case 'object':
      return value !== null && typeof value === 'object' && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'string':
      return typeof value === 'string';
    case 'id':
      return typeof value === 'string' && isId(value);
    case 'integer':
      return Number.isInteger(value) || typeof value === 'bigint';
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint';
    case 'boolean':
      return typeof value === 'boolean';
  }
}
