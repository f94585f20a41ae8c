/**
 * `tapswitch trace BRIDGE FLOW [PACKET]`: what the running switch does with a packet, and why, with
 * every recirculation and a reason for every drop.
 *
 *     control socket, ofproto/trace --json --> the passes --> trace-text.ts, or JSON as it came
 *
 * Not for: Open vSwitch's own text (`tapswitch appctl ofproto/trace`).
 */
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { directories } from '../daemon/dirs.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning, SWITCH_TARGET } from '../switch-hint.js';
import { type TraceAnswer, traceText } from './trace-text.js';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'generate', short: 'g', arg: 'none' },
  { name: 'names', short: 'n', arg: 'none' },
  { name: 'actions', short: 'a', arg: 'required' },
  { name: 'l7-len', arg: 'required' },
  { name: 'json', arg: 'none' },
  { name: 'target', short: 't', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
];

interface TraceOptions {
  /** The control socket's command and its arguments. */
  command: string;
  args: string[];
  json: boolean;
  target: string;
}

/** Runs `trace ARGV`. @returns 0 also for a packet that is dropped: that is an answer */
export async function runTrace(argv: string[], io: CliIo): Promise<number> {
  try {
    const options = parse(argv);
    if (options === null) {
      io.stdout.write(usage(io.programName));
      return 0;
    }
    return await trace(options, io);
  } catch (error) {
    io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    if (error instanceof TapswitchError) hintIfNotRunning(io);
    return 1;
  }
}

function parse(argv: string[]): TraceOptions | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  const has = (name: string): boolean => options.some((option) => option.name === name);
  const value = (name: string) => options.findLast((option) => option.name === name)?.value;
  if (has('help')) return null;
  if (args.length < 1 || args.length > 3) {
    throw new UsageError(`expected 'BRIDGE FLOW [PACKET]'; use --help for help`);
  }
  const flags = ['--json'];
  if (has('generate')) flags.push('--generate');
  if (has('names')) flags.push('--names');
  const length = value('l7-len');
  if (length !== undefined) flags.push('--l7-len', length);
  const actions = value('actions');
  return {
    command: actions === undefined ? 'ofproto/trace' : 'ofproto/trace-packet-out',
    args: [...flags, ...args, ...(actions === undefined ? [] : [actions])],
    json: has('json'),
    target: value('target') ?? SWITCH_TARGET,
  };
}

async function trace({ command, args, json, target }: TraceOptions, io: CliIo): Promise<number> {
  const path = unixctlPath(target, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, target);
  try {
    const { ok, text } = await client.transact(command, args);
    if (!ok) {
      io.stderr.write(`${io.programName}: ${text.trimEnd()}\n`);
      return 1;
    }
    io.stdout.write(json ? text : traceText(JSON.parse(text) as TraceAnswer));
    return 0;
  } finally {
    client.close();
  }
}

function usage(program: string): string {
  return `usage: ${program} [OPTION]... BRIDGE FLOW [PACKET]
What the switch does with a packet: each table, entry and action, what goes out, and why not.

FLOW is in OpenFlow's syntax (in_port=1,tcp,tp_dst=80) or, alone or behind a datapath's name, in the
datapath's (in_port(1),eth(...),...). PACKET is a frame in hexadecimal; with one, addresses are
learned and controllers get what is sent to them.

  -g, --generate        make a packet of the flow
      --l7-len=N        bytes that it carries
  -a, --actions=LIST    execute these actions in place of the tables
  -n, --names           ports by name
      --json            the whole answer as JSON
  -t, --target=SOCKET   the switch (default: ${SWITCH_TARGET})
`;
}
