/**
 * Loads the switch itself, late: help and refusals need none of its modules.
 */
import { loadPart } from '../load-part.js';
import type { StartDaemon } from './run.js';

export async function loadSwitch(): Promise<StartDaemon> {
  const { startDaemon } = await loadPart(
    'a part of the switch',
    () => import('../../vswitchd/daemon.js'),
  );
  return startDaemon;
}
