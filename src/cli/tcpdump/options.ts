/** The command line of `tapswitch tcpdump`: its own options, and those that tcpdump gets. */
import { UsageError } from '../getopt.js';

export const USAGE = `usage: tapswitch tcpdump [-i] PORT|BRIDGE [OPTION...] [FILTER]
Shows the packets of a port, or of all ports of a bridge, through a mirror that is there while the
command runs. FILTER and all other options are tcpdump's: see tcpdump(8), pcap-filter(7).

Options:
  -w FILE            write packets to FILE; as pcapng where its name ends so ('-': standard output)
  -c COUNT           end after COUNT packets
  -i, --interface=NAME  the port or bridge
      --span         all ports of the port's bridge
      --mirror-to=NAME  name of the mirror and its port (default: miNAME)
      --drops        packets that the switch drops, with the reason of each, into the pcapng
                     FILE of -w; at most COUNT (1000), for --seconds=N (10); no PORT, no FILTER
      --dump-cmd=CMD the program in the place of tcpdump
  -h, --help         display this help message
  -V, --version      display version information
`;

export interface TcpdumpOptions {
  subject: string;
  span: boolean;
  /** Dropped packets in the place of those of a port: how many, for how long. */
  drops: { count: string; seconds: string } | null;
  mirrorTo: string | null;
  dumpCommand: string;
  /** A file for pcapng; tcpdump writes all others itself. */
  pcapng: string | null;
  /** Words for tcpdump. */
  rest: string[];
}

const NO_DROPS = { count: '1000', seconds: '10' };
/** Options of tcpdump that take a value as the next word. */
const WITH_VALUE = new Set('BcCEFGjmMQrsTVwWyzZ'.split('').map((letter) => `-${letter}`));
const NAME = /^[^\s/]{1,15}$/;

/** @returns 'help' or 'version' when that was asked for @throws UsageError */
export function parseTcpdump(argv: readonly string[]): TcpdumpOptions | 'help' | 'version' {
  const options: TcpdumpOptions = {
    subject: '',
    span: false,
    drops: null,
    mirrorTo: null,
    dumpCommand: 'tcpdump',
    pcapng: null,
    rest: [],
  };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    const [name, attached] = splitLong(word);
    const value = (): string => {
      const text = attached ?? argv[++i];
      if (text === undefined) throw new UsageError(`option '${name}' requires an argument`);
      return text;
    };
    if (word === '-h' || word === '--help') return 'help';
    if (word === '-V' || word === '--version') return 'version';
    if (name === '-i' || name === '--interface') options.subject = value();
    else if (name === '--span') options.span = true;
    else if (name === '--drops') options.drops = { ...NO_DROPS, ...options.drops };
    else if (name === '--seconds') options.drops = { ...NO_DROPS, seconds: value() };
    else if (name === '--mirror-to') options.mirrorTo = value();
    else if (name === '--dump-cmd') options.dumpCommand = value();
    else if (name === '-w') write(options, value());
    else if (WITH_VALUE.has(name)) options.rest.push(name, value());
    else if (word.startsWith('-') || options.subject !== '') options.rest.push(word);
    else options.subject = word;
  }
  if (options.drops !== null) return dropsOf(options);
  if (options.subject === '') throw new UsageError('which port or bridge? (use --help for help)');
  if (options.mirrorTo !== null && !NAME.test(options.mirrorTo)) {
    throw new UsageError(`'${options.mirrorTo}' cannot be the name of a port`);
  }
  return options;
}

/** A capture of drops: nothing but a file, a count and a time. */
function dropsOf(options: TcpdumpOptions): TcpdumpOptions {
  const [flag, count, ...others] = options.rest;
  if (options.pcapng === null) throw new UsageError('--drops needs -w FILE.pcapng');
  const counted = flag === '-c' && count !== undefined;
  if (options.subject !== '' || others.length > 0 || (flag !== undefined && !counted)) {
    throw new UsageError('--drops takes -w, -c and --seconds alone');
  }
  if (options.drops !== null && counted) options.drops.count = count;
  return options;
}

function splitLong(word: string): [string, string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function write(options: TcpdumpOptions, file: string): void {
  if (file.endsWith('.pcapng')) options.pcapng = file;
  else options.rest.push('-w', file);
}
