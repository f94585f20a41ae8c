/**
 * The commands of ofctl: their names, arguments and what runs them, in the order of ovs-ofctl's
 * list-commands. Not for: their help (usage.ts).
 */
import { bundle } from './bundle-commands.js';
import * as bytes from './byte-commands.js';
import { diffFlows, replaceFlows } from './diff-commands.js';
import * as extensions from './extension-commands.js';
import {
  addFlow,
  addFlows,
  delFlows,
  dumpAggregate,
  dumpFlows,
  modFlows,
} from './flow-commands.js';
import * as groups from './group-commands.js';
import * as matches from './match-commands.js';
import { monitor, snoop } from './monitor-commands.js';
import { benchmark, ping, probe, sendPacket } from './packet-commands.js';
import { ofpParse, ofpPrint, parseFlowCommand, parseFlowsCommand } from './parse-commands.js';
import * as pcap from './pcap-commands.js';
import type { Session } from './session.js';
import * as show from './show-commands.js';
import { dumpTableDesc, dumpTableFeatures, modTable } from './table-commands.js';

type Run = (session: Session, args: string[]) => Promise<void>;

export interface OfctlCommand {
  /** Arguments as list-commands shows them; '' for commands of tests. */
  syntax: string;
  min: number;
  max: number;
  /** Changes the switch: refused with --read-only. */
  writes: boolean;
  run: Run;
}

const MANY = Number.POSITIVE_INFINITY;

type Row = [name: string, syntax: string, min: number, max: number, mode: 'ro' | 'rw', run: Run];

const SHOW: Row[] = [
  ['show', 'switch', 1, 1, 'ro', show.show],
  ['monitor', 'switch [misslen] [invalid_ttl] [watch:[...]]', 1, 3, 'ro', monitor],
  ['snoop', 'switch', 1, 1, 'ro', snoop],
  ['dump-desc', 'switch', 1, 1, 'ro', show.dumpDesc],
  ['dump-tables', 'switch', 1, 1, 'ro', show.dumpTables],
  ['dump-table-features', 'switch', 1, 1, 'ro', dumpTableFeatures],
  ['dump-table-desc', 'switch', 1, 1, 'ro', dumpTableDesc],
];

const FLOWS: Row[] = [
  ['dump-flows', 'switch', 1, 2, 'ro', dumpFlows],
  ['dump-aggregate', 'switch', 1, 2, 'ro', dumpAggregate],
  ['queue-stats', 'switch [port [queue]]', 1, 3, 'ro', show.queueStats],
  ['queue-get-config', 'switch [port [queue]]', 1, 3, 'ro', show.queueGetConfig],
  ['add-flow', 'switch flow', 2, 2, 'rw', addFlow],
  ['add-flows', 'switch file', 2, 2, 'rw', addFlows],
  ['mod-flows', 'switch flow', 2, 2, 'rw', modFlows],
  ['del-flows', 'switch [flow]', 1, 2, 'rw', delFlows],
  ['replace-flows', 'switch file', 2, 2, 'rw', replaceFlows],
  ['diff-flows', 'source1 source2', 2, 2, 'rw', diffFlows],
];

const METERS_AND_PORTS: Row[] = [
  ['add-meter', 'switch meter', 2, 2, 'rw', groups.addMeter],
  ['mod-meter', 'switch meter', 2, 2, 'rw', groups.modMeter],
  ['del-meter', 'switch meter', 1, 2, 'rw', groups.delMeters],
  ['del-meters', 'switch', 1, 2, 'rw', groups.delMeters],
  ['dump-meter', 'switch meter', 1, 2, 'ro', groups.dumpMeters],
  ['dump-meters', 'switch', 1, 2, 'ro', groups.dumpMeters],
  ['meter-stats', 'switch [meter]', 1, 2, 'ro', groups.meterStats],
  ['meter-features', 'switch', 1, 1, 'ro', groups.meterFeatures],
  [
    ...(['packet-out', 'switch "in_port=<port> packet=<hex data> actions=..."'] as const),
    ...([2, MANY, 'rw', sendPacket] as const),
  ],
  ['dump-ports', 'switch [port]', 1, 2, 'ro', show.dumpPorts],
  ['dump-ports-desc', 'switch [port]', 1, 2, 'ro', show.dumpPortsDesc],
  ['mod-port', 'switch iface act', 3, 3, 'rw', show.modPort],
  ['mod-table', 'switch mod', 3, 3, 'rw', modTable],
  ['get-frags', 'switch', 1, 1, 'ro', show.getFrags],
  ['set-frags', 'switch frag_mode', 2, 2, 'rw', show.setFrags],
  ['probe', 'target', 1, 1, 'ro', probe],
  ['ping', 'target [n]', 1, 2, 'ro', ping],
  ['benchmark', 'target n count', 3, 3, 'ro', benchmark],
  ['dump-ipfix-bridge', 'switch', 1, 1, 'ro', extensions.dumpIpfixBridge],
  ['dump-ipfix-flow', 'switch', 1, 1, 'ro', extensions.dumpIpfixFlow],
  ['ct-flush-zone', 'switch zone', 2, 2, 'ro', extensions.ctFlushZone],
  [
    ...(['ct-flush', 'switch [zone=N] [ct-orig-tuple [ct-reply-tuple]]'] as const),
    ...([1, 4, 'ro', extensions.ctFlush] as const),
  ],
];

