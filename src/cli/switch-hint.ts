/**
 * What to do when a command did not reach the switch: most often there is none running.
 *
 * Not for: the error itself, which each command prints in its own words.
 */
import { unixctlPath } from '../unixctl/client.js';
import { directories } from './daemon/dirs.js';
import type { CliIo } from './io.js';

export const SWITCH_TARGET = 'ovs-vswitchd';

/** After an error: asks whether the switch is running, if it is not. */
export function hintIfNotRunning(io: Pick<CliIo, 'env' | 'stderr' | 'hints'>): void {
  if (io.hints !== true) return;
  try {
    unixctlPath(SWITCH_TARGET, directories(io.env).runDir);
  } catch {
    io.stderr.write("  hint: is the switch running? try 'tapswitch start'\n");
  }
}
