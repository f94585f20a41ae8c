/**
 * Commands on flows: dump-flows, dump-aggregate, add-flow(s), mod-flows, del-flows.
 * replace-flows and diff-flows are in diff-commands.ts.
 */

import { encodeMessage } from '../../openflow/codec/index.js';
import type { Match } from '../../openflow/match.js';
import type { FlowMod, FlowStatsEntry, FlowStatsRequest } from '../../openflow/messages.js';
import { P } from '../../openflow/protocols.js';
import { formatFlowStats } from '../../openflow/syntax/flow-format.js';
import { parseFlowStatsRequest } from '../../openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { hexDump } from '../../openflow/syntax/packet-format.js';
import { hasTunOption, tunOptionValue } from '../../openflow/tun-metadata.js';
import { type Field, fieldGet, fieldIsWild, fieldPrereqsOk } from '../../packet/fields.js';
import { Progress } from '../progress.js';
import { transactBundle } from './bundle-commands.js';
import { colorFlow, wantsColor } from './color.js';
import { connectForFlows } from './flow-connection.js';
import {
  dumpEntries,
  flowsFromFile,
  isNxm,
  parseOrFail,
  setDumpProtocol,
  syntaxOrFail,
} from './flow-source.js';
import type { SortCriterion } from './options.js';
import type { Session, SwitchConnection } from './session.js';

interface PreparedDump {
  sw: SwitchConnection;
  request: FlowStatsRequest;
}

async function prepareDump(
  s: Session,
  name: string,
  match: string,
  aggregate: boolean,
): Promise<PreparedDump> {
  const names = match === '' ? NO_NAMES : await s.namesToAccept(name);
  const parsed = syntaxOrFail(() => parseFlowStatsRequest(match, aggregate, names));
  let { usable } = parsed;
  // Statistics requests name a table in every format.
  if ((usable & P.OF10_NXM_TID) !== 0) usable |= P.OF10_NXM;
  if ((usable & P.OF10_STD_TID) !== 0) usable |= P.OF10_STD;
  const sw = await s.connect(name);
  await setDumpProtocol(s, sw, usable);
  return { sw, request: parsed.request };
}

/** Colours lines of flows where that is wanted. */
function flowStyle(s: Session): (text: string) => string {
  if (!wantsColor(s.options.color, s.io.stdout as { isTTY?: boolean })) return (text) => text;
  return (text) => text.split('\n').map(colorFlow).join('\n');
}

async function dumpReplies(s: Session, name: string, match: string, aggregate: boolean) {
  const { sw, request } = await prepareDump(s, name, match, aggregate);
  await s.dump(sw, { ...request, nx: isNxm(sw) }, flowStyle(s));
  sw.close();
}

function fieldValue(match: Match, field: Field): Uint8Array {
  return field.option === undefined ? fieldGet(match.flow, field) : tunOptionValue(match, field);
}

function compareBy(c: SortCriterion, a: FlowStatsEntry, b: FlowStatsEntry): number {
  const sign = c.descending ? -1 : 1;
  const { field } = c;
  if (field === null) return sign * Math.sign(a.priority - b.priority);
  const has = (e: FlowStatsEntry): boolean =>
    field.option === undefined
      ? fieldPrereqsOk(field, e.match.flow) && !fieldIsWild(e.match.mask, field)
      : hasTunOption(e.match, field);
  const [inA, inB] = [has(a), has(b)];
  // Flows without the field come last in either direction.
  if (inA !== inB) return inA ? -1 : 1;
  return sign * Buffer.compare(fieldValue(a.match, field), fieldValue(b.match, field));
}

export async function dumpFlows(s: Session, [name, match = '']: string[]): Promise<void> {
  const { sort, stats } = s.options;
  if (sort.length === 0 && !s.showsNames && stats) {
    await dumpReplies(s, name, match, false);
    return;
  }
  const { sw, request } = await prepareDump(s, name, match, false);
  const entries = await dumpEntries(sw, request);
  if (sort.length > 0) {
    entries.sort((a, b) => {
      for (const c of sort) {
        const order = compareBy(c, a, b);
        if (order !== 0) return order;
      }
      return 0;
    });
  }
  const names = await s.namesToShow(name);
  const style = flowStyle(s);
  for (const e of entries) s.print(style(` ${formatFlowStats(e, names, stats)}\n`));
  sw.close();
}

export const dumpAggregate = (s: Session, [name, match = '']: string[]): Promise<void> =>
  dumpReplies(s, name, match, true);

async function sendFlows(s: Session, name: string, flows: FlowMod[], usable: number) {
  if (s.options.bundle) {
    await transactBundle(s, name, flows, usable);
    return;
  }
  const sw = await connectForFlows(s, name, usable);
  const { verbosity } = s.options;
  const progress = new Progress(s.io, flows.length, 'flows');
  for (const [done, flow] of flows.entries()) {
    if (verbosity >= 5) printFrame(s, sw, flow);
    await sw.transact([flow]);
    progress.step(done + 1);
  }
  progress.end();
  sw.close();
}

/** Shows what is sent, for those who ask for it with -mmmmm. */
function printFrame(s: Session, sw: SwitchConnection, flow: FlowMod): void {
  const frame = encodeMessage(sw.version, flow, 0, sw.connection.codec);
  if (s.options.verbosity === 5) s.print(hexDump(frame, true));
  else s.print(`0x${Buffer.from(frame).toString('hex').replace(/^0+/, '')}\n`);
}

async function flowMod(s: Session, args: string[], command: FlowMod['command']): Promise<void> {
  const [name, text = ''] = args;
  const names = await s.namesToAccept(name);
  if (text === '-') {
    const fromFile = command === 'add' ? 'file' : command;
    const { flows, usable } = await flowsFromFile(s, text, fromFile, names);
    await sendFlows(s, name, flows, usable);
    return;
  }
  const { flow, usable } = parseOrFail(s, text, command, names);
  await sendFlows(s, name, [flow], usable);
}

export const addFlow = (s: Session, args: string[]): Promise<void> => flowMod(s, args, 'add');

export const modFlows = (s: Session, args: string[]): Promise<void> =>
  flowMod(s, args, s.options.strict ? 'modify_strict' : 'modify');

export const delFlows = (s: Session, args: string[]): Promise<void> =>
  flowMod(s, args, s.options.strict ? 'delete_strict' : 'delete');

export async function addFlows(s: Session, [name, file]: string[]): Promise<void> {
  const names = await s.namesToAccept(name);
  const { flows, usable } = await flowsFromFile(s, file, 'file', names);
  await sendFlows(s, name, flows, usable);
}
