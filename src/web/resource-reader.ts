/**
 * Parameters of a topic as they come over the WebSocket: the same checks that a GET makes.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { Value } from '@sinclair/typebox/value';
import { TapswitchError } from '../common/errors.js';
import type { Query, Resource } from './topics/resource.js';

export class ResourceReader {
  private readonly checks = new Map<Resource, TypeCheck<TSchema>>();

  /** @throws TapswitchError E_WEB_REQUEST */
  check(resource: Resource, params: Query): Query {
    const check = this.checkOf(resource);
    const converted = Value.Convert(check.Schema(), { ...params });
    if (check.Check(converted)) return converted as Query;
    const [first] = check.Errors(converted);
    const what = `${first?.path ?? ''} ${first?.message ?? 'is not right'}`.trim();
    throw new TapswitchError('E_WEB_REQUEST', `${resource.topic}: ${what}`);
  }

  private checkOf(resource: Resource): TypeCheck<TSchema> {
    let check = this.checks.get(resource);
    if (!check) {
      const { params, query } = resource;
      const schema = Type.Composite([params ?? Type.Object({}), query ?? Type.Object({})], {
        additionalProperties: false,
      });
      check = TypeCompiler.Compile(schema);
      this.checks.set(resource, check);
    }
    return check;
  }
}
