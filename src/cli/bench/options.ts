/** The command line of `tapswitch bench`. */
import { Command, InvalidArgumentError } from 'commander';
import type { CliIo } from '../io.js';
import { SUBJECTS } from './subjects.js';

export interface BenchOptions {
  rounds: number;
  seconds: number;
  frameBytes: number;
  flows: number;
  streams: number;
  only: string[];
  json: boolean;
  gc: boolean;
}

const NAMES = SUBJECTS.map(({ name }) => name);

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
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
    .option('--frame-bytes <n>', 'size of the small frames', whole(60, 1514), 64)
    .option('--flows <n>', 'how many UDP flows they belong to', whole(1, 500_000), 64)
    .option('--streams <n>', 'TCP streams', whole(1, 64), 1)
    .option('--only <list>', `some of ${NAMES.join(',')}`, names, NAMES)
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
  return program.opts<BenchOptions>();
}
