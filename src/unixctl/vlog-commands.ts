/**
 * The `vlog/` commands: log levels, patterns, rate limits and the log file of a running daemon.
 *
 * Not for: what a specification means (src/common/log-spec.ts).
 */
import { errorMessage } from '../common/errors.js';
import type { Logger, LogHub } from '../common/log.js';
import type { LogPatterns } from '../common/log-pattern.js';
import { honourRateLimit } from '../common/log-rate-limit.js';
import type { FileSink } from '../common/log-sinks.js';
import { applyLogSpec, listLogLevels, setMaximumVerbosity } from '../common/log-spec.js';
import { UnixctlError, type UnixctlServer } from './server.js';

export interface VlogTargets {
  hub: LogHub;
  patterns: LogPatterns;
  file: FileSink;
}

/** Adds the `vlog/` commands to `server`. */
export function registerVlogCommands(server: UnixctlServer, targets: VlogTargets): void {
  const { hub, patterns, file } = targets;
  const any = Number.POSITIVE_INFINITY;
  const setUsage = '{spec | PATTERN:destination:pattern}';
  server.register('vlog/set', setUsage, 0, any, (_command, specs) => {
    if (specs.length === 0) setMaximumVerbosity(hub);
    for (const spec of specs) {
      const fault = applyLogSpec(hub, patterns, spec);
      if (fault !== null) throw new UnixctlError(fault);
    }
    return '';
  });
  server.register('vlog/list', '', 0, 0, () => listLogLevels(hub));
  server.register('vlog/list-pattern', '', 0, 0, () => patterns.list());
  server.register('vlog/enable-rate-limit', '[module]...', 0, any, (_command, modules) =>
    setRateLimits(hub, modules, true),
  );
  server.register('vlog/disable-rate-limit', '[module]...', 0, any, (_command, modules) =>
    setRateLimits(hub, modules, false),
  );
  server.register('vlog/reopen', '', 0, 0, () => reopen(file));
  server.register('vlog/close', '', 0, 0, () => {
    file.close();
    return '';
  });
}

function reopen(file: FileSink): string {
  try {
    if (file.reopen()) return '';
  } catch (error) {
    throw new UnixctlError(errorMessage(error));
  }
  throw new UnixctlError('Logging to file not configured');
}

function setRateLimits(hub: LogHub, names: string[], honour: boolean): string {
  for (const name of names.length > 0 ? names : ['any']) {
    for (const module of modulesNamed(hub, name)) honourRateLimit(module, honour);
  }
  return '';
}

function modulesNamed(hub: LogHub, name: string): Logger[] {
  const lower = name.toLowerCase();
  if (lower === 'any') return hub.modules();
  const module = hub.modules().find((logger) => logger.module.toLowerCase() === lower);
  if (!module) throw new UnixctlError('unknown module');
  return [module];
}
