/**
 * The measurements of the table, each on one running subject: round trip time, small packets, the
 * CPU time of a packet, latency under load, TCP.
 */
import { TapswitchError } from '../../common/errors.js';
import { background, command, endProcess, sleep, until } from './commands.js';
import { inNamespace, SINK_IP } from './network.js';
import type { Subject } from './subjects.js';
import { median } from './table.js';
import { announceSink, Generator, offer, percentile, type TrafficSetup } from './traffic.js';

export interface MeasureOptions {
  /** Length of each measurement of packets/s and TCP. */
  seconds: number;
  traffic: TrafficSetup;
  tcpStreams: number;
}

const PINGS = 200;
const WARM_UP_MS = 300;
const PROBES_PER_SECOND = 1000;

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

/** Runs the generator at full speed, and `work` beside it once the switch has warmed up. */
export async function withTraffic<T>(
  subject: Subject,
  { traffic, seconds }: MeasureOptions,
  work: () => Promise<T>,
): Promise<T> {
  await announceSink(subject, traffic);
  const generator = await Generator.start(subject, traffic, { seconds });
  try {
    await sleep(WARM_UP_MS);
    return await work();
  } finally {
    await generator.stop();
  }
}

/**
 * CPU time that a packet's way through the switch costs, us, at a fixed rate: what all CPUs do,
 * wherever the switch lets it be done, less what the same generator costs at the same rate when its
 * frames end at the other side of a veth pair.
 */
export async function cpuUsPerPacket(
  subject: Subject,
  { traffic, seconds }: MeasureOptions,
  rate: number,
): Promise<number> {
  const load = { rate, seconds, sleeps: true };
  const device = await subject.network.deadEnd();
  const alone = await offer(subject, traffic, { ...load, device });
  const { sent, received, sentWhileBusy, busyUs } = await offer(subject, traffic, load);
  if (received === 0 || alone.sentWhileBusy === 0) return Number.NaN;
  const arrived = Math.min(1, received / sent) * sentWhileBusy;
  return (busyUs - (alone.busyUs / alone.sentWhileBusy) * sentWhileBusy) / arrived;
}

/** Latency that 99 % of probes stay below while a load is offered, us. */
export async function latencyP99Us(
  subject: Subject,
  { traffic, seconds }: MeasureOptions,
  rate: number,
): Promise<number> {
  const load = { rate, seconds, probes: PROBES_PER_SECOND };
  return percentile((await offer(subject, traffic, load)).latencies, 0.99);
}

/** TCP through the switch, Gbit/s as the receiver counts it; 0 when nothing gets through. */
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
    return (JSON.parse(text).end.sum_received?.bits_per_second ?? 0) / 1e9;
  } catch (error) {
    if (error instanceof TapswitchError) return 0;
    throw error;
  } finally {
    await endProcess(server, 'SIGKILL');
  }
}
