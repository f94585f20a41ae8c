/**
 * Loading modules late, with an error that says what to do where the build lacks one.
 */
import { TapswitchError } from '../common/errors.js';

/**
 * What `load` imports.
 *
 * @param what the part as a user would name it
 * @throws TapswitchError E_INCOMPLETE_BUILD when a module of it is missing
 */
export async function loadPart<T>(what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause;
    throw new TapswitchError(
      'E_INCOMPLETE_BUILD',
      `this build lacks ${what} (${firstLine((cause as Error).message)})`,
      "run 'npm ci && npm run build' in tapswitch's folder",
      { cause },
    );
  }
}

/** Node.js adds a list of who wanted it. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0];
}
