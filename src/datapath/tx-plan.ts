/**
 * How ports are sent to (main thread): which descriptors, queues, rules and classes each worker
 * gets.
 *
 *     device + settings --> PortPlan --> TxPort for worker 0, 1, ...
 *                              |
 *                              +--> rates in the shaper
 *
 * Slots of further queues and of classes come from one range (shared-stats.ts: EXTRA_QUEUES) and
 * are consecutive for a port.
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { ClassSockets, DatapathQueue, TransmitQueues } from '../netdev/netdev.js';
import type { PortQueueSettings } from '../netdev/queue-settings.js';
import type { QueuedDevice } from './dpif-netdev-options.js';
import { PORT_PACKET, PORT_TAP, PORT_XDP } from './egress.js';
import { EXTRA_QUEUES } from './shared-stats.js';
import { BANDS } from './tx-backlog.js';
import { TXQ_MAX } from './tx-choice.js';
import type { TxClass, TxPort } from './tx-port.js';
import type { ShaperTable } from './tx-shaper.js';

const logger = getLogger('dpif_netdev');

const PORT_KINDS = { packet: PORT_PACKET, tap: PORT_TAP, xdp: PORT_XDP } as const;

/** Ranges of slot numbers, first fit. */
class SlotRanges {
  private readonly taken: Uint8Array;

  constructor(
    private readonly first: number,
    n: number,
  ) {
    this.taken = new Uint8Array(n);
  }

  /** The first of `n` consecutive ones, or -1. */
  take(n: number): number {
    let run = 0;
    for (let i = 0; i < this.taken.length; i++) {
      run = this.taken[i] ? 0 : run + 1;
      if (run < n) continue;
      this.taken.fill(1, i + 1 - n, i + 1);
      return this.first + i + 1 - n;
    }
    return -1;
  }

  give(start: number, n: number): void {
    if (start >= 0) this.taken.fill(0, start - this.first, start - this.first + n);
  }
}

/** What is known of how a port is sent to. */
export interface PortPlan {
  portNo: number;
  name: string;
  kind: number;
  /** Descriptors by worker position and queue. */
  fds: number[][];
  /** Slot of each queue. */
  slots: number[];
  /** Slot and queue id of each class; of the kernel's, the first of BANDS slots. */
  classes: (TxClass & { createdMs: number })[];
  /** Sockets into classes that the kernel schedules; null: they are the switch's, if any. */
  kernel: ClassSockets | null;
  settings: PortQueueSettings;
  device: SendingDevice;
  /** How many send to it. */
  workers: number;
}

/** What a device offers for sending. */
export type SendingDevice = Pick<
  QueuedDevice,
  'name' | 'openTransmit' | 'openClasses' | 'closeStaleClasses'
>;

export class TxPlanner {
  private readonly plans = new Map<number, PortPlan>();
  private readonly slots: SlotRanges;

  constructor(
    maxPorts: number,
    private readonly shaper: ShaperTable,
    private readonly policer: ShaperTable,
    /** Zeroes a slot's counters. */
    private readonly clear: (slot: number) => void,
    private readonly clock: Clock,
  ) {
    this.slots = new SlotRanges(maxPorts, EXTRA_QUEUES);
  }

  plan(portNo: number): PortPlan | undefined {
    return this.plans.get(portNo);
  }

  get all(): PortPlan[] {
    return [...this.plans.values()].sort((a, b) => a.portNo - b.portNo);
  }

  /**
   * Makes a port's plan.
   * @param queues its receive queues: to send by, where the device has nothing better
   * @param workers how many there are
   */
  add(
    portNo: number,
    device: SendingDevice,
    settings: PortQueueSettings,
    queues: readonly DatapathQueue[],
    workers: number,
  ): PortPlan {
    this.delete(portNo);
    const { name } = device;
    const transmit = device.openTransmit(workers);
    const kind = PORT_KINDS[queues[0].kind];
    const fds = this.descriptors(kind, queues, transmit, workers);
    let n = Math.min(fds[0].length, TXQ_MAX);
    let first = n > 1 ? this.slots.take(n - 1) : -1;
    if (n > 1 && first < 0) {
      logger.warn(`${name}: too many transmit queues in all, using one`);
      n = 1;
      first = -1;
    }
    const slots = Array.from({ length: n }, (_, i) => (i === 0 ? portNo : first + i - 1));
    for (const slot of slots) this.clear(slot);
    const made = { classes: [], kernel: null, settings, device, workers };
    const plan: PortPlan = { portNo, name, kind, fds, slots, ...made };
    this.plans.set(portNo, plan);
    this.setClasses(plan);
    return plan;
  }

