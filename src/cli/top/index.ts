/**
 * `tapswitch top`: ports, flows, workers, bonds and drops, live in the terminal.
 *
 *     the console's samplers (src/web), in this process ──> views ──> screen
 *     keys ──> state ──────────────────────────────────────────────────┘
 *
 * Not for: one bond with its events (../bond), or a browser (../web).
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { WarpClock } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import type { FlowPage, System, Topic, TopicData, TopicParams } from '../../web/api/index.js';
import { assemble, type Console } from '../../web/console.js';
import { Subject } from '../../web/subject/subject.js';
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { hintIfNotRunning } from '../switch-hint.js';
import { tapswitchVersion } from '../version.js';
import { parseTop, type TopOptions, topUsage } from './options.js';
import { type Heading, type Look, pageRows, picture, plainRows } from './screen.js';
import { initialState, press, sortColumn, type TopState } from './state.js';
import type { TopData } from './views.js';

/** Escape sequences: another screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_REST = '\x1b[J';
const CLEAR_LINE = '\x1b[K';

/** Flows of a bridge that are looked at. */
const FLOWS = 500;
/** A sample is older than its interval after this. */
const SAMPLE_MS = 1600;
/** How long the switch may take to answer at first. */
const FIRST_MS_MAX = 5000;

interface Terminal {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export async function runTop(argv: string[], io: CliIo): Promise<number> {
  try {
    const options = parseTop(argv, io.env);
    if (options === null) {
      io.stdout.write(topUsage(io.programName));
      return 0;
    }
    return await new Top(options, io).run();
  } catch (error) {
    io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    if (error instanceof TapswitchError && !(error instanceof UsageError)) hintIfNotRunning(io);
    return 1;
  }
}

class Top {
  private readonly subject: Subject;
  private readonly console: Console;
  private readonly ended = new AbortController();
  private readonly live: boolean;
  private state: TopState;
  private data: TopData = {};
  private heading: Heading;
  private wake: () => void = () => {};

  constructor(
    private readonly options: TopOptions,
    private readonly io: CliIo,
  ) {
    const { view, sort, filter, logDir, json, count } = options;
    const clock = new WarpClock();
    this.subject = new Subject({ ...options, clock });
    const facts = {
      version: tapswitchVersion(),
      startedAt: clock.wallNow(),
      write: false,
      tokenNeeded: false,
    };
    this.console = assemble(this.subject, facts, logDir);
    this.state = initialState(view, sort, filter);
    this.heading = { name: hostname(), subject: '', time: '', error: null };
    const terminal = io.stdout as Terminal;
    this.live = terminal.isTTY === true && !json && count === Number.POSITIVE_INFINITY;
  }

  async run(): Promise<number> {
    const { stdout } = this.io;
    const end = (): void => this.ended.abort();
    // A reader that went away (`| head`) ends the watch.
    stdout.on('error', end).on('close', end);
    const leave = this.live ? this.takeTerminal() : () => {};
    try {
      await this.firstContents();
      await this.watch();
      return 0;
    } finally {
      leave();
      stdout.off('error', end).off('close', end);
      this.subject.close();
    }
  }

  private async watch(): Promise<void> {
    const { count, intervalMs } = this.options;
    // Rates need two samples, and long lists are read in the background.
    for (let i = 0; i < 2 && !this.live; i++) {
      await this.read();
      await this.pause(SAMPLE_MS);
    }
    for (let shown = 0; shown < count && !this.state.ended && !this.ended.signal.aborted; shown++) {
      if (shown > 0) await this.pause(intervalMs);
      if (!this.state.paused) await this.read();
      if (!this.ended.signal.aborted) this.show();
    }
  }

