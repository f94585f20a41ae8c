/**
 * The life of a daemon, around what it serves.
 *
 *     detach? ─> directories, logs, pid file ─> control socket, main loop ─> service
 *                                                                              │
 *     exit <─ remove pid file <─ close control socket <─ close the service <─ signal, exit command
 *
 * Whatever was made is undone in the reverse order, also when a later step of starting fails.
 *
 * Not for: what is served: the switch (run.ts), a database alone (../ovsdb-server).
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WarpClock } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { getLogger, logHub } from '../../common/log.js';
import { PollLoop } from '../../common/poll-loop.js';
import { loadNative } from '../../native/binding.js';
import { Coverage, registerCoverageCommands } from '../../unixctl/coverage.js';
import { MemoryReport, registerMemoryCommands } from '../../unixctl/memory.js';
import { UnixctlServer } from '../../unixctl/server.js';
import { registerVlogCommands } from '../../unixctl/vlog-commands.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { detach, isDetachedChild, reportReady } from './detach.js';
import { ensureDirectory } from './dirs.js';
import { KeptState } from './kept-state.js';
import { DaemonLogs } from './logging.js';
import { CRASH_STATUS, isMonitor, monitorDaemon, takeStateFd } from './monitor.js';
import type { DaemonFlags } from './options.js';
import { PidFile } from './pidfile.js';
import { StopRequest, watchProcess } from './signals.js';
import { removeStaleSockets } from './stale.js';

/** What a daemon serves, once it has been started. */
export interface Service {
  /** Resolves when the service is up. */
  readonly ready: Promise<void>;
  close(options: { cleanup: boolean }): Promise<void>;
}

/** What a service finds in place when it starts. */
export interface DaemonContext {
  clock: WarpClock;
  loop: PollLoop;
  unixctl: UnixctlServer;
  coverage: Coverage;
  memory: MemoryReport;
  stop: StopRequest;
  /** What the process before left, when --monitor starts this one in its place. */
  kept: KeptState;
}

export type StartService = (context: DaemonContext) => Promise<Service>;

/** What is undone at the end, last made first. */
type UndoStack = (() => void | Promise<void>)[];

/** A service that does not close within this is left behind; the kernel frees what it held. */
const CLOSE_MS_MAX = 10_000;

const log = getLogger('daemon');

/**
 * Runs a daemon until it is told to end, or hands it to the background.
 *
 * @returns the exit status
 * @throws what kept it from starting
 */
export async function runDaemon(
  flags: DaemonFlags,
  io: CliIo,
  startService: StartService,
): Promise<number> {
  if (flags.detach && !isDetachedChild(io.env)) return background(flags, io);
  const undo: UndoStack = [];
  try {
    nameProcess(flags.program);
    if (isMonitor(flags, io.env)) return await watchOver(flags, io, undo);
    return await live(flags, io, startService, undo);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Scripts around Open vSwitch know a daemon's process by the program's name. */
function nameProcess(program: string): void {
  try {
    writeFileSync('/proc/self/comm', program);
  } catch {
    // Without /proc there is nobody to look there.
  }
}

/** Watches over the daemon in a process of its own. @returns the exit status */
function watchOver(flags: DaemonFlags, io: CliIo, undo: UndoStack): Promise<number> {
  const clock = new WarpClock();
  const logs = new DaemonLogs(clock, flags.program);
  undo.push(() => logs.close());
  if (flags.logFile !== null) ensureDirectory(dirname(flags.logFile), 'OVS_LOGDIR');
  logs.configure(flags);
  return monitorDaemon(io, clock);
}

/** Hands the daemon to the background. @returns the exit status of this process */
function background(flags: DaemonFlags, io: CliIo): Promise<number> {
  return detach(io, (pid) => {
    if (flags.announce) io.stdout.write(`running, pid ${pid}, log ${flags.logFile}\n`);
  });
}

/** Starts everything, waits for the request to stop; each step puts on `undo` what reverses it. */
async function live(
  flags: DaemonFlags,
  io: CliIo,
  startService: StartService,
  undo: UndoStack,
): Promise<number> {
  const clock = new WarpClock();
  const logs = new DaemonLogs(clock, flags.program);
  undo.push(() => logs.close());
  ensureDirectory(flags.dirs.runDir, 'OVS_RUNDIR');
  if (flags.logFile !== null) ensureDirectory(dirname(flags.logFile), 'OVS_LOGDIR');
  const pidFile = acquirePidFile(flags);
  undo.push(() => pidFile?.release());
  logs.configure(flags);
  for (const option of flags.ignored) log.dbg(`option ${option} has no effect here`);

  const stop = new StopRequest();
  undo.push(watchProcess(stop, logs, pidFile));
  const loop = new PollLoop(clock);
  undo.push(() => loop.stop());
  const stateFd = takeStateFd(io.env);
  const kept = new KeptState(stateFd);
  const context = { ...(await startControl(flags, logs, clock, loop, stop)), kept };
  undo.push(() => context.unixctl.close());
  loop.start();

  const service = await startService(context);
  undo.push(() => closeService(service, stop));
  await Promise.race([service.ready, stop.requested]);
  if (isDetachedChild(io.env)) becomeBackground(flags, io, logs, stop);
  const status = await stop.requested;
  if (stop.error) printError(io, stop.error);
  return stop.crashed && stateFd !== null ? CRASH_STATUS : status;
}

function acquirePidFile(flags: DaemonFlags): PidFile | null {
  if (flags.pidFile === null) return null;
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
): Promise<Omit<DaemonContext, 'kept'>> {
  const { program } = flags;
  const unixctl = new UnixctlServer(versionText(program));
  const coverage = new Coverage(clock.now());
  const memory = new MemoryReport();
  loop.add(coverage);
  registerVlogCommands(unixctl, { hub: logHub, patterns: logs.patterns, file: logs.file });
  registerCoverageCommands(unixctl, coverage);
  registerMemoryCommands(unixctl, memory);
  unixctl.register('tapswitch/logs', null, 0, 1, (_command, [after = '0']) => {
    const lines = logs.recent.after(Number(after) || 0);
    return `${JSON.stringify({ file: logs.file.isOpen ? logs.file.path : null, lines })}\n`;
  });
  unixctl.register('exit', '[--cleanup]', 0, 1, (_command, [option]) => {
    // The answer goes out first: closing the socket flushes it.
    setImmediate(() => stop.request(option === '--cleanup'));
    return '';
  });
  if (flags.pidFile !== null) {
    for (const path of await removeStaleSockets(flags.dirs.runDir, program)) {
      log.info(`removed ${path} of a daemon that is gone`);
    }
  }
  await unixctl.listen(flags.unixctl ?? join(flags.dirs.runDir, `${program}.${process.pid}.ctl`));
  return { clock, loop, unixctl, coverage, memory, stop };
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

async function closeService(service: Service, stop: StopRequest): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`still closing after ${CLOSE_MS_MAX} ms`)),
      CLOSE_MS_MAX,
    );
  });
  try {
    await Promise.race([service.close({ cleanup: stop.cleanup }), late]);
  } catch (error) {
    log.err(`did not close in good order: ${errorMessage(error)}`);
  } finally {
    clearTimeout(timer);
  }
}
