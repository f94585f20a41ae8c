/**
 * How a daemon is told to end: SIGTERM, SIGINT, the `exit` command, or an error it cannot survive.
 */
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { DaemonLogs } from './logging.js';
import type { PidFile } from './pidfile.js';

/** The request to end, which several may make; the first counts. */
export class StopRequest {
  /** Resolves with the exit status when the daemon shall end. */
  readonly requested: Promise<number>;
  /** Whether the end shall also clean up outside (`exit --cleanup`, signals). */
  cleanup = false;
  /** Why, when it is for an error. */
  error: Error | null = null;
  /** Was that an error that nobody expected? */
  crashed = false;
  private resolve!: (status: number) => void;
  private made = false;

  constructor() {
    this.requested = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  request(cleanup: boolean): void {
    if (this.made) return;
    this.made = true;
    this.cleanup = cleanup;
    this.resolve(0);
  }

  fail(error: Error): void {
    if (this.made) return;
    this.made = true;
    this.error = error;
    this.cleanup = true;
    getLogger('daemon').emer(errorMessage(error));
    this.resolve(1);
  }
}

/**
 * Connects the process's signals and last-resort errors to `stop`: SIGTERM and SIGINT end the
 * daemon, a second one ends it at once; SIGHUP opens the log file again.
 *
 * @returns what disconnects them
 */
export function watchProcess(
  stop: StopRequest,
  logs: DaemonLogs,
  pidFile: PidFile | null,
): () => void {
  let asked = false;
  const onStop = (signal: NodeJS.Signals): void => {
    if (asked) {
      pidFile?.release();
      process.exit(1);
    }
    asked = true;
    getLogger('fatal_signal').info(`terminating on ${signal}`);
    stop.request(true);
  };
  const onHangup = (): void => logs.reopen();
  const onFault = (error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    getLogger('daemon').emer(`unexpected error, ending: ${detail}`);
    stop.crashed = true;
    stop.fail(error instanceof Error ? error : new Error(String(error)));
  };
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  process.on('SIGHUP', onHangup);
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);
  return () => {
    process.off('SIGTERM', onStop);
    process.off('SIGINT', onStop);
    process.off('SIGHUP', onHangup);
    process.off('uncaughtException', onFault);
    process.off('unhandledRejection', onFault);
  };
}
