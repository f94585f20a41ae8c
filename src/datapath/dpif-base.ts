/**
 * What both datapaths share: ports by number, flows by slot, statistics summed over workers.
 *
 * Not for: how frames and commands get to the engines (dpif-netdev.ts, dpif-dummy.ts).
 */
import type { Clock } from '../common/clock.js';
import { NEVER } from '../common/clock.js';
import { TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { flowClass } from '../packet/extract.js';
import { type FlowWords, W_DL_TYPE } from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import { BondBuckets } from './bond-buckets.js';
import type {
  DpFlow,
  DpFlowStats,
  Dpif,
  DpifSettings,
  DpNetdev,
  DpPort,
  DpPortStats,
  DpStats,
  FlowPut,
  FrameBytes,
  Upcall,
} from './dpif.js';
import { DROP_REASONS, type DropReasonNumber, N_DROP_REASONS } from './drop-reasons.js';
import { FlowRegistry, InstalledFlow } from './flow-registry.js';
import { type DpMeterConfig, type DpMeterStats, MeterTable } from './meter-table.js';
import type { OdpAction } from './odp-actions.js';
import { formatOdpActions, formatOdpKey, formatUfid } from './odp-format.js';
import { SharedPrograms } from './shared-programs.js';
import {
  C_CACHE_HIT,
  C_LOST,
  C_MASK_HIT,
  C_MASKS,
  C_MEGAFLOW_HIT,
  C_MISS,
  FLOW_STATS_STRIDE,
  FS_BYTES,
  FS_PACKETS,
  FS_TCP_FLAGS,
  FS_USED_MS,
  PORT_STATS_STRIDE,
  PS_RX_BYTES,
  PS_RX_DROPPED,
  PS_RX_ERRORS,
  PS_RX_PACKETS,
  PS_TX_BYTES,
  PS_TX_DROPPED,
  PS_TX_ERRORS,
  PS_TX_PACKETS,
  type SharedStats,
} from './shared-stats.js';

/** Ports per datapath: the bound of port numbers, too. */
export const DEFAULT_MAX_PORTS = 4096;

export interface DpifLimits {
  maxPorts: number;
  flowLimit: number;
}

const log = getLogger('dpif_netdev');
const dpifLog = getLogger('dpif');

/** A port with the device behind it. */
export interface PortEntry<N extends DpNetdev> extends DpPort {
  netdev: N;
}

const PORT_STAT_NAMES: readonly [keyof DpPortStats, number][] = [
  ['rxPackets', PS_RX_PACKETS],
  ['txPackets', PS_TX_PACKETS],
  ['rxBytes', PS_RX_BYTES],
  ['txBytes', PS_TX_BYTES],
  ['rxDropped', PS_RX_DROPPED],
  ['txDropped', PS_TX_DROPPED],
  ['rxErrors', PS_RX_ERRORS],
  ['txErrors', PS_TX_ERRORS],
];

/** Ports, flows and statistics over a list of engines, one per worker. */
export abstract class DpifBase<N extends DpNetdev> implements Dpif {
  abstract readonly name: string;
  abstract readonly type: string;
  protected readonly portTable: (PortEntry<N> | undefined)[] = [];
  protected readonly flowRegistry: FlowRegistry;
  protected readonly programs = new SharedPrograms();
  protected readonly meters = MeterTable.create();
  readonly bonds = new BondBuckets(() => this.workerStats());
  protected upcallHandler: (upcall: Upcall) => void = () => {};
  protected closed = false;
  /** Packets dropped on the main thread, by reason: workers own their counters. */
  private readonly dropsHere = new Float64Array(N_DROP_REASONS);
  /** Port counters at the time the port was added: numbers are used again. */
  private readonly portBase = new Map<number, DpPortStats>();

  constructor(
    protected readonly clock: Clock,
    protected readonly limits: DpifLimits,
  ) {
    this.flowRegistry = new FlowRegistry(limits.flowLimit);
  }

  /** Counters of each worker. */
  protected abstract workerStats(): readonly SharedStats[];
  /** Takes a port up in the packet path. @throws TapswitchError */
  protected abstract attach(port: PortEntry<N>): void;
  protected abstract detach(port: PortEntry<N>): void;
  protected abstract install(flow: InstalledFlow, program: ActionProgram, worker: number): void;
  protected abstract replace(flow: InstalledFlow, program: ActionProgram): void;
  /** Removes a flow from all engines; calls `done` when they have let go of its slot. */
  protected abstract uninstall(flow: InstalledFlow, done: () => void): void;
  /** A worker's flow timestamp as Clock.now(). */
  protected abstract toClockMs(usedMs: number): number;
  abstract execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void;
  abstract configure(settings: DpifSettings): void;

  countDrop(reason: DropReasonNumber): void {
    this.dropsHere[reason] += 1;
  }

  abstract sync(): Promise<void>;
  abstract synced(): boolean;

  portAdd(netdev: DpNetdev, wantedPortNo?: number): number {
    const portNo = this.freePortNo(wantedPortNo);
    const type = (netdev as { dpifType?: string }).dpifType ?? netdev.type;
    const config = netdev.config?.bind(netdev);
    const port: PortEntry<N> = { portNo, name: netdev.name, type, config, netdev: netdev as N };
    this.portBase.set(portNo, this.rawPortStats(portNo));
    this.attach(port);
    this.portTable[portNo] = port;
    return portNo;
  }

  meterSet(id: number, config: DpMeterConfig): void {
    this.meters.set(id, config);
  }

  meterDel(id: number): void {
    this.meters.remove(id);
  }

  meterStats(id: number): DpMeterStats {
    return this.meters.stats(id);
  }

  portDel(portNo: number): void {
    const port = this.portTable[portNo];
    if (!port) return;
    this.portTable[portNo] = undefined;
    this.detach(port);
  }

  *ports(): IterableIterator<DpPort> {
    for (const port of this.portTable) if (port) yield port;
  }

  /** Counters since the port was added. */
  portStats(portNo: number): DpPortStats {
    const stats = this.rawPortStats(portNo);
    const base = this.portBase.get(portNo);
    if (base) for (const [name] of PORT_STAT_NAMES) stats[name] -= base[name];
    return stats;
  }

  flowPut(put: FlowPut, worker?: number): DpFlow {
    const { actions, program } = this.programs.of(put.actions);
    const masked = this.flowRegistry.masked(put);
    let flow = this.flowRegistry.find(masked);
    if (flow) {
      flow.actions = actions;
      this.replace(flow, program);
    } else {
      flow = this.flowRegistry.add(put, masked, actions);
      for (const stats of this.workerStats()) stats.clearFlow(flow.slot);
    }
    for (let w = 0; w < this.workerStats().length; w++) {
      const wanted = worker === undefined || worker === w;
      if (!wanted || (flow.workers & (1 << w)) !== 0) continue;
      flow.workers |= 1 << w;
      this.install(flow, program, w);
    }
    this.logFlow('flow_add', flow);
    return flow;
  }

  private logFlow(what: string, flow: InstalledFlow): void {
    if (!log.enabled('dbg')) return;
    const key = formatOdpKey(flow.key, flow.mask);
    log.dbg(
      `${what}: ufid:${formatUfid(flow.id)} ${key}, actions:${formatOdpActions(flow.actions)}`,
    );
  }

  flowModify(flow: DpFlow, wanted: readonly OdpAction[]): void {
    const { actions, program } = this.programs.of(wanted);
    const installed = installedFlow(flow);
    if (installed.deleted) return;
    installed.actions = actions;
    this.replace(installed, program);
    if (!dpifLog.enabled('dbg')) return;
    const key = formatOdpKey(flow.key, flow.mask, { verbose: true });
    const text = `put[modify] ufid:${formatUfid(flow.id)} ${key}`;
    dpifLog.dbg(`${this.name}: ${text}, actions:${formatOdpActions(actions)}`);
  }

  flowDel(flow: DpFlow): void {
    const installed = installedFlow(flow);
    if (!this.flowRegistry.remove(installed)) return;
    this.uninstall(installed, () => {
      installed.final = this.flowStats(installed);
      this.flowRegistry.release(installed);
    });
  }

  flowFlush(): void {
    for (const flow of [...this.flowRegistry]) this.flowDel(flow);
  }

  flows(): Iterable<DpFlow> {
    return this.flowRegistry;
  }

  flowMatch(key: FlowWords): DpFlow | undefined {
    return this.flowRegistry.lookup(key, flowClass(key[W_DL_TYPE] >>> 16));
  }

  flowPackets(flow: DpFlow): number {
    const installed = installedFlow(flow);
    if (installed.final) return installed.final.packets;
    const at = installed.slot * FLOW_STATS_STRIDE + FS_PACKETS;
    let packets = this.packetsElsewhere(installed.slot);
    for (const { flows } of this.workerStats()) packets += flows[at];
    return packets;
  }

  /** Packets of a flow that no worker has counted. */
  protected packetsElsewhere(_slot: number): number {
    return 0;
  }

  flowStats(flow: DpFlow): DpFlowStats {
    const installed = installedFlow(flow);
    if (installed.final) return installed.final;
    const base = installed.slot * FLOW_STATS_STRIDE;
    const sum: DpFlowStats = { packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 };
    for (const { flows } of this.workerStats()) {
      sum.packets += flows[base + FS_PACKETS];
      sum.bytes += flows[base + FS_BYTES];
      sum.usedMs = Math.max(sum.usedMs, flows[base + FS_USED_MS]);
      sum.tcpFlags |= flows[base + FS_TCP_FLAGS];
    }
    if (sum.usedMs > 0) sum.usedMs = this.toClockMs(sum.usedMs);
    return sum;
  }

  onUpcall(handler: (upcall: Upcall) => void): void {
    this.upcallHandler = handler;
  }

  stats(): DpStats {
    const all = this.workerStats();
    const sum = (index: number) => all.reduce((n, { counters }) => n + counters[index], 0);
    const drops: Record<string, number> = {};
    DROP_REASONS.forEach(({ name }, reason) => {
      const n = all.reduce((total, stats) => total + stats.drops[reason], this.dropsHere[reason]);
      if (n > 0) drops[name] = n;
    });
    return {
      hit: sum(C_CACHE_HIT) + sum(C_MEGAFLOW_HIT),
      missed: sum(C_MISS),
      lost: sum(C_LOST),
      flows: this.flowRegistry.size,
      maskHits: sum(C_MASK_HIT),
      masks: Math.max(0, ...all.map(({ counters }) => counters[C_MASKS])),
      drops,
    };
  }

  run(_now: number): void {}

  nextWake(): number {
    return NEVER;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const port of [...this.ports()]) this.portDel(port.portNo);
  }

  /** The flow that a packet with this key would hit in `worker` by now, if any. */
  protected installedFor(key: FlowWords, worker: number): InstalledFlow | undefined {
    const flow = this.flowRegistry.lookup(key, flowClass(key[W_DL_TYPE] >>> 16));
    return flow && (flow.workers & (1 << worker)) !== 0 ? flow : undefined;
  }

  protected rawPortStats(portNo: number): DpPortStats {
    const base = portNo * PORT_STATS_STRIDE;
    const stats = {} as DpPortStats;
    for (const [name, index] of PORT_STAT_NAMES) {
      stats[name] = this.workerStats().reduce((n, { ports }) => n + ports[base + index], 0);
    }
    return stats;
  }

  private freePortNo(wanted?: number): number {
    const max = this.limits.maxPorts;
    if (wanted !== undefined && wanted >= 0 && wanted < max && !this.portTable[wanted]) {
      return wanted;
    }
    // 0 is left to the bridge's local port, as in Open vSwitch.
    for (let portNo = 1; portNo < max; portNo++) if (!this.portTable[portNo]) return portNo;
    throw new TapswitchError('E_DP_PORTS_FULL', `the datapath has ${max - 1} ports already`);
  }
}

function installedFlow(flow: DpFlow): InstalledFlow {
  if (flow instanceof InstalledFlow) return flow;
  throw new TypeError('not a flow of this datapath');
}
