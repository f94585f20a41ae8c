/**
 * `tapswitch bond watch`: members, buckets, load and LACP of the running switch's bonds, live.
 *
 *     every interval: control socket, bond/status --> bond-table.ts --> the screen, from its top
 *
 * On a terminal each picture replaces the one before; anywhere else they follow each other as plain
 * text. Not for: changing bonds (`tapswitch appctl bond/...`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import type { BondReport } from '../../ofproto/bond-status.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { directories } from '../daemon/dirs.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning, SWITCH_TARGET } from '../switch-hint.js';
import { bondTable, type Sample } from './bond-table.js';

const TARGET = SWITCH_TARGET;
const INTERVAL_SEC_DEFAULT = 1;
const INTERVAL_SEC_MIN = 0.1;
const HOME_AND_CLEAR = '\x1b[H\x1b[J';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'interval', short: 'i', arg: 'required' },
  { name: 'count', short: 'c', arg: 'required' },
  { name: 'json', arg: 'none' },
  { name: 'target', short: 't', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
];

interface WatchOptions {
  /** Null: all bonds. */
  bond: string | null;
  intervalMs: number;
  /** How many pictures; Infinity: until interrupted. */
  count: number;
  json: boolean;
  target: string;
}

/** Runs `bond ARGV`. */
export async function runBond(argv: string[], io: CliIo): Promise<number> {
  try {
    const options = parse(argv);
    if (options === null) {
      io.stdout.write(usage(io.programName));
      return 0;
    }
    return await watch(options, io);
  } catch (error) {
    io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    if (error instanceof TapswitchError) hintIfNotRunning(io);
    return 1;
  }
}

function parse(argv: string[]): WatchOptions | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  const value = (name: string) => options.findLast((option) => option.name === name)?.value;
  if (options.some(({ name }) => name === 'help') || args[0] === 'help') return null;
  if (args[0] !== 'watch' || args.length > 2) {
    throw new UsageError(`expected 'watch [BOND]'; use --help for help`);
  }
  const seconds = Number(value('interval') ?? INTERVAL_SEC_DEFAULT);
  if (!(seconds >= INTERVAL_SEC_MIN && seconds <= 3600)) {
    throw new UsageError(`--interval takes ${INTERVAL_SEC_MIN} to 3600 seconds`);
  }
  const count = Number(value('count') ?? Number.POSITIVE_INFINITY);
  if (!(count >= 1)) throw new UsageError('--count takes a number from 1');
  return {
    bond: args[1] ?? null,
    intervalMs: seconds * 1000,
    count,
    json: options.some(({ name }) => name === 'json'),
    target: value('target') ?? TARGET,
  };
}

async function watch(options: WatchOptions, io: CliIo): Promise<number> {
  const { bond, intervalMs, count, json, target } = options;
  const out = io.stdout as { isTTY?: boolean; columns?: number; rows?: number };
  const terminal = !json && out.isTTY === true;
  const ended = new AbortController();
  // A reader that went away (`| head`) ends the watch.
  const end = (): void => ended.abort();
  io.stdout.on('error', end).on('close', end);
  let before: Sample | null = null;
  try {
    for (let shown = 0; shown < count && !ended.signal.aborted; shown++) {
      if (shown > 0) await sleep(intervalMs, undefined, { signal: ended.signal });
      const text = await ask(target, bond, io);
      if (text === null) return 1;
      const now: Sample = { atMs: performance.now(), bonds: JSON.parse(text) as BondReport[] };
      // A terminal that does not know its size says 0.
      const known = { columns: out.columns || undefined, rows: out.rows || undefined };
      const size = terminal ? known : {};
      const look = { color: terminal, repeatEvents: terminal, ...size };
      const picture = json ? `${text.trimEnd()}\n` : bondTable(now, before, look);
      io.stdout.write(terminal ? HOME_AND_CLEAR + picture : picture);
      before = now;
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    io.stdout.off('error', end).off('close', end);
  }
  return 0;
}

/** The daemon's answer, or null after an error was printed. */
async function ask(target: string, bond: string | null, io: CliIo): Promise<string | null> {
  const path = unixctlPath(target, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, target);
  try {
    const { ok, text } = await client.transact('bond/status', bond === null ? [] : [bond]);
    if (ok) return text;
    io.stderr.write(`${io.programName}: ${text}`);
    return null;
  } finally {
    client.close();
  }
}

function usage(program: string): string {
  return `${program}: watch the bonds of the running switch
usage: ${program} bond watch [OPTIONS] [BOND]
  -i, --interval=SECS      time between two looks (1)
  -c, --count=N            end after N looks
  --json                   one JSON array of bonds for each look
  -t, --target=TARGET      control socket or name of the daemon
  -h, --help               show this help
`;
}
