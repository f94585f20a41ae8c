/**
 * Sums over ports.
 *
 * A frame between two bridges passes two patch ports or two ends of a wire: sums count what each
 * port saw, as a counter on the port would.
 */
import type { History, Port, PortRates } from '../../api/index.js';

export function sumRates(ports: readonly Port[]): PortRates | null {
  const known = ports.map(({ rates }) => rates).filter((rates) => rates !== null);
  if (known.length === 0) return null;
  const sum: PortRates = { rxPps: 0, rxBps: 0, txPps: 0, txBps: 0, drops: 0 };
  for (const rates of known) {
    for (const key of Object.keys(sum) as (keyof PortRates)[]) sum[key] += rates[key];
  }
  return sum;
}

export interface TotalHistory {
  at: number;
  stepMs: number;
  rx: (number | null)[];
  tx: (number | null)[];
}

/** Series are aligned at their newest value. */
export function sumHistory(ports: readonly Port[]): TotalHistory {
  const histories = ports.map(({ history }) => history);
  const first = histories[0];
  return {
    at: Math.max(0, ...histories.map(({ at }) => at)),
    stepMs: first?.stepMs ?? 1000,
    rx: sumSeries(histories, 'rxBps'),
    tx: sumSeries(histories, 'txBps'),
  };
}

function sumSeries(histories: readonly History[], name: string): (number | null)[] {
  const all = histories.map(({ series }) => series[name] ?? []);
  const length = Math.max(0, ...all.map((values) => values.length));
  return Array.from({ length }, (_, i) => {
    let sum: number | null = null;
    for (const values of all) {
      const value = values[values.length - length + i];
      if (value !== null && value !== undefined) sum = (sum ?? 0) + value;
    }
    return sum;
  });
}

/** Ports by traffic both ways, the busiest first. */
export function busiest(ports: readonly Port[], most: number): Port[] {
  const load = ({ rates }: Port): number => (rates === null ? -1 : rates.rxBps + rates.txBps);
  return [...ports].sort((a, b) => load(b) - load(a)).slice(0, most);
}
