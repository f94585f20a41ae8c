/**
 * `tapswitch install-aliases`: the names of Open vSwitch's programs as links to tapswitch, for
 * scripts that call them. Never where the real programs are: a link is made only under a name that
 * nothing on the PATH has, and only links that lead to tapswitch are replaced or removed.
 */
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { COMMANDS } from '../commands.js';
import { getopt, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';

const BIN = fileURLToPath(new URL('../../../bin/tapswitch', import.meta.url));
const DEFAULT_DIR = '/usr/local/bin';

const USAGE = `usage: tapswitch install-aliases [OPTION...]
Makes links to tapswitch under the names of Open vSwitch's programs (ovs-vsctl, ovs-ofctl...). A
name that a program on the PATH has already is left alone.

Options:
  --dir=DIR      where the links go (default: ${DEFAULT_DIR})
  --remove       remove the links instead
  --dry-run      only tell what would be done
  --json         tell it as JSON
  -h, --help     display this help message
`;

const SPECS = [
  { name: 'dir', arg: 'required' as const },
  { name: 'remove', arg: 'none' as const },
  { name: 'dry-run', arg: 'none' as const },
  { name: 'json', arg: 'none' as const },
  { name: 'help', short: 'h', arg: 'none' as const },
];

type Outcome = 'linked' | 'kept' | 'removed' | 'absent' | 'taken';

interface Result {
  name: string;
  path: string;
  outcome: Outcome;
  /** What has the name already. */
  by?: string;
}

/** Names that a link can stand for: programs of Open vSwitch that tapswitch plays. */
function aliases(): string[] {
  const names = COMMANDS.map(({ program }) => program).filter((name) => name !== 'tapswitch');
  return [...new Set(names)].sort();
}

/** Runs `tapswitch install-aliases ARGV`. @throws TapswitchError E_ALIAS_DIR */
export async function runInstallAliases(argv: string[], io: CliIo): Promise<number> {
  let given: Map<string, string>;
  try {
    const { options, args } = getopt(argv, SPECS, true);
    if (args.length > 0) throw new UsageError(`what is '${args[0]}'? (use --help for help)`);
    given = new Map(options.map(({ name, value }) => [name, value ?? '']));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`${io.programName}: ${error.message}\n`);
    return 1;
  }
  if (given.has('help')) {
    io.stdout.write(USAGE);
    return 0;
  }
  const dir = given.get('dir') ?? DEFAULT_DIR;
  const act = given.has('remove') ? removeAlias : makeAlias;
  const results = changing(dir, () => {
    if (!given.has('dry-run')) mkdirSync(dir, { recursive: true });
    return aliases().map((name) => act(name, dir, io.env, given.has('dry-run')));
  });
  if (given.has('json')) io.stdout.write(`${JSON.stringify(results)}\n`);
  else for (const result of results) io.stdout.write(`${textOf(result)}\n`);
  const taken = results.filter(({ outcome }) => outcome === 'taken');
  if (taken.length > 0 && !given.has('json')) {
    io.stderr.write(
      `${io.programName}: ${taken.length} names belong to other programs and were left alone\n`,
    );
  }
  return taken.length > 0 && !given.has('remove') ? 1 : 0;
}

/** @throws TapswitchError E_ALIAS_DIR when the directory cannot be changed */
function changing<T>(dir: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new TapswitchError(
      'E_ALIAS_DIR',
      `${dir} cannot be changed (${errorMessage(error)})`,
      'run it with sudo, or name another directory of the PATH with --dir',
      { cause: error },
    );
  }
}

/** Where a path leads in the end; null: nowhere. */
function target(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** True for a link to this or another tapswitch. */
function isOurs(path: string): boolean {
  try {
    if (!lstatSync(path).isSymbolicLink()) return false;
    return target(path) === target(BIN) || /(^|\/)tapswitch$/.test(readlinkSync(path));
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A program of that name on the PATH, or in `dir`, that is not ours. */
function stranger(name: string, dir: string, env: NodeJS.ProcessEnv): string | null {
  const places = [dir, ...(env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  for (const place of places) {
    if (place === '') continue;
    const path = join(place, name);
    if (!exists(path) || isOurs(path)) continue;
    if (place === dir || isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function makeAlias(name: string, dir: string, env: NodeJS.ProcessEnv, dry: boolean): Result {
  const path = join(dir, name);
  const by = stranger(name, dir, env);
  if (by !== null) return { name, path, outcome: 'taken', by };
  if (isOurs(path) && target(path) === target(BIN)) return { name, path, outcome: 'kept' };
  if (!dry) {
    if (exists(path)) unlinkSync(path);
    symlinkSync(target(BIN) ?? BIN, path);
  }
  return { name, path, outcome: 'linked' };
}

function removeAlias(name: string, dir: string, _env: NodeJS.ProcessEnv, dry: boolean): Result {
  const path = join(dir, name);
  if (!exists(path)) return { name, path, outcome: 'absent' };
  if (!isOurs(path)) return { name, path, outcome: 'taken', by: path };
  if (!dry) unlinkSync(path);
  return { name, path, outcome: 'removed' };
}

function textOf({ name, path, outcome, by }: Result): string {
  switch (outcome) {
    case 'linked':
      return `${path} -> tapswitch`;
    case 'kept':
      return `${path} is there already`;
    case 'removed':
      return `${path} removed`;
    case 'absent':
      return `${path} is not there`;
    case 'taken':
      return `${name}: left alone, ${by} is another program`;
  }
}
