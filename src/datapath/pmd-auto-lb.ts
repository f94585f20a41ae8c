/**
 * Automatic assignment of receive queues anew, when a worker has too much to do and another has
 * not (other_config:pmd-auto-lb). Behaviour and log texts are Open vSwitch's.
 *
 *     every 5 s       a worker that was busy for `loadThreshold` % or more: one more in its row
 *     every interval  some worker 12 times in a row?  would the queues' cycles be spread more
 *                     evenly by assigning them anew, by `improvementThreshold` %?  then do it
 */
import { getLogger } from '../common/log.js';
import type { AutoLbSettings } from './dpif.js';
import type { PortQueues } from './port-queues.js';
import { assignRxQueues } from './rx-assign.js';
import { INTERVALS } from './rxq-load.js';
import type { WorkerSlot } from './worker-slots.js';

const logger = getLogger('dpif_netdev');

const MINUTE_MS = 60_000;

export const DEFAULT_AUTO_LB: AutoLbSettings = {
  enabled: false,
  intervalMin: 1,
  loadThreshold: 95,
  improvementThreshold: 25,
};

/** Mean of the squares of what each differs from the mean. */
export function variance(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

export class AutoLoadBalance {
  private settings = DEFAULT_AUTO_LB;
  private readonly overloaded = new Map<WorkerSlot, number>();
  /** When queues were last considered; null: not yet. */
  private lastMs: number | null = null;

  constructor(
    private readonly queues: Pick<PortQueues, 'all' | 'assignment' | 'isolate' | 'assign'>,
  ) {}

  configure(next: AutoLbSettings): void {
    const { settings: old } = this;
    this.settings = next;
    const { intervalMin, loadThreshold, improvementThreshold, enabled } = next;
    if (enabled === old.enabled && (!enabled || same(old, next))) return;
    if (!enabled) this.lastMs = null;
    logger.info(
      enabled
        ? `PMD auto load balance is enabled, interval ${intervalMin} mins, pmd load threshold ` +
            `${loadThreshold}%, improvement threshold ${improvementThreshold}%.`
        : 'PMD auto load balance is disabled.',
    );
  }

  /** An interval of 5 s is over. @param load percent of it that a worker was busy */
  intervalOver(now: number, slots: readonly WorkerSlot[], load: (s: WorkerSlot) => number): void {
    const { enabled, intervalMin, loadThreshold } = this.settings;
    if (!enabled) return;
    for (const slot of slots) {
      const busy = !slot.isolated && load(slot) >= loadThreshold;
      this.overloaded.set(slot, busy ? (this.overloaded.get(slot) ?? 0) + 1 : 0);
    }
    this.lastMs ??= now;
    if (now - this.lastMs <= intervalMin * MINUTE_MS) return;
    this.lastMs = now;
    const pressed = slots.some((slot) => (this.overloaded.get(slot) ?? 0) >= INTERVALS);
    if (!pressed || !this.worthIt(slots)) return;
    logger.info('PMD auto load balance dry run. Requesting datapath reconfigure.');
    this.queues.assign(true);
  }

  /** Whether assigning anew would spread the load enough. */
  private worthIt(slots: readonly WorkerSlot[]): boolean {
    const { all, assignment, isolate } = this.queues;
    const free = slots.filter((slot) => !slot.isolated);
    const several = free.some((slot) => all.filter(({ worker }) => worker === slot).length > 1);
    if (assignment === 'roundrobin' || free.length < 2 || !several) return false;
    logger.dbg('PMD auto load balance performing dry run.');
    const { worker } = assignRxQueues(all, slots, assignment, isolate);
    const loads = (index: (queue: (typeof all)[number]) => number) =>
      free.map((slot) => {
        const own = all.filter((queue) => slots[index(queue)] === slot);
        return own.reduce((sum, { cycles }) => sum + cycles, 0);
      });
    const current = variance(loads((queue) => slots.indexOf(queue.worker as WorkerSlot)));
    const estimate = variance(loads((queue) => worker.get(queue) ?? -1));
    const improvement = estimate < current ? ((current - estimate) * 100) / current : 0;
    logger.dbg(
      `Numa node 0. Current variance ${Math.round(current)} Estimated variance ` +
        `${Math.round(estimate)}. Variance improvement ${Math.floor(improvement)}%.`,
    );
    return improvement >= this.settings.improvementThreshold;
  }
}

function same(a: AutoLbSettings, b: AutoLbSettings): boolean {
  return (
    a.intervalMin === b.intervalMin &&
    a.loadThreshold === b.loadThreshold &&
    a.improvementThreshold === b.improvementThreshold
  );
}