  /**
   * Applies changed settings to a plan whose queues stay.
   * @returns whether the device has sockets that are to be closed once workers know
   */
  change(plan: PortPlan, settings: PortQueueSettings): boolean {
    const { kernel: before, classes } = plan;
    this.freeClasses(plan);
    plan.settings = settings;
    this.setClasses(plan);
    // A queue whose rates change goes on.
    for (const each of plan.classes) {
      const old = classes.find(({ queueId }) => queueId === each.queueId);
      if (old) each.createdMs = old.createdMs;
    }
    return before !== null;
  }

  delete(portNo: number): void {
    const plan = this.plans.get(portNo);
    if (!plan) return;
    this.freeClasses(plan);
    if (plan.slots.length > 1) this.slots.give(plan.slots[1], plan.slots.length - 1);
    this.plans.delete(portNo);
  }

  /**
   * What a worker is told.
   * @param position of the worker among all
   * @param cpus of all workers, by position
   */
  forWorker(plan: PortPlan, position: number, cpus: readonly number[]): TxPort {
    const { portNo, kind, slots, classes, settings, kernel } = plan;
    const fds = plan.fds[position % plan.fds.length];
    const sockets = kernel?.fds[position % kernel.fds.length];
    const own = classes.length > 0 && !kernel;
    return {
      portNo,
      kind,
      queues: slots.map((slot, i) => ({ slot, fd: fds[i] })),
      rules: {
        queues: slots.length,
        xps: xpsQueues(settings, slots.length, position, cpus),
        classOf: settings.classes?.classOf ?? [],
        ranges: settings.classes?.ranges ?? [],
      },
      limit: settings.queueLength,
      noqueue: settings.discipline === 'noqueue',
      shaper: own ? { policer: settings.shaping?.policer ?? false, classes } : null,
      kernelClasses: sockets
        ? classes.map(({ slot, queueId }, i) => ({ slot, queueId, fds: sockets[i] }))
        : [],
      policed: settings.policing !== null,
    };
  }

  private descriptors(
    kind: number,
    queues: readonly DatapathQueue[],
    transmit: TransmitQueues | null,
    workers: number,
  ): number[][] {
    if (transmit) return transmit.fds;
    // A TAP's queues are all workers' to choose from; a socket is one worker's, if it can be.
    if (kind === PORT_TAP) return [queues.map(({ fd }) => fd)];
    return Array.from({ length: workers }, (_, i) => [queues[i % queues.length].fd]);
  }

  private setClasses(plan: PortPlan): void {
    const { portNo, name, settings } = plan;
    const { shaping, policing } = settings;
    if (policing) this.policer.setPolicing(portNo, policing);
    plan.kernel = plan.device.openClasses?.(shaping, plan.workers) ?? null;
    if (!shaping) return;
    const { classes } = shaping;
    let first = this.slots.take(classes.length * (plan.kernel ? BANDS : 1));
    if (first < 0 && plan.kernel) {
      // The switch's own classes take a third of the room.
      plan.device.openClasses?.(null, plan.workers);
      plan.kernel = null;
      first = this.slots.take(classes.length);
    }
    if (first < 0) {
      logger.warn(`${name}: too many QoS queues in all, its rates are not applied`);
      return;
    }
    const each = plan.kernel ? BANDS : 1;
    const n = classes.length * each;
    for (let slot = first; slot < first + n; slot++) this.clear(slot);
    if (!plan.kernel) this.shaper.set(portNo, portNo, shaping.maxRate, 0, shaping.burst);
    plan.classes = shaping.classes.map((c, i) => {
      const slot = first + i * each;
      if (!plan.kernel) this.shaper.set(portNo, slot, c.maxRate, c.minRate, c.burst);
      // As in HTB: a tenth of the rate, within bounds.
      const quantum = Math.min(200_000, Math.max(1000, Math.floor(c.minRate / 10)));
      const { queueId, priority } = c;
      return { slot, queueId, priority, quantum, createdMs: this.clock.now() };
    });
  }

  private freeClasses(plan: PortPlan): void {
    const each = plan.kernel ? BANDS : 1;
    if (plan.classes.length > 0) this.slots.give(plan.classes[0].slot, plan.classes.length * each);
    plan.classes = [];
    plan.kernel = null;
  }
}

/** The queues of a worker's CPU: from the masks, else shared out among the workers. */
export function xpsQueues(
  { xpsCpus }: PortQueueSettings,
  queues: number,
  position: number,
  cpus: readonly number[],
): number[] {
  const all = Array.from({ length: Math.max(queues, xpsCpus?.length ?? 0) }, (_, i) => i);
  if (xpsCpus) return all.filter((queue) => xpsCpus[queue]?.includes(cpus[position]));
  const workers = Math.max(1, cpus.length);
  const own = all.filter((queue) => queue % workers === position % workers);
  // More workers than queues: they share them.
  return own.length > 0 || queues === 0 ? own : [position % queues];
}
