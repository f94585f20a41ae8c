/**
 * How ofctl ends early: with a message, or with a status alone.
 */

/** Printed as `PROGRAM: message`; the exit status is 1. */
export class OfctlFatal extends Error {
  override readonly name = 'OfctlFatal';
  /** Shown to people, not to programs that know ovs-ofctl. */
  hint: string | null = null;
}

/** Ends with a status, all output having been written. */
export class OfctlExit extends Error {
  override readonly name = 'OfctlExit';

  constructor(readonly status: number) {
    super(`exit ${status}`);
  }
}

/** A bridge of this machine could not be reached. */
export class OfctlNoSwitch extends OfctlFatal {}

/** Printed as `PROGRAM: did you mean "suggestion"?` after the message. */
export class OfctlUnknownCommand extends OfctlFatal {
  constructor(
    message: string,
    readonly suggestion: string | null,
  ) {
    super(message);
  }
}

export function fatal(message: string): never {
  throw new OfctlFatal(message);
}

const ERRNO_TEXT: Record<string, string> = {
  EACCES: 'Permission denied',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  EISDIR: 'Is a directory',
  ENETUNREACH: 'Network is unreachable',
  ENOENT: 'No such file or directory',
  ENOTSOCK: 'Socket operation on non-socket',
  EPIPE: 'Broken pipe',
  EPROTO: 'Protocol error',
  EPROTOTYPE: 'Protocol wrong type for socket',
  ETIMEDOUT: 'Connection timed out',
  EOF: 'End of file',
};

/** The code of a system error, or ''. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** A system error in the words of strerror(3). */
export function errorText(error: unknown): string {
  const code = errorCode(error);
  return ERRNO_TEXT[code] ?? (error instanceof Error ? error.message : String(error));
}
