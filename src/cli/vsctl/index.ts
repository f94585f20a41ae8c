/**
 * `tapswitch vsctl`: configures a switch through its database, as ovs-vsctl(8) does, with the same
 * commands, text and exit status.
 *
 *     options.ts, command-line.ts   what was typed
 *     run.ts                        connect, transact, print, wait
 *     *-commands.ts, show.ts        the commands          value.ts, condition.ts   their syntax
 *     config-cache.ts, lookup.ts    finding things        table.ts                 printing records
 *
 * Not for: OpenFlow (ofctl) or a running daemon (appctl).
 */

import { WarpClock } from '../../common/clock.js';
import { getLogger, type LogSink, logHub } from '../../common/log.js';
import { LogPatterns } from '../../common/log-pattern.js';
import { FileSink } from '../../common/log-sinks.js';
import { applyLogSpec, setMaximumVerbosity } from '../../common/log-spec.js';
import { openVSwitchSchema } from '../../ovsdb/open-vswitch-schema.js';
import { STATUS_TIMEOUT, TimeoutError, within } from '../appctl/timeout.js';
import { directories } from '../daemon/dirs.js';
import { UsageError } from '../getopt.js';
import { hintIfNotRunning } from '../switch-hint.js';
import { versionText } from '../version.js';
import { escapeArgs, parseCommands } from './command-line.js';
import { COMMAND_TABLE, completionLine } from './commands.js';
import type { VsctlIo } from './context.js';
import { CtlError, CtlExit, DbConnectionError } from './errors.js';
import { type GlobalOptions, parseOptions } from './options.js';
import { VsctlRun } from './run.js';
import { optionsText, usageText } from './usage.js';

/** Sends warnings to the standard error while a command runs. */
class StderrSink implements LogSink {
  readonly destination = 'console';
  private readonly clock = new WarpClock();

  constructor(
    private readonly io: VsctlIo,
    private readonly patterns: LogPatterns,
  ) {}

  write(
    sequence: number,
    module: string,
    level: Parameters<LogSink['write']>[2],
    message: string,
  ): void {
    const line = this.patterns.format('console', {
      sequence,
      module,
      level,
      message,
      program: this.io.programName,
      wallMs: this.clock.wallNow(),
      uptimeMs: this.clock.now(),
    });
    this.io.stderr.write(`${line}\n`);
  }
}

/** Attaches log sinks as the options ask. Returns what detaches them. */
function startLogging(options: GlobalOptions, io: VsctlIo): () => void {
  const patterns = new LogPatterns();
  const sinks: LogSink[] = [new StderrSink(io, patterns)];
  logHub.setDefault('console', 'warn');
  for (const spec of options.verbosity) {
    const fault = spec === null ? null : applyLogSpec(logHub, patterns, spec);
    if (fault) throw new CtlError(`processing "${spec}": ${fault}`);
    if (spec === null) setMaximumVerbosity(logHub);
  }
  if (options.logFile !== undefined) {
    const { logDir } = directories(io.env);
    const file = new FileSink({ patterns, clock: new WarpClock(), program: io.programName });
    file.open(options.logFile ?? `${logDir}/${io.programName}.log`);
    sinks.push(file);
  }
  logHub.sinks.push(...sinks);
  return () => {
    for (const sink of sinks) {
      logHub.sinks.splice(logHub.sinks.indexOf(sink), 1);
      if (sink instanceof FileSink) sink.close();
    }
  };
}

function informationText(options: GlobalOptions, io: VsctlIo): string {
  switch (options.action) {
    case 'help':
      return usageText(io.programName, openVSwitchSchema(), io.env);
    case 'version':
      return `${versionText(io.programName)}DB Schema ${openVSwitchSchema().version}\n`;
    case 'commands':
      return [...COMMAND_TABLE.values()].map(completionLine).join('');
    default:
      return optionsText();
  }
}

async function execute(options: GlobalOptions, argv: string[], io: VsctlIo): Promise<void> {
  const commands = parseCommands(options.words, COMMAND_TABLE, options.local);
  const logger = getLogger('vsctl');
  const called = `Called as ${escapeArgs([io.programName, ...argv])}`;
  if (commands.some(({ syntax }) => syntax.writes)) logger.info(called);
  else logger.dbg(called);
  const run = new VsctlRun(options, commands, argv, io);
  try {
    const timeoutMs = options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : null;
    await within(timeoutMs, run.run());
  } finally {
    run.close();
  }
}

function failureStatus(error: unknown, io: VsctlIo): number {
  if (error instanceof CtlExit) return error.status;
  if (error instanceof TimeoutError) {
    getLogger('fatal_signal').warn('terminating with signal 14 (Alarm clock)');
    return STATUS_TIMEOUT;
  }
  if (!(error instanceof CtlError) && !(error instanceof UsageError)) throw error;
  io.stderr.write(`${io.programName}: ${error.message}\n`);
  if (error instanceof DbConnectionError && error.local) hintIfNotRunning(io);
  if (error instanceof CtlError && error.suggestion !== null) {
    io.stderr.write(`${io.programName}: did you mean "${error.suggestion}"?\n`);
  }
  return 1;
}

/**
 * Runs a command line.
 *
 * @param argv what follows the command's name
 * @returns the exit status: 0; 1 for an error; 2 if br-exists finds no bridge; 142 at the timeout
 */
export async function runVsctl(argv: string[], io: VsctlIo): Promise<number> {
  let stopLogging = () => {};
  try {
    const options = parseOptions(argv, COMMAND_TABLE, io.env);
    if (options.action !== 'run') {
      io.stdout.write(informationText(options, io));
      return 0;
    }
    stopLogging = startLogging(options, io);
    await execute(options, argv, io);
    return 0;
  } catch (error) {
    return failureStatus(error, io);
  } finally {
    stopLogging();
  }
}
