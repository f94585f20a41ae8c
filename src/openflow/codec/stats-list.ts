/**
 * Rows that many kinds of statistics share: requests without body, replies that are lists.
 */
import type { OfMessage } from '../messages.js';
import type { Reader, Writer } from './buffer.js';
import type { MessageClass, MessageContext, MessageRow } from './message-row.js';

/** A statistics request that is nothing but its type. */
export function emptyRequest(
  type: Extract<OfMessage['type'], `${string}_request`>,
  number: number,
  min: number,
  max: number,
  cls: MessageClass = 'stats_request',
): MessageRow {
  const r = {
    ...{ type, cls, number, min, max, body: 0 },
    decode: () => ({ type }),
    encode: () => {},
  };
  return r as unknown as MessageRow;
}

/** A reply that is a list of entries. */
export function listReply<E>(
  type: OfMessage['type'],
  place: { cls?: MessageClass; number: number; min: number; max: number; unit: number },
  get: (r: Reader, ctx: MessageContext) => E,
  put: (w: Writer, entry: E, ctx: MessageContext) => void,
  extra: object = {},
): MessageRow {
  const r = {
    ...{ type, cls: 'stats_reply', body: 0, ...place },
    decode(reader: Reader, ctx: MessageContext) {
      const entries: E[] = [];
      while (reader.left > 0) entries.push(get(reader, ctx));
      return { type, more: ctx.more, entries, ...extra };
    },
    encode: () => {},
    encodeEntry: put,
  };
  return r as unknown as MessageRow;
}
