/**
 * What the server's answer to `transact` means (RFC 7047 section 4.1.3).
 *
 * Not for: building the operations (txn.ts).
 */

import { type JsonValue, stringifyJson } from '../../common/json.js';

export type TxnStatus = 'success' | 'unchanged' | 'try again' | 'not locked' | 'error';

export interface TxnResult {
  readonly status: TxnStatus;
  /** The server's error object as JSON text, or why there was no answer. */
  readonly error?: string;
  /** By provisional UUID: the UUID that the server gave to each inserted row. */
  readonly inserted: ReadonlyMap<string, string>;
  /** The new value of the incremented column, if `increment` was asked for. */
  readonly incremented: number | null;
}

/** Where in the reply the results are that somebody waits for. */
export interface ReplyPlan {
  readonly inserts: ReadonlyMap<string, number>;
  readonly increment: { readonly index: number; readonly column: string } | null;
}

type JsonObject = { [key: string]: JsonValue };

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** JSON text with the members of objects in order of their names, as Open vSwitch prints errors. */
function sortedText(json: JsonValue): string {
  if (!isObject(json)) return stringifyJson(json);
  return stringifyJson(
    Object.fromEntries(Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}

/**
 * The errors in a reply, by what they call for. A null stands for an operation that an earlier
 * failure kept from running; 'timed out' is a verified column that changed.
 */
function judge(results: JsonValue[]): { status: TxnStatus; error?: string } {
  let status: TxnStatus = 'success';
  for (const result of results) {
    if (result !== null && !isObject(result)) return { status: 'error', error: sortedText(result) };
    const error = result?.error;
    if (result === null || error === 'timed out' || error === 'unknown database') {
      if (status === 'success') status = 'try again';
    } else if (error === 'not owner') {
      status = 'not locked';
    } else if (error !== undefined && error !== null && error !== 'aborted') {
      return { status: 'error', error: sortedText(result) };
    }
  }
  return { status };
}

function insertedUuids(results: JsonValue[], plan: ReplyPlan): Map<string, string> | null {
  const inserted = new Map<string, string>();
  for (const [provisional, index] of plan.inserts) {
    const result = results[index];
    const uuid = isObject(result) ? result.uuid : null;
    if (!Array.isArray(uuid) || uuid[0] !== 'uuid') return null;
    inserted.set(provisional, String(uuid[1]).toLowerCase());
  }
  return inserted;
}

function incrementedValue(results: JsonValue[], plan: ReplyPlan): number | null {
  if (!plan.increment) return null;
  const result = results[plan.increment.index];
  const rows = isObject(result) ? result.rows : null;
  const row = Array.isArray(rows) ? rows[0] : null;
  const value = isObject(row ?? undefined) ? (row as JsonObject)[plan.increment.column] : null;
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
}

/** The result of a transaction from the reply. `dryRun`: its own abort is no failure. */
export function parseTransactReply(reply: JsonValue, plan: ReplyPlan, dryRun: boolean): TxnResult {
  const none = { inserted: new Map<string, string>(), incremented: null };
  if (!Array.isArray(reply)) return { status: 'error', error: stringifyJson(reply), ...none };
  const { status, error } = judge(reply);
  if (status !== 'success') return { status, error, ...none };
  const inserted = insertedUuids(reply, plan);
  if (!inserted) return { status: 'error', error: stringifyJson(reply), ...none };
  const incremented = incrementedValue(reply, plan);
  if (plan.increment && incremented === null && !dryRun) {
    return { status: 'error', error: stringifyJson(reply), ...none };
  }
  return { status: 'success', inserted, incremented };
}
