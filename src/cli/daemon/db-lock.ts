/**
 * The lock of a database file: the POSIX lock on `.NAME.~lock~` that ovsdb-server takes, too, so
 * that neither opens what the other writes.
 *
 * As POSIX locks belong to the process, a second opening in this process is kept out by a list.
 */
import { closeSync, openSync } from 'node:fs';
import { TapswitchError } from '../../common/errors.js';
import { loadNative } from '../../native/binding.js';

const held = new Set<string>();

/**
 * Takes the lock file `path`.
 * @throws TapswitchError E_OVSDB_LOCKED, naming the process that holds it
 */
export function lockDatabase(path: string): { release(): void } {
  if (held.has(path)) throw locked(path, process.pid);
  const fd = openSync(path, 'a+', 0o600);
  const holder = loadNative().fcntlLock(fd);
  if (holder !== 0) {
    closeSync(fd);
    throw locked(path, holder);
  }
  held.add(path);
  return {
    release: () => {
      if (held.delete(path)) closeSync(fd);
    },
  };
}

function locked(path: string, pid: number): TapswitchError {
  return new TapswitchError(
    'E_OVSDB_LOCKED',
    `${path}: cannot lock file because it is already locked by pid ${pid}`,
    'stop the other server, or use another database file',
  );
}
