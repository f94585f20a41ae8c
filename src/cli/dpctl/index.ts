/**
 * `tapswitch dpctl`: looks at the datapath of the running daemon, with ovs-dpctl's command line.
 *
 * There is no datapath in the kernel to ask: every command goes to the daemon as `dpctl/COMMAND`.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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
  { name: 'read-only', short: 'r', arg: 'none' },
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

/** Commands that change something, so that --read-only refuses them. */
const CHANGING = new Set([
  ...['add-dp', 'del-dp', 'add-if', 'del-if', 'set-if', 'add-flow', 'mod-flow', 'del-flow'],
  ...['add-flows', 'mod-flows', 'del-flows', 'flush-conntrack', 'cache-set-size'],
  ...['ct-set-maxconns', 'ct-enable-tcp-seq-chk', 'ct-disable-tcp-seq-chk'],
  ...['ipf-set-enabled', 'ipf-set-disabled', 'ipf-set-min-frag', 'ipf-set-max-nfrags'],
]);
/** Commands whose last argument may be a file, which the daemon is to find where we do. */
const READS_FILE = /^(add|mod|del)-flows$/;

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
  if (flag('read-only') && CHANGING.has(command)) {
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
  const { command } = request;
  const path = unixctlPath(TARGET, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, TARGET);
  const kept = READS_FILE.test(command) ? await fileForDaemon(request.params) : null;
  try {
    const { ok, text } = await client.transact(`dpctl/${command}`, kept?.params ?? request.params);
    if (ok || text.startsWith(`${TARGET}: `)) printMixed(command, text, io);
    // Open vSwitch's daemon, too, says nothing of some malformed arguments.
    else if (text === '') io.stderr.write(`${io.programName}: ${command}: malformed argument\n`);
    else io.stderr.write(`${io.programName}: ${asDpctlError(command, text)}`);
    return ok ? 0 : 1;
  } finally {
    client.close();
    await kept?.release();
  }
}

/** Lines of output, and of errors among them, each to where it belongs. */
function printMixed(command: string, text: string, io: CliIo): void {
  const plain = command === 'list-commands' ? text.replace(/^ {2}dpctl\//gm, '  ') : text;
  for (const line of plain.split(/(?<=\n)/)) {
    if (line.startsWith(`${TARGET}: `)) {
      io.stderr.write(`${io.programName}${line.slice(TARGET.length)}`);
    } else io.stdout.write(line);
  }
}

/** Arguments with the file's whole path in place of its name; `-`: a copy of standard input. */
async function fileForDaemon(
  params: readonly string[],
): Promise<{ params: string[]; release(): Promise<void> }> {
  const name = params.at(-1);
  const others = params.slice(0, -1);
  if (name !== '-') {
    const found = name !== undefined && existsSync(name);
    const last = name === undefined ? [] : [found ? resolve(name) : name];
    return { params: [...others, ...last], release: async () => {} };
  }
  const directory = await mkdtemp(join(tmpdir(), 'tapswitch-dpctl-'));
  const path = join(directory, 'flows');
  await writeFile(path, await readStdin(), { mode: 0o600 });
  return {
    params: [...others, path],
    release: () => rm(directory, { recursive: true, force: true }),
  };
}

async function readStdin(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  return text;
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
  dump-flows [DP] [filter=FLOW] [type=TYPE] [pmd=N]
                           flows that the datapath has cached; of TYPE ovs or offloaded...
  get-flow [DP] ufid:UFID  one of these
  add-flow [DP] FLOW ACTIONS, mod-flow [DP] FLOW ACTIONS, del-flow [DP] FLOW
                           change flows past the bridges
  add-flows [DP] FILE, mod-flows [DP] FILE, del-flows [DP] [FILE]
                           the same for each line of FILE; without it, forget all flows
  del-if DP IFACE..., set-if DP IFACE...
                           take ports out, check their settings
  offload-stats-show [DP]  how many flows the kernel forwards
  cache-get-size [DP]      caches whose size can be set: none
  parse-actions ACTIONS, normalize-actions FLOW ACTIONS [NAME=NUMBER...]
                           actions as the switch understands them
  list-commands            all commands that the running switch has
Options for show:
  -s, --statistics         with the counters of each port
Options for mod-flow:
  --may-create             add the flow if it is not there
  --clear                  count its packets from zero
Options for dump-flows:
  -m, --more               in more detail
  --names                  with port names
Other options:
  -r, --read-only          do not run commands that change something
  -t, --timeout=SECS       wait at most SECS seconds for an answer
  -h, --help               show this help
  -V, --version            show the version
`;
}
