/**
 * `tapswitch vswitchd [DATABASE]`: the switch with the database of an OVSDB server, as ovs-vswitchd.
 */
import { loadSwitch } from '../daemon/load.js';
import { runDaemonCommand } from '../daemon/run.js';
import type { CliIo } from '../io.js';

export function runVswitchd(argv: string[], io: CliIo): Promise<number> {
  return runDaemonCommand('vswitchd', argv, io, loadSwitch);
}
