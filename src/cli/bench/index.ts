/**
 * `tapswitch bench`: one table that compares this switch with the kernel's bridge and Open vSwitch.
 *
 *     start all ─> round 1: each switch: RTT, packets/s, TCP ─> round 2 ... ─> medians, ratios
 *
 * Rounds are interleaved so that a machine that grows warm or busy does so for all of them. What
 * was started is ended, what was made is removed, also when it fails or is interrupted.
 *
 * Not for: tests. A benchmark prints figures; nothing depends on them.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { type CliIo, printError } from '../io.js';
import { drawBars } from './bars.js';
import { installed } from './commands.js';
import { countCollections, formatGarbage } from './garbage.js';
import {
  cpuUsPerPacket,
  latencyP99Us,
  type MeasureOptions,
  packetsPerSecond,
  roundTripUs,
  tcpGbitPerSecond,
} from './measures.js';
import { MEMORY_COLUMNS, measureMemory } from './memory.js';
import { hasHosts } from './network.js';
import { type BenchOptions, parseBenchOptions } from './options.js';
import { measureRfc2544, RFC2544_COLUMNS } from './rfc2544.js';
import { measureStart, START_COLUMNS } from './start-time.js';
import { SUBJECTS, Subject } from './subjects.js';
import { type Column, formatTable, median, type Row } from './table.js';

const PROGRAMS = ['ip', 'ping', 'iperf3', 'ss', 'taskset', 'ethtool', 'python3'];

/** The command. @returns 0, or 1 when this switch could not be measured */
export async function runBench(argv: string[], io: CliIo): Promise<number> {
  const options = parseBenchOptions(argv, io);
  if (typeof options === 'number') return options;
  try {
    requireMachine();
  } catch (error) {
    printError(io, error);
    return 1;
  }
  const run = new BenchRun(options, io);
  const interrupt = () => run.interrupt();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await (options.gc ? run.garbage() : run.all());
  } catch (error) {
    printError(io, error);
    return 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await run.close();
  }
}

/** @throws TapswitchError E_BENCH_MACHINE */
function requireMachine(): void {
  const missing = PROGRAMS.filter((program) => !installed(program));
  if (missing.length > 0) {
    const hint = 'on Debian: apt-get install iproute2 iputils-ping iperf3 ethtool python3';
    throw new TapswitchError('E_BENCH_MACHINE', `missing here: ${missing.join(', ')}`, hint);
  }
  if (process.getuid?.() !== 0) {
    const message = 'the benchmark makes network namespaces, which needs root';
    throw new TapswitchError('E_BENCH_MACHINE', message, 'run it with sudo');
  }
}

/** The last CPU: the generator has the first. */
function switchCpu(): number {
  return availableParallelism() - 1;
}

function tableColumns({ frameBytes, flows, streams, cpuRate }: BenchOptions): Column[] {
  const size = frameBytes.length > 1 ? 'IMIX' : `${frameBytes[0]} B`;
  return [
    { title: 'RTT us', digits: 0, higherIsBetter: false },
    { title: `Mpps, ${size}, ${flows} flows`, digits: 3, higherIsBetter: true },
    { title: `CPU us/packet at ${cpuRate / 1000}k/s`, digits: 2, higherIsBetter: false },
    { title: 'p99 us at half load', digits: 0, higherIsBetter: false },
    { title: `TCP Gbit/s, ${streams} stream(s)`, digits: 1, higherIsBetter: true },
  ];
}

function columnsOf(options: BenchOptions): Column[] {
  if (options.suite === 'start') return [...START_COLUMNS];
  if (options.suite === 'memory') return [...MEMORY_COLUMNS];
  return options.suite === 'rfc2544' ? [...RFC2544_COLUMNS] : tableColumns(options);
}

class BenchRun {
  private readonly subjects: Subject[] = [];
  private readonly rows = new Map<Subject, Row>();
  private readonly columns: Column[];
  private readonly measure: MeasureOptions;
  private interrupted = false;

  constructor(
    private readonly options: BenchOptions,
    private readonly io: CliIo,
  ) {
    const { frameBytes, flows, burst, vlan, ipv6, streams, seconds } = options;
    const traffic = { frameBytes, flows, burst, vlan, ipv6 };
    this.measure = { seconds, traffic, tcpStreams: streams };
    this.columns = columnsOf(options);
  }

