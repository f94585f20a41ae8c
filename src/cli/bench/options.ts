/** The command line of `tapswitch bench`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { CliIo } from '../io.js';
import { TOPOLOGIES, type Topology } from './network.js';
import { SUBJECTS } from './subjects.js';

const SUITES = ['table', 'rfc2544', 'start', 'memory'] as const;

export interface BenchOptions {
  suite: (typeof SUITES)[number];
  rounds: number;
  seconds: number;
  /** Several for an IMIX. */
  frameBytes: number[];
  topology: Topology;
  flows: number;
  burst: number;
  vlan: number | null;
  ipv6: boolean;
  streams: number;
  /** Frames a second at which CPU time is measured. */
  cpuRate: number;
  /** Share of frames that may be lost in a trial of rfc2544. */
  loss: number;
  only: string[];
  json: boolean;
  gc: boolean;
  /** A file for the picture. */
  svg?: string;
}

/** The simple IMIX: 7 frames of 64, 4 of 594 and 1 of 1518 bytes, FCS included. */
const IMIX = [...Array(7).fill(60), ...Array(4).fill(590), 1514];
const IMIX_BURST = 4;

const NAMES = SUBJECTS.map(({ name }) => name);
/** Without what is measured for a question of its own. */
const USUAL = NAMES.filter((name) => !/^tapswitch-(export|poll|afxdp-poll|steer)$/.test(name));

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

function frameBytes(text: string): number[] {
  return text === 'imix' ? IMIX : [whole(60, 1514)(text)];
}

function percent(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError('It must be from 0 to 100.');
  return value / 100;
}

function names(text: string): string[] {
  const list = text.split(',');
  const unknown = list.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`'${unknown}' is none of ${NAMES.join(', ')}.`);
  }
  return list;
}

/** Parses; prints help or what is wrong itself. @returns the options, or an exit status */
export function parseBenchOptions(argv: string[], io: CliIo): BenchOptions | number {
  const program = new Command('tapswitch bench')
    .description(
      'Measures this switch, the kernel bridge and Open vSwitch (userspace datapath) between ' +
        'two veth ports, in one run, in namespaces that it makes and removes. Needs root.',
    )
    .option('--rounds <n>', 'rounds; every switch is measured once in each', whole(1, 100), 3)
    .option('--seconds <n>', 'length of each measurement', whole(1, 600), 3)
    .addOption(new Option('--suite <name>', 'what to measure').choices(SUITES).default('table'))
    .addOption(
      new Option(
        '--topology <name>',
        'veth ports, two bridges with a bond, a TAP, two TAPs, TAPs of guests',
      )
        .choices(TOPOLOGIES)
        .default('veth'),
    )
    .option('--frame-bytes <n>', 'size of the frames, or imix', frameBytes, [64])
    .option('--flows <n>', 'how many UDP flows they belong to', whole(1, 500_000), 64)
    .option('--burst <n>', 'frames of a flow in a row', whole(1, 64), 16)
    .option('--vlan <id>', 'tag the frames', whole(1, 4094), null)
    .option('--ipv6', 'UDP over IPv6', false)
    .option('--streams <n>', 'TCP streams', whole(1, 64), 1)
    .option('--cpu-rate <n>', 'frames a second for CPU time', whole(1000, 10_000_000), 300_000)
    .option('--loss <percent>', 'what rfc2544 takes for no loss', percent, 0.001)
    .option('--only <list>', `some of ${NAMES.join(',')}`, names, USUAL)
    .option('--svg <file>', 'draw the medians, too')
    .option('--json', 'print all figures as JSON', false)
    .option('--gc', 'only count the garbage collections of this switch under traffic', false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    return (error as { exitCode?: number }).exitCode ?? 1;
  }
  const options = program.opts<BenchOptions>();
  // Equal numbers of frames in each burst keep the mix.
  if (options.frameBytes.length > 1) options.burst = Math.min(options.burst, IMIX_BURST);
  return options;
}
