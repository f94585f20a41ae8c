/**
 * Commands on groups and meters.
 */
import { encodeMessage } from '../../openflow/codec/index.js';
import {
  type GroupMod,
  type MeterMod,
  type MeterRequest,
  OFPG,
  OFPM,
} from '../../openflow/messages-groups.js';
import { P_OF13_UP, protocolsToString, versionOfProtocol } from '../../openflow/protocols.js';
import { type GroupParseCommand, parseGroupMod } from '../../openflow/syntax/group-parse.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { type MeterParseCommand, parseMeter } from '../../openflow/syntax/meter-parse.js';
import { type Names, NO_NAMES } from '../../openflow/syntax/names.js';
import { transactBundle } from './bundle-commands.js';
import { fatal } from './errors.js';
import { connectForFlows } from './flow-connection.js';
import { linesOfFile, syntaxOrFail } from './flow-source.js';
import type { Session } from './session.js';

interface Groups {
  mods: GroupMod[];
  usable: number;
}

async function groupsFromFile(
  s: Session,
  file: string,
  command: GroupParseCommand,
  names: Names,
): Promise<Groups> {
  const out: Groups = { mods: [], usable: -1 };
  for (const [line, number] of await linesOfFile(s, file, 'open failed')) {
    const prefix = `${file}:${number}: `;
    const { msg, usable } = syntaxOrFail(() => parseGroupMod(line, command, names), prefix);
    out.mods.push(msg);
    out.usable &= usable;
  }
  return out;
}

async function sendGroups(s: Session, name: string, { mods, usable }: Groups): Promise<void> {
  if (s.options.bundle) {
    await transactBundle(s, name, mods, usable);
    return;
  }
  const sw = await connectForFlows(s, name, usable);
  for (const mod of mods) {
    if (mod.command.endsWith('_bucket') && sw.version > 1 && sw.version < 6) {
      const what = mod.command === 'insert_bucket' ? 'insert-bucket' : 'remove-bucket';
      fatal(`${what} needs OpenFlow 1.5 or later ('-O OpenFlow15')`);
    }
    await sw.transact([mod]);
  }
  sw.close();
}

function groupMod(command: GroupMod['command']) {
  return async (s: Session, [name, text = '']: string[]): Promise<void> => {
    const names = await s.namesToAccept(name);
    if (text === '-') {
      const fromFile = command === 'add' ? 'file' : command;
      await sendGroups(s, name, await groupsFromFile(s, text, fromFile, names));
      return;
    }
    const { msg, usable } = syntaxOrFail(() => parseGroupMod(text, command, names));
    await sendGroups(s, name, { mods: [msg], usable });
  };
}

export const addGroup = groupMod('add');
export const delGroups = groupMod('delete');
export const insertBuckets = groupMod('insert_bucket');
export const removeBuckets = groupMod('remove_bucket');

export const modGroup = (s: Session, args: string[]): Promise<void> =>
  groupMod(s.options.mayCreate ? 'add_or_mod' : 'modify')(s, args);

export async function addGroups(s: Session, [name, file]: string[]): Promise<void> {
  const names = await s.namesToAccept(name);
  await sendGroups(s, name, await groupsFromFile(s, file, 'file', names));
}

export async function dumpGroups(s: Session, [name, text]: string[]): Promise<void> {
  const sw = await s.connect(name);
  await s.dump(sw, { type: 'group_desc_request', group: groupNumber(text) });
  sw.close();
}

/** A group to describe; what is none means all. */
function groupNumber(text: string | undefined): number {
  if (text?.toLowerCase() === 'any') return OFPG.ANY;
  return text !== undefined && /^\d+$/.test(text) ? Number(text) >>> 0 : OFPG.ALL;
}

export async function dumpGroupStats(s: Session, [name, text = '']: string[]): Promise<void> {
  const names = await s.namesToAccept(name);
  const { msg } = syntaxOrFail(() => parseGroupMod(text, 'delete', names));
  const sw = await s.connect(name);
  await s.dump(sw, { type: 'group_stats_request', group: msg.group });
  sw.close();
}

export async function dumpGroupFeatures(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  await s.dump(sw, { type: 'group_features_request' });
  sw.close();
}

export async function parseGroupCommand(s: Session, [text]: string[]): Promise<void> {
  const { msg, usable } = syntaxOrFail(() => parseGroupMod(text, 'add', NO_NAMES));
  s.print(`usable protocols: ${protocolsToString(usable)}\n`);
  const both = usable & s.options.allowed;
  if (both === 0) fatal('no usable protocol');
  const version = versionOfProtocol(both & -both);
  s.print(`chosen version: OpenFlow1${version - 1}\n`);
  const frame = encodeMessage(version, msg, s.xids.take());
  s.print(formatMessage(frame, NO_NAMES, s.options.verbosity));
}

function meterOf(text: string | undefined, command: MeterParseCommand): MeterMod['meter'] {
  if (text === undefined) return { meter: OFPM.ALL, flags: 0, bands: [] };
  return syntaxOrFail(() => parseMeter(text, command));
}

function meterMod(command: MeterMod['command']) {
  return async (s: Session, [name, text]: string[]): Promise<void> => {
    const meter = meterOf(text, command);
    const sw = await connectForFlows(s, name, P_OF13_UP);
    await sw.transact([{ type: 'meter_mod', command, meter }]);
    sw.close();
  };
}

export const addMeter = meterMod('add');
export const modMeter = meterMod('modify');
export const delMeters = meterMod('delete');

function meterRequest(type: MeterRequest['type']) {
  return async (s: Session, [name, text]: string[]): Promise<void> => {
    const { meter } = meterOf(text, 'request');
    const sw = await connectForFlows(s, name, P_OF13_UP);
    await s.dump(sw, { type, meter });
    sw.close();
  };
}

export const dumpMeters = meterRequest('meter_config_request');
export const meterStats = meterRequest('meter_stats_request');

export async function meterFeatures(s: Session, [name]: string[]): Promise<void> {
  const sw = await connectForFlows(s, name, P_OF13_UP);
  await s.dump(sw, { type: 'meter_features_request' });
  sw.close();
}
