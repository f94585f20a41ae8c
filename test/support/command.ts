/**
 * Running other programs from tests: every command has a time limit, its output is kept, and what
 * is still running at the end is ended by the cleanup stack.
 *
 * Not for: knowing about namespaces (lab.ts) or the switch (switch.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** What a finished command left behind. `status` is -1 when it was ended by a signal. */
export interface Finished {
  status: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Milliseconds until the command is killed and the promise rejects. */
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  input?: string;
  cwd?: string;
}

const MAX_OUTPUT_CHARS = 4_000_000;

/** Runs a command to its end, whatever its status. Rejects when it cannot start or is too slow. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { timeoutMs = 20_000, env = process.env, input = '', cwd } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { env, cwd });
    const result: Finished = { status: -1, stdout: '', stderr: '' };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(`'${argv.join(' ')}' ran longer than ${timeoutMs} ms; so far: ${text(result)}`),
      );
    }, timeoutMs);
    collect(child, result);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      result.status = status ?? -1;
      resolve(result);
    });
    child.stdin.on('error', () => {}); // a command that does not read its input is fine
    child.stdin.end(input);
  });
}

/** Runs a command that must succeed; returns its standard output. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.status !== 0) {
    throw new Error(`'${argv.join(' ')}' ended with status ${result.status}: ${text(result)}`);
  }
  return result.stdout;
}

function text(result: Finished): string {
  return `${result.stdout}${result.stderr}`.trim() || '(no output)';
}

function collect(child: ChildProcess, result: Finished): void {
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    result.stdout = (result.stdout + chunk).slice(-MAX_OUTPUT_CHARS);
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    result.stderr = (result.stderr + chunk).slice(-MAX_OUTPUT_CHARS);
  });
}

/** A program that goes on running beside the test. */
export class BackgroundProcess {
  readonly output: Finished = { status: -1, stdout: '', stderr: '' };
  readonly ended: Promise<number>;
  private over = false;

  private constructor(
    private readonly argv: readonly string[],
    readonly child: ChildProcess,
  ) {
    collect(child, this.output);
    this.ended = new Promise((resolve) => {
      child.on('error', () => resolve(-1));
      child.on('close', (status) => resolve(status ?? -1));
    });
    void this.ended.then((status) => {
      this.over = true;
      this.output.status = status;
    });
  }

  static start(argv: readonly string[], options: RunOptions = {}): BackgroundProcess {
    const child = spawn(argv[0], argv.slice(1), { env: options.env, cwd: options.cwd });
    child.stdin.on('error', () => {});
    return new BackgroundProcess(argv, child);
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return !this.over;
  }

  /** Everything it printed so far, both streams. */
  get text(): string {
    return this.output.stdout + this.output.stderr;
  }

  /** Waits for its end by itself; rejects when it takes longer. */
  async finished(timeoutMs: number): Promise<Finished> {
    await within(timeoutMs, this.ended, () => `'${this.argv.join(' ')}' did not end: ${this.text}`);
    return this.output;
  }

  /** Ends it: the signal first, SIGKILL after five seconds. Returns its status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.over) return this.output.status;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    const status = await this.ended;
    clearTimeout(timer);
    return status;
  }
}

/** Waits at most `timeoutMs` for a promise. */
export async function within<T>(
  timeoutMs: number,
  promise: Promise<T>,
  message: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message())), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>;

/**
 * Asks again and again until the answer is truthy, and returns it: soon after the first time, then
 * ever less often, down to each `everyMs`.
 * Rejects after `timeoutMs` with what was waited for and the last answer or error.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  timeoutMs = 10_000,
  everyMs = 100,
): Promise<Truthy<T>> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (let pause = Math.min(10, everyMs); ; pause = Math.min(pause * 1.5, everyMs)) {
    try {
      const answer = await ask();
      if (answer) return answer as Truthy<T>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${last}`);
    await sleep(pause);
  }
}
