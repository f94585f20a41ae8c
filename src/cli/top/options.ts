/** The command line of `tapswitch top`. */
import { join } from 'node:path';
import { directories } from '../daemon/dirs.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import { SWITCH_TARGET } from '../switch-hint.js';
import { VIEW_NAMES, type ViewName } from './views.js';

export interface TopOptions {
  runDir: string;
  logDir: string;
  database: string[];
  control: string;
  intervalMs: number;
  /** Pictures until it ends. */
  count: number;
  json: boolean;
  view: ViewName;
  sort: string | null;
  filter: string;
}

const OPTIONS: readonly OptionSpec[] = [
  { name: 'interval', short: 'i', arg: 'required' },
  { name: 'count', short: 'c', arg: 'required' },
  { name: 'once', arg: 'none' },
  { name: 'json', arg: 'none' },
  { name: 'view', short: 'w', arg: 'required' },
  { name: 'sort', short: 's', arg: 'required' },
  { name: 'filter', short: 'f', arg: 'required' },
  { name: 'rundir', arg: 'required' },
  { name: 'db', arg: 'required' },
  { name: 'target', short: 't', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
];

/** @returns null when help was asked for @throws UsageError */
export function parseTop(argv: string[], env: NodeJS.ProcessEnv): TopOptions | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  const has = (name: string) => options.some((option) => option.name === name);
  const last = (name: string) => options.findLast((option) => option.name === name)?.value;
  if (has('help')) return null;
  const view = last('view') ?? args[0] ?? 'ports';
  const known = VIEW_NAMES.find((name) => name === view);
  if (known === undefined || args.length > 1) {
    throw new UsageError(`expected one of ${VIEW_NAMES.join(', ')}; use --help for help`);
  }
  const seconds = Number(last('interval') ?? '1');
  if (!(seconds >= 0.2 && seconds <= 3600)) throw new UsageError('--interval takes 0.2 to 3600');
  const count = has('once') ? 1 : Number(last('count') ?? Number.POSITIVE_INFINITY);
  if (!(count >= 1)) throw new UsageError('--count takes a number from 1');
  const dirs = directories(env);
  const runDir = last('rundir') ?? dirs.runDir;
  return {
    runDir,
    logDir: dirs.logDir,
    database: (last('db') ?? `unix:${join(runDir, 'db.sock')}`).split(','),
    control: last('target') ?? SWITCH_TARGET,
    intervalMs: seconds * 1000,
    count,
    json: has('json'),
    view: known,
    sort: last('sort') ?? null,
    filter: last('filter') ?? '',
  };
}

export function topUsage(program: string): string {
  return `${program}: what the switch does, live in the terminal
usage: ${program} top [OPTIONS] [${VIEW_NAMES.join('|')}]
  -s, --sort=COLUMN        sort by this column, the largest first
  -f, --filter=WORDS       only rows with these words (-WORD: without it)
  -i, --interval=SECS      time between two looks (1)
  -c, --count=N            end after N looks; --once: after one
      --json               one line of JSON for each look
      --rundir=DIR, --db=REMOTE, -t, --target=TARGET
                           the switch's sockets
  -h, --help               show this help

Keys: 1-5 or Tab another view; < > the column to sort by; r the other way round; / filter;
arrows, PgUp, PgDn, Home scroll; p pause; q quit.
`;
}
