/**
 * Logs of one run of ofctl: standard error and, with --log-file, a file.
 *
 *     2026-01-02T03:04:05Z|00001|ofp_match|INFO|normalization changed ofp_match, details:
 *
 * Not for: errors that end the program (errors.ts).
 */
import { join } from 'node:path';
import { WarpClock } from '../../common/clock.js';
import { type LogLevel, type LogSink, logHub } from '../../common/log.js';
import { registerLogModules } from '../../common/log-modules.js';
import { LogPatterns } from '../../common/log-pattern.js';
import { FileSink } from '../../common/log-sinks.js';
import { applyLogSpec, setMaximumVerbosity } from '../../common/log-spec.js';
import { directories } from '../daemon/dirs.js';
import type { CliIo } from '../io.js';
import { errorText, fatal } from './errors.js';

class StderrSink implements LogSink {
  readonly destination = 'console';
  private readonly clock = new WarpClock();

  constructor(
    private readonly io: CliIo,
    private readonly patterns: LogPatterns,
  ) {}

  write(sequence: number, module: string, level: LogLevel, message: string): void {
    const { clock, io } = this;
    const line = this.patterns.format('console', {
      ...{ sequence, module, level, message, program: io.programName },
      ...{ wallMs: clock.wallNow(), uptimeMs: clock.now() },
    });
    io.stderr.write(`${line}\n`);
  }
}

/** What the command line says about logs. */
export interface LogOptions {
  /** Arguments of -v; null: everything. */
  verbosity: (string | null)[];
  /** null: the usual file; undefined: none. */
  logFile?: string | null;
}

/**
 * Attaches sinks as the options ask.
 * @returns what detaches them
 */
export function startLogging(options: LogOptions, io: CliIo): () => void {
  registerLogModules();
  const patterns = new LogPatterns();
  const sinks: LogSink[] = [new StderrSink(io, patterns)];
  // Levels are the process's: what an earlier run in it set must not stay.
  for (const destination of ['console', 'file']) {
    logHub.setDefault(destination, 'info');
    for (const logger of logHub.modules()) logger.setLevel(destination, 'info');
  }
  for (const spec of options.verbosity) {
    const fault = spec === null ? null : applyLogSpec(logHub, patterns, spec);
    if (fault !== null) fatal(`processing "${spec}": ${fault}`);
    if (spec === null) setMaximumVerbosity(logHub);
  }
  logHub.sinks.push(...sinks);
  if (options.logFile !== undefined) sinks.push(openFile(options.logFile, patterns, io));
  return () => {
    for (const sink of sinks) {
      const at = logHub.sinks.indexOf(sink);
      if (at >= 0) logHub.sinks.splice(at, 1);
      if (sink instanceof FileSink) sink.close();
    }
  };
}

function openFile(path: string | null, patterns: LogPatterns, io: CliIo): FileSink {
  const { logDir } = directories(io.env);
  const file = new FileSink({ patterns, clock: new WarpClock(), program: io.programName });
  const target = path ?? join(logDir, `${io.programName}.log`);
  logHub.sinks.push(file);
  try {
    file.open(target);
  } catch (e) {
    return fatal(`failed to open ${target} for logging (${errorText(e)})`);
  }
  return file;
}
