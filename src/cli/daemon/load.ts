/**
 * Loads the switch itself, late: help and refusals need none of its modules.
 */
import { TapswitchError } from '../../common/errors.js';
import type { StartDaemon } from './run.js';

export async function loadSwitch(): Promise<StartDaemon> {
  const path: string = new URL('../../vswitchd/daemon.js', import.meta.url).href;
  try {
    const module = (await import(path)) as { startDaemon: StartDaemon };
    return module.startDaemon;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new TapswitchError(
      'E_INCOMPLETE_BUILD',
      `this build lacks a part of the switch (${(cause as Error).message})`,
      "run 'npm ci && npm run build' in tapswitch's folder",
      { cause },
    );
  }
}
