/**
 * `tapswitch ofctl`: sees and changes the OpenFlow tables of a switch, as ovs-ofctl(8) does, with
 * the same commands, text and exit status.
 *
 *     options.ts                    what was typed
 *     session.ts                    connections to switches, names of ports and tables
 *     *-commands.ts                 the commands
 *     flow-source.ts                flows from files and switches
 *
 * The flow syntax itself is src/openflow/syntax. Not for: databases (vsctl) or a running daemon
 * (appctl).
 */
import { OfpError } from '../../openflow/errors.js';
import { STATUS_TIMEOUT, TimeoutError, within } from '../appctl/timeout.js';
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning } from '../switch-hint.js';
import { versionText } from '../version.js';
import { closest } from '../vsctl/suggest.js';
import { bundle } from './bundle-commands.js';
import { diffFlows, replaceFlows } from './diff-commands.js';
import { fatal, OfctlExit, OfctlFatal, OfctlNoSwitch, OfctlUnknownCommand } from './errors.js';
import {
  addFlow,
  addFlows,
  delFlows,
  dumpAggregate,
  dumpFlows,
  modFlows,
} from './flow-commands.js';
import * as groups from './group-commands.js';
import { type OfctlOptions, parseOptions } from './options.js';
import { monitor, ping, probe, sendPacket, snoop } from './packet-commands.js';
import { ofpParse, ofpPrint, parseFlowCommand, parseFlowsCommand } from './parse-commands.js';
import { Session } from './session.js';
import {
  dumpDesc,
  dumpPorts,
  dumpPortsDesc,
  dumpTables,
  getFrags,
  modPort,
  queueGetConfig,
  queueStats,
  setFrags,
  show,
} from './show-commands.js';
import { usageText } from './usage.js';

interface Command {
  min: number;
  max: number;
  /** Changes the switch: refused with --read-only. */
  writes: boolean;
  run(session: Session, args: string[]): Promise<void>;
}

const reads = (min: number, max: number, run: Command['run']): Command => {
  return { min, max, writes: false, run };
};
const writes = (min: number, max: number, run: Command['run']): Command => {
  return { min, max, writes: true, run };
};

const COMMANDS: Record<string, Command> = {
  show: reads(1, 1, show),
  monitor: reads(1, 3, monitor),
  snoop: reads(1, 1, snoop),
  'dump-desc': reads(1, 1, dumpDesc),
  'dump-tables': reads(1, 1, dumpTables),
  'dump-flows': reads(1, 2, dumpFlows),
  'dump-aggregate': reads(1, 2, dumpAggregate),
  'queue-stats': reads(1, 3, queueStats),
  'queue-get-config': reads(1, 3, queueGetConfig),
  'add-flow': writes(2, 2, addFlow),
  'add-flows': writes(2, 2, addFlows),
  'mod-flows': writes(2, 2, modFlows),
  'del-flows': writes(1, 2, delFlows),
  'replace-flows': writes(2, 2, replaceFlows),
  'diff-flows': writes(2, 2, diffFlows),
  'add-meter': writes(2, 2, groups.addMeter),
  'mod-meter': writes(2, 2, groups.modMeter),
  'del-meter': writes(1, 2, groups.delMeters),
  'del-meters': writes(1, 2, groups.delMeters),
  'dump-meter': reads(1, 2, groups.dumpMeters),
  'dump-meters': reads(1, 2, groups.dumpMeters),
  'meter-stats': reads(1, 2, groups.meterStats),
  'meter-features': reads(1, 1, groups.meterFeatures),
  'add-group': writes(1, 2, groups.addGroup),
  'add-groups': writes(2, 2, groups.addGroups),
  'mod-group': writes(1, 2, groups.modGroup),
  'del-groups': writes(1, 2, groups.delGroups),
  'insert-buckets': writes(1, 2, groups.insertBuckets),
  'remove-buckets': writes(1, 2, groups.removeBuckets),
  'dump-groups': reads(1, 2, groups.dumpGroups),
  'dump-group-stats': reads(1, 2, groups.dumpGroupStats),
  'dump-group-features': reads(1, 1, groups.dumpGroupFeatures),
  'parse-group': writes(1, 1, groups.parseGroupCommand),
  bundle: writes(2, 2, bundle),
  'packet-out': writes(2, Number.POSITIVE_INFINITY, sendPacket),
  'dump-ports': reads(1, 2, dumpPorts),
  'dump-ports-desc': reads(1, 2, dumpPortsDesc),
  'mod-port': writes(3, 3, modPort),
  'get-frags': reads(1, 1, getFrags),
  'set-frags': writes(2, 2, setFrags),
  probe: reads(1, 1, probe),
  ping: reads(1, 2, ping),
  'ofp-parse': writes(1, 1, ofpParse),
  'parse-flow': writes(1, 1, parseFlowCommand),
  'parse-flows': writes(1, 1, parseFlowsCommand),
  'ofp-print': writes(1, 2, ofpPrint),
};

/** Names of all commands. */
export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

async function runCommand(session: Session): Promise<void> {
  const { args, readOnly } = session.options;
  const [name, ...rest] = args;
  if (name === undefined) fatal('missing command name; use --help for help');
  if (name === 'help') {
    session.print(usageText(session.io.programName));
    return;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const message = `unknown command '${name}'; use --help for help`;
    throw new OfctlUnknownCommand(message, closest(COMMAND_NAMES, name));
  }
  if (rest.length < command.min) {
    fatal(`'${name}' command requires at least ${command.min} arguments`);
  }
  if (rest.length > command.max) {
    fatal(`'${name}' command takes at most ${command.max} arguments`);
  }
  if (readOnly && command.writes) fatal(`'${name}' command does not work in read only mode`);
  await command.run(session, rest);
}

async function runOptions(options: OfctlOptions, io: CliIo): Promise<number> {
  if (options.action === 'help') {
    io.stdout.write(usageText(io.programName));
    return 0;
  }
  if (options.action === 'version') {
    io.stdout.write(`${versionText(io.programName)}OpenFlow versions 0x1:0x6\n`);
    return 0;
  }
  const session = new Session(options, io);
  try {
    await within(options.timeoutMs, runCommand(session));
    return 0;
  } finally {
    session.closeAll();
  }
}

/**
 * Runs a command.
 * @param argv what follows `ofctl`
 * @returns the exit status: 0, 1 for errors, 2 when diff-flows finds differences.
 */
export async function runOfctl(argv: string[], io: CliIo): Promise<number> {
  try {
    return await runOptions(parseOptions(argv), io);
  } catch (e) {
    if (e instanceof OfctlExit) return e.status;
    if (e instanceof TimeoutError) {
      io.stderr.write('Alarm clock\n');
      return STATUS_TIMEOUT;
    }
    if (e instanceof OfctlFatal || e instanceof UsageError || e instanceof OfpError) {
      io.stderr.write(`${io.programName}: ${e.message}\n`);
      if (e instanceof OfctlNoSwitch) hintIfNotRunning(io);
      if (io.hints === true && e instanceof OfctlUnknownCommand && e.suggestion !== null) {
        io.stderr.write(`${io.programName}: did you mean "${e.suggestion}"?\n`);
      }
      return 1;
    }
    throw e;
  }
}
