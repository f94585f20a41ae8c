/**
 * Properties: the type-length-value lists of OpenFlow 1.3 and later and of Nicira's newer
 * extensions.
 *
 *     type(16) length(16) payload, zeros up to a multiple of 8     (length excludes the zeros)
 */
import { fail } from '../errors.js';
import type { Reader, Writer } from './buffer.js';

export interface Property {
  type: number;
  payload: Reader;
}

/** Reads the next property. */
export function getProperty(r: Reader, align = 8): Property {
  if (r.left < 4) fail('OFPBPC_BAD_LEN');
  const type = r.peek16(0);
  const length = r.peek16(2);
  const padded = Math.ceil(length / align) * align;
  if (length < 4 || padded > r.left) fail('OFPBPC_BAD_LEN');
  const payload = r.sub(length, 'OFPBPC_BAD_LEN');
  payload.skip(4);
  r.skip(padded - length);
  return { type, payload };
}

/** Writes a property whose payload `put` writes. */
export function putProperty(w: Writer, type: number, put: (w: Writer) => void): void {
  const start = w.length;
  w.u16(type).u16(0);
  put(w);
  w.setU16(start + 2, w.length - start);
  w.align(start);
}

/** Writes a property of 16 bits, which OpenFlow gives a length of 8 all the same. */
export function putProperty16(w: Writer, type: number, value: number): void {
  putProperty(w, type, (p) => p.u16(value).zeros(2));
}
