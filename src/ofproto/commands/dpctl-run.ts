/**
 * One run of a dpctl/* command: what it prints, the errors among it, and the datapath it is about.
 *
 * A command may go on after an error; all that it printed is its answer then. Texts and the order
 * of checks are those of Open vSwitch, since scripts read them.
 *
 * Not for: what the commands do.
 */
import { TapswitchError } from '../../common/errors.js';
import type { OfprotoBacker } from '../backer.js';
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, commandError, type OfprotoCommand } from './command.js';
import { type DpctlOptions, dpctlOptions } from './dpctl-options.js';
import type { OdpActionNames } from './parse-odp-actions.js';

/** What Open vSwitch's program name is in these answers. */
const PROGRAM = 'ovs-vswitchd';

/** Reasons as the C library words them. */
export const REASONS = {
  EACCES: 'Permission denied',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ENODEV: 'No such device',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  EOPNOTSUPP: 'Operation not supported',
} as const;

export type Reason = keyof typeof REASONS;

export class DpctlRun {
  text = '';

  constructor(
    readonly registry: OfprotoRegistry,
    readonly options: DpctlOptions,
  ) {}

  print(line: string): void {
    this.text += `${line}\n`;
  }

  /** Prints an error. @returns false, for `return run.fail(...)` */
  fail(text: string, reason?: Reason): false {
    this.print(`${PROGRAM}: ${text}${reason === undefined ? '' : ` (${REASONS[reason]})`}`);
    return false;
  }

  /** The datapath of that name ('netdev@ovs-netdev', 'ovs-netdev'), if there is one. */
  find(name: string | undefined): OfprotoBacker | null {
    for (const backer of this.registry.backers()) {
      const full = backer.dpif.name;
      if (full === name || full.split('@')[1] === name) return backer;
    }
    return null;
  }

  /** The datapath that the first argument has to name; null after an error. */
  named(name: string, what = 'opening datapath'): OfprotoBacker | null {
    const backer = this.find(name);
    if (backer === null) this.fail(what, 'ENODEV');
    return backer;
  }

  /**
   * The datapath that the first argument may name, or the only one; null after an error.
   * @param args all of the command's
   * @param argsMax so many arguments begin with a datapath for certain
   */
  open(args: readonly string[], argsMax: number): OfprotoBacker | null {
    const named = this.find(args[0]);
    if (named !== null) return named;
    const backers = [...this.registry.backers()];
    if (args.length !== argsMax) {
      if (backers.length === 1) return backers[0];
      this.fail(backers.length === 0 ? 'no datapaths exist' : 'multiple datapaths, specify one');
    }
    this.fail('datapath not found', 'EINVAL');
    return null;
  }
}

/** Runs a command. @returns whether it did what was asked */
export type DpctlHandler = (run: DpctlRun, args: string[]) => boolean | Promise<boolean>;

/** Options do not count as arguments. */
export function dpctlCommand(
  registry: OfprotoRegistry,
  [name, usage, minArgs, maxArgs]: readonly [string, string, number, number],
  handler: DpctlHandler,
): OfprotoCommand {
  const answer = (run: DpctlRun, done: boolean): string => {
    return done ? run.text : commandError(run.text);
  };
  return {
    name: `dpctl/${name}`,
    usage,
    minArgs,
    maxArgs: ANY_ARGS,
    run: (words) => {
      const options = dpctlOptions(words);
      const args = options.rest;
      const bound = (limit: string, count: number): never =>
        commandError(`"dpctl/${name}" command ${limit} ${count} arguments`);
      if (args.length < minArgs) bound('requires at least', minArgs);
      if (args.length > maxArgs) bound('takes at most', maxArgs);
      const run = new DpctlRun(registry, options);
      const done = handler(run, args);
      return typeof done === 'boolean' ? answer(run, done) : done.then((ok) => answer(run, ok));
    },
  };
}

/** Ports by name, for flows and actions. */
export function portNames({ dpif }: OfprotoBacker): OdpActionNames {
  const numbers = new Map([...dpif.ports()].map((port) => [port.name, port.portNo]));
  return { portNo: (name) => numbers.get(name) ?? null };
}

/** The text of a refusal by a parser; other errors go on. */
export function refusal(error: unknown): string {
  if (!(error instanceof TapswitchError)) throw error;
  return error.message;
}
