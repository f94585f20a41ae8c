/**
 * The three measurements, each on one running subject: round trip time, small packets, TCP.
 */
import { Worker } from 'node:worker_threads';
import { TapswitchError } from '../../common/errors.js';
import { background, command, endProcess, sleep, until } from './commands.js';
import type { GeneratorOptions } from './generator-worker.js';
import { inNamespace, SINK_IP } from './network.js';
import type { Subject } from './subjects.js';
import { median } from './table.js';

export interface MeasureOptions {
  /** Length of each measurement of packets/s and TCP. */
  seconds: number;
  frameBytes: number;
  flows: number;
  tcpStreams: number;
  generatorCpu: number;
}

const PINGS = 200;
const WARM_UP_MS = 300;
/** Frames go to an address that is learned at the sink but is not its own: its stack stays out. */
const SINK_MAC = '02:00:5e:00:53:02';
const SOURCE_MAC = '02:00:5e:00:53:01';

/** Median round trip of pings that each wake the switch from idle, microseconds. */
export async function roundTripUs({ network }: Subject): Promise<number> {
  const argv = ['ping', '-n', '-i', '0.005', '-c', `${PINGS}`, '-W', '1', SINK_IP];
  const text = await inNamespace(network.source, argv, 30_000);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000);
  return times.length > 0 ? median(times) : Number.NaN;
}

/** Frames a second that arrive at the sink while the generator sends as fast as it can. */
export function packetsPerSecond(subject: Subject, options: MeasureOptions): Promise<number> {
  const { network } = subject;
  return withTraffic(subject, options, async () => {
    const start = performance.now();
    const before = await network.sinkPackets();
    await sleep(options.seconds * 1000);
    const end = performance.now();
    const after = await network.sinkPackets();
    return ((after - before) / (end - start)) * 1000;
  });
}

/** Runs the generator, and `work` beside it once the switch has warmed up. */
export async function withTraffic<T>(
  subject: Subject,
  { frameBytes, flows, generatorCpu }: MeasureOptions,
  work: () => Promise<T>,
): Promise<T> {
  await announceSink(subject);
  const stop = new SharedArrayBuffer(4);
  const options: GeneratorOptions = {
    namespacePath: `/run/netns/${subject.network.source}`,
    ifname: 'eth0',
    cpu: generatorCpu,
    sourceMac: SOURCE_MAC,
    sinkMac: SINK_MAC,
    frameBytes,
    flows,
    stop,
  };
  const worker = new Worker(new URL('./generator-worker.js', import.meta.url), {
    workerData: options,
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  try {
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await sleep(WARM_UP_MS);
    return await work();
  } finally {
    Atomics.store(new Int32Array(stop), 0, 1);
    await ended;
  }
}

/** Lets the switch learn where SINK_MAC is: a frame with it as source, from the sink's side. */
async function announceSink({ network }: Subject): Promise<void> {
  const frame = `ffffffffffff${SINK_MAC.replaceAll(':', '')}88b5`.padEnd(120, '0');
  const script = [
    'import socket',
    's = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
    's.bind(("eth0", 0))',
    `s.send(bytes.fromhex("${frame}"))`,
  ].join('\n');
  await inNamespace(network.sink, ['python3', '-c', script]);
}

/** TCP through the switch, Gbit/s as the receiver counts it; NaN when nothing gets through. */
export async function tcpGbitPerSecond(
  { network }: Subject,
  { seconds, tcpStreams }: MeasureOptions,
): Promise<number> {
  const server = background(
    ['ip', 'netns', 'exec', network.sink, 'iperf3', '-s', '-1'],
    process.env,
  );
  try {
    await until('iperf3 to listen', async () =>
      (await inNamespace(network.sink, ['ss', '-Hltn'])).includes(':5201 '),
    );
    const length = ['-t', `${seconds}`, '-P', `${tcpStreams}`, '--connect-timeout', '3000'];
    const argv = ['ip', 'netns', 'exec', network.source, 'iperf3', '-J', '-c', SINK_IP, ...length];
    const text = await command(argv, { timeoutMs: seconds * 1000 + 15_000 });
    return JSON.parse(text).end.sum_received.bits_per_second / 1e9;
  } catch (error) {
    if (error instanceof TapswitchError) return Number.NaN;
    throw error;
  } finally {
    await endProcess(server, 'SIGKILL');
  }
}
