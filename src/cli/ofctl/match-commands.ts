/**
 * Commands that show how matches become bytes and come back: parse-nx-match, parse-oxm,
 * parse-ofp10-match, parse-ofp11-match, check-vlan. They talk to no switch.
 */
import { Reader, Writer } from '../../openflow/codec/buffer.js';
import { getMatch10, putMatch10 } from '../../openflow/codec/match10.js';
import { getAnyMatch, putAnyMatch } from '../../openflow/codec/match11.js';
import { normalizeAndTell } from '../../openflow/codec/normalize-note.js';
import {
  type DecodedMatch,
  getNxMatch,
  getOxmMatch,
  putNxMatch,
  putOxmMatch,
} from '../../openflow/codec/oxm.js';
import { OfpError } from '../../openflow/errors.js';
import { type Match, matchAny } from '../../openflow/match.js';
import { parseFlow } from '../../openflow/syntax/flow-parse.js';
import { formatMatch } from '../../openflow/syntax/match-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { formatNxmText, parseNxmText } from '../../openflow/syntax/nxm-text.js';
import { hexDump } from '../../openflow/syntax/packet-format.js';
import * as L from '../../packet/flow-layout.js';
import { differences, hexOrFail } from './byte-commands.js';
import { fatal } from './errors.js';
import { syntaxOrFail } from './flow-source.js';
import { codeLines, testLines } from './input-lines.js';
import { versionFromName } from './options.js';
import type { Session } from './session.js';

const OF11 = 2;
const OF12 = 3;
const OXM_HEADER_BYTES = 4;
const OFPMT_OXM = 1;

function padded(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array((bytes.length + 7) & ~7);
  out.set(bytes);
  return out;
}

/** Runs a decoder; the name of the error when it refuses. */
function attempt<T>(decode: () => T): T | string {
  try {
    return decode();
  } catch (e) {
    if (e instanceof OfpError) return e.error;
    throw e;
  }
}

/** Entries as the body of an ofp_match. */
function oxmBytes(entries: Uint8Array): Uint8Array {
  const w = new Writer();
  w.u16(OFPMT_OXM).u16(OXM_HEADER_BYTES + entries.length);
  return padded(w.put(entries).finish());
}

/** An encoded ofp_match's entries, without header and padding. */
function entriesOf(bytes: Uint8Array): Uint8Array {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint16(2);
  return bytes.subarray(OXM_HEADER_BYTES, length);
}

function refused(s: Session, error: string): void {
  s.print(`nx_pull_match() returned error ${error}\n`);
}

function reencodeNxm(s: Session, line: string): void {
  const entries = syntaxOrFail(() => parseNxmText(line));
  const reader = new Reader(padded(entries));
  const decoded = attempt<DecodedMatch>(() =>
    getNxMatch(reader, entries.length, true, !s.options.strict),
  );
  if (typeof decoded === 'string') {
    refused(s, decoded);
    return;
  }
  const w = new Writer();
  const length = putNxMatch(w, decoded.match, decoded.cookie, decoded.cookieMask);
  const bytes = w.finish();
  s.print(`${formatNxmText(bytes.subarray(0, length))}\n`);
  if (s.options.verbosity > 0) s.print(hexDump(bytes, false));
}

export const parseNxm = (s: Session): Promise<void> => testLines(s, (line) => reencodeNxm(s, line));

function reencodeOxm(s: Session, line: string, version: number): void {
  const reader = new Reader(oxmBytes(syntaxOrFail(() => parseNxmText(line))));
  const match = attempt<Match>(() => getOxmMatch(reader, !s.options.strict));
  if (typeof match === 'string') {
    refused(s, match);
    return;
  }
  const w = new Writer();
  putOxmMatch(w, match, version);
  const bytes = w.finish();
  s.print(`${formatNxmText(entriesOf(bytes))}\n`);
  if (s.options.verbosity > 0) s.print(hexDump(bytes, false));
}

export async function parseOxm(s: Session, [name]: string[]): Promise<void> {
  const version = versionFromName(name) ?? 0;
  if (version < OF12) fatal(`${name}: not a valid version for OXM`);
  await testLines(s, (line) => reencodeOxm(s, line, version));
}

const MATCH10_BYTES = 40;
const MATCH11_BYTES = 88;

function exactly(bytes: Uint8Array, expected: number): Uint8Array {
  if (bytes.length === expected) return bytes;
  return fatal(`Input is ${bytes.length} bytes, expected ${expected}`);
}

function encode10(match: Match): Uint8Array {
  const w = new Writer();
  putMatch10(w, match);
  return w.finish();
}

const randomDigit = (): string => Math.floor(Math.random() * 16).toString(16);

