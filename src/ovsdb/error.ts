/**
 * The errors that an OVSDB server puts into replies: a tag that RFC 7047 names, and details.
 *
 * Not for: errors of the program itself (src/common/errors.ts).
 */
import { type JsonValue, stringifyJson } from '../common/json.js';

/** An `<error>` of RFC 7047, section 3.1, on its way to a client. */
export class OvsdbError extends Error {
  override readonly name = 'OvsdbError';

  /**
   * @param tag the error's kind, e.g. `constraint violation`
   * @param details a sentence for people
   * @param syntax the offending JSON text, where there is one
   */
  constructor(
    readonly tag: string,
    readonly details?: string,
    readonly syntax?: string,
  ) {
    super(
      (syntax === undefined ? '' : `syntax "${syntax}": `) +
        (details === undefined ? tag : `${tag}: ${details}`),
    );
  }

  toJson(): JsonValue {
    const json: { [key: string]: JsonValue } = { error: this.tag };
    if (this.details !== undefined) json.details = this.details;
    if (this.syntax !== undefined) json.syntax = this.syntax;
    return json;
  }
}

/** An error about the JSON that a client sent; the tag is `syntax error` unless told otherwise. */
export function syntaxError(
  json: JsonValue | undefined,
  details: string,
  tag = 'syntax error',
): OvsdbError {
  return new OvsdbError(tag, details, json === undefined ? undefined : sortedText(json));
}

export function constraintViolation(details: string): OvsdbError {
  return new OvsdbError('constraint violation', details);
}

/** An error that RFC 7047 has no tag for. */
export function plainError(details: string): OvsdbError {
  return new OvsdbError('ovsdb error', details);
}

/** JSON text with sorted keys: the same for equal values. */
export function sortedText(json: JsonValue): string {
  if (typeof json === 'number') return String(json);
  return stringifyJson(sortKeys(json));
}

function sortKeys(json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map(sortKeys);
  if (json === null || typeof json !== 'object') return json;
  const sorted: { [key: string]: JsonValue } = {};
  for (const key of Object.keys(json).sort()) sorted[key] = sortKeys(json[key]);
  return sorted;
}
