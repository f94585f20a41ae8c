/**
 * UUIDs: random ones for rows, transactions and versions of rows.
 *
 * A server makes two of them for each row that it inserts. Text that is written as bytes into one
 * buffer costs a third of what crypto.randomUUID() takes, whose result is pieced together from
 * sixteen strings that the first look-up in a map has to join.
 *
 * Not for: UUIDs as values of columns (atom.ts).
 */
import { randomFillSync } from 'node:crypto';

const UUID_BYTES = 16;
/** UUIDs for which random bytes are fetched at a time. */
const BATCH = 128;

const random = Buffer.alloc(UUID_BYTES * BATCH);
let next = random.length;

/** The text as bytes, with the dashes in place. */
const text = Buffer.from('00000000-0000-4000-8000-000000000000', 'latin1');
/** Where in the text the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

/** A random UUID (RFC 9562, version 4), lower case. */
export function randomUuid(): string {
  if (next === random.length) {
    randomFillSync(random);
    next = 0;
  }
  for (let i = 0; i < UUID_BYTES; i++) {
    let byte = random[next + i];
    if (i === 6) byte = (byte & 0x0f) | 0x40;
    else if (i === 8) byte = (byte & 0x3f) | 0x80;
    text[PLACES[i]] = DIGITS[byte >> 4];
    text[PLACES[i] + 1] = DIGITS[byte & 15];
  }
  next += UUID_BYTES;
  return text.toString('latin1');
}
