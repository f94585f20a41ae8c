/**
 * What a command of `tapswitch` gets to see of the process that runs it.
 *
 * Commands take this instead of `process`, so that tests run them in place.
 */
import type { Readable, Writable } from 'node:stream';
import { errorMessage, TapswitchError } from '../common/errors.js';

export interface CliIo {
  stdout: Writable;
  stderr: Writable;
  stdin: Readable;
  env: NodeJS.ProcessEnv;
  /** The name in messages: `ovs-vsctl` and the like, or `tapswitch`. */
  programName: string;
  /** Advice may follow errors: not under the names of Open vSwitch's programs. */
  hints?: boolean;
}

/** A command: returns its exit status. `argv` is what follows the command's name, untouched. */
export type CliCommand = (argv: string[], io: CliIo) => Promise<number>;

/** The io of this process. */
export function processIo(programName: string): CliIo {
  const { stdout, stderr, stdin, env } = process;
  return { stdout, stderr, stdin, env, programName };
}

/** Prints an error that a person meets: message, code, and what to do next. */
export function printError(io: CliIo, thrown: unknown): void {
  const error = outOfFiles(thrown) ?? thrown;
  if (error instanceof TapswitchError) {
    io.stderr.write(`${io.programName}: ${error.message} [${error.code}]\n`);
    if (error.hint) io.stderr.write(`  hint: ${error.hint}\n`);
  } else {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.stderr.write(`${io.programName}: internal error: ${detail}\n`);
  }
}

/** What opening a file says when this process, or the machine, may have no more. */
const NO_MORE_FILES = new Set<unknown>(['EMFILE', 'ENFILE']);

/** The error of a process that is not allowed enough open files, which may meet it anywhere. */
function outOfFiles(error: unknown): TapswitchError | null {
  const { code, cause } = (error ?? {}) as NodeJS.ErrnoException;
  const causeCode = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (!NO_MORE_FILES.has(code) && !NO_MORE_FILES.has(causeCode)) return null;
  return tooFewFiles(errorMessage(error), error);
}

/** @param why the system's words, or the limit */
export function tooFewFiles(why: string, cause?: unknown): TapswitchError {
  return new TapswitchError(
    'E_TOO_FEW_FILES',
    `this process may not open enough files (${why})`,
    "allow more: 'ulimit -n 65536' in the shell, LimitNOFILE=65536 in a unit of systemd",
    { cause },
  );
}
