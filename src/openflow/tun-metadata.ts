/**
 * What a match says of tunnel options (tun-options.ts).
 *
 * They have up to 124 bytes each and are rarely asked for, so they lie beside the flow's words:
 *
 *     match.flow[W_TUN_METADATA]  the number of the whole set, 0 for none     mask: -1 or 0
 *     match.tunMetadata           the set: options by number, value and mask
 *
 * A packet without options has 0 there: it satisfies no match on any of them, not even on a zero.
 *
 * Not for: which Geneve option a field stands for (src/ofproto/tlv-table.ts).
 */
import type { Field } from '../packet/fields.js';
import { W_TUN_METADATA } from '../packet/flow-layout.js';
import { fail } from './errors.js';
import type { Match } from './match.js';
import { setOf, type TunOption, widened } from './tun-options.js';

/** Bytes that the options of one match may have together. */
export const TUN_METADATA_SPACE = 256;

/** How many bytes are left without leading zeros. */
function significant(bytes: Uint8Array): number {
  const first = bytes.findIndex((b) => b !== 0);
  return first < 0 ? 0 : bytes.length - first;
}

const isOnes = (b: number): boolean => b === 0xff;

/** Makes a match ask for these options and no others. */
export function setTunOptions(match: Match, options: TunOption[]): void {
  const set = options.length === 0 ? undefined : setOf(options);
  match.tunMetadata = set;
  match.flow[W_TUN_METADATA] = set?.id ?? 0;
  match.mask[W_TUN_METADATA] = set === undefined ? 0 : -1;
}

/** Why an option cannot be added, in ovs-ofctl's words. */
export class TunOptionError extends Error {}

/**
 * Makes a match ask for one option more.
 * @param value the whole field, or its low bytes
 * @param mask absent: exact
 * @throws TunOptionError
 */
export function addTunOption(
  match: Match,
  field: Field,
  value: Uint8Array,
  mask?: Uint8Array,
): void {
  const index = field.option as number;
  const options = [...(match.tunMetadata?.options ?? [])];
  if (options.some((option) => option.index === index)) {
    throw new TunOptionError(`field ${field.name} set multiple times`);
  }
  // A shorter mask has zeros in front.
  const exact = mask === undefined || (mask.length === field.nBytes && mask.every(isOnes));
  const n = Math.max(significant(value), exact ? 0 : significant(mask));
  const used = options.reduce((sum, option) => sum + option.value.length, n);
  if (used > TUN_METADATA_SPACE) {
    throw new TunOptionError(
      `field ${field.name} exceeds maximum size for tunnel metadata ` +
        `(used ${used}, max ${TUN_METADATA_SPACE})`,
    );
  }
  const bits = exact ? new Uint8Array(n).fill(0xff) : widened(mask, n, 0);
  const bytes = widened(value, n, 0).map((b, i) => b & bits[i]);
  setTunOptions(match, [...options, { index, value: bytes, mask: bits, masked: !exact }]);
}

/** True when the match asks for the field. */
export function hasTunOption(match: Match, field: Field): boolean {
  return match.tunMetadata?.options.some(({ index }) => index === field.option) === true;
}

/** The whole value that the match asks for; zeros when it asks for none. */
export function tunOptionValue(match: Match, field: Field): Uint8Array {
  const found = match.tunMetadata?.options.find(({ index }) => index === field.option);
  return widened(found?.value ?? new Uint8Array(0), field.nBytes, 0);
}

/** The same options, each as long as its field is in a table. @throws OfpError */
export function fitTunOptions(match: Match, lengthOf: (index: number) => number | null): void {
  const { tunMetadata } = match;
  if (tunMetadata === undefined) return;
  const options = tunMetadata.options.map((option) => {
    const length = lengthOf(option.index);
    if (length === null) fail('NXFMFC_INVALID_TLV_FIELD', `tun_metadata${option.index}`);
    const value = widened(option.value, length, 0);
    const mask = widened(option.mask, length, option.masked ? 0 : 0xff);
    const masked = length === 0 || !mask.every(isOnes);
    return { index: option.index, value, mask, masked };
  });
  setTunOptions(match, options);
}

/** A decoder's form of addTunOption. @throws OfpError */
export function takeTunOption(match: Match, field: Field, value: Uint8Array, mask?: Uint8Array) {
  if (hasTunOption(match, field)) fail('OFPBMC_DUP_FIELD');
  try {
    addTunOption(match, field, value.slice(0, field.nBytes), mask?.slice(0, field.nBytes));
  } catch (e) {
    if (e instanceof TunOptionError) fail('OFPBMC_BAD_VALUE', e.message);
    throw e;
  }
}
