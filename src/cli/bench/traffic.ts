/**
 * Traffic through one subject: starts the generator, and the receiver of its probes, and counts.
 *
 *     generator thread ── source's interface ── switch ── sink's interface ── probe thread
 *     (first CPU)                                          counters of the kernel
 */
import { writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Worker } from 'node:worker_threads';
import { TapswitchError } from '../../common/errors.js';
import { VNET_HDR_LEN } from '../../native/binding.js';
import { sleep } from './commands.js';
import {
  G_FRAMES,
  G_PROBES,
  type GeneratorOptions,
  N_GENERATOR_COUNTERS,
} from './generator-options.js';
import { inNamespace, SINK_MAC } from './network.js';
import type { ProbeOptions } from './probe-worker.js';
import type { Subject } from './subjects.js';
import type { TrafficOptions } from './udp-frame.js';

const SOURCE_MAC = '02:00:5e:00:53:01';
/** Time for what is under way to arrive. */
const SETTLE_MS = 150;
const GENERATOR_CPU = 0;

/** What is sent. */
export interface TrafficSetup {
  frameBytes: readonly number[];
  flows: number;
  burst: number;
  vlan: number | null;
  ipv6: boolean;
}

/** How much of it. */
export interface Load {
  /** Frames a second; 0: as fast as possible. */
  rate?: number;
  /** Frames in all; 0: as many as the time allows. */
  frames?: number;
  probes?: number;
  seconds: number;
  /** Sleeps between bursts. */
  sleeps?: boolean;
  /** In place of the interface that leads to the switch. */
  device?: string;
}

/** What became of it. */
export interface Outcome {
  sent: number;
  received: number;
  seconds: number;
  /** Latencies of the probes that arrived, us, in ascending order; and how many were sent. */
  latencies: number[];
  probes: number;
  /** Time that CPUs were not idle meanwhile, us, all together. */
  busyUs: number;
  /** Frames that were sent in that time. */
  sentWhileBusy: number;
}

/** A generator that is sending. */
export class Generator {
  private readonly ended: Promise<void>;

  private constructor(
    worker: Worker,
    private readonly stopFlag: SharedArrayBuffer,
    private readonly counters: SharedArrayBuffer,
  ) {
    this.ended = new Promise((resolve) => worker.once('exit', () => resolve()));
  }

  /** Starts it; returns once frames leave. @throws TapswitchError E_BENCH_COMMAND */
  static async start(subject: Subject, setup: TrafficSetup, load: Load): Promise<Generator> {
    const stop = new SharedArrayBuffer(4);
    const counters = new SharedArrayBuffer(8 * N_GENERATOR_COUNTERS);
    const { guestFds } = subject.network;
    const tapFd = load.device === undefined ? (guestFds[0] ?? -1) : -1;
    const options: GeneratorOptions = {
      // A guest's frames are written one by one.
      ...trafficOf(tapFd >= 0 ? { ...setup, burst: 1 } : setup),
      tapFd,
      namespacePath: `/run/netns/${subject.network.source}`,
      ifname: load.device ?? subject.network.sourceDevice,
      cpu: GENERATOR_CPU,
      flows: setup.flows,
      rate: load.rate ?? 0,
      frames: load.frames ?? 0,
      probes: load.probes ?? 0,
      sleeps: load.sleeps ?? false,
      stop,
      counters,
    };
    const url = new URL('./generator-worker.js', import.meta.url);
    const worker = new Worker(url, { workerData: options });
    const generator = new Generator(worker, stop, counters);
    await firstMessage(worker);
    return generator;
  }

  get frames(): number {
    return new Float64Array(this.counters)[G_FRAMES];
  }

  get probes(): number {
    return new Float64Array(this.counters)[G_PROBES];
  }

  async stop(): Promise<void> {
    Atomics.store(new Int32Array(this.stopFlag), 0, 1);
    await this.ended;
  }
}

