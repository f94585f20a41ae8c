/**
 * Workers out of the texts of dpif-netdev/pmd-stats-show and pmd-rxq-show.
 *
 *     pmd thread numa_id 0 core_id 1:
 *       packets received: 120
 *       emc hits: 100 ...
 *       port: p0    queue-id:  0 (enabled)   pmd usage:  3 %
 */
import type { Worker } from '../api/index.js';

/** Totals of one worker, whoever gave them. */
export interface WorkerTotals {
  cpu: number;
  numa: number;
  alive: boolean;
  isolated: boolean;
  counters: {
    received: number;
    recirculated: number;
    cacheHits: number;
    megaflowHits: number;
    missed: number;
    lost: number;
    sent: number;
    sendCalls: number;
    busyCycles: number;
    totalCycles: number;
  };
  queues: Worker['queues'];
}

export function parsePmds(stats: string, queues: string): WorkerTotals[] {
  const byThread = new Map(threads(queues));
  return threads(stats).map(([head, body]) => parseThread(head, body, byThread.get(head) ?? ''));
}

/** 'numa_id 0 core_id 1', or 'main thread' (devices without polling), and the lines below it. */
function threads(text: string): [head: string, body: string][] {
  return text
    .split(/^(?=pmd thread |main thread)/m)
    .filter((part) => /^(pmd|main) thread/.test(part))
    .map((part) => {
      const end = part.indexOf(':\n');
      return [part.slice(0, end), part.slice(end + 2)];
    });
}

function parseThread(head: string, body: string, queues: string): WorkerTotals {
  const [, numa = '0', cpu] = /numa_id (\d+)(?: core_id (\d+))?/.exec(head) ?? [];
  const count = (name: string): number => {
    const match = new RegExp(`^\\s+${name.replace('.', '\\.')}: ([\\d.]+)`, 'm').exec(body);
    return match ? Number(match[1]) : 0;
  };
  const perBatch = count('avg. packets per output batch');
  const received = count('packets received');
  const busy = count('processing cycles');
  const upcalls = count('miss with success upcall');
  const lost = count('miss with failed upcall');
  return {
    cpu: cpu === undefined ? -1 : Number(cpu),
    numa: Number(numa),
    alive: true,
    isolated: /isolated : true/.test(queues),
    counters: {
      received,
      recirculated: count('packet recirculations'),
      cacheHits: count('emc hits') + count('smc hits') + count('simple match hits'),
      megaflowHits: count('megaflow hits'),
      missed: upcalls + lost,
      lost,
      // What was sent is not told: the batch's size stands, its totals do not.
      sent: received,
      sendCalls: perBatch > 0 ? received / perBatch : 0,
      busyCycles: busy,
      totalCycles: busy + count('idle cycles'),
    },
    queues: [
      ...queues.matchAll(/port: (\S+)\s+queue-id:\s+(\d+) \((\w+)\)\s+pmd usage:\s+(\d+|NOT)/g),
    ].map(([, port, queue, state, usage]) => ({
      port,
      queue: Number(queue),
      enabled: state === 'enabled',
      load: usage === 'NOT' ? null : Number(usage) / 100,
    })),
  };
}
