/**
 * The pid file: tells others which process serves a run directory, and keeps a second one out.
 *
 * As in Open vSwitch the file holds the process id and a POSIX write lock that lives as long as the
 * process, so that `ovs-appctl` can tell a live file from a stale one, and a second daemon (of
 * either make) is refused without a race:
 *
 *     PATH.tmp    open, lock (one starter at a time) ─> PATH unlocked by anyone? ─> write pid
 *                                                                                     │
 *     PATH        <──────────────────────── rename, still locked ─────────────────────┘
 *
 * POSIX drops the lock when *any* descriptor of the file is closed in the process that holds it:
 * nothing else in the process may open this file.
 */
import { closeSync, ftruncateSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage, TapswitchError } from '../../common/errors.js';

/** Takes a write lock on a whole file: 0, or the pid of the process that has it. */
export type FileLocker = (fd: number) => number;

export interface PidFileOptions {
  lock: FileLocker;
  pid: number;
  /** Replace the file even though a process holds it (--overwrite-pidfile). */
  overwrite?: boolean;
}

/** Paths that this process holds: asking the kernel would drop the lock (see above). */
const held = new Set<string>();

export class PidFile {
  private released = false;

  private constructor(
    readonly path: string,
    private readonly fd: number,
  ) {}

  /**
   * Writes and locks the pid file at `path`.
   *
   * @throws TapswitchError E_DAEMON_RUNNING when a live process holds it, E_PIDFILE when it
   *   cannot be written
   */
  static acquire(path: string, options: PidFileOptions): PidFile {
    if (held.has(path)) throw alreadyRunning(path, options.pid);
    const temporary = options.overwrite ? `${path}.tmp${options.pid}` : `${path}.tmp`;
    const fd = open(temporary, 'a+');
    let locked = false;
    try {
      const starter = options.lock(fd);
      if (starter !== 0) throw alreadyRunning(path, starter);
      locked = true;
      if (!options.overwrite) refuseLiveHolder(path, options.lock);
      ftruncateSync(fd);
      writeSync(fd, `${options.pid}\n`);
      renameSync(temporary, path);
    } catch (cause) {
      if (locked) unlinkQuietly(temporary);
      closeSync(fd);
      if (cause instanceof TapswitchError) throw cause;
      throw pidFileError(path, cause);
    }
    held.add(path);
    return new PidFile(path, fd);
  }

  /** Removes the file and gives the lock up. Idempotent. */
  release(): void {
    if (this.released) return;
    this.released = true;
    unlinkQuietly(this.path);
    closeSync(this.fd);
    held.delete(this.path);
  }
}

/** Throws when a process holds `path`; removes it when nobody does. */
function refuseLiveHolder(path: string, lock: FileLocker): void {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    // Whoever gets the lock of a stale file, and nobody else, may remove it.
    const holder = lock(fd);
    if (holder !== 0) throw alreadyRunning(path, holder);
    unlinkQuietly(path);
  } finally {
    closeSync(fd);
  }
}

function open(path: string, flags: string): number {
  try {
    return openSync(path, flags, 0o644);
  } catch (cause) {
    throw pidFileError(path, cause);
  }
}

function alreadyRunning(path: string, pid: number): TapswitchError {
  return new TapswitchError(
    'E_DAEMON_RUNNING',
    `${path}: already running as pid ${pid}: run directory ${dirname(path)} belongs to it`,
    `stop it (kill ${pid}), or choose another run directory with OVS_RUNDIR`,
  );
}

function pidFileError(path: string, cause: unknown): TapswitchError {
  const message = `${path}: cannot write the pid file (${errorMessage(cause)})`;
  const hint = 'run as root, or choose another run directory with OVS_RUNDIR';
  return new TapswitchError('E_PIDFILE', message, hint, { cause });
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody removed it by hand: there is nothing left to remove.
  }
}
