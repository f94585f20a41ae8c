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
import { WarpClock } from '../../common/clock.js';
import { logCodecWarnings } from '../../openflow/codec/warnings.js';
import { OfpError } from '../../openflow/errors.js';
import { STATUS_TIMEOUT, TimeoutError, within } from '../appctl/timeout.js';
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning } from '../switch-hint.js';
import { versionText } from '../version.js';
import { closest } from '../vsctl/suggest.js';
import { COMMAND_NAMES, COMMANDS, listCommands } from './commands.js';
import { fatal, OfctlExit, OfctlFatal, OfctlNoSwitch, OfctlUnknownCommand } from './errors.js';
import { startLogging } from './logging.js';
import { type OfctlOptions, optionLines, parseOptions } from './options.js';
import { Session } from './session.js';
import { usageText } from './usage.js';

async function runCommand(session: Session): Promise<void> {
  const { args, readOnly } = session.options;
  const [name, ...rest] = args;
  if (name === undefined) fatal('missing command name; use --help for help');
  if (name === 'help') {
    session.print(usageText(session.io.programName));
    return;
  }
  if (name === 'list-commands') {
    session.print(listCommands());
    return;
  }
  const command = COMMANDS.get(name);
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
  if (options.action === 'option') {
    io.stdout.write(optionLines());
    return 0;
  }
  const stopLogging = startLogging(options.log, io);
  logCodecWarnings(new WarpClock());
  const session = new Session(options, io, stopLogging);
  try {
    await within(options.timeoutMs, runCommand(session));
    return 0;
  } finally {
    session.closeAll();
    stopLogging();
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
      if (io.hints === true && e instanceof OfctlFatal && e.hint !== null) {
        io.stderr.write(`  hint: ${e.hint}\n`);
      }
      if (io.hints === true && e instanceof OfctlUnknownCommand && e.suggestion !== null) {
        io.stderr.write(`${io.programName}: did you mean "${e.suggestion}"?\n`);
      }
      return 1;
    }
    throw e;
  }
}
