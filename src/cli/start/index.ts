/**
 * `tapswitch start`: the switch with an embedded database, in one process.
 */

import { loadSwitch } from '../daemon/load.js';
import { runDaemonCommand } from '../daemon/run.js';
import type { CliIo } from '../io.js';

export function runStart(argv: string[], io: CliIo): Promise<number> {
  return runDaemonCommand('start', argv, io, loadSwitch);
}
