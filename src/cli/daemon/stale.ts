/**
 * Clears away what a daemon that was killed could not remove: its control sockets.
 *
 * Call it while holding the pid file, so that no other daemon is starting in the directory. Other
 * sockets (BRIDGE.mgmt, db.sock) are replaced by those who serve them.
 */
import { readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isServed } from '../../unixctl/server.js';

/**
 * Removes `PROGRAM.PID.ctl` files in `runDir` that no process serves.
 * @returns the paths removed
 */
export async function removeStaleSockets(runDir: string, program: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of readdirSync(runDir)) {
    if (!name.startsWith(`${program}.`) || !/^\.\d+\.ctl$/.test(name.slice(program.length))) {
      continue;
    }
    const path = join(runDir, name);
    if (await isServed(path)) continue;
    unlinkSync(path);
    removed.push(path);
  }
  return removed;
}
