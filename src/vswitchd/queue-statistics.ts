/**
 * Counters of an interface's transmit queues and classes, as Interface.statistics gets them: names
 * as ethtool's drivers give them.
 *
 *     rx_queue_0_packets                                          ports with several queues
 *     tx_queue_0_packets, tx_queue_0_bytes, tx_queue_0_drops      the same
 *     tx_queue_0_core_2_packets                                   the part of each worker
 *     tx_class_1_packets, ...                                     ports with QoS
 */
import type { TxPortInfo } from '../datapath/pmd-control.js';

export function queueStatistics(info: TxPortInfo | undefined): Record<string, number> {
  const statistics: Record<string, number> = {};
  const count = (name: string, n: number): void => {
    statistics[name] = (statistics[name] ?? 0) + n;
  };
  const { queues = [], rxFrames = [] } = info ?? {};
  const several = queues.some(({ queue }) => queue > 0);
  const workers = new Set(queues.map(({ cpu }) => cpu)).size;
  if (rxFrames.length > 1) {
    for (const [queue, frames] of rxFrames.entries()) count(`rx_queue_${queue}_packets`, frames);
  }
  for (const { queue, cpu, packets, bytes, dropped } of several || workers > 1 ? queues : []) {
    count(`tx_queue_${queue}_packets`, packets);
    if (workers > 1 && cpu >= 0) count(`tx_queue_${queue}_core_${cpu}_packets`, packets);
    count(`tx_queue_${queue}_bytes`, bytes);
    count(`tx_queue_${queue}_drops`, dropped);
  }
  for (const { queueId, packets, bytes, dropped } of info?.classes ?? []) {
    count(`tx_class_${queueId}_packets`, packets);
    count(`tx_class_${queueId}_bytes`, bytes);
    count(`tx_class_${queueId}_drops`, dropped);
  }
  return statistics;
}
