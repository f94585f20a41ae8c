/**
 * Locks that keep a second process from writing to the same database file.
 *
 * The real lock is an fcntl lock on `.NAME.~lock~`, which Open vSwitch's own server takes as well;
 * Node.js has none, so whoever has one passes it in. `lockWithPid` is what is used without: a file
 * that names the process which holds it.
 *
 * Not for: locks of the protocol (session-locks.ts).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { TapswitchError } from '../common/errors.js';

export interface Lock {
  release(): void;
}

/** Takes a lock on `name`, or throws TapswitchError (E_OVSDB_LOCKED) when somebody has it. */
export type LockFile = (name: string) => Lock;

/** The lock file's name for a database file, as ovsdb-server has it. */
export function lockFileOf(database: string): string {
  return path.join(path.dirname(database), `.${path.basename(database)}.~lock~`);
}

/** A lock that lasts as long as this process, at most. */
export const lockWithPid: LockFile = (name) => {
  const file = name.replace(/~lock~$/, '~pid~');
  const own = `${file}.${process.pid}`;
  fs.writeFileSync(own, processName(process.pid) as string);
  try {
    link(own, file);
  } finally {
    fs.unlinkSync(own);
  }
  let held = true;
  return {
    release() {
      if (held) fs.rmSync(file, { force: true });
      held = false;
    },
  };
};

/** Gives `own` the name `file`, which only one process can; removes what a dead one left. */
function link(own: string, file: string): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      fs.linkSync(own, file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = fs.readFileSync(file, 'utf8');
    const pid = Number.parseInt(holder, 10);
    if (processName(pid) === holder) throw locked(file, pid);
    fs.rmSync(file, { force: true });
  }
  throw locked(file, 0);
}

/** A process as `<pid> <start time>`, which no later process shares; null if there is none. */
function processName(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${startTime}`;
  } catch {
    return null;
  }
}

function locked(file: string, pid: number): TapswitchError {
  const who = pid === process.pid ? 'this process' : pid > 0 ? `pid ${pid}` : 'another process';
  return new TapswitchError(
    'E_OVSDB_LOCKED',
    `${file}: cannot lock file because it is already locked by ${who}`,
    'Stop the other server, or use another database file.',
  );
}
