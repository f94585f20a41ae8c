/**
 * Commands that show how bytes and text become one another: actions and instructions, errors,
 * hellos, keys and values. They talk to no switch.
 */
import { getLogger } from '../../common/log.js';
import { checkActions } from '../../openflow/check.js';
import {
  getActions,
  getInstructions,
  putActions,
  putInstructions,
} from '../../openflow/codec/actions.js';
import { Reader, Writer } from '../../openflow/codec/buffer.js';
import { encodeMessage } from '../../openflow/codec/index.js';
import { errorNumbersExact, type OfErrorName, OfpError } from '../../openflow/errors.js';
import { matchAny } from '../../openflow/match.js';
import { protocolsOfVersion } from '../../openflow/protocols.js';
import { formatActions } from '../../openflow/syntax/action-format.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { hexDump } from '../../openflow/syntax/packet-format.js';
import { atoi, KeyValueScanner } from '../../openflow/syntax/scan.js';
import { fatal } from './errors.js';
import { codeLines } from './input-lines.js';
import { versionFromName } from './options.js';
import type { Session } from './session.js';

const log = getLogger('ofp_errors');

/** Bytes from hexadecimal digits; anything else ends the program. */
export function hexOrFail(text: string, message = 'Trailing garbage in hex data'): Uint8Array {
  const { bytes, rest } = parseHexBytes(text);
  return rest === '' ? bytes : fatal(message);
}

const hex2 = (b: number): string => b.toString(16).padStart(2, '0');

/** Where two byte strings differ, a line for each place. */
export function differences(a: Uint8Array, b: Uint8Array, prefix = ''): string {
  let text = '';
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (i < a.length && i < b.length && a[i] === b[i]) continue;
    const before = i < a.length ? hex2(a[i]) : '(none)';
    const after = i < b.length ? hex2(b[i]) : '(none)';
    text += `${prefix}${String(i).padStart(2)}: ${before} -> ${after}\n`;
  }
  return text;
}

/** One line of input: what it says, and in what it changes when it is encoded again. */
function showActions(code: string, name: string, version: number, instructions: boolean): string {
  const comma = code.indexOf(',');
  const table = comma < 0 ? 0 : atoi(code);
  const bytes = hexOrFail(comma < 0 ? code : code.slice(comma + 1));
  const wrong = (error: string): string =>
    `bad ${name} ${instructions ? 'instructions' : 'actions'}: ${error}\n\n`;
  try {
    const reader = new Reader(bytes);
    const actions = instructions
      ? getInstructions(reader, bytes.length, version)
      : getActions(reader, bytes.length, version);
    if (instructions) {
      const check = checkActions(actions, matchAny(), table);
      if (check.error !== undefined) return wrong(check.error);
      if ((check.usable & protocolsOfVersion(version)) === 0)
        return wrong('OFPBAC_MATCH_INCONSISTENT');
    }
    const w = new Writer();
    if (instructions) putInstructions(w, actions, version);
    else putActions(w, actions, version);
    const text = formatActions(actions, NO_NAMES);
    return `actions=${text}\n${differences(bytes, w.finish())}\n`;
  } catch (e) {
    if (e instanceof OfpError) return wrong(e.error);
    throw e;
  }
}

async function parseBytes(s: Session, name: string, instructions: boolean): Promise<void> {
  const version = versionFromName(name);
  if (version === undefined) fatal(`${name}: not a valid OpenFlow version`);
  for (const line of await codeLines(s)) s.print(showActions(line, name, version, instructions));
}

export const parseActionBytes = (s: Session, [version]: string[]): Promise<void> =>
  parseBytes(s, version, false);

export const parseInstructionBytes = (s: Session, [version]: string[]): Promise<void> =>
  parseBytes(s, version, true);

const VERSIONS = [1, 2, 3, 4, 5, 6];

function knownError(name: string): OfErrorName {
  const known = VERSIONS.some((version) => errorNumbersExact(name, version) !== undefined);
  return known ? (name as OfErrorName) : fatal(`unknown error "${name}"`);
}

export async function printError(s: Session, [name]: string[]): Promise<void> {
  const error = knownError(name);
  for (const version of VERSIONS) {
    const numbers = errorNumbersExact(error, version);
    if (numbers === undefined) continue;
    const vendor = numbers.vendor === 0 ? '0' : `0x${numbers.vendor.toString(16)}`;
    const { type, code } = numbers;
    s.print(`OpenFlow 1.${version - 1}: vendor ${vendor}, type ${type}, code ${code}\n`);
  }
}

export async function encodeErrorReply(s: Session, [name, hex]: string[]): Promise<void> {
  const error = knownError(name);
  const data = hexOrFail(hex);
  if (data.length < 8) fatal('Request too short');
  if (data.length !== ((data[2] << 8) | data[3])) fatal('Request size inconsistent');
  let version = data[0];
  if (!VERSIONS.includes(version)) {
    const shown = version.toString(16).padStart(2, '0');
    log.err(`cannot encode error for unknown OpenFlow version 0x${shown}`);
    version = 1;
  }
  if (errorNumbersExact(error, version) === undefined) {
    log.err(`cannot encode ${error} for OpenFlow 1.${version - 1}`);
  }
  const xid = new DataView(data.buffer, data.byteOffset).getUint32(4);
  s.print(hexDump(encodeMessage(version, { type: 'error', error, data }, xid), false));
}

export async function encodeHello(s: Session, [text]: string[]): Promise<void> {
  const bitmap = Number(text) >>> 0;
  const versions = Array.from({ length: 31 }, (_, i) => i + 1).filter((v) => (bitmap >>> v) & 1);
  const highest = versions[versions.length - 1] ?? 1;
  const frame = encodeMessage(highest, { type: 'hello', versions }, s.xids.take());
  s.print(hexDump(frame, false) + formatMessage(frame, NO_NAMES, s.options.verbosity));
}

export async function parseKeyValue(s: Session, texts: string[]): Promise<void> {
  for (const text of texts) {
    const scanner = new KeyValueScanner(text);
    const pairs: string[] = [];
    for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
      pairs.push(kv.value === '' ? kv.key : `${kv.key}=${kv.value}`);
    }
    s.print(`${pairs.join(', ')}\n`);
  }
}
