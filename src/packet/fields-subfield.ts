/**
 * Runs of bits within a field, `field[ofs..ofs+nBits-1]`: reading and writing them in flows and
 * matches.
 *
 * Bit 0 is the lowest of the field. Bytes returned are in network order with the run in their low
 * bits, ceil(nBits / 8) of them. Not for the packet path (it allocates).
 */
import { type Field, fieldGet, fieldGetMask, fieldSet, fieldWrite } from './fields.js';
import type { FlowWords } from './flow-layout.js';

/** Copies `nBits` bits between two big-endian numbers; offsets count from the lowest bit. */
export function bitwiseCopy(
  src: Uint8Array,
  srcOfs: number,
  dst: Uint8Array,
  dstOfs: number,
  nBits: number,
): void {
  for (let i = 0; i < nBits; i++) {
    const from = srcOfs + i;
    const to = dstOfs + i;
    const index = dst.length - 1 - (to >> 3);
    const bit = 1 << (to & 7);
    const byte = src[src.length - 1 - (from >> 3)] ?? 0;
    if ((byte & (1 << (from & 7))) !== 0) dst[index] |= bit;
    else dst[index] &= ~bit;
  }
}

/** The bits `ofs..ofs+nBits-1` of a field's value. */
export function subfieldOfValue(value: Uint8Array, ofs: number, nBits: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(nBits / 8));
  bitwiseCopy(value, ofs, out, 0, nBits);
  return out;
}

/** Reads a run of bits of a field from a flow. */
export function subfieldGet(flow: FlowWords, field: Field, ofs: number, nBits: number): Uint8Array {
  return subfieldOfValue(fieldGet(flow, field), ofs, nBits);
}

/** Writes a run of bits of a field of a packet's flow (see fieldWrite). */
export function subfieldWrite(
  flow: FlowWords,
  field: Field,
  ofs: number,
  nBits: number,
  bits: Uint8Array,
): void {
  const value = fieldGet(flow, field);
  bitwiseCopy(bits, 0, value, ofs, nBits);
  fieldWrite(flow, field, value);
}

/** Makes a match require that a run of bits of a field has the given value. */
export function subfieldMatch(
  flow: FlowWords,
  maskWords: FlowWords,
  field: Field,
  ofs: number,
  nBits: number,
  bits: Uint8Array,
): void {
  const value = fieldGet(flow, field);
  const mask = fieldGetMask(maskWords, field);
  bitwiseCopy(bits, 0, value, ofs, nBits);
  bitwiseCopy(new Uint8Array(field.nBytes).fill(0xff), 0, mask, ofs, nBits);
  fieldSet(flow, maskWords, field, value, mask);
}

/**
 * Where in a flow the bits `ofs..ofs+nBits-1` of a field begin, if they lie in one word and are
 * stored as they are read (getRun, setRun): for who has no time to make arrays. Else -1.
 */
export function subfieldStart(field: Field, ofs: number, nBits: number): number {
  const { special, layoutBits } = field;
  // Fields that lie in more bits than they have clear the others when they are written.
  if (special !== undefined || layoutBits !== field.nBits || ofs + nBits > layoutBits) return -1;
  const start = field.startBit + layoutBits - ofs - nBits;
  return start >> 5 === (start + nBits - 1) >> 5 ? start : -1;
}

/** A big-endian number of any width as a bigint (control plane only). */
export function bytesToBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const b of bytes) value = (value << 8n) | BigInt(b);
  return value;
}

/** The low `nBytes` bytes of a number in network order. */
export function bigintToBytes(value: bigint, nBytes: number): Uint8Array {
  const out = new Uint8Array(nBytes);
  for (let i = nBytes - 1; i >= 0; i--) {
    out[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return out;
}
