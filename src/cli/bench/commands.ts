/**
 * Running the programs that the benchmark needs (ip, ping, iperf3, the switches), with time limits.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TapswitchError } from '../../common/errors.js';

export { sleep };

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

/**
 * Runs a command that must succeed; returns what it printed on standard output.
 * @throws TapswitchError E_BENCH_COMMAND
 */
export function command(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { env = process.env, timeoutMs = 20_000 } = options;
  const limits = { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 24 } as const;
  return new Promise((resolve, reject) => {
    execFile(argv[0], argv.slice(1), limits, (error, stdout, stderr) => {
      if (!error) {
        resolve(stdout);
        return;
      }
      const said = `${stdout}${stderr}`.trim().split('\n').slice(-3).join('; ');
      const what = `'${argv.join(' ')}' failed: ${said || error.message}`;
      reject(new TapswitchError('E_BENCH_COMMAND', what, undefined, { cause: error }));
    });
  });
}

/** True when the program is on the PATH. */
export function installed(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Starts a program that goes on running; its standard output is a pipe, or thrown away. */
export function background(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  stdout: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  return spawn(argv[0], argv.slice(1), { env, stdio: ['ignore', stdout, 'ignore'] });
}

/** Ends a program: the signal, and SIGKILL three seconds later. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(timer);
}

/**
 * Tries until `attempt` succeeds (does not throw, is not false).
 * @throws TapswitchError E_BENCH_COMMAND after `timeoutMs`
 */
export async function until(
  what: string,
  attempt: () => Promise<unknown>,
  timeoutMs = 15_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if ((await attempt()) !== false) return;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  const message = `waited ${timeoutMs} ms for ${what}`;
  throw new TapswitchError('E_BENCH_COMMAND', message, undefined, { cause: last });
}
