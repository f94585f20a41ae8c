/**
 * Carrying out a command line against a database.
 *
 *     connect ─> run all commands in one transaction ─> commit ─> print ─> wait for the switch
 *                    ^                                    │
 *                    └── the database changed ────────────┘ 'try again', or wait-until
 *
 * Not for: options (options.ts) or what the commands do.
 */

import { readFileSync } from 'node:fs';
import { WarpClock } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import { PollLoop } from '../../common/poll-loop.js';
import { Idl, IdlTxn, type MonitorSpec, type TxnResult } from '../../ovsdb/idl/index.js';
import { directories } from '../daemon/dirs.js';
import { escapeArgs } from './command-line.js';
import { connectionErrorText, splitRemotes } from './connection.js';
import {
  CommandContext,
  type ParsedCommand,
  type RunContext,
  type VsctlIo,
  type Warn,
} from './context.js';
import { CtlError, DbConnectionError } from './errors.js';
import type { GlobalOptions } from './options.js';
import { SymbolTable } from './symbols.js';
import { formatRecords } from './table.js';

const warn: Warn = (message, module = 'vsctl') => getLogger(module).warn(message);

/** Who started us, for the comment in the database's log. */
function parentProcess(): string {
  try {
    const [name] = readFileSync(`/proc/${process.ppid}/cmdline`, 'utf8').split('\0', 1);
    return `${name} (pid ${process.ppid})`;
  } catch {
    return `(pid ${process.ppid})`;
  }
}

/** One run of a command line. */
export class VsctlRun {
  private readonly idl: Idl;
  private readonly loop: PollLoop;
  private prerequisiteFault: unknown = null;

  constructor(
    private readonly options: GlobalOptions,
    private readonly commands: readonly ParsedCommand[],
    private readonly argv: readonly string[],
    private readonly io: VsctlIo,
  ) {
    const clock = new WarpClock();
    this.loop = new PollLoop(clock);
    this.idl = new Idl({
      remote: splitRemotes(options.db, options.shuffleRemotes),
      clock,
      monitor: (spec) => this.monitor(spec),
      onWake: () => this.loop.wake(),
      reconnect: options.retry,
      leaderOnly: options.leaderOnly,
      tls: options.tls,
    });
    this.loop.add(this.idl);
  }

  /** Does it all. Rejects with CtlError or CtlExit. */
  async run(): Promise<void> {
    this.loop.start();
    let seqno = 0;
    do {
      await this.until(() => this.idl.live && this.idl.seqno !== seqno);
      if (this.prerequisiteFault) throw this.prerequisiteFault;
      seqno = this.idl.seqno;
    } while (!(await this.attempt()));
  }

  close(): void {
    this.idl.close();
    this.loop.stop();
  }

  /** Waits for a state of the replica. Throws CtlError when there will be none any more. */
  private async until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.idl.state === 'dead') {
        const why = connectionErrorText(this.idl.lastError);
        throw new DbConnectionError(this.options.db, why);
      }
      await this.idl.nextEvent();
    }
  }

  private monitor(spec: MonitorSpec): void {
    try {
      spec.table('Open_vSwitch');
      if (this.options.wait) spec.columns('Open_vSwitch', 'cur_cfg');
      for (const command of this.commands) command.syntax.prerequisites?.(command, spec, warn);
    } catch (error) {
      // Thrown where it can end the program: here it would only end the connection.
      this.prerequisiteFault = error;
    }
  }

  /** One transaction with all commands. False: to be repeated when the database has changed. */
  private async attempt(): Promise<boolean> {
    const { idl, options } = this;
    const txn = new IdlTxn(idl, { dryRun: options.dryRun, keepUnchanged: true });
    const called = escapeArgs([this.io.programName, ...this.argv]);
    txn.comment(`${this.io.programName} (invoked by ${parentProcess()}): ${called}`);
    const run: RunContext = {
      txn,
      schema: idl.schema!,
      symbols: new SymbolTable(),
      ovs: idl.table('Open_vSwitch').first() ?? txn.insert('Open_vSwitch'),
      cache: null,
      newInterfaces: [],
      warn,
    };
    if (options.wait) txn.increment(run.ovs, 'next_cfg');
    const contexts = this.runCommands(run);
    if (!contexts) return false;
    checkSymbols(run.symbols);
    const result = await txn.commit();
    if (result.status === 'try again') return false;
    if (result.status === 'error') throw new CtlError(`transaction error: ${result.error}`);
    if (result.status === 'not locked') throw new CtlError('database not locked');
    for (const ctx of contexts) ctx.command.syntax.postprocess?.(ctx);
    this.print(contexts);
    if (options.wait && result.status === 'success') await this.waitForSwitch(run, result);
    return true;
  }

  /** Runs all commands; null when one of them has to wait for something. */
  private runCommands(run: RunContext): CommandContext[] | null {
    const contexts: CommandContext[] = [];
    for (const command of this.commands) {
      const ctx = new CommandContext(run, command);
      command.syntax.run?.(ctx);
      if (ctx.tryAgain) return null;
      contexts.push(ctx);
    }
    return contexts;
  }

  private print(contexts: readonly CommandContext[]): void {
    let first = true;
    for (const { table, output } of contexts) {
      if (table) {
        this.io.stdout.write(formatRecords(table, this.options.style, first));
        first = false;
      } else if (this.options.oneline) {
        const text = output.replace(/\n$/, '');
        this.io.stdout.write(`${text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'))}\n`);
      } else if (output !== '') this.io.stdout.write(output);
    }
  }

  /** Until the switch has taken up the change; then tells which interfaces it could not set up. */
  private async waitForSwitch(run: RunContext, result: TxnResult): Promise<void> {
    const wanted = result.incremented ?? 0;
    this.idl.enableReconnect();
    await this.until(() =>
      [...this.idl.table('Open_vSwitch')].some((row) => row.get<number>('cur_cfg') >= wanted),
    );
    let failed = false;
    for (const { uuid } of run.newInterfaces) {
      const iface = this.idl.table('Interface').row(run.txn.insertedUuid(uuid) ?? '');
      if (!iface) continue;
      const ofport = iface.get<number | null>('ofport');
      if (ofport !== null && ofport !== -1) continue;
      const error = iface.get<string | null>('error');
      const what = `Error detected while setting up '${iface.get<string>('name')}'`;
      const why = error ? `: ${error}` : '';
      this.complain(`${what}${why}.  See ovs-vswitchd log for details.`);
      failed = true;
    }
    if (failed) {
      this.complain(`The default log directory is "${directories(this.io.env).logDir}".`);
    }
  }

  private complain(message: string): void {
    this.io.stderr.write(`${this.io.programName}: ${message}\n`);
  }
}

/** Every `@name` must have a row; a row that nothing refers to will not stay. */
function checkSymbols(symbols: SymbolTable): void {
  for (const { name, created, strongRef, weakRef } of symbols) {
    if (!created) {
      throw new CtlError(
        `row id "${name}" is referenced but never created ` +
          `(e.g. with "-- --id=${name} create ...")`,
      );
    }
    if (strongRef) continue;
    const reference = weakRef
      ? 'only a weak reference to it was inserted'
      : 'no reference to it was inserted';
    warn(
      `row id "${name}" was created but ${reference}, ` +
        'so it will not actually appear in the database',
    );
  }
}
