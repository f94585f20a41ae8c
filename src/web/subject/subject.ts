/**
 * The switch that is watched, ours or Open vSwitch's: its database, OpenFlow sockets and control
 * socket, and what it can be asked.
 *
 *     database (replica, always current) ──┐
 *     OpenFlow, one connection a bridge ───┼──> topics
 *     control socket ──────────────────────┘
 */
import type { Clock } from '../../common/clock.js';
import { TapswitchError } from '../../common/errors.js';
import { PollLoop } from '../../common/poll-loop.js';
import type { TlsFiles } from '../../common/tls.js';
import { type Changes, Idl, type IdlRow, type IdlTable } from '../../ovsdb/idl/index.js';
import type { Capabilities } from '../api/index.js';
import { ControlSocket } from './control.js';
import { OpenFlowSockets } from './openflow.js';

export interface SubjectOptions {
  clock: Clock;
  runDir: string;
  /** Remotes of the database. */
  database: readonly string[];
  /** Keys for those at ssl:HOST:PORT. */
  tls?: TlsFiles;
  /** The control socket: its path, or the program whose pid file names it. */
  control: string;
}

const NOTHING: Capabilities = {
  trace: false,
  drops: false,
  dropExamples: false,
  workers: false,
  queues: false,
  bondReasons: false,
  capture: false,
  logs: false,
  datapathFlows: false,
};

export class Subject {
  readonly clock: Clock;
  readonly idl: Idl;
  readonly openflow: OpenFlowSockets;
  readonly control: ControlSocket;
  /** Told of every change of the database. */
  readonly listeners = new Set<(changes: Changes) => void>();
  private readonly loop: PollLoop;

  constructor(readonly options: SubjectOptions) {
    const { clock, runDir } = options;
    this.clock = clock;
    this.loop = new PollLoop(clock);
    this.openflow = new OpenFlowSockets(runDir);
    this.control = new ControlSocket(options.control, runDir);
    this.idl = new Idl({
      remote: options.database,
      clock,
      backoffMs: { min: 200, max: 2000 },
      leaderOnly: false,
      tls: options.tls,
      onChange: (changes) => this.changed(changes),
      onWake: () => this.loop.wake(),
    });
    this.loop.add(this.idl);
    this.loop.start();
  }

  close(): void {
    this.loop.stop();
    this.idl.close();
    this.openflow.close();
    this.control.close();
  }

  /** A table's rows; none where there is no such table or no database yet. */
  rows(table: string): IdlRow[] {
    return [...(this.table(table) ?? [])];
  }

  table(name: string): IdlTable | null {
    if (!this.idl.hasContents || !this.idl.schema?.tables.has(name)) return null;
    return this.idl.table(name);
  }

  /** @throws TapswitchError E_WEB_DATABASE */
  mustHaveDatabase(): void {
    if (this.idl.hasContents && this.idl.live) return;
    const why = this.idl.lastError?.message ?? this.idl.state;
    const message = `the database does not answer: ${why}`;
    throw new TapswitchError('E_WEB_DATABASE', message, 'is the switch running?');
  }

  bridgeNames(): string[] {
    return this.rows('Bridge')
      .map((row) => row.get<string>('name'))
      .sort();
  }

  /** @throws TapswitchError E_WEB_NOT_FOUND */
  mustHaveBridge(name: string): IdlRow {
    const row = this.rows('Bridge').find((bridge) => bridge.get<string>('name') === name);
    if (row) return row;
    throw new TapswitchError('E_WEB_NOT_FOUND', `no bridge named ${name}`);
  }

  async kind(): Promise<'tapswitch' | 'Open vSwitch' | 'none'> {
    const commands = await this.control.commands();
    if (commands.size === 0) return 'none';
    return commands.has('tapswitch/workers') ? 'tapswitch' : 'Open vSwitch';
  }

  /** What there is to ask. @param capture whether packets may be captured */
  async capabilities(capture: boolean): Promise<Capabilities> {
    const commands = await this.control.commands();
    if (commands.size === 0) return NOTHING;
    return {
      trace: commands.has('ofproto/trace'),
      drops: commands.has('coverage/show'),
      dropExamples: commands.has('tapswitch/capture-drops'),
      workers: commands.has('tapswitch/workers') || commands.has('dpif-netdev/pmd-stats-show'),
      queues: commands.has('tapswitch/tx-queues'),
      bondReasons: commands.has('bond/status'),
      capture,
      logs: commands.has('tapswitch/logs') || commands.has('vlog/list'),
      datapathFlows: commands.has('dpctl/dump-flows'),
    };
  }

  private changed(changes: Changes): void {
    this.openflow.keep(new Set(this.bridgeNames()));
    for (const listener of this.listeners) listener(changes);
  }
}
