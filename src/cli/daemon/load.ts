/**
 * Loads the switch itself, late: help and refusals need none of its modules.
 */
import type { StartDaemon } from './run.js';

export async function loadSwitch(): Promise<StartDaemon> {
  const { startDaemon } = await import('../../vswitchd/daemon.js');
  return startDaemon;
}