const GROUPS: Row[] = [
  ['ofp-parse', 'file', 1, 1, 'rw', ofpParse],
  ['ofp-parse-pcap', 'pcap', 1, MANY, 'rw', pcap.ofpParsePcap],
  ['add-group', 'switch group', 1, 2, 'rw', groups.addGroup],
  ['add-groups', 'switch file', 2, 2, 'rw', groups.addGroups],
  ['mod-group', 'switch group', 1, 2, 'rw', groups.modGroup],
  ['del-groups', 'switch [group]', 1, 2, 'rw', groups.delGroups],
  ['insert-buckets', 'switch [group]', 1, 2, 'rw', groups.insertBuckets],
  ['remove-buckets', 'switch [group]', 1, 2, 'rw', groups.removeBuckets],
  ['dump-groups', 'switch [group]', 1, 2, 'ro', groups.dumpGroups],
  ['dump-group-stats', 'switch [group]', 1, 2, 'ro', groups.dumpGroupStats],
  ['dump-group-features', 'switch', 1, 1, 'ro', groups.dumpGroupFeatures],
  ['bundle', 'switch file', 2, 2, 'rw', bundle],
  ['add-tlv-map', 'switch map', 2, 2, 'ro', extensions.addTlvMap],
  ['del-tlv-map', 'switch [map]', 1, 2, 'ro', extensions.delTlvMap],
  ['dump-tlv-map', 'switch', 1, 1, 'ro', extensions.dumpTlvMap],
];

const nothing: Run = async () => {};

/** Answered before a command runs (index.ts). */
const ABOUT: Row[] = [
  ['help', '', 0, MANY, 'ro', nothing],
  ['list-commands', '', 0, MANY, 'ro', nothing],
];

/** For tests of the formats: undocumented in ovs-ofctl(8). */
const TESTS: Row[] = [
  ['parse-flow', '', 1, 1, 'rw', parseFlowCommand],
  ['parse-flows', '', 1, 1, 'rw', parseFlowsCommand],
  ['parse-group', '', 1, 1, 'rw', groups.parseGroupCommand],
  ['parse-nx-match', '', 0, 0, 'rw', matches.parseNxm],
  ['parse-nxm', '', 0, 0, 'rw', matches.parseNxm],
  ['parse-oxm', '', 1, 1, 'rw', matches.parseOxm],
  ['parse-actions', '', 1, 1, 'rw', bytes.parseActionBytes],
  ['parse-instructions', '', 1, 1, 'rw', bytes.parseInstructionBytes],
  ['parse-ofp10-match', '', 0, 0, 'rw', matches.parseMatch10],
  ['parse-ofp11-match', '', 0, 0, 'rw', matches.parseMatch11],
  ['parse-pcap', '', 1, MANY, 'rw', pcap.parsePcap],
  ['check-vlan', '', 2, 2, 'rw', matches.checkVlan],
  ['print-error', '', 1, 1, 'rw', bytes.printError],
  ['encode-error-reply', '', 2, 2, 'rw', bytes.encodeErrorReply],
  ['ofp-print', '', 1, 2, 'rw', ofpPrint],
  ['encode-hello', '', 1, 1, 'rw', bytes.encodeHello],
  ['parse-key-value', '', 1, MANY, 'rw', bytes.parseKeyValue],
  ['compose-packet', '', 1, 2, 'ro', pcap.composePacket],
  ['parse-packet', '', 0, 0, 'ro', pcap.parsePacket],
];

/** Every command by its name. */
export const COMMANDS: ReadonlyMap<string, OfctlCommand> = new Map(
  [...SHOW, ...FLOWS, ...METERS_AND_PORTS, ...GROUPS, ...ABOUT, ...TESTS].map(
    ([name, syntax, min, max, mode, run]) => [
      name,
      { syntax, min, max, writes: mode === 'rw', run },
    ],
  ),
);

/** Names of all commands. */
export const COMMAND_NAMES: readonly string[] = [...COMMANDS.keys()];

/** What list-commands prints. */
export function listCommands(): string {
  const lines = [...COMMANDS].map(([name, { syntax }]) => `  ${name.padEnd(23)} ${syntax}\n`);
  return `The available commands are:\n${lines.join('')}`;
}