  private async firstContents(): Promise<void> {
    const { idl } = this.subject;
    const late = sleep(FIRST_MS_MAX, undefined, { ref: false }).then(() => true);
    while (!idl.live) {
      if (idl.lastError !== null && !this.live) this.subject.mustHaveDatabase();
      if (await Promise.race([idl.nextEvent().then(() => false), late])) break;
    }
    if (!this.live) this.subject.mustHaveDatabase();
  }

  /** Reads what the view shows; what cannot be read is told on the screen. */
  private async read(): Promise<void> {
    const { view } = this.state;
    try {
      this.data =
        view === 'flows' ? { flows: await this.flows() } : { [view]: await this.topic(view) };
      this.heading.error = null;
    } catch (error) {
      if (!this.live) throw error;
      this.heading.error = errorMessage(error);
    }
    const system: System = await this.topic('system');
    this.heading.name = system.name;
    this.heading.subject = `${system.subject} ${system.subjectVersion}`.trim();
    this.heading.time = new Date(system.now).toTimeString().slice(0, 8);
  }

  private async flows(): Promise<{ bridge: string; page: FlowPage }[]> {
    const { filter } = this.state;
    const sort = sortColumn(this.state);
    return Promise.all(
      this.subject.bridgeNames().map(async (bridge) => ({
        bridge,
        page: await this.topic('flows', { bridge, filter, sort, desc: true, limit: FLOWS }),
      })),
    );
  }

  private topic<T extends Topic>(topic: T, params: TopicParams = {}): Promise<TopicData[T]> {
    const resource = this.console.resources.find((each) => each.topic === topic);
    return resource?.read(params) as Promise<TopicData[T]>;
  }

  private show(): void {
    const { json, view } = this.options;
    const { stdout } = this.io;
    if (json) {
      const time = new Date(this.subject.clock.wallNow()).toISOString();
      stdout.write(`${JSON.stringify({ time, [view]: plainRows(this.state, this.data) })}\n`);
      return;
    }
    const text = picture(this.state, this.data, this.heading, this.look());
    if (!this.live) stdout.write(text);
    else
      stdout.write(`${HOME}${text.trimEnd().replaceAll('\n', `${CLEAR_LINE}\r\n`)}${CLEAR_REST}`);
  }

  private look(): Look {
    const { isTTY, columns, rows } = this.io.stdout as Terminal;
    const color = isTTY === true && this.io.env.NO_COLOR === undefined;
    // A terminal that does not know its size says 0.
    if (!this.live) return { color, columns: (isTTY && columns) || undefined };
    return { color, columns: columns || 80, rows: rows || 24 };
  }

  /** Takes the whole screen and single keys. @returns what gives them back */
  private takeTerminal(): () => void {
    const { stdout } = this.io;
    const stdin = this.io.stdin as NodeJS.ReadStream;
    const onKeys = (chunk: Buffer): void => this.pressed(`${chunk}`);
    const onResize = (): void => this.show();
    const onSignal = (): void => this.ended.abort();
    stdout.write(ENTER);
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.on('data', onKeys);
    stdin.resume();
    stdout.on('resize', onResize);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.on(signal, onSignal);
    return () => {
      for (const signal of signals) process.off(signal, onSignal);
      stdout.off('resize', onResize);
      stdin.off('data', onKeys);
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
      stdout.write(LEAVE);
    };
  }

  private pressed(keys: string): void {
    const before = this.state;
    const page = pageRows(this.look());
    // A sequence of an arrow key comes in one piece; other keys may come together.
    const each = keys.startsWith('\x1b') ? [keys] : [...keys];
    for (const key of each) this.state = press(this.state, key, page);
    const { view, filter, ended } = this.state;
    if (ended) this.ended.abort();
    else if (view !== before.view || filter !== before.filter) this.wake();
    else this.show();
  }

  /** Until the next picture is due, or a key asks for it. */
  private async pause(ms: number): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    const timer = sleep(ms, undefined, { signal: this.ended.signal }).catch(() => {});
    await Promise.race([timer, woken]);
    this.wake = () => {};
  }
}
