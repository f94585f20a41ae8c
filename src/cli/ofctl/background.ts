/**
 * `monitor --detach`: the command goes to the background, and keeps printing where it printed.
 *
 * Not for: daemons, whose terminal is taken away (../daemon/detach.ts).
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { READY_FD, READY_VARIABLE } from '../daemon/detach.js';
import type { CliIo } from '../io.js';

/**
 * Runs this very command line again in the background.
 * @returns 0 once it is up, else its exit status
 */
export function detachWithOutput(io: CliIo): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...io.env, [READY_VARIABLE]: String(READY_FD) },
  });
  const readiness = child.stdio[READY_FD] as Readable;
  return new Promise((resolve, reject) => {
    readiness.once('data', () => {
      readiness.destroy();
      child.unref();
      resolve(0);
    });
    child.once('error', reject);
    child.once('close', (status) => resolve(status || 1));
  });
}
