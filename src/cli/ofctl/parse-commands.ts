/**
 * Commands that talk to no switch: parse-flow, parse-flows, parse-actions, ofp-print.
 */
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { encodeMessage } from '../../openflow/codec/index.js';
import type { FlowMod } from '../../openflow/messages.js';
import { P, protocolsToString, versionOfProtocol } from '../../openflow/protocols.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { atoi } from '../../openflow/syntax/scan.js';
import { errorText, fatal } from './errors.js';
import { flowsFromFile, parseOrFail } from './flow-source.js';
import type { Session } from './session.js';

/** Prints flows as they would be sent in the first format that can express them. */
function printFlows(s: Session, flows: readonly FlowMod[], usable: number): void {
  s.print(`usable protocols: ${protocolsToString(usable)}\n`);
  const both = usable & s.options.allowed;
  if (both === 0) fatal('no usable protocol');
  const protocol = both & -both;
  s.print(`chosen protocol: ${protocolsToString(protocol)}\n`);
  const nxm = (protocol & (P.OF10_NXM | P.OF10_NXM_TID)) !== 0;
  const tableId = (protocol & (P.OF10_STD_TID | P.OF10_NXM_TID)) !== 0;
  const codec = { flowFormat: nxm ? ('nxm' as const) : ('openflow10' as const), tableId };
  const version = versionOfProtocol(protocol);
  for (const flow of flows) {
    const frame = encodeMessage(version, flow, s.xids.take(), codec);
    s.print(formatMessage(frame, NO_NAMES, s.options.verbosity));
  }
}

export async function parseFlowCommand(s: Session, [text]: string[]): Promise<void> {
  const { flow, usable } = parseOrFail(s, text, 'add', NO_NAMES);
  printFlows(s, [flow], usable);
}

export async function parseFlowsCommand(s: Session, [file]: string[]): Promise<void> {
  const { flows, usable } = await flowsFromFile(s, file, 'add', NO_NAMES);
  printFlows(s, flows, usable);
}

export async function ofpPrint(s: Session, [source, level]: string[]): Promise<void> {
  const verbosity = level === undefined ? 2 : atoi(level);
  let bytes: Uint8Array;
  if (source === '-') {
    const input = await buffer(s.io.stdin);
    bytes = s.options.raw ? input : hexBytes(input.toString('latin1').split('\n')[0]);
  } else bytes = hexBytes(source);
  s.print(formatMessage(new Uint8Array(bytes), NO_NAMES, verbosity));
}

function hexBytes(text: string): Uint8Array {
  const { bytes, rest } = parseHexBytes(text);
  return rest === '' ? bytes : fatal('trailing garbage following hex bytes');
}

/** Prints each OpenFlow message of a file of raw frames. */
export async function ofpParse(s: Session, [file]: string[]): Promise<void> {
  let data: Buffer;
  try {
    data = file === '-' ? await buffer(s.io.stdin) : readFileSync(file);
  } catch (e) {
    return fatal(`${file}: open failed (${errorText(e)})`);
  }
  const tooShort = `${file}: unexpected end of file mid-message`;
  for (let at = 0; at < data.length; ) {
    if (at + 8 > data.length) fatal(tooShort);
    const length = data.readUInt16BE(at + 2);
    if (length < 8) fatal(`${file}: ${length}-byte message is too short for OpenFlow`);
    if (at + length > data.length) fatal(tooShort);
    const frame = new Uint8Array(data.subarray(at, at + length));
    s.print(formatMessage(frame, NO_NAMES, s.options.verbosity + 2));
    at += length;
  }
}
