/**
 * Topic `workers`: from tapswitch/workers where the daemon has it, else from the text of
 * dpif-netdev/pmd-stats-show and pmd-rxq-show.
 */
import { type Worker, Workers } from '../api/index.js';
import { RingHistory, rounded } from '../ring-history.js';
import { Sampled } from '../sampled.js';
import type { Subject } from '../subject/subject.js';
import { parsePmds, type WorkerTotals } from './pmd-text.js';
import { Rates } from './rates.js';
import type { Resource } from './resource.js';

interface DatapathWorkers {
  datapath: string;
  hz: number;
  flows: { current: number; limit: number };
  workers: WorkerTotals[];
}

const INTERVAL_MS = 1000;
const LINGER_MS = 5000;

export class WorkerWatch {
  readonly sampled: Sampled<Workers>;
  private readonly rates = new Rates();
  private readonly history = new RingHistory(INTERVAL_MS);

  constructor(private readonly subject: Subject) {
    const take = () => this.take();
    const { clock } = subject;
    this.sampled = new Sampled({ clock, intervalMs: INTERVAL_MS, lingerMs: LINGER_MS, take });
  }

  resource(): Resource {
    return {
      topic: 'workers',
      path: '/workers',
      summary: 'Forwarding workers: CPU, load, cycles per packet, cache hits, receive queues',
      answer: Workers,
      intervalMs: INTERVAL_MS,
      tables: [],
      read: () => this.sampled.get(),
    };
  }

  private async take(): Promise<Workers> {
    const { workers, flows } = await this.read();
    const { clock } = this.subject;
    this.rates.begin(clock.now());
    const shown = workers.map((worker) => this.show(worker));
    const values: Record<string, number> = {};
    for (const { cpu, load, pps } of shown) {
      if (load !== null) values[`load:${cpu}`] = load;
      if (pps !== null) values[`pps:${cpu}`] = pps;
    }
    this.history.push(clock.wallNow(), values);
    return { workers: shown, flows, history: this.history.show() };
  }

  private async read(): Promise<{ workers: WorkerTotals[]; flows: Workers['flows'] }> {
    const { control } = this.subject;
    if ((await control.commands()).has('tapswitch/workers')) {
      const datapaths = await control.json<DatapathWorkers[]>('tapswitch/workers');
      const current = datapaths.reduce((sum, { flows }) => sum + flows.current, 0);
      const limit = datapaths.reduce((sum, { flows }) => sum + flows.limit, 0);
      return { workers: datapaths.flatMap((d) => d.workers), flows: { current, limit } };
    }
    const [stats, queues, upcalls] = await Promise.all([
      control.ask('dpif-netdev/pmd-stats-show'),
      control.ask('dpif-netdev/pmd-rxq-show'),
      control.ask('upcall/show'),
    ]);
    const [, current, limit] =
      /flows\s*: \(current (\d+)\).*\(limit (\d+)\)/.exec(upcalls) ?? ([] as string[]);
    const flows = limit === undefined ? null : { current: Number(current), limit: Number(limit) };
    return { workers: parsePmds(stats, queues), flows };
  }

  private show({ counters: c, ...worker }: WorkerTotals): Worker {
    const name = `${worker.numa}:${worker.cpu}`;
    const grown = (key: keyof typeof c) => this.rates.grown(`${name}:${key}`, c[key]);
    const [received, busy, total] = [grown('received'), grown('busyCycles'), grown('totalCycles')];
    const [cache, megaflow, upcall] = [grown('cacheHits'), grown('megaflowHits'), grown('missed')];
    const [sent, calls] = [grown('sent'), grown('sendCalls')];
    const passes = (cache ?? 0) + (megaflow ?? 0) + (upcall ?? 0);
    const share = (part: number | null) => rounded((part ?? 0) / passes);
    const pps = this.rates.rate(`${name}:pps`, c.received);
    return {
      cpu: worker.cpu,
      numa: worker.numa,
      alive: worker.alive,
      isolated: worker.isolated,
      load: busy !== null && total ? rounded(Math.min(1, busy / total)) : null,
      pps: pps === null ? null : rounded(pps),
      cyclesPerPacket: busy && received ? rounded(busy / received) : null,
      hits:
        passes > 0
          ? { cache: share(cache), megaflow: share(megaflow), upcall: share(upcall) }
          : null,
      packetsPerBatch: sent !== null && calls ? rounded(sent / calls) : null,
      totals: {
        received: c.received,
        cacheHits: c.cacheHits,
        megaflowHits: c.megaflowHits,
        upcalls: c.missed,
        lostUpcalls: c.lost,
        sent: c.sent,
        busyCycles: Math.round(c.busyCycles),
        totalCycles: Math.round(c.totalCycles),
      },
      queues: worker.queues.map(({ port, queue, enabled, load }) => ({
        ...{ port, queue, enabled },
        load: load === null ? null : rounded(load),
      })),
    };
  }
}
