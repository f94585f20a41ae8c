/**
 * `tapswitch COMMAND ...`: finds the command and hands it its arguments.
 *
 * Under the name of one of Open vSwitch's programs (a link `ovs-vsctl` -> `tapswitch`) it is that
 * program at once.
 *
 * Not for: what a command does (./NAME/index.ts), or its options: those are left untouched here.
 */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { COMMANDS, type CommandEntry, commandForProgram } from './commands.js';
import { type CliCommand, type CliIo, printError, processIo } from './io.js';
import { runAsJson, takeJsonFlag } from './json-output.js';
import { loadPart } from './load-part.js';

/** Exit status of a program whose reader has gone away, as a shell reports SIGPIPE. */
const STATUS_SIGPIPE = 141;

/**
 * Runs a command line.
 *
 * @param program the name under which the process was started
 * @param makeIo gives a command its io, under the name that its messages carry
 * @returns the exit status
 */
export async function run(
  program: string,
  argv: string[],
  makeIo: (programName: string) => CliIo,
): Promise<number> {
  const alias = commandForProgram(program);
  if (alias) return runCommand(alias, argv, makeIo(program));
  const [first, ...rest] = argv;
  const entry = commandNamed(first);
  if (entry) {
    const io = makeIo(entry.program);
    io.hints = true;
    const plain = takeJsonFlag(entry.name, rest);
    if (plain === null) return runCommand(entry, rest, io);
    return runAsJson(entry.name, plain, io, (args, asked) => runCommand(entry, args, asked));
  }
  const subject = first === 'help' ? commandNamed(rest[0]) : undefined;
  if (subject) return runCommand(subject, ['--help'], makeIo(subject.program));
  const io = makeIo('tapswitch');
  try {
    // Late: commands need nothing of it.
    const { runTopLevel } = await loadPart('the help', () => import('./top-level.js'));
    return await runTopLevel(wrongCommand(argv) ?? argv, io);
  } catch (error) {
    printError(io, error);
    return 1;
  }
}

/** A word that names no command, alone: the options after it would make it look like help. */
function wrongCommand([first, second]: string[]): string[] | undefined {
  const word = first === 'help' ? second : first;
  return word === undefined || word.startsWith('-') || word === 'help' ? undefined : [word];
}

function commandNamed(name: string | undefined): CommandEntry | undefined {
  return COMMANDS.find((entry) => entry.name === name);
}

async function runCommand(entry: CommandEntry, argv: string[], io: CliIo): Promise<number> {
  try {
    const command = await loadCommand(entry);
    return await command(argv, io);
  } catch (error) {
    printError(io, error);
    return 1;
  }
}

async function loadCommand(entry: CommandEntry): Promise<CliCommand> {
  return loadPart(`command '${entry.name}'`, () => entry.load());
}

/** Runs this process's command line and ends the process. */
export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(STATUS_SIGPIPE);
    });
  }
  const status = await run(basename(process.argv[1] ?? ''), process.argv.slice(2), processIo);
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(status);
}

/** Resolves when all that was written to `stream` has left the process. */
function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write('', () => resolve());
  });
}

const started = process.argv[1];
if (started && realpathSync(started) === fileURLToPath(import.meta.url)) void main();