/** Offers a load, and counts what of it arrives. */
export async function offer(subject: Subject, setup: TrafficSetup, load: Load): Promise<Outcome> {
  await announceSink(subject, setup);
  const { network } = subject;
  const probes = load.probes ? await startProbes(subject, setup) : null;
  const packets = await network.sinkPackets();
  const generator = await Generator.start(subject, setup, load);
  // Starting a thread is no part of the load.
  const start = performance.now();
  const before = { frames: generator.frames, idleUs: await idleTimeUs(), at: performance.now() };
  let during = before;
  try {
    await sleep(load.seconds * 1000);
    during = { frames: generator.frames, idleUs: await idleTimeUs(), at: performance.now() };
  } finally {
    await generator.stop();
  }
  const seconds = (performance.now() - start) / 1000;
  await sleep(SETTLE_MS);
  const pairs = probes === null ? new Float64Array() : await probes.stop();
  const latencies = [...pairs].filter((_value, at) => at % 2 === 1).sort((a, b) => a - b);
  return {
    sent: generator.frames + generator.probes,
    received: (await network.sinkPackets()) - packets,
    seconds,
    latencies,
    probes: generator.probes,
    busyUs: cpus().length * (during.at - before.at) * 1000 - (during.idleUs - before.idleUs),
    sentWhileBusy: during.frames - before.frames,
  };
}

/** Lets the switch learn where SINK_MAC is: a frame with it as source, from the sink's side. */
export async function announceSink({ network }: Subject, { vlan }: TrafficSetup): Promise<void> {
  const tag = vlan === null ? '' : `8100${vlan.toString(16).padStart(4, '0')}`;
  // Not a broadcast: a bond takes those by its active member alone.
  const addresses = `${SOURCE_MAC}${SINK_MAC}`.replaceAll(':', '');
  const frame = `${addresses}${tag}88b5`.padEnd(128, '0');
  const guest = network.guestFds[1];
  if (guest !== undefined) {
    writeSync(guest, Buffer.concat([Buffer.alloc(VNET_HDR_LEN), Buffer.from(frame, 'hex')]));
    return;
  }
  const script = [
    'import socket',
    's = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
    `s.bind(("${network.sinkDevice}", 0))`,
    `s.send(bytes.fromhex("${frame}"))`,
  ].join('\n');
  await inNamespace(network.sink, ['python3', '-c', script]);
}

/** The value below which `share` (0..1) of sorted values lie; NaN for none. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function trafficOf({ frameBytes, burst, vlan, ipv6 }: TrafficSetup): TrafficOptions {
  return { sourceMac: SOURCE_MAC, sinkMac: SINK_MAC, frameBytes, burst, vlan, ipv6 };
}

/** Listens for probes at the sink; `stop` gives pairs of their numbers and latencies (us). */
export async function startProbes(subject: Subject, setup: TrafficSetup) {
  const stop = new SharedArrayBuffer(4);
  const options: ProbeOptions = {
    namespacePath: `/run/netns/${subject.network.sink}`,
    ifname: subject.network.sinkDevice,
    cpu: GENERATOR_CPU,
    traffic: trafficOf(setup),
    stop,
  };
  const url = new URL('./probe-worker.js', import.meta.url);
  const worker = new Worker(url, { workerData: options });
  await firstMessage(worker);
  return {
    stop: (): Promise<Float64Array> => {
      const result = firstMessage(worker) as Promise<Float64Array>;
      Atomics.store(new Int32Array(stop), 0, 1);
      Atomics.notify(new Int32Array(stop), 0);
      return result;
    },
  };
}

function firstMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', (error) => {
      reject(new TapswitchError('E_BENCH_COMMAND', `the benchmark's own thread: ${error.message}`));
    });
  });
}

/** Time that CPUs had nothing to do since the machine started, us, all together. */
async function idleTimeUs(): Promise<number> {
  const tickUs = 10_000;
  const [line] = (await readFile('/proc/stat', 'utf8')).match(/^cpu .*$/m) ?? [''];
  const [, , , idle, iowait, , , steal] = line.split(/ +/).slice(1).map(Number);
  return (idle + iowait + (steal ?? 0)) * tickUs;
}
