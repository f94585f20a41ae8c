/**
 * The errors that a person can meet: each has a stable code, listed in docs/errors.md.
 *
 * Not for: programmers' errors (use `assert`), or the packet path (it counts drops, never throws).
 */

/** An error with a stable code and, where there is one, the next thing to do about it. */
export class TapswitchError extends Error {
  override readonly name = 'TapswitchError';

  /**
   * @param code stable identifier, e.g. `E_NO_CAPABILITY`; documented in docs/errors.md
   * @param message what is wrong, one sentence
   * @param hint what to do next, one sentence
   */
  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
