/**
 * The words behind the global options: commands, separated by `--`, each with options of its own.
 *
 *     [global options] [--] [options] command [args] [-- [options] command [args]]...
 *
 * Options of the first command may also stand among the global options.
 *
 * Not for: the global options (options.ts).
 */

import type { CommandSyntax, ParsedCommand } from './context.js';
import { CtlError } from './errors.js';
import { closest } from './suggest.js';

export type CommandTable = ReadonlyMap<string, CommandSyntax>;
type Options = Map<string, string | null>;

const MISSING_COMMAND = 'missing command name (use --help for help)';

/** Words as one text, quoted where a reader could not tell them apart. */
export function escapeArgs(words: readonly string[]): string {
  return words
    .map((word) =>
      /[ \t\r\n\v\\'"]/.test(word) ? `"${word.replace(/[\\"]/g, (c) => `\\${c}`)}"` : word,
    )
    .join(' ');
}

/** Takes the options at the beginning of `words`. Returns how many words they were. */
function takeOptions(words: readonly string[], options: Options): number {
  let count = 0;
  while (count < words.length && words[count].startsWith('-')) {
    const word = words[count];
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (options.has(name)) throw new CtlError(`'${word}' option specified multiple times`);
    options.set(name, equals < 0 ? null : word.slice(equals + 1));
    count += 1;
  }
  return count;
}

function checkOptions(syntax: CommandSyntax, options: Options): void {
  for (const [name, value] of options) {
    const takesValue = syntax.options.includes(`${name}=`);
    if (!takesValue && !syntax.options.includes(name)) {
      throw new CtlError(`'${syntax.name}' command has no '${name}' option`);
    }
    if (takesValue && value === null) {
      throw new CtlError(`missing argument to '${name}' option on '${syntax.name}' command`);
    }
    if (!takesValue && value !== null) {
      throw new CtlError(`'${name}' option on '${syntax.name}' does not accept an argument`);
    }
  }
}

function checkArgCount({ name, minArgs, maxArgs }: CommandSyntax, args: readonly string[]): void {
  if (args.length < minArgs) {
    throw new CtlError(`'${name}' command requires at least ${minArgs} arguments`);
  }
  if (args.length <= maxArgs) return;
  const hint = args.some((arg) => arg.startsWith('-'))
    ? ' (note that options must precede command names and follow a "--" argument)'
    : '';
  throw new CtlError(`'${name}' command takes at most ${maxArgs} arguments${hint}`);
}

function parseCommand(words: readonly string[], table: CommandTable, options: Options) {
  const start = takeOptions(words, options);
  if (start === words.length) throw new CtlError(MISSING_COMMAND);
  const argv = words.slice(start);
  const syntax = table.get(argv[0]);
  if (!syntax) {
    const message = `unknown command '${argv[0]}'; use --help for help`;
    throw new CtlError(message, closest(table.keys(), argv[0]));
  }
  checkOptions(syntax, options);
  checkArgCount(syntax, argv.slice(1));
  return { syntax, options, argv };
}

/**
 * Parses the words behind the global options. Throws CtlError.
 * @param localOptions options of the first command that stood among the global ones
 */
export function parseCommands(
  words: readonly string[],
  table: CommandTable,
  localOptions: Options,
): ParsedCommand[] {
  const commands: ParsedCommand[] = [];
  let options = localOptions;
  let start = 0;
  for (let i = 0; i <= words.length; i++) {
    if (i < words.length && words[i] !== '--') continue;
    if (i > start) {
      commands.push(parseCommand(words.slice(start, i), table, options));
      options = new Map();
    } else if (options.size > 0) throw new CtlError(MISSING_COMMAND);
    start = i + 1;
  }
  if (commands.length === 0) throw new CtlError(MISSING_COMMAND);
  return commands;
}
