/**
 * What encoders and decoders of actions share: the protocol version, helpers for headers and bit
 * runs, and the shape of a table row. The rows are in actions-*.ts; dispatch is in actions.ts.
 */
import { type Field, mustField } from '../../packet/fields.js';
import type { OfAction, SubField } from '../actions.js';
import { fail, NX_VENDOR_ID } from '../errors.js';
import type { Match } from '../match.js';
import type { Reader, Writer } from './buffer.js';
import { codecWarning } from './warnings.js';

export interface ActionContext {
  version: number;
  /** Match of the flow, where there is one: tells TCP from UDP when ports are set. */
  match?: Match;
  /** Encoding: whether packets have a VLAN tag at this point of the list. */
  hasVlan: boolean;
  /** How deep in clone or ct this list is. */
  depth: number;
  getActions(r: Reader, length: number, ctx: ActionContext): OfAction[];
  putActions(w: Writer, actions: readonly OfAction[], ctx: ActionContext): void;
}

/**
 * How one action is numbered and read. `nx` rows are read after the subtype, others after the
 * length.
 */
export interface ActionRow {
  kind: 'of' | 'nx' | 'onf';
  /** First and last protocol version (wire numbers). */
  min: number;
  max: number;
  number: number;
  /** Whole length in bytes; actions without `open` have exactly this. */
  length: number;
  open?: boolean;
  decode(r: Reader, ctx: ActionContext): OfAction;
}

/** The member of OfAction that has type T (some members serve two types). */
export type ActionOf<T, A = OfAction> = A extends { type: infer U }
  ? T extends U
    ? A
    : never
  : never;

export type Encoder<T extends OfAction['type']> = (
  w: Writer,
  action: ActionOf<T>,
  ctx: ActionContext,
) => void;

/** Writes type and length of a standard action. */
export function putHeader(w: Writer, type: number, length: number): Writer {
  return w.u16(type).u16(length);
}

/** Writes the header of a Nicira action; returns where it starts, for closeNx. */
export function openNx(w: Writer, subtype: number): number {
  const start = w.length;
  w.u16(0xffff).u16(0).u32(NX_VENDOR_ID).u16(subtype);
  return start;
}

/** Pads an action to 8 bytes and fills its length in. */
export function close(w: Writer, start: number): void {
  w.align(start);
  w.setU16(start + 2, w.length - start);
}

export const encodeOfsNbits = (sub: SubField): number => (sub.ofs << 6) | (sub.nBits - 1);
export const decodeOfsNbits = (raw: number): { ofs: number; nBits: number } => ({
  ofs: raw >> 6,
  nBits: (raw & 0x3f) + 1,
});

/** Checks a run of bits that an action reads. */
export function checkSource(sub: SubField): SubField {
  const field = mustField(sub.field);
  if (sub.nBits === 0) fail('OFPBAC_BAD_SET_LEN', 'zero bits');
  if (sub.ofs >= field.nBits || sub.ofs + sub.nBits > field.nBits) fail('OFPBAC_BAD_SET_LEN');
  return sub;
}

/** Checks a run of bits that an action writes. */
export function checkTarget(sub: SubField): SubField {
  checkSource(sub);
  if (!mustField(sub.field).writable) {
    codecWarning('meta_flow', () => `destination field ${sub.field} is not writable`);
    fail('OFPBAC_BAD_SET_ARGUMENT', `${sub.field} is read-only`);
  }
  return sub;
}

export function allBits(field: Field): Uint8Array {
  return new Uint8Array(field.nBytes).fill(0xff);
}
