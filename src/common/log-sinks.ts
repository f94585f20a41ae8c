/**
 * Where log lines end: standard error, and a file that can be rotated.
 *
 * Writing is synchronous, as a line that explains a crash must be out before it; the messages are
 * those of the control plane and rate limited. A write that fails (a full disk, a closed terminal)
 * is counted and forgotten: logging never stops the switch.
 *
 * Not for: levels (log.ts), the layout of a line (log-pattern.ts), or syslog, which needs a
 * datagram unix socket that Node.js does not offer.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Clock } from './clock.js';
import { getLogger, type LogLevel, type LogSink } from './log.js';
import type { LogDestination, LogPatterns } from './log-pattern.js';

export interface SinkOptions {
  patterns: LogPatterns;
  clock: Clock;
  /** The program's name, `%A` in a pattern. */
  program: string;
}

/** What console and file have in common: formatting, and surviving a failed write. */
abstract class DescriptorSink implements LogSink {
  abstract readonly destination: 'console' | 'file';
  /** Lines that could not be written, in whole or in part. */
  failedWrites = 0;
  private readonly startedMs: number;

  constructor(protected readonly options: SinkOptions) {
    this.startedMs = options.clock.now();
  }

  write(sequence: number, module: string, level: LogLevel, message: string): void {
    const fd = this.descriptor();
    if (fd < 0) return;
    const { patterns, clock, program } = this.options;
    const line = patterns.format(this.destination as LogDestination, {
      sequence,
      module,
      level,
      message,
      program,
      wallMs: clock.wallNow(),
      uptimeMs: clock.now() - this.startedMs,
    });
    const bytes = Buffer.from(`${line}\n`);
    try {
      if (writeSync(fd, bytes) < bytes.length) this.failedWrites += 1;
    } catch {
      this.failedWrites += 1;
    }
  }

  protected abstract descriptor(): number;
}

/** Standard error. */
export class ConsoleSink extends DescriptorSink {
  override readonly destination = 'console';

  constructor(
    options: SinkOptions,
    private readonly fd = 2,
  ) {
    super(options);
  }

  protected override descriptor(): number {
    return this.fd;
  }
}

/** A log file. `path` outlives `close()`, so that `reopen()` finds the file again. */
export class FileSink extends DescriptorSink {
  override readonly destination = 'file';
  private fd = -1;
  private filePath: string | null = null;
  private readonly logger = getLogger('vlog');

  /** The configured file, open or not. */
  get path(): string | null {
    return this.filePath;
  }

  get isOpen(): boolean {
    return this.fd >= 0;
  }

  /**
   * Starts to append to `path`, in place of the file before. Opening the same file again (no
   * rotation happened) changes nothing.
   *
   * @throws the error of open(2); the file before stays in use
   */
  open(path: string): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
    const fd = openSync(path, flags, 0o660);
    if (this.fd >= 0 && isSameFile(this.fd, fd)) {
      closeSync(fd);
      return;
    }
    if (this.fd >= 0) this.logger.info('closing log file');
    this.close();
    this.fd = fd;
    this.filePath = path;
    this.logger.info(`opened log file ${path}`);
  }

  /** After a rotation: opens the configured file by its name again. False: none is configured. */
  reopen(): boolean {
    if (this.filePath === null) return false;
    this.open(this.filePath);
    return true;
  }

  /** Stops writing until `reopen()`. Idempotent. */
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  protected override descriptor(): number {
    return this.fd;
  }
}

function isSameFile(a: number, b: number): boolean {
  const first = fstatSync(a);
  const second = fstatSync(b);
  return first.dev === second.dev && first.ino === second.ino;
}
