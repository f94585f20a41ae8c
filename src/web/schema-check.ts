/**
 * Checks what clients send, alike for REST and WebSocket: parameters of paths and queries are text
 * and become the numbers that they stand for; a body must be right as it is.
 */
import { Kind, type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Value } from '@sinclair/typebox/value';
import { TapswitchError } from '../common/errors.js';
import type { Query, Resource } from './topics/resource.js';

export type Checker = (value: unknown) => unknown;

/**
 * @param what the error names: 'body', a topic
 * @returns what gives back the value, or throws TapswitchError E_WEB_REQUEST
 */
export function checker(schema: TSchema, what: string, converts: boolean): Checker {
  const check = TypeCompiler.Compile(Kind in schema ? schema : Type.Unsafe(schema));
  return (value) => {
    const converted = converts ? Value.Convert(schema, structuredClone(value)) : value;
    if (check.Check(converted)) return converted;
    const [first] = check.Errors(converted);
    const where = `${what}${first?.path ?? ''}`;
    const wanted = first === undefined ? null : expectation(first.schema);
    const message = wanted === null ? (first?.message ?? 'it is not right') : `expected ${wanted}`;
    throw new TapswitchError('E_WEB_REQUEST', `${where}: ${message}`);
  };
}

/** What a choice of several is, in words: 'integer from 0 to 4095 or null'; null: no choice. */
function expectation(schema: TSchema): string | null {
  const choices = schema.anyOf as TSchema[] | undefined;
  if (choices === undefined) return null;
  const words = choices.map((choice) => {
    const { const: value, type, minimum, maximum } = choice;
    if (value !== undefined) return JSON.stringify(value);
    if (minimum === undefined || maximum === undefined) return String(type ?? 'something else');
    return `${type} from ${minimum} to ${maximum}`;
  });
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Checks parameters of topics as GET does those of path and query together. */
export class ResourceReader {
  private readonly checks = new Map<Resource, Checker>();

  /** @throws TapswitchError E_WEB_REQUEST */
  check(resource: Resource, query: Query): Query {
    let check = this.checks.get(resource);
    if (!check) {
      const { params = Type.Object({}), query: more = Type.Object({}), topic } = resource;
      const both = Type.Composite([params, more], { additionalProperties: false });
      check = checker(both, topic, true);
      this.checks.set(resource, check);
    }
    return check(query) as Query;
  }
}
