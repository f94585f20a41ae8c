/**
 * OpenFlow errors: names, their type and code in each protocol version, and the exception with
 * which the codec gives up on a message. The numbers are in error-table.ts.
 */
import { ERROR_ROWS, type OfErrorName } from './error-table.js';

export type { OfErrorName } from './error-table.js';

export const NX_VENDOR_ID = 0x00002320;
export const ONF_VENDOR_ID = 0x4f4e4600;

/** How an error is numbered on the wire; `vendor` 0 for errors of the specification itself. */
export interface ErrorNumbers {
  vendor: number;
  type: number;
  code: number;
}

/** Thrown inside the codec and the OpenFlow layer; becomes an OFPT_ERROR message. */
export class OfpError extends Error {
  constructor(
    readonly error: OfErrorName,
    detail?: string,
  ) {
    super(detail === undefined ? error : `${error}: ${detail}`);
    this.name = 'OfpError';
  }
}

/** Throws an OfpError. */
export function fail(error: OfErrorName, detail?: string): never {
  throw new OfpError(error, detail);
}

const VENDORS: Record<string, number> = { of: 0, nx: NX_VENDOR_ID, onf: ONF_VENDOR_ID };
const N_VERSIONS = 6;

const numbersByVersion: Map<string, ErrorNumbers>[] = [];
const namesByVersion: Map<string, string>[] = [];
for (let v = 0; v <= N_VERSIONS; v++) {
  numbersByVersion.push(new Map());
  namesByVersion.push(new Map());
}

function addSpec(name: string, spec: string): void {
  const [, domain, lo, rest, type, code] = /^([a-z]+)(\d)(\+|-\d)?:(\d+)(?:,(\d+))?$/.exec(
    spec,
  ) as RegExpExecArray;
  const first = Number(lo);
  const last = rest === '+' ? N_VERSIONS : rest === undefined ? first : Number(rest.slice(1));
  for (let v = first; v <= last; v++) {
    const numbers = {
      vendor: VENDORS[domain],
      type: Number(type),
      code: code === undefined ? 0 : Number(code),
    };
    numbersByVersion[v].set(name, numbers);
    const key = `${numbers.vendor}:${numbers.type}:${numbers.code}`;
    // Where two names share a number the first in the table is the one that is reported.
    if (!namesByVersion[v].has(key)) namesByVersion[v].set(key, name);
  }
}

for (const [name, specs] of Object.entries(ERROR_ROWS)) {
  for (const spec of specs.split(' ')) addSpec(name, spec);
}

/**
 * Type and code of an error in a protocol version; errors that the version lacks get a stand-in.
 */
export function errorNumbers(error: string, ofVersion: number): ErrorNumbers {
  const table = numbersByVersion[ofVersion] ?? numbersByVersion[1];
  return (table.get(error) ?? table.get('NXBRC_UNENCODABLE_ERROR')) as ErrorNumbers;
}

/** As errorNumbers; undefined for errors that the version does not have. */
export function errorNumbersExact(error: string, ofVersion: number): ErrorNumbers | undefined {
  return numbersByVersion[ofVersion]?.get(error);
}

/** The name of an error given its numbers, or undefined when it is unknown. */
export function errorName(
  ofVersion: number,
  vendor: number,
  type: number,
  code: number,
): string | undefined {
  const table = namesByVersion[ofVersion] ?? namesByVersion[1];
  return table.get(`${vendor}:${type}:${code}`);
}
