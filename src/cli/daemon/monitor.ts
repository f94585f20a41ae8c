/**
 * `--monitor`: a process that starts the daemon, and starts it again when it crashes.
 *
 *     (parent of --detach) ──> monitor ──> daemon: the same command line, TAPSWITCH_MONITORED=4
 *                                 ^           │
 *                                 └── ended: of a fault, or because it was told to?
 *
 * A crash is a signal that a fault raises, or an error that nobody caught. Any other end is the
 * monitor's end too, with the same status. Crashes that follow each other are restarted at most
 * every ten seconds.
 *
 * Not for: what the daemon does; its going to the background (detach.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import type { CliIo } from '../io.js';
import { isDetachedChild, READY_FD } from './detach.js';

/** Names the descriptor of the state that a daemon leaves to its successor. */
const MONITORED_VARIABLE = 'TAPSWITCH_MONITORED';
const STATE_FD = 4;
/** The exit status of a monitored daemon that ends for an error that nobody caught. */
export const CRASH_STATUS = 134;
const RESTART_INTERVAL_MS = 10_000;
/** Signals that a fault of the program raises. */
const FAULTS: readonly NodeJS.Signals[] = [
  'SIGABRT',
  'SIGALRM',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGPIPE',
  'SIGSEGV',
  'SIGTRAP',
  'SIGXCPU',
  'SIGXFSZ',
];

const log = getLogger('daemon');

/**
 * The descriptor of the state, in a daemon that a monitor started; otherwise null. The programs
 * that the daemon starts are not told.
 */
export function takeStateFd(env: NodeJS.ProcessEnv): number | null {
  const text = env[MONITORED_VARIABLE];
  delete env[MONITORED_VARIABLE];
  return text === undefined ? null : Number(text);
}

/** Is this process to watch over a daemon, not to be one? */
export function isMonitor(flags: { monitor: boolean }, env: NodeJS.ProcessEnv): boolean {
  return flags.monitor && env[MONITORED_VARIABLE] === undefined;
}

/** How a daemon ended. */
interface End {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Watches over daemons until one ends without a crash.
 *
 * @returns the exit status of the last one
 */
export async function monitorDaemon(io: CliIo, clock: Clock): Promise<number> {
  const monitor = new Monitor(io, clock);
  try {
    return await monitor.run();
  } finally {
    monitor.close();
  }
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];

class Monitor {
  private readonly stateFd = openNameless();
  /** The daemon leaves for the root directory; its successor finds relative names here. */
  private readonly cwd = process.cwd();
  private readonly stopped = new AbortController();
  private child: ChildProcess | null = null;

  constructor(
    private readonly io: CliIo,
    private readonly clock: Clock,
  ) {
    for (const signal of SIGNALS) process.on(signal, this.passOn);
  }

  /** Signals are for the daemon. Those that end it end the wait for a restart, too. */
  private readonly passOn = (signal: NodeJS.Signals): void => {
    if (this.child) this.child.kill(signal);
    else if (signal !== 'SIGHUP') this.stopped.abort();
  };

  async run(): Promise<number> {
    let restartedMs = Number.NEGATIVE_INFINITY;
    for (let isFirst = true; ; isFirst = false) {
      this.child = this.spawn(isFirst);
      const { pid } = this.child;
      const end = await ended(this.child);
      this.child = null;
      const how = end.signal ? `killed (${end.signal})` : `exit status ${end.status}`;
      const text = `pid ${pid} died, ${how}`;
      if (!isCrash(end)) {
        log.info(`${text}, exiting`);
        return end.status ?? 1;
      }
      const waitMs = restartedMs + RESTART_INTERVAL_MS - this.clock.now();
      if (waitMs > 0) {
        log.warn(`${text}, waiting until 10 seconds since last restart`);
        await sleep(waitMs, undefined, { signal: this.stopped.signal }).catch(() => {});
      }
      if (this.stopped.signal.aborted) return 0;
      restartedMs = this.clock.now();
      log.err(`${text}, restarting`);
    }
  }

  private spawn(isFirst: boolean): ChildProcess {
    const detached = isDetachedChild(this.io.env);
    // Whoever called us listens until the first daemon is up.
    const output = detached && !isFirst ? 'ignore' : 'inherit';
    const ready = detached && isFirst ? READY_FD : 'ignore';
    return spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      stdio: ['ignore', output, output, ready, this.stateFd],
      cwd: this.cwd,
      env: { ...this.io.env, [MONITORED_VARIABLE]: String(STATE_FD) },
    });
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.passOn);
    closeSync(this.stateFd);
  }
}

function isCrash({ status, signal }: End): boolean {
  return signal === null ? status === CRASH_STATUS : FAULTS.includes(signal);
}

function ended(child: ChildProcess): Promise<End> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => resolve({ status, signal }));
  });
}

/** Opens a new file for reading and writing, and takes its name away. */
function openNameless(): number {
  const directory = mkdtempSync(join(tmpdir(), 'tapswitch-'));
  try {
    return openSync(join(directory, 'state'), 'w+', 0o600);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
