/**
 * `tapswitch appctl`: runs a command in a running daemon and prints its answer, as ovs-appctl.
 *
 * Exit status: 0, 1 when the daemon could not be asked, 2 when it answered with an error.
 */
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { directories } from '../daemon/dirs.js';
import { getopt, LOG_OPTIONS, type OptionSpec, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning, SWITCH_TARGET } from '../switch-hint.js';
import { versionText } from '../version.js';
import { parseTimeout, STATUS_TIMEOUT, TimeoutError, within } from './timeout.js';

const DEFAULT_TARGET = SWITCH_TARGET;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'target', short: 't', arg: 'required' },
  { name: 'execute', short: 'e', arg: 'none' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'option', short: 'o', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
  { name: 'timeout', short: 'T', arg: 'required' },
  ...LOG_OPTIONS,
];

interface Request {
  target: string;
  timeoutMs: number | null;
  command: string;
  args: string[];
}

/** Runs `appctl ARGV`. */
export async function runAppctl(argv: string[], io: CliIo): Promise<number> {
  let request: Request | null = null;
  try {
    request = parse(argv, io);
    if (!request) return 0;
    return await within(request.timeoutMs, ask(request, io));
  } catch (error) {
    if (error instanceof TimeoutError) return STATUS_TIMEOUT;
    io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    const asked = error instanceof TapswitchError && request?.target === SWITCH_TARGET;
    if (asked) hintIfNotRunning(io);
    return 1;
  }
}

/** The request in `argv`; null when it asked for text, which has been printed. */
function parse(argv: string[], io: CliIo): Request | null {
  const { options, args } = getopt(argv, OPTIONS, false);
  let target: string | undefined;
  let timeoutMs: number | null = null;
  for (const { name, value } of options) {
    if (name === 'help') io.stdout.write(usage(io.programName));
    if (name === 'version') io.stdout.write(versionText(io.programName));
    if (name === 'option') io.stdout.write(listOptions());
    if (name === 'help' || name === 'version' || name === 'option') return null;
    if (name === 'target') {
      if (target !== undefined) throw new UsageError('-t or --target may be specified only once');
      target = value;
    }
    if (name === 'timeout') timeoutMs = parseTimeout(value ?? '', '-T');
  }
  if (args.length === 0) {
    throw new UsageError('at least one non-option argument is required (use --help for help)');
  }
  return { target: target ?? DEFAULT_TARGET, timeoutMs, command: args[0], args: args.slice(1) };
}

async function ask(request: Request, io: CliIo): Promise<number> {
  const { target, command, args } = request;
  const path = unixctlPath(target, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, target);
  try {
    const { ok, text } = await client.transact(command, args);
    if (ok) {
      io.stdout.write(text);
      return 0;
    }
    io.stderr.write(text);
    io.stderr.write(`${io.programName}: ${target}: server returned an error\n`);
    return 2;
  } finally {
    client.close();
  }
}

function usage(program: string): string {
  return `${program}, for querying and controlling a running switch
usage: ${program} [TARGET] COMMAND [ARG...]
Targets:
  -t, --target=TARGET  program name or control socket (default: ${DEFAULT_TARGET})
Common commands:
  list-commands      list the commands that the target has
  version            print the target's version
  vlog/list          list log levels
  vlog/list-pattern  list log patterns
  vlog/set [SPEC]    set log levels; SPEC names a module, a destination
                     (syslog, console, file) and a level (off, emer, err, warn, info, dbg)
  vlog/reopen        open the log file again
Other options:
  -T, --timeout=SECS wait at most SECS seconds for an answer
  -h, --help         show this help
  -V, --version      show the version
`;
}

function listOptions(): string {
  return OPTIONS.map(({ name, short, arg }) => {
    const value = { none: '', required: '=ARG', optional: '=[ARG]' }[arg];
    const letter = short ? `-${short} ${arg === 'required' ? 'ARG' : '[ARG]'}\n` : '';
    return `--${name}${value}\n${letter}`;
  }).join('');
}
