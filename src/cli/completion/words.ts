/**
 * What could stand where the cursor is: the candidates for an unfinished command line.
 *
 *     tapswitch vsctl --may-exist add-port br0 e|  ->  candidates()  ->  names of kind NEW-PORT...
 *
 * Names that only a database knows come from a `Names`, which the caller gives.
 *
 * Not for: the shell's side (index.ts).
 */
import { openVSwitchSchema } from '../../ovsdb/open-vswitch-schema.js';
import { COMMANDS as TOP_COMMANDS } from '../commands.js';
import { COMMANDS as OFCTL_COMMANDS } from '../ofctl/commands.js';
import { OPTIONS as OFCTL_OPTIONS } from '../ofctl/options.js';
import { COMMANDS as CLIENT_COMMANDS } from '../ovsdb/commands.js';
import { COMMAND_TABLE } from '../vsctl/commands.js';
import type { CommandSyntax } from '../vsctl/context.js';
import { GLOBAL_OPTIONS } from '../vsctl/options.js';

/** Names of the rows of a table, such as those of all bridges. */
export type Names = (table: string) => Promise<string[]>;

/** Tables by the words that vsctl's commands have for their arguments. */
const TABLE_OF: Readonly<Record<string, string>> = {
  BRIDGE: 'Bridge',
  PARENT: 'Bridge',
  PORT: 'Port',
  IFACE: 'Interface',
  INTERFACE: 'Interface',
};

/** Commands of a running daemon; none where no daemon answers. */
export type Controls = () => Promise<string[]>;

/** Words that begin with what is typed. `words`: the program's name first, the last unfinished. */
export async function candidates(
  words: readonly string[],
  names: Names,
  controls: Controls = async () => [],
): Promise<string[]> {
  const typed = words[words.length - 1] ?? '';
  const found = await proposals(words.slice(1, -1), typed, names, controls);
  return [...new Set(found)].filter((word) => word.startsWith(typed)).sort();
}

function proposals(
  before: readonly string[],
  typed: string,
  names: Names,
  controls: Controls,
): Promise<string[]> {
  const [command, ...rest] = before;
  if (command === undefined) {
    return Promise.resolve([
      ...TOP_COMMANDS.map(({ name }) => name),
      'help',
      '--help',
      '--version',
    ]);
  }
  if (command === 'vsctl') return vsctlWords(rest, typed, names);
  if (command === 'ofctl') return ofctlWords(rest, typed, names);
  if (command === 'appctl' || command === 'dpctl') return controlWords(command, rest, controls);
  if (command === 'bond' && rest.length === 0) return Promise.resolve(['watch']);
  if (command === 'help') return Promise.resolve(TOP_COMMANDS.map(({ name }) => name));
  if (command === 'completion' && rest.length === 0) return Promise.resolve(['bash']);
  if (command === 'ovsdb' && !rest.some((word) => !word.startsWith('-'))) {
    return Promise.resolve([...CLIENT_COMMANDS.keys()]);
  }
  return Promise.resolve([]);
}

/** What the running daemon can be asked; dpctl's commands go without their prefix. */
async function controlWords(
  program: 'appctl' | 'dpctl',
  before: readonly string[],
  controls: Controls,
): Promise<string[]> {
  if (before.some((word) => !word.startsWith('-'))) return [];
  const all = await controls();
  if (program === 'appctl') return all;
  const prefix = 'dpctl/';
  const own = all.filter((name) => name.startsWith(prefix));
  return own.map((name) => name.slice(prefix.length));
}

/** Commands and options of ofctl, and bridges where it wants a switch. */
async function ofctlWords(
  before: readonly string[],
  typed: string,
  names: Names,
): Promise<string[]> {
  if (typed.startsWith('-')) {
    return OFCTL_OPTIONS.map(({ name, arg }) => `--${name}${arg === 'required' ? '=' : ''}`);
  }
  const [command, ...args] = ofctlArguments(before);
  if (command === undefined) return [...OFCTL_COMMANDS.keys()];
  const syntax = OFCTL_COMMANDS.get(command)?.syntax ?? '';
  const word = syntax.split(' ')[args.length] ?? '';
  return /^(switch|target|source[12])$/.test(word) ? names('Bridge') : [];
}

