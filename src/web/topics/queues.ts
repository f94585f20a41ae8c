/** Topic `queues`: transmit queues and classes of ports; Open vSwitch does not tell of them. */
import { TapswitchError } from '../../common/errors.js';
import { type PortQueues, Queues, type TxQueue } from '../api/index.js';
import { Sampled } from '../sampled.js';
import type { Subject } from '../subject/subject.js';
import { compare } from './port-rows.js';
import { Rates } from './rates.js';
import type { Resource } from './resource.js';

type Counted = Omit<TxQueue, 'pps'>;

interface PortCounters {
  port: string;
  discipline: string;
  queues: Counted[];
  classes: Counted[];
}

export function queuesResource(subject: Subject): Resource {
  const { clock, control } = subject;
  const rates = new Rates();
  const sampled = new Sampled<PortQueues[]>({
    clock,
    intervalMs: 1000,
    lingerMs: 5000,
    take: async () => {
      if (!(await control.commands()).has('tapswitch/tx-queues')) throw unknown();
      const ports = await control.json<PortCounters[]>('tapswitch/tx-queues');
      rates.begin(clock.now());
      const withRate = (port: string, kind: string) => (queue: Counted) => {
        const pps = rates.rate(`${port} ${kind} ${queue.queue} ${queue.cpu}`, queue.packets);
        return { ...queue, pps: pps === null ? null : Math.round(pps) };
      };
      return ports
        .sort((a, b) => compare(a.port, b.port))
        .map(({ port, discipline, queues, classes }) => ({
          ...{ port, discipline },
          queues: queues.map(withRate(port, 'queue')),
          classes: classes.map(withRate(port, 'class')),
        }));
    },
  });
  return {
    topic: 'queues',
    path: '/queues',
    summary: 'Transmit queues and classes by port: frames, waiting, and why each was chosen',
    answer: Queues,
    intervalMs: 1000,
    tables: [],
    read: () => sampled.get(),
  };
}

function unknown(): TapswitchError {
  return new TapswitchError('E_WEB_UNKNOWN', 'this switch does not tell of its transmit queues');
}
