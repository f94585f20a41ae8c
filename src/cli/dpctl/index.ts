/**
 * `tapswitch dpctl`: looks at the datapath of the running daemon, with ovs-dpctl's command line.
 *
 * There is no datapath in the kernel to ask: every command goes to the daemon as `dpctl/COMMAND`.
 */
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { parseTimeout, STATUS_TIMEOUT, TimeoutError, within } from '../appctl/timeout.js';
import { directories } from '../daemon/dirs.js';
import { getopt, LOG_OPTIONS, type OptionSpec, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning, SWITCH_TARGET } from '../switch-hint.js';
import { versionText } from '../version.js';

const TARGET = SWITCH_TARGET;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'statistics', short: 's', arg: 'none' },
  { name: 'clear', arg: 'none' },
  { name: 'may-create', arg: 'none' },
  { name: 'read-only', arg: 'none' },
  { name: 'more', short: 'm', arg: 'none' },
  { name: 'names', arg: 'none' },
  { name: 'no-names', arg: 'none' },
  { name: 'timeout', short: 't', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
  ...LOG_OPTIONS,
];

/** Options that the daemon's commands take; the others end here. */
const FORWARDED = new Set(['statistics', 'clear', 'may-create', 'more', 'names', 'no-names']);

/** Commands that change nothing, so that --read-only allows them. */
const READ_ONLY =
  /^(dump-|show$|get-|cache-get|ct-get|ct-stats|ct-bkts|ipf-get|offload-stats|list-commands$)/;

interface Request {
  command: string;
  /** Options and arguments for the daemon. */
  params: string[];
  timeoutMs: number | null;
}

/** Runs `dpctl ARGV`. */
export async function runDpctl(argv: string[], io: CliIo): Promise<number> {
  try {
    const request = parse(argv, io);
    if (!request) return 0;
    return await within(request.timeoutMs, ask(request, io));
  } catch (error) {
    if (error instanceof TimeoutError) return STATUS_TIMEOUT;
    io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    if (error instanceof TapswitchError) hintIfNotRunning(io);
    return 1;
  }
}

function parse(argv: string[], io: CliIo): Request | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  const flag = (name: string): boolean => options.some((option) => option.name === name);
  if (flag('version')) io.stdout.write(versionText(io.programName));
  else if (flag('help') || args[0] === 'help') io.stdout.write(usage(io.programName));
  if (flag('version') || flag('help') || args[0] === 'help') return null;
  if (args.length === 0) throw new UsageError('missing command name; use --help for help');
  const [command, ...rest] = args;
  if (flag('read-only') && !READ_ONLY.test(command)) {
    throw new UsageError(`'${command}' command does not work in read only mode`);
  }
  const forwarded = options
    .filter(({ name }) => FORWARDED.has(name))
    .map(({ name }) => `--${name}`);
  const timeout = options.findLast(({ name }) => name === 'timeout')?.value;
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout, '-t');
  return { command, params: [...forwarded, ...rest], timeoutMs };
}

async function ask(request: Request, io: CliIo): Promise<number> {
  const { command, params } = request;
  const path = unixctlPath(TARGET, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, TARGET);
  try {
    const { ok, text } = await client.transact(`dpctl/${command}`, params);
    if (ok) {
      io.stdout.write(command === 'list-commands' ? text.replace(/^ {2}dpctl\//gm, '  ') : text);
      return 0;
    }
    io.stderr.write(`${io.programName}: ${asDpctlError(command, text)}`);
    return 1;
  } finally {
    client.close();
  }
}

/** The daemon's error in the words of ovs-dpctl. */
function asDpctlError(command: string, text: string): string {
  if (text.startsWith(`"dpctl/${command}" is not a valid command`)) {
    return `unknown command '${command}'; use --help for help\n`;
  }
  return text
    .replace(`"dpctl/${command}" command`, `'${command}' command`)
    .replace(new RegExp(`^${TARGET}: `), '');
}

function usage(program: string): string {
  return `${program}: looks at the datapath of the running switch
usage: ${program} [OPTIONS] COMMAND [ARG...]
  dump-dps                 names of all datapaths
  show [DP...]             datapaths and their ports
  dump-flows [DP]          flows that the datapath has cached
  get-flow [DP] ufid:UFID  one of these
  del-flows [DP]           forget them
  list-commands            all commands that the running switch has
Options for show:
  -s, --statistics         with the counters of each port
Options for dump-flows:
  -m, --more               in more detail
  --names                  with port names
Other options:
  --read-only              do not run commands that change something
  -t, --timeout=SECS       wait at most SECS seconds for an answer
  -h, --help               show this help
  -V, --version            show the version
`;
}
