/**
 * Counters of transmit queues and classes, by port, queue and worker: summed from shared memory.
 */
import type { TxPortInfo, TxQueueCounters } from './pmd-control.js';
import {
  PORT_STATS_STRIDE,
  PS_TX_BYTES,
  PS_TX_DROPPED,
  PS_TX_PACKETS,
  type SharedStats,
  TQ_BYTES,
  TQ_DROPPED,
  TQ_PACKETS,
  TQ_QUEUED,
  TQ_REASONS,
  TQ_STOPS,
  TQ_WAITING,
  TXQ_STATS_STRIDE,
} from './shared-stats.js';
import { BANDS } from './tx-backlog.js';
import { N_REASONS, REASON_SINGLE } from './tx-choice.js';
import type { PortPlan } from './tx-plan.js';
import type { WorkerSlot } from './worker-slots.js';

/** Names of the reasons why a queue was chosen, by REASON_*. */
export const REASON_NAMES = [
  'single',
  'cached',
  'xps',
  'xps-hash',
  'recorded',
  'hash',
  'class',
  'qos',
] as const;

const NOTHING: TxQueueCounters = {
  packets: 0,
  bytes: 0,
  dropped: 0,
  queued: 0,
  waiting: 0,
  stops: 0,
  reasons: new Array<number>(N_REASONS).fill(0),
};

function countersAt({ txqs }: SharedStats, slot: number): TxQueueCounters {
  const at = slot * TXQ_STATS_STRIDE;
  return {
    packets: txqs[at + TQ_PACKETS],
    bytes: txqs[at + TQ_BYTES],
    dropped: txqs[at + TQ_DROPPED],
    queued: txqs[at + TQ_QUEUED],
    waiting: txqs[at + TQ_WAITING],
    stops: txqs[at + TQ_STOPS],
    reasons: Array.from(txqs.subarray(at + TQ_REASONS, at + TQ_REASONS + N_REASONS)),
  };
}

/** A port's only queue: what the port sends is what it sends. */
function singleQueue(stats: SharedStats, portNo: number): TxQueueCounters {
  const at = portNo * PORT_STATS_STRIDE;
  const counters = countersAt(stats, portNo);
  counters.packets = stats.ports[at + PS_TX_PACKETS];
  counters.bytes = stats.ports[at + PS_TX_BYTES];
  counters.dropped = stats.ports[at + PS_TX_DROPPED];
  counters.reasons[REASON_SINGLE] = counters.packets;
  return counters;
}

function add(sum: TxQueueCounters, more: TxQueueCounters): void {
  for (const key of ['packets', 'bytes', 'dropped', 'queued', 'waiting', 'stops'] as const) {
    sum[key] += more[key];
  }
  more.reasons.forEach((n, reason) => {
    sum.reasons[reason] += n;
  });
}

/** What waits how: the discipline of a port as Linux would name it. */
function disciplineOf({ settings, slots, classes, kernel }: PortPlan): string {
  if (kernel) return `${settings.shaping?.type.replace('linux-', '')} of the kernel`;
  if (classes.length > 0) return 'classes';
  if (settings.discipline === 'noqueue') return 'noqueue';
  return slots.length > 1 ? 'mq' : 'pfifo_fast';
}

export function txPortInfo(
  plan: PortPlan,
  workers: readonly WorkerSlot[],
): Omit<TxPortInfo, 'rxFrames'> {
  const { portNo, name, slots } = plan;
  const queues = slots.flatMap((slot, queue) =>
    workers.map(({ cpu, stats }) => {
      const counters = slots.length > 1 ? countersAt(stats, slot) : singleQueue(stats, portNo);
      return { queue, cpu, ...counters };
    }),
  );
  const counted = plan.kernel?.counters();
  const bands = plan.kernel ? BANDS : 1;
  const classes = plan.classes.map(({ slot, queueId, createdMs }) => {
    const sum = { ...NOTHING, reasons: [...NOTHING.reasons] };
    for (const { stats } of workers) {
      for (let band = 0; band < bands; band++) add(sum, countersAt(stats, slot + band));
    }
    const kernel = counted?.get(queueId);
    // What was put into the kernel's class counts when it leaves it.
    if (kernel) {
      sum.packets = kernel.packets;
      sum.bytes = kernel.bytes;
      sum.dropped += kernel.dropped;
    }
    return { queueId, createdMs, ...sum };
  });
  return { portNo, port: name, discipline: disciplineOf(plan), queues, classes };
}

/** Zeroes what the last user of a slot counted. No worker may know the slot. */
export function clearSlot(stats: readonly SharedStats[], slot: number): void {
  for (const { txqs } of stats) {
    txqs.fill(0, slot * TXQ_STATS_STRIDE, (slot + 1) * TXQ_STATS_STRIDE);
  }
}
