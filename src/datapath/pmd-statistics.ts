/**
 * Counters of forwarding workers since they were last cleared, and what their queues cost.
 *
 * Workers write their counters and nobody else does: clearing keeps what they stood at.
 */
import type { Clock } from '../common/clock.js';
import type { PmdControl, PmdCounters, PmdInfo } from './pmd-control.js';
import type { PortQueues } from './port-queues.js';
import { CycleClock, CycleHistory } from './rxq-load.js';
import {
  C_BUSY_CYCLES,
  C_BUSY_ROUNDS,
  C_CACHE_HIT,
  C_IDLE_ROUNDS,
  C_LOST,
  C_MASK_HIT,
  C_MEGAFLOW_HIT,
  C_MISS,
  C_RECIRC,
  C_SLEEPS,
  C_SPIN_CYCLES,
  C_TX_CALLS,
  PORT_STATS_STRIDE,
  PS_RX_PACKETS,
  PS_TX_PACKETS,
  type SharedStats,
} from './shared-stats.js';
import type { TxPlanner } from './tx-plan.js';
import { type TxPortInfo, txPortInfo } from './tx-queue-info.js';
import type { WorkerSlot, WorkerSlots } from './worker-slots.js';

interface SlotState {
  busy: CycleHistory;
  base: PmdCounters;
  clearedMs: number;
}

const NOTHING: PmdCounters = {
  received: 0,
  recirculated: 0,
  cacheHits: 0,
  megaflowHits: 0,
  megaflowLookups: 0,
  missed: 0,
  lost: 0,
  sent: 0,
  sendCalls: 0,
  busyRounds: 0,
  idleRounds: 0,
  sleeps: 0,
  busyCycles: 0,
  idleCycles: 0,
  totalCycles: 0,
};

function portSum({ ports }: SharedStats, counter: number): number {
  let sum = 0;
  for (let at = counter; at < ports.length; at += PORT_STATS_STRIDE) sum += ports[at];
  return sum;
}

export class PmdStatistics implements PmdControl {
  private readonly states = new Map<WorkerSlot, SlotState>();
  private readonly cycleClock: CycleClock;
  private readonly madeMs: number;

  constructor(
    private readonly slots: WorkerSlots,
    private readonly queues: PortQueues,
    private readonly planner: TxPlanner,
    cycles: () => number,
    private readonly clock: Clock,
  ) {
    this.cycleClock = new CycleClock(cycles, clock);
    this.madeMs = clock.now();
  }

  get intervalCycles(): number {
    return this.cycleClock.intervalCycles;
  }

  get hz(): number {
    return this.cycleClock.hz;
  }

  info(): PmdInfo[] {
    const all = this.queues.all.sort((a, b) => (a.name < b.name ? -1 : 1) || a.rxq - b.rxq);
    return this.slots.wanted.map((slot) => {
      const { base, busy, clearedMs } = this.state(slot);
      const counters = this.counters(slot);
      for (const key of Object.keys(base) as (keyof PmdCounters)[]) counters[key] -= base[key];
      return {
        cpu: slot.cpu,
        numa: 0,
        alive: slot.alive,
        isolated: slot.isolated,
        busyCycles: (intervals) => busy.sum(intervals),
        counters,
        durationMs: this.clock.now() - clearedMs,
        queues: all
          .filter(({ worker }) => worker === slot)
          .map(({ name, rxq, history }) => ({
            port: name,
            rxq,
            enabled: true,
            cycles: (intervals) => history.sum(intervals),
          })),
      };
    });
  }

  clear(cpu?: number): void {
    for (const slot of this.slots.wanted) {
      if (cpu !== undefined && slot.cpu !== cpu) continue;
      const state = this.state(slot);
      state.base = this.counters(slot);
      state.clearedMs = this.clock.now();
    }
  }

  txPorts(portNo?: number): TxPortInfo[] {
    const plans = this.planner.all.filter((plan) => portNo === undefined || plan.portNo === portNo);
    return plans.map((plan) => txPortInfo(plan, this.slots.wanted));
  }

  rebalance(): void {
    this.queues.assign(true);
  }

  kill(cpu: number, inside: boolean): boolean {
    const handle = this.slots.wanted.find((slot) => slot.cpu === cpu)?.handle;
    if (!handle) return false;
    if (inside) handle.post({ type: 'crash' });
    else void handle.kill();
    return true;
  }

  /** @returns whether an interval was over */
  run(now: number): boolean {
    if (!this.cycleClock.intervalOver(now)) return false;
    for (const queue of this.queues.all) queue.endInterval();
    for (const slot of this.slots.wanted) {
      this.state(slot).busy.push(slot.stats.counters[C_BUSY_CYCLES]);
    }
    return true;
  }

  nextWake(): number {
    return this.cycleClock.nextWake();
  }

  private state(slot: WorkerSlot): SlotState {
    let state = this.states.get(slot);
    if (!state) {
      const busy = new CycleHistory(slot.stats.counters[C_BUSY_CYCLES]);
      state = { base: { ...NOTHING }, busy, clearedMs: this.madeMs };
      this.states.set(slot, state);
    }
    return state;
  }

  private counters({ stats }: WorkerSlot): PmdCounters {
    const c = stats.counters;
    return {
      received: portSum(stats, PS_RX_PACKETS),
      recirculated: c[C_RECIRC],
      cacheHits: c[C_CACHE_HIT],
      megaflowHits: c[C_MEGAFLOW_HIT],
      megaflowLookups: c[C_MASK_HIT],
      missed: c[C_MISS],
      lost: c[C_LOST],
      sent: portSum(stats, PS_TX_PACKETS),
      sendCalls: c[C_TX_CALLS],
      busyRounds: c[C_BUSY_ROUNDS],
      idleRounds: c[C_IDLE_ROUNDS],
      sleeps: c[C_SLEEPS],
      busyCycles: c[C_BUSY_CYCLES],
      idleCycles: c[C_SPIN_CYCLES] - c[C_BUSY_CYCLES],
      totalCycles: this.cycleClock.elapsed,
    };
  }
}
