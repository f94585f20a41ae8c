/**
 * The life of a switch daemon, around the switch itself.
 *
 *     parse ─> detach? ─> preflight ─> directories, logs, pid file ─> control socket ─> startDaemon
 *                                                                                         │
 *     exit <─ remove pid file <─ close control socket <─ close the switch <─ signal, exit command
 *
 * Whatever was made is undone in the reverse order, also when a later step of starting fails.
 *
 * Not for: bridges, ports and databases (src/vswitchd/daemon.ts).
 */
import { dirname, join } from 'node:path';
import { WarpClock } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { getLogger, logHub } from '../../common/log.js';
import { PollLoop } from '../../common/poll-loop.js';
import { loadNative } from '../../native/binding.js';
import { Coverage, registerCoverageCommands } from '../../unixctl/coverage.js';
import { MemoryReport, registerMemoryCommands } from '../../unixctl/memory.js';
import { UnixctlServer } from '../../unixctl/server.js';
import { registerTimeCommands } from '../../unixctl/time-commands.js';
import { registerVlogCommands } from '../../unixctl/vlog-commands.js';
import type { DaemonOptions, RunningDaemon } from '../../vswitchd/daemon-types.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { detach, isDetachedChild, reportReady } from './detach.js';
import { ensureDirectory } from './dirs.js';
import { DaemonLogs } from './logging.js';
import { DAEMON_NAME, type DaemonFlags, daemonUsage, parseDaemonOptions } from './options.js';
import { PidFile } from './pidfile.js';
import { preflight } from './preflight.js';
import { StopRequest, watchProcess } from './signals.js';
import { removeStaleSockets } from './stale.js';

export type StartDaemon = (options: DaemonOptions) => Promise<RunningDaemon>;

/** A switch that does not close within this is left behind; the kernel frees what it held. */
const CLOSE_MS_MAX = 10_000;

const log = getLogger('daemon');

/**
 * `tapswitch start` and `tapswitch vswitchd`: parses, runs, and returns the exit status at the end.
 *
 * @param load loads the switch, after the command line and the machine have been found in order
 */
export async function runDaemonCommand(
  command: 'start' | 'vswitchd',
  argv: string[],
  io: CliIo,
  load: () => Promise<StartDaemon>,
): Promise<number> {
  try {
    const request = parseDaemonOptions(command, argv, io.env);
    if (request.kind === 'help') io.stdout.write(daemonUsage(command, io.env));
    else if (request.kind === 'version') io.stdout.write(versionText(DAEMON_NAME));
    else if (request.flags.detach && !isDetachedChild(io.env)) return await detach(io);
    else return await runDaemon(request.flags, io, load);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}

async function runDaemon(
  flags: DaemonFlags,
  io: CliIo,
  load: () => Promise<StartDaemon>,
): Promise<number> {
  const problems = flags.dummy === 'off' ? preflight() : [];
  for (const problem of problems) printError(io, problem);
  if (problems.length > 0) return 1;
  const undo: (() => void | Promise<void>)[] = [];
  try {
    return await serve(flags, io, load, undo);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Starts everything, waits for the request to stop; each step puts on `undo` what reverses it. */
async function serve(
  flags: DaemonFlags,
  io: CliIo,
  load: () => Promise<StartDaemon>,
  undo: (() => void | Promise<void>)[],
): Promise<number> {
  const clock = new WarpClock();
  const logs = new DaemonLogs(clock);
  undo.push(() => logs.close());
  ensureDirectory(flags.dirs.runDir, 'OVS_RUNDIR');
  if (flags.logFile !== null) ensureDirectory(dirname(flags.logFile), 'OVS_LOGDIR');
  if (flags.database.kind === 'embedded') {
    ensureDirectory(dirname(flags.database.file), 'OVS_DBDIR');
  }
  const pidFile = acquirePidFile(flags);
  undo.push(() => pidFile.release());
  logs.configure(flags);
  for (const option of flags.ignored) log.info(`option ${option} has no effect here`);

  const stop = new StopRequest();
  undo.push(watchProcess(stop, logs, pidFile));
  const loop = new PollLoop(clock);
  undo.push(() => loop.stop());
  const { unixctl, coverage, memory } = await startControl(flags, logs, clock, loop, stop);
  undo.push(() => unixctl.close());
  loop.start();

  const startDaemon = await load();
  const daemon = await startDaemon({
    ...flags.dirs,
    database: flags.database,
    ssl: flags.ssl,
    dummy: flags.dummy,
    versionText: versionText(DAEMON_NAME),
    clock,
    loop,
    unixctl,
    coverage,
    memory,
    onFatal: (error) => stop.fail(error),
  });
  undo.push(() => closeDaemon(daemon, stop));
  await Promise.race([daemon.ready, stop.requested]);
  if (isDetachedChild(io.env)) becomeBackground(flags, io, logs, stop);
  const status = await stop.requested;
  if (stop.error) printError(io, stop.error);
  return status;
}

function acquirePidFile(flags: DaemonFlags): PidFile {
  const { fcntlLock } = loadNative();
  return PidFile.acquire(flags.pidFile, {
    lock: (fd) => fcntlLock(fd),
    pid: process.pid,
    overwrite: flags.overwritePidFile,
  });
}

/** The control socket with the commands that every daemon has. */
async function startControl(
  flags: DaemonFlags,
  logs: DaemonLogs,
  clock: WarpClock,
  loop: PollLoop,
  stop: StopRequest,
): Promise<{ unixctl: UnixctlServer; coverage: Coverage; memory: MemoryReport }> {
  const unixctl = new UnixctlServer(versionText(DAEMON_NAME));
  const coverage = new Coverage(clock.now());
  const memory = new MemoryReport();
  loop.add(coverage);
  registerVlogCommands(unixctl, { hub: logHub, patterns: logs.patterns, file: logs.file });
  registerCoverageCommands(unixctl, coverage);
  registerMemoryCommands(unixctl, memory);
  if (flags.dummy !== 'off') registerTimeCommands(unixctl, clock, loop);
  unixctl.register('exit', '[--cleanup]', 0, 1, (_command, [option]) => {
    // The answer goes out first: closing the socket flushes it.
    setImmediate(() => stop.request(option === '--cleanup'));
    return '';
  });
  for (const path of await removeStaleSockets(flags.dirs.runDir, DAEMON_NAME)) {
    log.info(`removed ${path} of a daemon that is gone`);
  }
  const usual = join(flags.dirs.runDir, `${DAEMON_NAME}.${process.pid}.ctl`);
  await unixctl.listen(flags.unixctl ?? usual);
  return { unixctl, coverage, memory };
}

/** The detached child is up: the parent may go, and the terminal with it. */
function becomeBackground(
  flags: DaemonFlags,
  io: CliIo,
  logs: DaemonLogs,
  stop: StopRequest,
): void {
  if (stop.error) return;
  if (flags.chdir) process.chdir('/');
  reportReady(io.env);
  logs.leaveConsole();
  // The parent read these; writing to them from now on is no error.
  process.stderr.on('error', () => {});
  process.stdout.on('error', () => {});
}

async function closeDaemon(daemon: RunningDaemon, stop: StopRequest): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`still closing after ${CLOSE_MS_MAX} ms`)),
      CLOSE_MS_MAX,
    );
  });
  try {
    await Promise.race([daemon.close({ cleanup: stop.cleanup }), late]);
  } catch (error) {
    log.err(`the switch did not close in good order: ${errorMessage(error)}`);
  } finally {
    clearTimeout(timer);
  }
}
