/**
 * The real datapath: forwarding in pinned worker threads, on packet sockets and TAP queues.
 *
 * This is the main thread's side: it opens queues, hands them to workers, keeps the list of flows
 * and passes upcalls on. Workers forward on their own, also while the main thread is busy.
 *
 *     Dpif calls --> DpifNetdev --> WorkerHandle 0..n-1 --> threads (worker.ts)
 *
 * Every worker has a queue of every port: it receives from it and sends through it.
 */
import type { Clock } from '../common/clock.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import type { NativeBinding } from '../native/binding.js';
import type { DatapathQueue, KernelPrograms } from '../netdev/netdev.js';
import type { FlowWords } from '../packet/flow-layout.js';
import { W_IN_PORT, W_RECIRC_ID } from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import { compileActions } from './compile-actions.js';
import type {
  DpFlow,
  DpFlowStats,
  DpifSettings,
  DpNetdev,
  DpPortStats,
  FrameBytes,
} from './dpif.js';
import { DEFAULT_FLOW_LIMIT, DEFAULT_MAX_PORTS, DpifBase, type PortEntry } from './dpif-base.js';
import { DROP_REASONS, DropReason } from './drop-reasons.js';
import { UPCALL_MISS } from './execute-actions.js';
import { InstalledFlow } from './flow-registry.js';
import { KernelForwarding } from './kernel-cache/kernel-forwarding.js';
import type { OdpAction } from './odp-actions.js';
import type { SharedStats } from './shared-stats.js';
import type { UpcallRecord } from './upcall-ring.js';
import { decodeCookie } from './userspace-cookie.js';
import type { WorkerReport } from './worker.js';
import { WorkerHandle } from './worker-handle.js';

const logger = getLogger('dpif_netdev');

/** 2 GiB - 4 KiB: the most that keeps offsets small integers. It is address space, not memory. */
const DEFAULT_ARENA_BYTES = 2 ** 31 - 4096;

/** A device whose queues the datapath can take (src/netdev QueuedNetdev). */
export interface QueuedDevice extends DpNetdev {
  openQueues(n: number): DatapathQueue[];
  closeQueues(): void;
  ifindex(): number;
  readonly dpifType: string;
  setKernelPrograms(programs: KernelPrograms | null): void;
}

export interface DpifNetdevOptions {
  clock: Clock;
  native: NativeBinding;
  /** The workers' entry file. Default: worker.js beside this file, or in dist/. */
  workerUrl?: URL;
  workers?: number;
  /** CPUs for the workers, in order; default: the last of those that the process may use. */
  pmdCpuMask?: readonly number[];
  maxPorts?: number;
  flowLimit?: number;
  arenaBytes?: number;
  settings?: DpifSettings;
  name?: string;
}

/** What is known of a worker. */
export interface WorkerInfo {
  /** -1: not pinned. */
  cpu: number;
  alive: boolean;
  /** Live, by C_* (shared-stats.ts). */
  counters: Float64Array;
  /** Heap in use and CPU time, as of the call before this one. */
  heapBytes: number;
  cpuUs: number;
}

/** Where the built worker is, seen from here (built, or TypeScript under a test runner). */
export function defaultWorkerUrl(): URL {
  const built = import.meta.url.endsWith('.js');
  return new URL(built ? './worker.js' : '../../dist/datapath/worker.js', import.meta.url);
}

export class DpifNetdev extends DpifBase<QueuedDevice> {
  readonly type = 'netdev';
  readonly name: string;
  private readonly workers: WorkerHandle[] = [];
  private readonly statsOf: SharedStats[];
  private executeRefused = 0;
  /** Forwarding in the kernel, while other_config:hw-offload asks for it. */
  private kernel: KernelForwarding | null = null;
  private vlanLimit = 2;
  private kernelWanted = false;
  /** Deletions that wait for the end of this turn, so that they share one acknowledgement. */
  private readonly deletions = new Map<WorkerHandle, (() => void)[]>();

  constructor(private readonly options: DpifNetdevOptions) {
    const maxPorts = options.maxPorts ?? DEFAULT_MAX_PORTS;
    const flowLimit = options.flowLimit ?? DEFAULT_FLOW_LIMIT;
    super(options.clock, { maxPorts, flowLimit });
    this.name = options.name ?? 'netdev@ovs-netdev';
    const cpus = this.workerCpus(options.workers ?? 1);
    for (let index = 0; index < cpus.length; index++) {
      this.workers.push(this.startWorker(index, cpus[index], maxPorts, flowLimit));
    }
    this.statsOf = this.workers.map((worker) => worker.stats);
  }

  execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void {
    const program = compileActions(actions);
    const worker = this.workers[0];
    if (!worker.acceptsPackets) {
      // The worker owns its counters: nobody else may write them.
      this.executeRefused += 1;
      return;
    }
    worker.commands.execute(frame, key, program);
    worker.schedule();
  }

  async sync(): Promise<void> {
    await Promise.all(
      this.workers.map((worker) => new Promise<void>((done) => worker.whenAcked(done))),
    );
  }

  override stats(): ReturnType<DpifBase<QueuedDevice>['stats']> {
    const stats = super.stats();
    const { name } = DROP_REASONS[DropReason.executeQueueFull];
    if (this.executeRefused > 0) stats.drops[name] = this.executeRefused;
    this.kernel?.addStats(stats);
    return stats;
  }

  override flowStats(flow: DpFlow): DpFlowStats {
    const stats = super.flowStats(flow);
    if (!(flow instanceof InstalledFlow) || flow.final || !this.kernel) return stats;
    const { packets, bytes, usedNs } = this.kernel.cache.flowStats(flow.slot);
    const usedMs = packets > 0 ? this.toClockMs(Math.floor(usedNs / 1e6) % 2 ** 31) : 0;
    stats.packets += packets;
    stats.bytes += bytes;
    stats.usedMs = Math.max(stats.usedMs, usedMs);
    stats.offloaded = this.kernel.cache.has(flow.slot);
    return stats;
  }

  /** Changes settings of all workers while they run. */
  configure(settings: DpifSettings): void {
    for (const worker of this.workers) worker.post({ type: 'setting', setting: settings });
    this.vlanLimit = settings.vlanLimit ?? this.vlanLimit;
    this.kernelWanted = settings.kernelForwarding ?? this.kernelWanted;
    // The kernel's programs always look behind a tag.
    this.useKernel(this.kernelWanted && this.vlanLimit > 0);
  }

  workerInfo(): WorkerInfo[] {
    return this.workers.map((worker) => ({
      cpu: worker.cpu,
      alive: worker.alive,
      counters: worker.stats.counters,
      ...worker.sample(),
    }));
  }

