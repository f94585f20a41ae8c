/**
 * `tapswitch vswitchd [DATABASE]`: the switch with an OVSDB server's database, as ovs-vswitchd.
 */
import { loadSwitch } from '../daemon/load.js';
import { runDaemonCommand } from '../daemon/run.js';
import type { CliIo } from '../io.js';

export function runVswitchd(argv: string[], io: CliIo): Promise<number> {
  return runDaemonCommand('vswitchd', argv, io, loadSwitch);
}
