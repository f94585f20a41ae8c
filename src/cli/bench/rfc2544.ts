/**
 * `tapswitch bench --suite rfc2544`: the measurements of RFC 2544, section 26, on each subject.
 *
 *     throughput     the highest rate at which (almost) no frame is lost, by halving the interval
 *     latency        of probes in a load of half and of nine tenths of that
 *     frame loss     at full speed
 *     back-to-back   the longest burst at full speed of which nothing is lost
 *
 * RFC 2544 asks for no loss at all over 60 s. A machine that does other things loses a frame now
 * and then, whatever the switch does: --loss is what is taken for none.
 */
import type { Subject } from './subjects.js';
import type { Column } from './table.js';
import { offer, percentile, type TrafficSetup } from './traffic.js';

export interface Rfc2544Options {
  traffic: TrafficSetup;
  /** Length of a trial. */
  seconds: number;
  /** Share of frames that may get lost. */
  loss: number;
}

export const RFC2544_COLUMNS: readonly Column[] = [
  { title: 'throughput Mpps', digits: 3, higherIsBetter: true },
  { title: 'p50 us at 50 %', digits: 0, higherIsBetter: false },
  { title: 'p99 us at 50 %', digits: 0, higherIsBetter: false },
  { title: 'p99 us at 90 %', digits: 0, higherIsBetter: false },
  { title: 'loss % at full speed', digits: 1, higherIsBetter: false },
  { title: 'back-to-back frames', digits: 0, higherIsBetter: true },
];

const SEARCH_STEPS = 7;
const PROBES_PER_SECOND = 1000;
const BURST_MIN = 256;
const BURST_MAX = 1 << 20;
const BURST_SECONDS = 0.3;

/** One round, in the order of RFC2544_COLUMNS. */
export async function measureRfc2544(
  subject: Subject,
  { traffic, seconds, loss }: Rfc2544Options,
): Promise<number[]> {
  const full = await offer(subject, traffic, { seconds });
  const top = full.received / full.seconds;
  const lossAt = async (rate: number): Promise<number> => {
    const { sent, received } = await offer(subject, traffic, { rate, seconds });
    return lostShare(sent, received);
  };
  const throughput = await highest(0, top, loss, lossAt);
  const latencies = async (share: number): Promise<number[]> => {
    const load = { rate: throughput * share, seconds, probes: PROBES_PER_SECOND };
    return (await offer(subject, traffic, load)).latencies;
  };
  const half = await latencies(0.5);
  const most = await latencies(0.9);
  return [
    throughput / 1e6,
    percentile(half, 0.5),
    percentile(half, 0.99),
    percentile(most, 0.99),
    100 * lostShare(full.sent, full.received),
    await longestBurst(subject, traffic),
  ];
}

/** Share of frames that did not arrive. Frames of others may make it look negative: 0 then. */
export function lostShare(sent: number, received: number): number {
  return sent > 0 ? Math.max(0, 1 - received / sent) : 0;
}

/** Halves [low, high] around the highest rate whose loss is at most `loss`. */
export async function highest(
  low: number,
  high: number,
  loss: number,
  lossAt: (rate: number) => Promise<number>,
): Promise<number> {
  if ((await lossAt(high)) <= loss) return high;
  for (let step = 0; step < SEARCH_STEPS; step += 1) {
    const middle = (low + high) / 2;
    if ((await lossAt(middle)) <= loss) low = middle;
    else high = middle;
  }
  return low;
}

async function longestBurst(subject: Subject, traffic: TrafficSetup): Promise<number> {
  let longest = 0;
  for (let frames = BURST_MIN; frames <= BURST_MAX; frames *= 2) {
    const load = { frames, seconds: BURST_SECONDS + frames / 2e5 };
    const { sent, received } = await offer(subject, traffic, load);
    if (received < sent) break;
    longest = sent;
  }
  return longest;
}
