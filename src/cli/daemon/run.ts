/**
 * `tapswitch start` and `tapswitch vswitchd`: the switch as a daemon.
 *
 * Not for: bridges, ports and databases (src/vswitchd/daemon.ts), the life of a daemon (life.ts).
 */
import { dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.js';
import { registerLogModules } from '../../common/log-modules.js';
import { registerTimeCommands } from '../../unixctl/time-commands.js';
import type { DaemonOptions, RunningDaemon } from '../../vswitchd/daemon-types.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { lockDatabase } from './db-lock.js';
import { ensureDirectory } from './dirs.js';
import { type DaemonContext, runDaemon } from './life.js';
import { preflight } from './preflight.js';
import {
  parseSwitchOptions,
  SWITCH_PROGRAM,
  type SwitchCommand,
  type SwitchFlags,
  switchUsage,
} from './switch-options.js';

export type StartDaemon = (options: DaemonOptions) => Promise<RunningDaemon>;

/**
 * Parses, runs, and returns the exit status at the end.
 *
 * @param load loads the switch, after the command line and the machine have been found in order
 */
export async function runDaemonCommand(
  command: SwitchCommand,
  argv: string[],
  io: CliIo,
  load: () => Promise<StartDaemon>,
): Promise<number> {
  try {
    const request = parseSwitchOptions(command, argv, io.env);
    if (request.kind === 'help') io.stdout.write(switchUsage(command, io.env));
    else if (request.kind === 'version') io.stdout.write(versionText(SWITCH_PROGRAM));
    else return await runSwitch(request.flags, io, load);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}

async function runSwitch(
  flags: SwitchFlags,
  io: CliIo,
  load: () => Promise<StartDaemon>,
): Promise<number> {
  registerLogModules();
  const problems = flags.dummy === 'off' ? preflight() : [];
  for (const problem of problems) printError(io, problem);
  if (problems.length > 0) return 1;
  await checkWeb(flags);
  return runDaemon(flags.daemon, io, (context) => startSwitch(flags, context, load));
}

async function startSwitch(
  flags: SwitchFlags,
  context: DaemonContext,
  load: () => Promise<StartDaemon>,
): Promise<RunningDaemon> {
  const { clock, loop, unixctl, coverage, memory, stop } = context;
  const { database, ssl, dummy, disableSystem } = flags;
  if (database.kind === 'embedded') ensureDirectory(dirname(database.file), 'OVS_DBDIR');
  if (dummy !== 'off') registerTimeCommands(unixctl, clock, loop);
  const startDaemon = await load();
  const daemon = await startDaemon({
    ...flags.daemon.dirs,
    database,
    ssl,
    dummy,
    disableSystem,
    versionText: versionText(SWITCH_PROGRAM),
    clock,
    loop,
    unixctl,
    coverage,
    memory,
    lockDatabase,
    onFatal: (error) => stop.fail(error),
  });
  return flags.web === null ? daemon : withWeb(flags, clock, daemon);
}

/** What is wrong with the console's options keeps the switch from starting. */
async function checkWeb(flags: SwitchFlags): Promise<void> {
  if (flags.web === null) return;
  const { runDir } = flags.daemon.dirs;
  ensureDirectory(runDir, 'OVS_RUNDIR');
  const { checkWebFlags } = await import('./web-child.js');
  flags.web = checkWebFlags(flags.web, runDir);
}

/** The switch and its console, which comes up after the switch, is waited for, and goes with it. */
async function withWeb(
  { web, daemon: { dirs, unixctl, program }, database, ssl }: SwitchFlags,
  clock: Clock,
  daemon: RunningDaemon,
): Promise<RunningDaemon> {
  if (web === null) return daemon;
  const { WebChild } = await import('./web-child.js');
  const child = new WebChild({
    flags: web,
    clock,
    runDir: dirs.runDir,
    ssl,
    database: database.kind === 'embedded' ? `unix:${database.socket}` : database.remotes.join(','),
    control: unixctl ?? join(dirs.runDir, `${program}.${process.pid}.ctl`),
  });
  const ready = daemon.ready.then(() => {
    child.start();
    return child.up;
  });
  const close: RunningDaemon['close'] = async (options) => {
    await Promise.all([child.close(), daemon.close(options)]);
  };
  return { ready, close };
}