/** Digits `x` are any: what comes back has zeros there. */
export async function parseMatch10(s: Session): Promise<void> {
  for (const line of await codeLines(s)) {
    const expected = exactly(hexOrFail(line.replace(/x/g, '0')), MATCH10_BYTES);
    const input = exactly(hexOrFail(line.replace(/x/g, randomDigit)), MATCH10_BYTES);
    const { match } = getMatch10(new Reader(input));
    s.print(`${formatMatch(match)}\n`);
    const out = encode10(match);
    s.print(differences(expected, out));
    normalizeAndTell(match);
    s.print(`${differences(out, encode10(match), 'normal: ')}\n`);
  }
}

export async function parseMatch11(s: Session): Promise<void> {
  for (const line of await codeLines(s)) {
    const input = exactly(hexOrFail(line), MATCH11_BYTES);
    const match = attempt<Match>(() => getAnyMatch(new Reader(input), OF11));
    if (typeof match === 'string') {
      s.print(`bad ofp11_match: ${match}\n\n`);
      continue;
    }
    const w = new Writer();
    putAnyMatch(w, match, OF11);
    s.print(`${formatMatch(match)}\n${differences(input, w.finish())}\n`);
  }
}

const hex4 = (n: number): string => (n & 0xffff).toString(16).padStart(4, '0');
const tciOf = (m: Match): string => `${hex4(m.flow[L.W_VLAN0])}/${hex4(m.mask[L.W_VLAN0])}`;

function nxmLine(match: Match): string {
  const w = new Writer();
  const length = putNxMatch(w, match);
  const bytes = w.finish();
  const back = attempt<DecodedMatch>(() => getNxMatch(new Reader(bytes), length));
  const shown = typeof back === 'string' ? back : tciOf(back.match);
  return `NXM: ${formatNxmText(bytes.subarray(0, length))} -> ${shown}\n`;
}

function oxmLine(match: Match): string {
  const w = new Writer();
  putOxmMatch(w, match, OF12);
  const bytes = w.finish();
  const back = attempt<Match>(() => getOxmMatch(new Reader(bytes)));
  let shown: string;
  if (typeof back === 'string') shown = back;
  else {
    const [tci, mask] = [back.flow[L.W_VLAN0], back.mask[L.W_VLAN0]];
    const vid = tci & (L.VLAN_VID_MASK | L.VLAN_CFI);
    const hasPcp = vid !== 0 && (mask & L.VLAN_PCP_MASK) !== 0;
    const pcp = hasPcp ? String((tci >> 13) & 7).padStart(2, '0') : '--';
    shown = `${hex4(vid)}/${hex4(mask & (L.VLAN_VID_MASK | L.VLAN_CFI))},${pcp}`;
  }
  return `OXM: ${formatNxmText(entriesOf(bytes))} -> ${shown}\n`;
}

/** One of the two fixed forms: where its wildcards, tag and priority lie. */
interface FixedForm {
  label: string;
  bytes: Uint8Array;
  back: Match;
  wildcardsAt: number;
  vlanAt: number;
  vlanBit: number;
  pcpBit: number;
}

function fixedLine(f: FixedForm): string {
  const view = new DataView(f.bytes.buffer, f.bytes.byteOffset);
  const wildcards = view.getUint32(f.wildcardsAt);
  const bit = (b: number): number => ((wildcards & b) === 0 ? 0 : 1);
  const pcp = view
    .getUint8(f.vlanAt + 2)
    .toString(16)
    .padStart(2, '0');
  const sent = `${hex4(view.getUint16(f.vlanAt))}/${bit(f.vlanBit)},${pcp}/${bit(f.pcpBit)}`;
  return `${f.label}: ${sent} -> ${tciOf(f.back)}\n`;
}

/** Shows what becomes of a tag in each of the forms in which a match travels. */
export async function checkVlan(s: Session, [tci, mask]: string[]): Promise<void> {
  const match = matchAny();
  match.flow[L.W_VLAN0] = Number.parseInt(tci, 16) & 0xffff;
  match.mask[L.W_VLAN0] = Number.parseInt(mask, 16) & 0xffff;
  const text = formatMatch(match);
  s.print(`${text} -> `);
  const parsed = syntaxOrFail(() => parseFlow(text, 'request', NO_NAMES));
  s.print(`${tciOf(parsed.flow.match)}\n${nxmLine(match)}${oxmLine(match)}`);
  const bytes10 = encode10(match);
  s.print(
    fixedLine({
      ...{ label: 'OF1.0', bytes: bytes10, back: getMatch10(new Reader(bytes10)).match },
      ...{ wildcardsAt: 0, vlanAt: 18, vlanBit: 1 << 1, pcpBit: 1 << 20 },
    }),
  );
  const w = new Writer();
  putAnyMatch(w, match, OF11);
  const bytes11 = w.finish();
  s.print(
    fixedLine({
      ...{ label: 'OF1.1', bytes: bytes11, back: getAnyMatch(new Reader(bytes11), OF11) },
      ...{ wildcardsAt: 8, vlanAt: 36, vlanBit: 1 << 1, pcpBit: 1 << 2 },
    }),
  );
}