  /** Counts garbage collections instead of measuring. */
  async garbage(): Promise<number> {
    this.progress(`counting garbage collections, ${2 * this.options.seconds} s`);
    const report = await countCollections(this.measure, switchCpu());
    const text = this.options.json ? `${JSON.stringify(report)}\n` : formatGarbage(report);
    this.io.stdout.write(text);
    return 0;
  }

  /** Ends the run after the measurement that is under way. */
  interrupt(): void {
    this.interrupted = true;
  }

  async all(): Promise<number> {
    await this.start();
    const { rounds } = this.options;
    for (let round = 1; round <= rounds && !this.interrupted; round += 1) {
      for (const subject of this.subjects) {
        if (this.interrupted) break;
        await subject.resume();
        await this.measureOne(subject, round);
        subject.pause();
      }
    }
    this.print();
    const complete = this.options.only.every((name) => name !== 'tapswitch' || this.measured(name));
    return complete && !this.interrupted ? 0 : 1;
  }

  private measured(name: string): boolean {
    return this.subjects.some(({ kind }) => kind.name === name);
  }

  private async start(): Promise<void> {
    for (const kind of SUBJECTS) {
      if (!this.options.only.includes(kind.name) || this.interrupted) continue;
      const missing = kind.missing(this.options.topology);
      if (missing !== undefined) {
        this.progress(`${kind.title}: left out, ${missing}`);
        continue;
      }
      this.progress(`starting ${kind.title}`);
      try {
        const subject = await Subject.start(kind, switchCpu(), this.options.topology);
        this.subjects.push(subject);
        subject.pause();
        this.rows.set(subject, { title: kind.title, values: this.columns.map(() => []) });
      } catch (error) {
        this.progress(`${kind.title}: left out, ${errorMessage(error)}`);
      }
    }
  }

  private async measureOne(subject: Subject, round: number): Promise<void> {
    const { values } = this.rows.get(subject)!;
    for (const [at, value] of (await this.figuresOf(subject)).entries()) values[at].push(value);
    const figures = this.columns.map(
      ({ title, digits }, at) => `${title} ${values[at].at(-1)?.toFixed(digits)}`,
    );
    this.progress(`round ${round}, ${subject.kind.title}: ${figures.join('; ')}`);
  }

  /** In the order of tableColumns. */
  private async tableRow(subject: Subject): Promise<number[]> {
    const hosts = hasHosts(this.options.topology);
    const rtt = hosts ? await roundTripUs(subject) : Number.NaN;
    const packets = await packetsPerSecond(subject, this.measure);
    // Only a guest would see when a frame reaches it, and there is no dead end like its TAP.
    if (subject.network.guestFds.length > 0) {
      return [rtt, packets / 1e6, Number.NaN, Number.NaN, Number.NaN];
    }
    return [
      rtt,
      packets / 1e6,
      await cpuUsPerPacket(subject, this.measure, Math.min(this.options.cpuRate, packets * 0.9)),
      await latencyP99Us(subject, this.measure, packets / 2),
      hosts ? await tcpGbitPerSecond(subject, this.measure) : Number.NaN,
    ];
  }

  private figuresOf(subject: Subject): Promise<number[]> {
    const { suite, loss } = this.options;
    if (suite === 'start') return measureStart(subject, this.measure.traffic);
    if (suite === 'memory') return measureMemory(subject, this.measure);
    if (suite === 'rfc2544') return measureRfc2544(subject, { ...this.measure, loss });
    return this.tableRow(subject);
  }

  private progress(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  private print(): void {
    const rows = this.subjects.map((subject) => this.rows.get(subject)!);
    if (rows.length === 0) return;
    const model = cpus()[0]?.model ?? 'unknown CPU';
    const machine = `${model}, ${cpus().length} CPUs, Linux ${release()}`;
    if (this.options.json) {
      const columns = this.columns.map(({ title }) => title);
      const results = rows.map(({ title, values }) => ({
        title,
        rounds: values,
        medians: values.map(median),
      }));
      const text = JSON.stringify({ machine, options: this.options, columns, results }, null, 2);
      this.io.stdout.write(`${text}\n`);
      return;
    }
    const { rounds, seconds, svg } = this.options;
    if (svg !== undefined) writeFileSync(svg, drawBars(this.columns, rows, machine));
    this.io.stdout.write(
      `\nmedians of ${rounds} interleaved rounds of ${seconds} s; ${machine}\n` +
        `ratio: how many times better the first row is\n\n${formatTable(this.columns, rows)}`,
    );
  }

  async close(): Promise<void> {
    for (const subject of this.subjects.splice(0)) {
      await subject.stop().catch((error) => this.progress(errorMessage(error)));
    }
  }
}
