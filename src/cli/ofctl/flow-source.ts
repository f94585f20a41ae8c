/**
 * Flows from files and flows from switches, as the flow commands need them.
 */
import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { OFPP } from '../../openflow/actions.js';
import { matchAny } from '../../openflow/match.js';
import type { FlowMod, FlowStatsEntry, FlowStatsRequest } from '../../openflow/messages.js';
import { P, P_ANY, protocolsToString } from '../../openflow/protocols.js';
import { type ParseCommand, type ParsedFlow, parseFlow } from '../../openflow/syntax/flow-parse.js';
import type { Names } from '../../openflow/syntax/names.js';
import { FlowSyntaxError } from '../../openflow/syntax/scan.js';
import { errorText, fatal, OfctlFatal } from './errors.js';
import { noteNormalization } from './notices.js';
import type { Session, SwitchConnection } from './session.js';

/** Parses one flow; what is wrong with it ends the program. */
export function parseOrFail(
  s: Session,
  text: string,
  command: ParseCommand,
  names: Names,
): ParsedFlow {
  const parsed = syntaxOrFail(() => parseFlow(text, command, names));
  noteNormalization(s, parsed.flow.match);
  return parsed;
}

export function syntaxOrFail<T>(parse: () => T, prefix = ''): T {
  try {
    return parse();
  } catch (e) {
    if (e instanceof FlowSyntaxError) {
      const error = new OfctlFatal(prefix + e.message);
      if (e.column !== null)
        error.hint = `column ${e.column}: expected ${e.expected ?? 'actions='}`;
      throw error;
    }
    throw e;
  }
}

export interface Flows {
  flows: FlowMod[];
  /** Flow formats that can express all of them. */
  usable: number;
}

/** Lines with their numbers, without comments and blank lines. */
function* meaningfulLines(text: string): Generator<[line: string, number: number]> {
  for (const [i, line] of text.split('\n').entries()) {
    const code = line.replace(/#.*$/, '');
    if (code.trim() !== '') yield [code, i + 1];
  }
}

async function readFile(s: Session, file: string, failure: string): Promise<string> {
  if (file === '-') return readAll(s.io.stdin);
  try {
    return readFileSync(file, 'latin1');
  } catch (e) {
    return fatal(`${file}: ${failure} (${errorText(e)})`);
  }
}

/** The lines of a file that say something, with their numbers; `-` is the standard input. */
export async function linesOfFile(
  s: Session,
  file: string,
  failure: string,
): Promise<[line: string, number: number][]> {
  return [...meaningfulLines(await readFile(s, file, failure))];
}

/** Reads a file of flows, `-` being the standard input. */
export async function flowsFromFile(
  s: Session,
  file: string,
  command: ParseCommand,
  names: Names,
  failure = 'open failed',
): Promise<Flows> {
  const flows: FlowMod[] = [];
  let usable = P_ANY;
  for (const [line, number] of await linesOfFile(s, file, failure)) {
    const parsed = syntaxOrFail(() => parseFlow(line, command, names), `${file}:${number}: `);
    noteNormalization(s, parsed.flow.match);
    flows.push(parsed.flow);
    usable &= parsed.usable;
  }
  return { flows, usable };
}

/** The order in which formats are tried for dumps: the ones that say most first. */
const DUMP_FORMATS = [
  P.OF15_OXM,
  P.OF14_OXM,
  P.OF13_OXM,
  P.OF12_OXM,
  P.OF11_STD,
  P.OF10_NXM,
  P.OF10_STD,
];

/** Sets the best flow format in which flows can be dumped. */
export async function setDumpProtocol(
  s: Session,
  sw: SwitchConnection,
  usable: number,
): Promise<void> {
  const { allowed } = s.options;
  for (const format of DUMP_FORMATS) {
    if ((format & usable & allowed) !== 0 && (await sw.setProtocol(format))) return;
  }
  const usableText = protocolsToString(usable);
  if ((usable & allowed) !== 0) {
    fatal(`switch does not support any of the usable flow formats (${usableText})`);
  }
  const allowedText = protocolsToString(allowed);
  fatal(
    `none of the usable flow formats (${usableText}) is among the allowed flow formats ` +
      `(${allowedText})`,
  );
}

/** Whether flow statistics are asked for in Nicira's form on this connection. */
export const isNxm = (sw: SwitchConnection): boolean =>
  (sw.protocol & (P.OF10_NXM | P.OF10_NXM_TID)) !== 0;

/** Every flow that a request asks for. */
export async function dumpEntries(
  sw: SwitchConnection,
  request: FlowStatsRequest,
): Promise<FlowStatsEntry[]> {
  const entries: FlowStatsEntry[] = [];
  for (const { msg } of await sw.request({ ...request, nx: isNxm(sw) })) {
    if (msg.type === 'error') fatal(`dump flows (${msg.error})`);
    if (msg.type !== 'flow_stats_reply') continue;
    // Ages are shown by plain dumps alone.
    for (const e of msg.entries) entries.push({ ...e, idleAge: -1, hardAge: -1 });
  }
  return entries;
}

export function everyFlow(): FlowStatsRequest {
  return {
    ...{ type: 'flow_stats_request', aggregate: false, table: 255, match: matchAny() },
    ...{ outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
  };
}
