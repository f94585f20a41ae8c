/**
 * `--detach`: the daemon goes to the background, and the command returns when it is up.
 *
 *     parent  ── spawn, own session ──>  child: the same command line, with TAPSWITCH_READY_FD=3
 *       │ <── standard error, passed on ───┤  (messages and errors of starting)
 *       │ <── its pid on descriptor 3 ──────┤
 *       exit 0                             └─ goes on without a terminal
 *
 * A child that ends before it is ready gives the parent its exit status, and has told why.
 */
import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { type CliIo, printError } from '../io.js';

export const READY_VARIABLE = 'TAPSWITCH_READY_FD';
export const READY_FD = 3;

/** Whether this process is the child of `--detach`. */
export function isDetachedChild(env: NodeJS.ProcessEnv): boolean {
  return env[READY_VARIABLE] !== undefined;
}

/**
 * Runs this very command line again in the background.
 *
 * @param onReady told the daemon's process id when it is up
 * @returns the exit status for this process: 0 once the child is ready
 */
export function detach(io: CliIo, onReady: (pid: number) => void): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...io.env, [READY_VARIABLE]: String(READY_FD) },
  });
  const messages = child.stderr as Readable;
  const readiness = child.stdio[READY_FD] as Readable;
  messages.on('data', (chunk) => io.stderr.write(chunk));
  return new Promise((resolve) => {
    readiness.once('data', (chunk) => {
      messages.destroy();
      readiness.destroy();
      child.unref();
      onReady(Number(String(chunk)));
      resolve(0);
    });
    child.once('error', (error) => {
      printError(io, error);
      resolve(1);
    });
    // 'close' comes after all that the child wrote has been passed on.
    child.once('close', (status, signal) => {
      if (signal) io.stderr.write(`${io.programName}: child died of ${signal} while starting\n`);
      resolve(status || 1);
    });
  });
}

/** In the child: tells the parent that the daemon is up. */
export function reportReady(env: NodeJS.ProcessEnv): void {
  const fd = Number(env[READY_VARIABLE]);
  delete env[READY_VARIABLE];
  try {
    writeSync(fd, `${process.pid}\n`);
    closeSync(fd);
  } catch {
    // The parent was interrupted: nobody waits any more, and the daemon is up all the same.
  }
}
