/**
 * Records of a database file, in Open vSwitch's format (ovsdb(5)):
 *
 *     OVSDB JSON 123 0123456789abcdef0123456789abcdef01234567\n    length and SHA-1 of what follows
 *     {"Port":...}\n                                               123 bytes
 *
 * Not for: what the JSON means (file-transaction.ts).
 */
import { hash } from 'node:crypto';
import { errorMessage } from '../common/errors.js';
import { type JsonValue, parseJson } from '../common/json.js';

const HEADER = /^OVSDB JSON ([1-9]\d*) ([0-9a-f]{40})\n$/;
/** No header line is longer. */
const HEADER_BYTES_MAX = 128;

/** Composes the bytes of a record from its JSON text. */
export function composeRecord(json: string): Buffer {
  const body = `${json}\n`;
  return Buffer.from(`OVSDB JSON ${Buffer.byteLength(body)} ${sha1(body)}\n${body}`);
}

/** A record that was read, or why none could be. Offsets are bytes from the file's beginning. */
export type ReadResult =
  | { readonly json: { [key: string]: JsonValue }; readonly end: number }
  | { readonly damage: string };

/** Reads the record at `start`; null at the end of the file. */
export function readRecord(file: Buffer, start: number): ReadResult | null {
  if (start === file.length) return null;
  const newline = file.subarray(start, start + HEADER_BYTES_MAX).indexOf(0x0a);
  const header = newline < 0 ? null : file.toString('latin1', start, start + newline + 1);
  const match = header === null ? null : HEADER.exec(header);
  if (!match) {
    const line = file.toString('latin1', start, newline < 0 ? start + 64 : start + newline);
    return { damage: `parse error at offset ${start} in header line ${JSON.stringify(line)}` };
  }
  const length = Number(match[1]);
  const bodyStart = start + newline + 1;
  const where = `${length} bytes starting at offset ${bodyStart}`;
  if (bodyStart + length > file.length) return { damage: `error reading ${where}` };
  const body = file.subarray(bodyStart, bodyStart + length);
  const actual = sha1(body);
  if (actual !== match[2]) {
    return { damage: `${where} have SHA-1 hash ${actual} but should have hash ${match[2]}` };
  }
  try {
    const json = parseJson(body.toString());
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      return { damage: `${where} are not a JSON object` };
    }
    return { json, end: bodyStart + length };
  } catch (error) {
    return { damage: `${where} are not valid JSON (${errorMessage(error)})` };
  }
}

/** Offset of the first whole record after `start`, or -1: was more than a torn tail lost? */
export function findRecordAfter(file: Buffer, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = file.indexOf('OVSDB JSON ', at);
    if (at < 0) return -1;
    const result = readRecord(file, at);
    if (result && 'json' in result) return at;
  }
}

function sha1(bytes: Buffer | string): string {
  return hash('sha1', bytes);
}
