/**
 * `tapswitch tcpundump`: reads the hexadecimal output of `tcpdump -xx` and prints each packet as
 * one line of hexadecimal digits, as ovs-tcpundump does. `ofproto/trace` takes such lines.
 */
import { createInterface } from 'node:readline';
import { getopt, UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { tapswitchVersion } from '../version.js';

const USAGE = `usage: tapswitch tcpundump < FILE
Prints packets as hexadecimal digits, one a line. FILE is what 'tcpdump -xx' printed.

Options:
  -h, --help     display this help message
  -V, --version  display version information
`;

/** A line with bytes: '\\t0x0010:  0102 0304'. */
const BYTES = /^\s+0x([0-9a-fA-F]+): ((?: +[0-9a-fA-F]{2,4})+)/;

/** Runs `tapswitch tcpundump ARGV`. */
export async function runTcpundump(argv: string[], io: CliIo): Promise<number> {
  const specs = [
    { name: 'help', short: 'h', arg: 'none' as const },
    { name: 'version', short: 'V', arg: 'none' as const },
  ];
  try {
    const { options, args } = getopt(argv, specs, true);
    if (options[0]?.name === 'help') {
      io.stdout.write(USAGE);
      return 0;
    }
    if (options[0]?.name === 'version') {
      io.stdout.write(`${io.programName} (tapswitch) ${tapswitchVersion()}\n`);
      return 0;
    }
    if (args.length > 0) {
      throw new UsageError('non-option argument not supported (use --help for help)');
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`${io.programName}: ${error.message}\n`);
    return 1;
  }
  let packet = '';
  for await (const line of createInterface({ input: io.stdin })) {
    const match = BYTES.exec(line);
    // Offset 0, or anything else than bytes, begins another packet.
    if ((match === null || Number.parseInt(match[1], 16) === 0) && packet !== '') {
      io.stdout.write(`${packet}\n`);
      packet = '';
    }
    if (match !== null) packet += match[2].replaceAll(' ', '');
  }
  if (packet !== '') io.stdout.write(`${packet}\n`);
  return 0;
}
