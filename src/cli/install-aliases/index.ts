/**
 * `tapswitch install-aliases`: the names of Open vSwitch's programs as links to tapswitch, for
 * scripts that call them. Never where the real programs are: a link is made only under a name that
 * nothing on the PATH has, and only links that lead to this tapswitch, or to one that is gone, are
 * replaced or removed.
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
  --force        also replace or remove links that lead to another tapswitch
  --dry-run      only tell what would be done
  --json         tell it as JSON
  -h, --help     display this help message
`;

const SPECS = [
  { name: 'dir', arg: 'required' as const },
  { name: 'remove', arg: 'none' as const },
  { name: 'force', arg: 'none' as const },
  { name: 'dry-run', arg: 'none' as const },
  { name: 'json', arg: 'none' as const },
  { name: 'help', short: 'h', arg: 'none' as const },
];

type Outcome = 'linked' | 'kept' | 'removed' | 'absent' | 'taken' | 'anothers';

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
    const how = { env: io.env, dry: given.has('dry-run'), force: given.has('force') };
    return aliases().map((name) => act(name, dir, how));
  });
  if (given.has('json')) io.stdout.write(`${JSON.stringify(results)}\n`);
  else for (const result of results) io.stdout.write(`${textOf(result)}\n`);
  const taken = results.filter(({ outcome }) => outcome === 'taken' || outcome === 'anothers');
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

/** Whose link it is: one that leads nowhere is nobody's. null: it is no link to a tapswitch. */
function ownerOf(path: string): 'this' | 'another' | 'nobody' | null {
  try {
    if (!lstatSync(path).isSymbolicLink()) return null;
    const leadsTo = target(path);
    if (leadsTo === target(BIN)) return 'this';
    if (!/(^|\/)tapswitch$/.test(readlinkSync(path))) return null;
    return leadsTo === null ? 'nobody' : 'another';
  } catch {
    return null;
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
    if (!exists(path) || ownerOf(path) !== null) continue;
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

interface How {
  env: NodeJS.ProcessEnv;
  /** Change nothing. */
  dry: boolean;
  /** Links to another tapswitch, too. */
  force: boolean;
}

function makeAlias(name: string, dir: string, { env, dry, force }: How): Result {
  const path = join(dir, name);
  const by = stranger(name, dir, env);
  if (by !== null) return { name, path, outcome: 'taken', by };
  const owner = ownerOf(path);
  if (owner === 'this') return { name, path, outcome: 'kept' };
  if (owner === 'another' && !force) return anothers(name, path);
  if (!dry) {
    if (exists(path)) unlinkSync(path);
    symlinkSync(target(BIN) ?? BIN, path);
  }
  return { name, path, outcome: 'linked' };
}

function removeAlias(name: string, dir: string, { dry, force }: How): Result {
  const path = join(dir, name);
  if (!exists(path)) return { name, path, outcome: 'absent' };
  const owner = ownerOf(path);
  if (owner === null) return { name, path, outcome: 'taken', by: path };
  if (owner === 'another' && !force) return anothers(name, path);
  if (!dry) unlinkSync(path);
  return { name, path, outcome: 'removed' };
}

function anothers(name: string, path: string): Result {
  return { name, path, outcome: 'anothers', by: target(path) ?? path };
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
    case 'anothers':
      return `${name}: left alone, it leads to another tapswitch, ${by} (--force)`;
  }
}
