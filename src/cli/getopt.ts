/**
 * Command lines as getopt_long(3) reads them, for the commands that stand in for Open vSwitch's.
 *
 * Their users rely on what it allows: `-vfile:dbg`, `--pidfile` with and without `=FILE`,
 * abbreviated long options, several short options in one word. Messages are those of the C library.
 *
 * Not for: what the options mean.
 */

export interface OptionSpec {
  /** Long name, without dashes. */
  name: string;
  /** One letter. */
  short?: string;
  /** Whether a value follows; an optional one must be attached (`--pidfile=F`, `-vSPEC`). */
  arg: 'none' | 'required' | 'optional';
}

export interface ParsedOption {
  name: string;
  value: string | undefined;
}

export interface ParsedArgs {
  options: ParsedOption[];
  args: string[];
}

/** A wrong command line; the message is the C library's. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Logging options that every one of Open vSwitch's programs takes. */
export const LOG_OPTIONS: readonly OptionSpec[] = [
  { name: 'verbose', short: 'v', arg: 'optional' },
  { name: 'log-file', arg: 'optional' },
  { name: 'syslog-method', arg: 'required' },
  { name: 'syslog-target', arg: 'required' },
];

/**
 * Parses `argv`.
 *
 * @param specs the options there are
 * @param permute whether options may follow other arguments, or the first one ends them
 * @throws UsageError
 */
export function getopt(argv: string[], specs: readonly OptionSpec[], permute: boolean): ParsedArgs {
  const parsed: ParsedArgs = { options: [], args: [] };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === '--') {
      parsed.args.push(...argv.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (!permute) {
        parsed.args.push(...argv.slice(i));
        break;
      }
      parsed.args.push(word);
    } else {
      const next = argv[i + 1];
      const usedNext = word.startsWith('--')
        ? parseLong(word, next, specs, parsed)
        : parseShort(word, next, specs, parsed);
      if (usedNext) i += 1;
    }
  }
  return parsed;
}

/** Parses one `--word`; true when `next` was its value. */
function parseLong(
  word: string,
  next: string | undefined,
  specs: readonly OptionSpec[],
  parsed: ParsedArgs,
): boolean {
  const equals = word.indexOf('=');
  const typed = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const spec = findLong(typed, word, specs);
  let value = equals < 0 ? undefined : word.slice(equals + 1);
  if (value !== undefined && spec.arg === 'none') {
    throw new UsageError(`option '--${spec.name}' doesn't allow an argument`);
  }
  const usesNext = value === undefined && spec.arg === 'required';
  if (usesNext) {
    if (next === undefined) throw new UsageError(`option '--${spec.name}' requires an argument`);
    value = next;
  }
  parsed.options.push({ name: spec.name, value });
  return usesNext;
}

function findLong(typed: string, word: string, specs: readonly OptionSpec[]): OptionSpec {
  const exact = specs.find((spec) => spec.name === typed);
  if (exact) return exact;
  const candidates = specs.filter((spec) => spec.name.startsWith(typed));
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0) throw new UsageError(`unrecognized option '${dashed(typed)}'`);
  const names = candidates.map((spec) => ` '--${spec.name}'`).join('');
  throw new UsageError(`option '${word}' is ambiguous; possibilities:${names}`);
}

/** Parses one `-word` of short options; true when `next` was the last one's value. */
function parseShort(
  word: string,
  next: string | undefined,
  specs: readonly OptionSpec[],
  parsed: ParsedArgs,
): boolean {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at];
    const spec = specs.find((candidate) => candidate.short === letter);
    if (!spec) throw new UsageError(`invalid option -- '${letter}'`);
    if (spec.arg === 'none') {
      parsed.options.push({ name: spec.name, value: undefined });
      continue;
    }
    const rest = word.slice(at + 1);
    const usesNext = rest === '' && spec.arg === 'required';
    if (usesNext && next === undefined) {
      throw new UsageError(`option requires an argument -- '${letter}'`);
    }
    const attached = rest === '' ? undefined : rest;
    parsed.options.push({ name: spec.name, value: usesNext ? next : attached });
    return usesNext;
  }
  return false;
}

function dashed(name: string): string {
  return `--${name}`;
}
