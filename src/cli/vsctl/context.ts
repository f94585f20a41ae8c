/**
 * What a command works with: its words, the transaction, and where its output goes.
 *
 * One `RunContext` lasts for one attempt at the whole command line; every command in it gets a
 * `CommandContext`.
 *
 * Not for: retrying and waiting (run.ts).
 */

import { Datum } from '../../ovsdb/datum.js';
import type { DbSchema, IdlRow, IdlTxn, MonitorSpec, RowValue } from '../../ovsdb/idl/index.js';
import type { CliIo } from '../io.js';
import type { ConfigCache } from './config-cache.js';
import type { SymbolTable } from './symbols.js';
import type { RecordTable } from './table.js';

/** Where output goes, and what is known of the world outside. */
export type VsctlIo = Pick<CliIo, 'stdout' | 'stderr' | 'env' | 'programName' | 'hints'>;

/** A command as typed: `[--option[=value]...] name [argument...]`. */
export interface ParsedCommand {
  readonly syntax: CommandSyntax;
  /** By name with its dashes; null for an option without a value. */
  readonly options: ReadonlyMap<string, string | null>;
  /** argv[0] is the command's name. */
  readonly argv: readonly string[];
}

/** What a command is and does. */
export interface CommandSyntax {
  readonly name: string;
  readonly minArgs: number;
  /** Infinity: any number. */
  readonly maxArgs: number;
  /** `BRIDGE [KEY]...`: for `--commands`, from which shells complete. */
  readonly arguments: string;
  /** `--may-exist`, `--id=`: those that end in `=` take a value. */
  readonly options: readonly string[];
  /** Whether the command may change the database. */
  readonly writes: boolean;
  /** Declares which columns must be replicated. Throws CtlError for wrong names. */
  readonly prerequisites?: (command: ParsedCommand, spec: MonitorSpec, warn: Warn) => void;
  readonly run?: (ctx: CommandContext) => void;
  /** After the commit: may change the output. */
  readonly postprocess?: (ctx: CommandContext) => void;
}

/** Logs a warning. `module`: the log module, `vsctl` unless told otherwise. */
export type Warn = (message: string, module?: string) => void;

/** One attempt at the command line. */
export interface RunContext {
  readonly txn: IdlTxn;
  readonly schema: DbSchema;
  readonly symbols: SymbolTable;
  /** The only row of Open_vSwitch. */
  readonly ovs: IdlRow;
  /** Bridges, ports and interfaces by name; null until asked for, and after it became wrong. */
  cache: ConfigCache | null;
  /** Interfaces that were created: checked once the switch has taken them up. */
  readonly newInterfaces: IdlRow[];
  readonly warn: Warn;
}

/** One command of one attempt. */
export class CommandContext {
  output = '';
  table: RecordTable | null = null;
  /** The command's condition does not hold yet: wait for the database to change. */
  tryAgain = false;
  /** Whether this command has verified the columns that tie bridges, ports and interfaces. */
  verifiedPorts = false;

  constructor(
    readonly run: RunContext,
    readonly command: ParsedCommand,
  ) {}

  get argv(): readonly string[] {
    return this.command.argv;
  }

  get txn(): IdlTxn {
    return this.run.txn;
  }

  has(option: string): boolean {
    return this.command.options.has(option);
  }

  /** The option's value, or undefined if it was not given. */
  option(name: string): string | undefined {
    return this.command.options.get(name) ?? undefined;
  }

  get<T = RowValue>(row: IdlRow, column: string): T {
    return this.txn.get<T>(row, column);
  }

  name(row: IdlRow): string {
    return this.txn.get<string>(row, 'name');
  }

  rows(row: IdlRow, column: string): IdlRow[] {
    return this.txn.get<IdlRow[]>(row, column);
  }

  /** Adds a reference to a set. */
  addReference(row: IdlRow, column: string, target: IdlRow): void {
    const present = this.txn.datum(row, column);
    this.txn.setDatum(row, column, present.union(new Datum([target.uuid])));
  }

  /** Takes a reference out of a set. */
  removeReference(row: IdlRow, column: string, target: IdlRow): void {
    const present = this.txn.datum(row, column);
    this.txn.setDatum(row, column, present.subtract(new Datum([target.uuid])));
  }

  /** The rows changed in a way that the cache does not know. */
  invalidateCache(): void {
    this.run.cache = null;
  }
}