/** What is neither an option nor the value of one. */
function ofctlArguments(words: readonly string[]): string[] {
  const takesNext = (word: string): boolean =>
    OFCTL_OPTIONS.some(
      ({ name, short, arg }) =>
        arg === 'required' && (word === `--${name}` || word === `-${short ?? ''}`),
    );
  return words.filter((word, i) => !word.startsWith('-') && !takesNext(words[i - 1] ?? ''));
}

async function vsctlWords(
  before: readonly string[],
  typed: string,
  names: Names,
): Promise<string[]> {
  const chain = before.lastIndexOf('--');
  const segment = before.slice(chain + 1);
  const at = segment.findIndex((word) => !word.startsWith('-'));
  const local = at < 0 ? segment : segment.slice(0, at);
  const args = at < 0 ? [] : segment.slice(at + 1);
  if (at >= 0) {
    const syntax = COMMAND_TABLE.get(segment[at]);
    if (!syntax) return [];
    const words = await argumentWords(syntax, args, names);
    return [...words, '--'];
  }
  const commands = [...COMMAND_TABLE.values()].filter((syntax) =>
    local.every((option) => chain < 0 || takes(syntax, option)),
  );
  const options = commands.flatMap((syntax) => syntax.options);
  if (typed.startsWith('-')) return chain < 0 ? [...options, ...globalOptions()] : options;
  return commands.map(({ name }) => name);
}

function takes(syntax: CommandSyntax, option: string): boolean {
  return syntax.options.some((one) => one === option || option.startsWith(one));
}

function globalOptions(): string[] {
  return GLOBAL_OPTIONS.map(({ name, arg }) => `--${name}${arg === 'required' ? '=' : ''}`);
}

/** Words for the next argument, by the name that it has in the command's syntax. */
async function argumentWords(
  syntax: CommandSyntax,
  args: readonly string[],
  names: Names,
): Promise<string[]> {
  const specs = syntax.arguments.split(' ').filter((spec) => spec !== '');
  const spec = specs[Math.min(args.length, specs.length - 1)];
  if (spec === undefined || (args.length >= specs.length && !spec.includes('...'))) return [];
  const kinds = spec.replace(/[[\]]|\.\.\.$/g, '').split('|');
  const found = await Promise.all(kinds.map((kind) => wordsOfKind(kind, args, names)));
  return found.flat();
}

async function wordsOfKind(kind: string, args: readonly string[], names: Names): Promise<string[]> {
  const schema = openVSwitchSchema();
  const table = schema.tables.get(args[0] ?? '');
  if (TABLE_OF[kind]) return names(TABLE_OF[kind]);
  if (kind === 'TABLE') return [...schema.tables.keys()];
  if (kind === 'RECORD' && table?.columns.has('name')) return names(table.name);
  if (kind === 'RECORD' && table?.maxRows === 1) return ['.'];
  if (!kind.startsWith('COLUMN') || !table) return [];
  const columns = [...table.columns.values()].filter(({ name }) => !name.startsWith('_'));
  return columns.map(({ name, type }) => {
    if (!kind.includes('=')) return name;
    return `${name}${type.isMap ? ':' : '='}`;
  });
}

/** Splits an unfinished command line into words as bash does, quotes taken away. */
export function splitLine(line: string): string[] {
  const words = [''];
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote !== '') {
      if (c === quote) quote = '';
      else words[words.length - 1] += c;
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '\\' && i + 1 < line.length) words[words.length - 1] += line[++i];
    else if (c !== ' ' && c !== '\t') words[words.length - 1] += c;
    else if (words[words.length - 1] !== '') words.push('');
  }
  return words;
}
