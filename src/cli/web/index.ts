/**
 * `tapswitch web`: the console as a process of its own.
 *
 * As a child of the daemon (`--child`) it ends when its standard input does.
 */
import { fileURLToPath } from 'node:url';
import { WarpClock } from '../../common/clock.js';
import { logHub } from '../../common/log.js';
import { LogPatterns } from '../../common/log-pattern.js';
import { ConsoleSink } from '../../common/log-sinks.js';
import { applyLogSpec, setMaximumVerbosity } from '../../common/log-spec.js';
import { startWeb } from '../../web/index.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { tapswitchVersion } from '../version.js';
import { parseWeb, readToken, type WebCommandOptions, webUsage } from './options.js';

const PAGE = fileURLToPath(new URL('../../web/page', import.meta.url));

export async function runWeb(argv: string[], io: CliIo): Promise<number> {
  try {
    const options = parseWeb(argv, io.env);
    if (options === null) {
      io.stdout.write(webUsage(io.programName));
      return 0;
    }
    return await serve(options, io);
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}

async function serve(options: WebCommandOptions, io: CliIo): Promise<number> {
  const clock = new WarpClock();
  startLogging(clock, options.verbosity);
  const { tokenFile } = options;
  const web = await startWeb({
    ...options,
    clock,
    version: tapswitchVersion(),
    page: PAGE,
    token: tokenFile === null ? null : readToken(tokenFile),
  });
  if (!options.child) io.stdout.write(`${web.url}\n`);
  const signal = await ended(options.child, io);
  await web.close();
  return signal === 'SIGINT' ? 130 : 0;
}

function startLogging(clock: WarpClock, verbosity: readonly (string | null)[]): void {
  const patterns = new LogPatterns();
  logHub.sinks.push(new ConsoleSink({ patterns, clock, program: 'tapswitch-web' }));
  for (const spec of verbosity) {
    if (spec === null) setMaximumVerbosity(logHub);
    const fault = spec === null ? null : applyLogSpec(logHub, patterns, spec);
    if (fault !== null) throw new UsageError(`processing "${spec}": ${fault}`);
  }
}

/** Resolves when the console is to end. */
function ended(child: boolean, io: CliIo): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(signal));
    }
    if (!child) return;
    io.stdin.once('end', () => resolve('end')).once('close', () => resolve('end'));
    io.stdin.resume();
  });
}