  override async close(): Promise<void> {
    if (this.closed) return;
    await super.close();
    this.kernel?.close();
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  protected workerStats(): readonly SharedStats[] {
    return this.statsOf;
  }

  protected attach(port: PortEntry<QueuedDevice>): void {
    const { netdev, portNo } = port;
    if (typeof netdev.openQueues !== 'function') {
      throw new TapswitchError(
        'E_DP_DEVICE',
        `${netdev.name}: a device of type ${netdev.type} has no queues for datapath ${this.name}`,
      );
    }
    const queues = netdev.openQueues(this.workers.length);
    this.workers.forEach((worker, index) => {
      const queue = queues[index];
      if (!queue) return;
      const { kind, fd, ringBytes, slots, slotBytes } = queue;
      worker.post({ type: 'portAdd', port: { portNo, kind, fd, ringBytes, slots, slotBytes } });
    });
    this.kernel?.portAdd(port, netdev);
  }

  protected detach(port: PortEntry<QueuedDevice>): void {
    this.kernel?.portDel(port.portNo);
    for (const worker of this.workers) worker.post({ type: 'portDel', portNo: port.portNo });
    // The descriptors' numbers may be another file's as soon as they are closed: no worker may know
    // them any more by then. Workers answer between two batches.
    for (const worker of this.workers) worker.waitAcked();
    port.netdev.closeQueues();
  }

  protected install(flow: InstalledFlow, program: ActionProgram, worker: number): void {
    this.workers[worker].commands.flowPut(flow.slot, flow.masked, program);
    this.workers[worker].schedule();
    this.kernel?.flowChanged(flow);
  }

  protected replace(flow: InstalledFlow, program: ActionProgram): void {
    this.kernel?.flowChanged(flow);
    this.eachWith(flow, (worker) => worker.commands.flowModify(flow.slot, program));
  }

  protected uninstall(flow: InstalledFlow, done: () => void): void {
    this.kernel?.flowRemoved(flow);
    let left = 1;
    const one = () => {
      left -= 1;
      if (left === 0) done();
    };
    this.eachWith(flow, (worker) => {
      worker.commands.flowDel(flow.slot);
      left += 1;
      this.afterFlush(worker, one);
    });
    one();
  }

  protected toClockMs(usedMs: number): number {
    const [seconds, nanoseconds] = process.hrtime();
    const nowMs = (seconds * 1000 + Math.floor(nanoseconds / 1e6)) % 2 ** 31;
    // Both modulo 2^31, and the worker's may be a millisecond ahead.
    const ageMs = (nowMs - usedMs) & 0x7fffffff;
    return Math.max(1, this.clock.now() - (ageMs > 0x7ffffff0 ? 0 : ageMs));
  }

  protected override rawPortStats(portNo: number): DpPortStats {
    const stats = super.rawPortStats(portNo);
    const more = this.kernel?.cache.portStats(portNo);
    if (!more) return stats;
    stats.rxPackets += more.rxPackets;
    stats.rxBytes += more.rxBytes;
    stats.txPackets += more.txPackets;
    stats.txBytes += more.txBytes;
    return stats;
  }

  /** Begins or ends forwarding in the kernel. What it counted until then stays counted. */
  private useKernel(wanted: boolean): void {
    if (!wanted) {
      this.kernel?.stop();
      return;
    }
    if (this.kernel?.running || this.closed) return;
    try {
      this.kernel ??= new KernelForwarding(this.options.native, () => this.clock.now());
    } catch (error) {
      this.kernelWanted = false;
      logger.warn(errorMessage(error));
      return;
    }
    this.kernel.running = true;
    for (const port of this.portTable) if (port) this.kernel.portAdd(port, port.netdev);
    for (const flow of this.flowRegistry) this.kernel.flowChanged(flow);
  }

  private afterFlush(worker: WorkerHandle, done: () => void): void {
    const waiting = this.deletions.get(worker);
    if (waiting) {
      waiting.push(done);
      return;
    }
    const list = [done];
    this.deletions.set(worker, list);
    queueMicrotask(() => {
      this.deletions.delete(worker);
      worker.whenAcked(() => {
        for (const each of list) each();
      });
    });
  }

  private eachWith(flow: InstalledFlow, action: (worker: WorkerHandle) => void): void {
    this.workers.forEach((worker, index) => {
      if ((flow.workers & (1 << index)) === 0) return;
      action(worker);
      worker.schedule();
    });
  }

  private startWorker(index: number, cpu: number, maxPorts: number, flowSlots: number) {
    return new WorkerHandle({
      native: this.options.native,
      url: this.options.workerUrl ?? defaultWorkerUrl(),
      index,
      cpu,
      arenaBytes: this.options.arenaBytes ?? DEFAULT_ARENA_BYTES,
      maxPorts,
      flowSlots,
      settings: this.options.settings ?? {},
      meters: this.meters,
      onUpcall: (record, worker) => this.upcall(record, worker),
      onReport: (report) => this.reported(report),
      onDeath: () => {},
    });
  }

  /** The CPU of each worker: from the mask, else the last ones that the process may use. */
  private workerCpus(wanted: number): number[] {
    const usable = this.options.native.getAffinity();
    const mask = this.options.pmdCpuMask?.filter((cpu) => usable.includes(cpu)) ?? [];
    const n = Math.min(Math.max(1, mask.length > 0 ? mask.length : wanted), 31);
    const cpus = mask.length > 0 ? mask : usable.slice(-n);
    return Array.from({ length: n }, (_, i) => cpus[i] ?? -1);
  }

  private upcall(record: UpcallRecord, worker: number): void {
    const { frame: data, vnetHdr, key, kind } = record;
    const frame: FrameBytes = { data, vnetHdr };
    if (kind === UPCALL_MISS) {
      // Many packets of a flow miss before its megaflow is there: they need no second translation.
      if (key[W_RECIRC_ID] === 0 && this.installedFor(key, worker)) {
        this.workers[worker].commands.reinject(frame, key[W_IN_PORT]);
        this.workers[worker].schedule();
        return;
      }
      this.upcallHandler({ type: 'miss', frame, key, worker });
    } else {
      const cookie = decodeCookie(record.cookieWords, record.cookieAt);
      this.upcallHandler({ type: 'action', frame, key, cookie, worker });
    }
  }

  private reported(report: WorkerReport): void {
    const name = this.portTable[report.portNo]?.name ?? String(report.portNo);
    logger.err(`${name}: could not be taken up: ${report.message}`);
  }
}
