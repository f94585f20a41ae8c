/**
 * The daemon's logs: console and file, with the levels that the command line asked for.
 */
import type { Clock } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { getLogger, type LogSink, logHub } from '../../common/log.js';
import { LogPatterns } from '../../common/log-pattern.js';
import { ConsoleSink, FileSink } from '../../common/log-sinks.js';
import { applyLogSpec, setMaximumVerbosity } from '../../common/log-spec.js';
import { RecentLog } from '../../common/recent-log.js';
import { UsageError } from '../getopt.js';
import type { DaemonFlags } from './options.js';

export class DaemonLogs {
  readonly patterns = new LogPatterns();
  readonly file: FileSink;
  readonly recent: RecentLog;
  private readonly console: ConsoleSink;

  constructor(clock: Clock, program: string) {
    const options = { patterns: this.patterns, clock, program };
    this.console = new ConsoleSink(options);
    this.file = new FileSink(options);
    this.recent = new RecentLog(clock);
    logHub.sinks.push(this.console, this.file, this.recent);
  }

  /**
   * Sets levels and opens the log file.
   * @throws UsageError for a bad -v, TapswitchError E_LOG_FILE
   */
  configure(flags: DaemonFlags): void {
    for (const spec of flags.verbosity) {
      if (spec === null) setMaximumVerbosity(logHub);
      const fault = spec === null ? null : applyLogSpec(logHub, this.patterns, spec);
      if (fault !== null) throw new UsageError(`processing "${spec}": ${fault}`);
    }
    if (flags.logFile !== null) this.openFile(flags.logFile);
  }

  /** After a log rotation. A failure is logged; the file before stays in use. */
  reopen(): void {
    const path = this.file.path;
    try {
      this.file.reopen();
    } catch (error) {
      getLogger('vlog').warn(`failed to open ${path} for logging: ${errorMessage(error)}`);
    }
  }

  /** The terminal is gone (--detach): from now on the file is all there is. */
  leaveConsole(): void {
    this.remove(this.console);
  }

  close(): void {
    this.remove(this.console);
    this.remove(this.file);
    this.remove(this.recent);
    this.file.close();
  }

  private openFile(path: string): void {
    try {
      this.file.open(path);
    } catch (cause) {
      throw new TapswitchError(
        'E_LOG_FILE',
        `failed to open ${path} for logging (${errorMessage(cause)})`,
        'make its directory, or name another file with --log-file=FILE',
        { cause },
      );
    }
  }

  private remove(sink: LogSink): void {
    const index = logHub.sinks.indexOf(sink);
    if (index >= 0) logHub.sinks.splice(index, 1);
  }
}
