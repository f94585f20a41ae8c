/**
 * Counters of an interface's transmit queues and classes, as Interface.statistics gets them: names
 * as ethtool's drivers give them.
 *
 *     tx_queue_0_packets, tx_queue_0_bytes, tx_queue_0_drops      ports with several queues
 *     tx_class_1_packets, ...                                     ports with QoS
 */
import type { TxPortInfo } from '../datapath/tx-queue-info.js';

export function queueStatistics(info: TxPortInfo | undefined): Record<string, number> {
  const statistics: Record<string, number> = {};
  const count = (name: string, n: number): void => {
    statistics[name] = (statistics[name] ?? 0) + n;
  };
  const several = (info?.queues ?? []).some(({ queue }) => queue > 0);
  for (const { queue, packets, bytes, dropped } of several ? (info?.queues ?? []) : []) {
    count(`tx_queue_${queue}_packets`, packets);
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
