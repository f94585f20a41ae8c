/**
 * Loggers by module name, with Open vSwitch's levels.
 *
 * A line goes to every sink whose level for that module allows it; `setLevel` is what `vlog/set`
 * calls. Sinks (console, file) are attached by the daemon; without one, nothing is written, so
 * libraries stay silent.
 */

export const LOG_LEVELS = ['off', 'emer', 'err', 'warn', 'info', 'dbg'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
type WriteLevel = Exclude<LogLevel, 'off'>;

/** Where lines go. `destination` is the name that `vlog/set` uses: console, file or syslog. */
export interface LogSink {
  readonly destination: 'console' | 'file' | 'syslog';
  write(sequence: number, module: string, level: WriteLevel, message: string): void;
}

/** A module's logger. */
export class Logger {
  private readonly levels = new Map<string, number>();

  constructor(
    readonly module: string,
    private readonly hub: LogHub,
  ) {}

  emer(message: string): void {
    this.log('emer', message);
  }
  err(message: string): void {
    this.log('err', message);
  }
  warn(message: string): void {
    this.log('warn', message);
  }
  info(message: string): void {
    this.log('info', message);
  }
  dbg(message: string): void {
    this.log('dbg', message);
  }

  /** True when a line of `level` would be written anywhere: guard costly messages with it. */
  enabled(level: WriteLevel): boolean {
    const rank = LOG_LEVELS.indexOf(level);
    const { sinks } = this.hub;
    // Asked for every message of a protocol: no closure.
    for (let i = 0; i < sinks.length; i++) {
      if (rank <= this.rankFor(sinks[i].destination)) return true;
    }
    return false;
  }

  /** The level of this module at `destination`. */
  level(destination: string): LogLevel {
    return LOG_LEVELS[this.rankFor(destination)];
  }

  setLevel(destination: string, level: LogLevel): void {
    this.levels.set(destination, LOG_LEVELS.indexOf(level));
  }

  private rankFor(destination: string): number {
    return this.levels.get(destination) ?? this.hub.defaultRank(destination);
  }

  private log(level: WriteLevel, message: string): void {
    const rank = LOG_LEVELS.indexOf(level);
    let sequence = 0;
    for (const sink of this.hub.sinks) {
      if (rank > this.rankFor(sink.destination)) continue;
      sequence ||= this.hub.nextSequence();
      sink.write(sequence, this.module, level, message);
    }
  }
}

/** Every logger and sink of one process. */
export class LogHub {
  readonly sinks: LogSink[] = [];
  private readonly loggers = new Map<string, Logger>();
  private readonly defaults = new Map<string, number>();
  private sequence = 0;

  logger(module: string): Logger {
    let logger = this.loggers.get(module);
    if (!logger) {
      logger = new Logger(module, this);
      this.loggers.set(module, logger);
    }
    return logger;
  }

  /** All loggers made so far, by module name. */
  modules(): Logger[] {
    return [...this.loggers.values()].sort((a, b) => (a.module < b.module ? -1 : 1));
  }

  /** The level of modules that have none of their own at `destination`. */
  setDefault(destination: string, level: LogLevel): void {
    this.defaults.set(destination, LOG_LEVELS.indexOf(level));
  }

  defaultRank(destination: string): number {
    return this.defaults.get(destination) ?? LOG_LEVELS.indexOf('info');
  }

  nextSequence(): number {
    this.sequence += 1;
    return this.sequence;
  }
}

/** The process's hub: log levels are a property of the process, as in Open vSwitch. */
export const logHub = new LogHub();

/** The logger of `module` (Open vSwitch's module names: bridge, bond, ofproto_dpif, vconn...). */
export function getLogger(module: string): Logger {
  return logHub.logger(module);
}
