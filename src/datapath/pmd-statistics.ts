/**
 * Counters of forwarding workers since they were last cleared, and what their queues cost.
 *
 * Workers write their counters and nobody else does: clearing keeps what they stood at.
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { DpifSettings } from './dpif.js';
import { AutoLoadBalance } from './pmd-auto-lb.js';
import {
  DEFAULT_PERF_LOG,
  type PerfLog,
  type PmdControl,
  type PmdCounters,
  type PmdInfo,
  type TxPortInfo,
} from './pmd-control.js';
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
import { txPortInfo } from './tx-queue-info.js';
import type { WorkerSlot, WorkerSlots } from './worker-slots.js';

const pmdLogger = getLogger('pmd_perf');

interface SlotState {
  busy: CycleHistory;
  /** Suspicious rounds that were told. */
  suspicious: number;
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
  private readonly autoLb: AutoLoadBalance;
  private perfMetrics = false;
  private log = DEFAULT_PERF_LOG;

  constructor(
    private readonly slots: WorkerSlots,
    private readonly queues: PortQueues,
    private readonly planner: TxPlanner,
    cycles: () => number,
    private readonly clock: Clock,
  ) {
    this.cycleClock = new CycleClock(cycles, clock);
    this.madeMs = clock.now();
    this.autoLb = new AutoLoadBalance(queues);
  }

  configure({ perfMetrics, autoLb }: DpifSettings): void {
    if (autoLb) this.autoLb.configure(autoLb);
    if (perfMetrics === undefined || perfMetrics === this.perfMetrics) return;
    this.perfMetrics = perfMetrics;
    // What was recorded earlier, and stopped, is no part of what comes.
    for (const { stats } of this.slots.wanted) stats.perf.clear();
  }

  get perfLog(): PerfLog {
    return this.log;
  }

  set perfLog(log: PerfLog) {
    this.log = log;
    const threshold = log.on ? (log.usec * this.hz) / 1e6 : 0;
    for (const { stats } of this.slots.wanted) stats.perf.setThreshold(threshold);
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
        perf: this.perfMetrics ? slot.stats.perf : null,
        queues: all
          .filter(({ worker }) => worker === slot)
          .map(({ name, rxq, history, frames }) => ({
            port: name,
            rxq,
            enabled: true,
            frames,
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
      slot.stats.perf.clear();
    }
  }

  txPorts(portNo?: number): TxPortInfo[] {
    const plans = this.planner.all.filter((plan) => portNo === undefined || plan.portNo === portNo);
    return plans.map((plan) => ({
      ...txPortInfo(plan, this.slots.wanted),
      rxFrames: this.queues.of(plan.portNo).map(({ frames }) => frames),
    }));
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
    this.tellSuspicious();
    for (const queue of this.queues.all) queue.endInterval();
    for (const slot of this.slots.wanted) {
      this.state(slot).busy.push(slot.stats.counters[C_BUSY_CYCLES]);
    }
    const load = (slot: WorkerSlot) =>
      (100 * this.state(slot).busy.sum(1)) / Math.max(1, this.intervalCycles);
    this.autoLb.intervalOver(now, this.slots.wanted, load);
    return true;
  }

  nextWake(): number {
    return this.cycleClock.nextWake();
  }

  /** The last round that took too long, of those since the last look. */
  private tellSuspicious(): void {
    for (const slot of this.slots.wanted) {
      const state = this.state(slot);
      const { count, round, cycles } = slot.stats.perf.suspicious;
      const n = count - state.suspicious;
      state.suspicious = count;
      if (n <= 0 || !this.log.on) continue;
      const us = Math.round((cycles / this.hz) * 1e6);
      const more = n > 1 ? `, the last of ${n}` : '';
      pmdLogger.warn(
        `Suspicious iteration (Excessive total cycles): iter=${round} duration=${us} us${more}`,
      );
    }
  }

  private state(slot: WorkerSlot): SlotState {
    let state = this.states.get(slot);
    if (!state) {
      const busy = new CycleHistory(slot.stats.counters[C_BUSY_CYCLES]);
      const suspicious = slot.stats.perf.suspicious.count;
      state = { base: { ...NOTHING }, busy, suspicious, clearedMs: this.madeMs };
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
