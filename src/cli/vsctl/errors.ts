/**
 * How a command ends early. Messages are those of ovs-vsctl(8): scripts look at them.
 *
 * Not for: errors with a stable code (src/common/errors.ts): ovs-vsctl's have none.
 */

/** The command line or the database does not allow it: printed after the program's name. */
export class CtlError extends Error {
  override readonly name = 'CtlError';

  /** @param suggestion what was probably meant, for a line of its own */
  constructor(
    message: string,
    readonly suggestion: string | null = null,
  ) {
    super(message);
  }
}

/** Ends with an exit status and no message (br-exists). */
export class CtlExit extends Error {
  override readonly name = 'CtlExit';

  constructor(readonly status: number) {
    super(`exit ${status}`);
  }
}

/** The database could not be reached, or not any more. */
export class DbConnectionError extends CtlError {
  /** It is one of this machine. */
  readonly local: boolean;

  constructor(db: string, why: string) {
    super(`${db}: database connection failed (${why})`);
    this.local = db.startsWith('unix:');
  }
}
