/**
 * Asking a daemon over its control socket: finding the socket, and running one command.
 *
 * Not for: command lines (src/cli/appctl), or serving (server.ts).
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { JsonRpcConnection, JsonRpcReplyError } from '../common/jsonrpc.js';
import { connectUnix } from '../common/unix-path.js';

/** What a command answered. */
export interface UnixctlAnswer {
  ok: boolean;
  text: string;
}

/** The largest answer that is read, bytes. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;

/**
 * The control socket of `target`.
 *
 * @param target a socket's absolute path, or a program's name such as ovs-vswitchd, whose process
 *   id is then read from RUNDIR/NAME.pid
 * @throws TapswitchError E_UNIXCTL_PIDFILE
 */
export function unixctlPath(target: string, runDir: string): string {
  if (isAbsolute(target)) return target;
  const pidFile = join(runDir, `${target}.pid`);
  let text: string;
  try {
    text = readFileSync(pidFile, 'latin1');
  } catch (cause) {
    throw pidFileError(pidFile, strerror(cause), cause);
  }
  const pid = /^\s*(\d+)/.exec(text)?.[1];
  if (pid === undefined || !isAlive(Number(pid))) throw pidFileError(pidFile, 'No such process');
  return join(runDir, `${target}.${pid}.ctl`);
}

/** A connection to a control socket. */
export class UnixctlClient {
  private constructor(
    private readonly name: string,
    private readonly rpc: JsonRpcConnection,
  ) {}

  /**
   * @param name how errors name the daemon; its socket where not given
   * @throws TapswitchError E_UNIXCTL_CONNECT
   */
  static connect(path: string, name = path): Promise<UnixctlClient> {
    return new Promise((resolve, reject) => {
      const socket = connectUnix(path);
      socket.once('error', (cause) => {
        const message = `cannot connect to "${path}" (${strerror(cause)})`;
        const hint = 'is the daemon running, and OVS_RUNDIR the same for both?';
        reject(new TapswitchError('E_UNIXCTL_CONNECT', message, hint, { cause }));
      });
      socket.once('connect', () => {
        const handlers = { onRequest() {}, onNotify() {}, onClose() {} };
        const options = { maxBytes: ANSWER_BYTES_MAX, name: `unix:${path}` };
        resolve(new UnixctlClient(name, new JsonRpcConnection(socket, handlers, options)));
      });
    });
  }

  /**
   * Runs one command and waits for its answer.
   *
   * @throws TapswitchError E_UNIXCTL_TRANSACTION when the connection ends first, or the answer is
   *   not text
   */
  async transact(command: string, args: string[]): Promise<UnixctlAnswer> {
    try {
      return this.answer(true, await this.rpc.request(command, args));
    } catch (error) {
      if (error instanceof JsonRpcReplyError) return this.answer(false, error.error);
      if (error instanceof TapswitchError && error.code === 'E_UNIXCTL_TRANSACTION') throw error;
      throw this.failure(isClosed(error) ? 'End of file' : errorMessage(error), error);
    }
  }

  close(): void {
    this.rpc.close();
  }

  private answer(ok: boolean, text: unknown): UnixctlAnswer {
    if (typeof text !== 'string') throw this.failure('the answer is not text');
    return { ok, text };
  }

  private failure(reason: string, cause?: unknown): TapswitchError {
    const message = `${this.name}: transaction error (${reason})`;
    return new TapswitchError('E_UNIXCTL_TRANSACTION', message, undefined, { cause });
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof TapswitchError && error.code === 'E_JSONRPC_CLOSED';
}

/** Whether there is a process `pid`, of whatever owner. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function pidFileError(path: string, reason: string, cause?: unknown): TapswitchError {
  const message = `cannot read pidfile "${path}" (${reason})`;
  const hint = 'is the daemon running, and OVS_RUNDIR the same for both?';
  return new TapswitchError('E_UNIXCTL_PIDFILE', message, hint, { cause });
}

/** strerror(3) of the errors that finding and reaching a socket can give. */
const STRERROR: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ECONNREFUSED: 'Connection refused',
  ENOTSOCK: 'Socket operation on non-socket',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  ENAMETOOLONG: 'File name too long',
  EINVAL: 'Invalid argument',
};

function strerror(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return STRERROR[code] ?? errorMessage(error);
}
