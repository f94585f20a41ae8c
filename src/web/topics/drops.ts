/**
 * Topic `drops`: packets that were dropped, by reason, with their rates over two minutes. From
 * tapswitch/drops, or of Open vSwitch from coverage/show.
 */
import { type DropReason, Drops } from '../api/index.js';
import { RingHistory, rounded } from '../ring-history.js';
import { Sampled } from '../sampled.js';
import type { Subject } from '../subject/subject.js';
import { Rates } from './rates.js';
import type { Resource } from './resource.js';

interface DropTotal {
  name: string;
  meaning: string;
  packets: number;
  /** Whether packets of it can be shown. */
  examples?: boolean;
}

const INTERVAL_MS = 1000;
const LINGER_MS = 10_000;

export class DropWatch {
  readonly sampled: Sampled<Drops>;
  private readonly rates = new Rates();
  private readonly history = new RingHistory(INTERVAL_MS);

  constructor(private readonly subject: Subject) {
    const take = () => this.take();
    const { clock } = subject;
    this.sampled = new Sampled({ clock, intervalMs: INTERVAL_MS, lingerMs: LINGER_MS, take });
  }

  resource(): Resource {
    return {
      topic: 'drops',
      path: '/drops',
      summary: 'Dropped packets by reason, with rates and their last two minutes',
      answer: Drops,
      intervalMs: INTERVAL_MS,
      tables: [],
      read: () => this.sampled.get(),
    };
  }

  private async take(): Promise<Drops> {
    const { control, clock } = this.subject;
    const examples = (await control.commands()).has('tapswitch/capture-drops');
    const totals = examples
      ? await control.json<DropTotal[]>('tapswitch/drops')
      : parseCoverage(await control.ask('coverage/show'));
    this.rates.begin(clock.now());
    const values: Record<string, number> = {};
    const reasons = totals.map(({ name, meaning, packets, examples: shows }): DropReason => {
      const rate = this.rates.rate(name, packets);
      if (rate !== null && packets > 0) values[name] = rate;
      const shown = rate === null ? null : rounded(rate);
      return { name, meaning, packets, rate: shown, examples: examples && shows === true };
    });
    this.history.push(clock.wallNow(), values);
    return { reasons, history: this.history.show() };
  }
}

/** 'datapath_drop_meter   0.0/sec   0.000/sec   0.0000/sec   total: 5' */
export function parseCoverage(text: string): DropTotal[] {
  return [...text.matchAll(/^((?:drop_action|datapath_drop)\w*)\s.*total: (\d+)$/gm)].map(
    ([, name, total]) => ({ name, meaning: name.replace(/_/g, ' '), packets: Number(total) }),
  );
}
