/**
 * The last lines of the log, kept in memory: for whoever looks at the daemon without its log file.
 *
 * They are the lines that the level of the destination `file` lets through, whether there is a file
 * or not.
 */
import type { Clock } from './clock.js';
import type { LogLevel, LogSink } from './log.js';

export interface RecentLine {
  /** Counts from 1. */
  seq: number;
  /** Milliseconds since 1970. */
  at: number;
  module: string;
  level: LogLevel;
  text: string;
}

const LINES_MAX = 1000;
/** Of a longer line the rest is cut off. */
const LINE_CHARS_MAX = 2000;

export class RecentLog implements LogSink {
  readonly destination = 'file';
  private readonly lines: RecentLine[] = [];
  private seq = 0;

  constructor(private readonly clock: Clock) {}

  write(_sequence: number, module: string, level: LogLevel, message: string): void {
    this.seq += 1;
    const text = message.slice(0, LINE_CHARS_MAX);
    this.lines.push({ seq: this.seq, at: this.clock.wallNow(), module, level, text });
    if (this.lines.length > LINES_MAX) this.lines.shift();
  }

  /** Lines after the one with number `seq`, the newest last. */
  after(seq: number): readonly RecentLine[] {
    return this.lines.filter((line) => line.seq > seq);
  }
}
