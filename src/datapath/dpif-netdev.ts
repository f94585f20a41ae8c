/**
 * The real datapath: forwarding in pinned worker threads, on packet sockets and TAP queues.
 *
 * This is the main thread's side: it opens queues, hands them to workers, keeps the list of flows
 * and passes upcalls on. Workers forward on their own, also while the main thread is busy.
 *
 *     Dpif calls --> DpifNetdev --> WorkerHandle 0..n-1 --> threads (worker.ts)
 *
 * Workers stand on CPUs (worker-slots.ts) and read the receive queues that they were assigned
 * (port-queues.ts); every worker sends to every port.
 */
import { NEVER } from '../common/clock.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { DEFAULT_QUEUE_SETTINGS, type PortQueueSettings } from '../netdev/queue-settings.js';
import type { FlowWords } from '../packet/flow-layout.js';
import { W_IN_PORT, W_RECIRC_ID } from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import { AfterFlush } from './after-flush.js';
import {
  type DpFlow,
  type DpFlowStats,
  type DpifSettings,
  type DpPortStats,
  type DropHandler,
  FLOW_SLOTS,
  type FrameBytes,
} from './dpif.js';
import { DEFAULT_MAX_PORTS, DpifBase, type PortEntry } from './dpif-base.js';
import {
  DEFAULT_ARENA_BYTES,
  type DpifNetdevOptions,
  defaultWorkerUrl,
  leftToKernel,
  type QueuedDevice,
  type WorkerInfo,
  workerCpus,
} from './dpif-netdev-options.js';
import { DropReason } from './drop-reasons.js';
import { droppedFrame } from './drop-witness.js';
import { InstalledFlow } from './flow-registry.js';
import type { KernelForwarding } from './kernel-cache/kernel-forwarding.js';
import { KernelStart } from './kernel-cache/kernel-start.js';
import { RX_QUEUES_MAX } from './kernel-cache/layout.js';
import { KernelFeed } from './kernel-feed.js';
import type { OdpAction } from './odp-actions.js';
import { PmdStatistics } from './pmd-statistics.js';
import { PortQueues } from './port-queues.js';
import { PortReopening } from './port-reopening.js';
import { EXTRA_QUEUES, type SharedStats } from './shared-stats.js';
import { TxPlanner } from './tx-plan.js';
import { clearSlot } from './tx-queue-info.js';
import { ShaperTable } from './tx-shaper.js';
import type { UpcallRecord } from './upcall-ring.js';
import { UPCALL_DROP, UPCALL_MISS } from './upcall-sink.js';
import { decodeCookie } from './userspace-cookie.js';
import type { WorkerReport } from './worker.js';
import { WorkerHandle } from './worker-handle.js';
import { type WorkerSlot, WorkerSlots } from './worker-slots.js';

const logger = getLogger('dpif_netdev');

export class DpifNetdev extends DpifBase<QueuedDevice> {
  readonly type = 'netdev';
  readonly name: string;
  readonly pmds: PmdStatistics;
  private readonly slots: WorkerSlots;
  private readonly queues: PortQueues;
  private readonly planner: TxPlanner;
  private readonly shaper: ShaperTable;
  private readonly policer: ShaperTable;
  private settings: DpifSettings;
  /** The worker whose upcall is being handled, or -1. */
  private asking = -1;
  private dropHandler: DropHandler | null = null;
  private readonly kernelStart: KernelStart;
  private readonly afterFlush = new AfterFlush();
  private readonly reopening = new PortReopening<PortEntry<QueuedDevice>>((port) =>
    this.reopen(port),
  );
  /** Queue settings in force, by port. */
  private readonly applied = new Map<number, PortQueueSettings>();
  private readonly ending = new Set<Promise<void>>();

  constructor(private readonly options: DpifNetdevOptions) {
    const maxPorts = options.maxPorts ?? DEFAULT_MAX_PORTS;
    const flowLimit = options.flowLimit ?? FLOW_SLOTS;
    super(options.clock, { maxPorts, flowLimit });
    this.name = options.name ?? 'netdev@ovs-netdev';
    this.settings = { ...options.settings };
    this.shaper = ShaperTable.create(maxPorts + EXTRA_QUEUES);
    this.policer = ShaperTable.create(maxPorts);
    const clear = (slot: number) => clearSlot(this.slots.stats, slot);
    this.planner = new TxPlanner(maxPorts, this.shaper, this.policer, clear, options.clock);
    this.slots = new WorkerSlots({
      clock: options.clock,
      limits: { maxPorts, flowSlots: flowLimit },
      start: (slot) => this.startWorker(slot),
      restore: (slot) => this.restore(slot),
      wake: () => options.wake?.(),
    });
    this.queues = new PortQueues(
      () => this.slots.wanted,
      (slot) => this.restoreFlows(slot, true),
    );
    this.queues.assignment = this.settings.rxAssign ?? 'cycles';
    const { clock, native } = options;
    this.pmds = new PmdStatistics(this.slots, this.queues, this.planner, native.cycleCount, clock);
    const feed = new KernelFeed(this.slots, this.queues);
    this.kernelStart = new KernelStart({
      feed,
      native,
      now: () => clock.now(),
      settled: () => this.slots.settled(),
      begin: (kernel) => {
        feed.table(kernel.cache.mapFd);
        for (const port of this.portTable) if (port) this.kernelPort(port);
        for (const flow of this.flowRegistry) kernel.flowChanged(flow);
      },
    });
    for (const cpu of workerCpus(options, options.pmdCpuMask)) this.slots.add(cpu);
  }

  /** Whether commands tell of forwarding in the kernel: when it was asked for. */
  get showsOffloads(): boolean {
    return this.kernelStart.shown;
  }

  /** Forwarding in the kernel; null before it begins. */
  get kernel(): KernelForwarding | null {
    return this.kernelStart.forwarding;
  }

  execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void {
    const { program } = this.programs.of(actions);
    // The worker that asked goes on with the flow: nothing of it is to come by another.
    const asking = this.slots.all[this.asking]?.handle;
    const worker = asking?.alive ? asking : this.slots.first;
    if (!worker?.acceptsPackets) {
      this.countDrop(DropReason.executeQueueFull);
      return;
    }
    worker.commands.execute(frame, key, program);
    worker.schedule();
  }

  async sync(): Promise<void> {
    await new Promise<void>((done) => this.reopening.whenDone(done));
    await Promise.all(
      this.slots.handles.map((worker) => new Promise<void>((done) => worker.whenAcked(done))),
    );
  }

  synced(): boolean {
    return !this.reopening.pending && this.slots.handles.every((worker) => worker.synced());
  }

  override stats(): ReturnType<DpifBase<QueuedDevice>['stats']> {
    const stats = super.stats();
    this.kernel?.addStats(stats);
    return stats;
  }

  override flowStats(flow: DpFlow): DpFlowStats {
    const stats = super.flowStats(flow);
    if (!(flow instanceof InstalledFlow) || flow.final) return stats;
    this.kernel?.addFlowStats(stats, flow, (usedMs) => this.toClockMs(usedMs));
    stats.offloaded = stats.inKernel === true && this.kernelStart.shown;
    return stats;
  }

  /** Changes settings while workers run; takes up changed settings of ports, too. */
  configure(settings: DpifSettings): void {
    this.settings = { ...this.settings, ...settings };
    const { pmdCpus, rxAssign, rxIsolate } = settings;
    for (const worker of this.slots.handles) worker.post({ type: 'setting', setting: settings });
    this.pmds.configure(settings);
    let anew = false;
    if (rxAssign !== undefined && rxAssign !== this.queues.assignment) {
      logger.info(`Rxq to PMD assignment mode changed to: '${rxAssign}'.`);
      this.queues.assignment = rxAssign;
      anew = true;
    }
    if (rxIsolate !== undefined && rxIsolate !== this.queues.isolate) {
      this.queues.isolate = rxIsolate;
      anew = true;
    }
    if (pmdCpus !== undefined && this.changeWorkers(workerCpus(this.options, pmdCpus))) anew = true;
    if (this.configurePorts()) anew = true;
    if (anew) this.reopening.whenDone(() => this.queues.assign(true));
    this.chooseKernel();
  }

  /** Shows packets that are dropped, with their reason; null ends it. */
  captureDrops(handler: DropHandler | null): void {
    this.dropHandler = handler;
    for (const worker of this.slots.handles) worker.captureDrops(handler !== null);
    this.chooseKernel();
  }

  get showsDrops(): boolean {
    return this.dropHandler !== null;
  }

  workerInfo(): WorkerInfo[] {
    return this.slots.wanted.map((slot) => ({
      cpu: slot.cpu,
      alive: slot.alive,
      counters: slot.stats.counters,
      ...(slot.handle?.sample() ?? { heapBytes: 0, cpuUs: 0 }),
    }));
  }

  override run(now: number): void {
    this.slots.run(now);
    if (!this.pmds.run(now)) return;
    // Nobody tells of a device that uses more or fewer transmit queues (ethtool -L).
    for (const port of this.portTable) if (port?.netdev.transmitChanged?.()) this.reopen(port);
  }

  override nextWake(): number {
    return this.closed ? NEVER : Math.min(this.slots.nextWake(), this.pmds.nextWake());
  }

  override async close(): Promise<void> {
    if (this.closed) return;
    this.reopening.close();
    await super.close();
    this.kernelStart.close();
    await this.slots.close();
    await Promise.all(this.ending);
  }

  protected workerStats(): readonly SharedStats[] {
    return this.slots.stats;
  }

  protected attach(port: PortEntry<QueuedDevice>): void {
    const { netdev, portNo } = port;
    if (typeof netdev.openQueues !== 'function') {
      throw new TapswitchError(
        'E_DP_DEVICE',
        `${netdev.name}: a device of type ${netdev.type} has no queues for datapath ${this.name}`,
      );
    }
    const settings = netdev.queueSettings ?? DEFAULT_QUEUE_SETTINGS;
    const workers = this.slots.wanted;
    const queues = netdev.openQueues(this.queueCount(settings));
    this.applied.set(portNo, settings);
    this.planner.add(portNo, netdev, settings, queues, workers.length);
    for (const slot of workers) this.tellPort(slot, portNo);
    this.queues.add(portNo, port.name, queues, settings);
    this.kernelPort(port);
  }

  protected detach(port: PortEntry<QueuedDevice>, stays = false): void {
    this.reopening.forget(port);
    this.kernel?.portDel(port.portNo, true);
    const told = { type: 'portDel', portNo: port.portNo, reopens: stays } as const;
    for (const worker of this.slots.handles) worker.post(told);
    // The descriptors' numbers may be another file's as soon as they are closed: no worker may know
    // them any more by then. Workers answer between two batches.
    for (const worker of this.slots.handles) worker.waitAcked();
    this.queues.delete(port.portNo);
    this.planner.delete(port.portNo);
    this.applied.delete(port.portNo);
    port.netdev.closeQueues(stays);
  }

  protected install(flow: InstalledFlow, program: ActionProgram, worker: number): void {
    const handle = this.slots.all[worker].handle;
    handle?.commands.flowPut(flow.slot, flow.masked, program);
    handle?.schedule();
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
      if (--left === 0) done();
    };
    this.eachWith(flow, (worker) => {
      worker.commands.flowDel(flow.slot);
      left += 1;
      this.afterFlush.add(worker, one);
    });
    one();
  }

  protected override packetsElsewhere(slot: number): number {
    return this.kernel === null ? 0 : this.kernel.cache.flowStats(slot).packets;
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
    this.kernel?.cache.addPortStats(portNo, stats);
    return stats;
  }

  /** The kernel's programs always look behind a tag, and do not show what they drop. */
  private chooseKernel(): void {
    const { kernelForwarding = 'off', kernelCpus, vlanLimit = 2 } = this.settings;
    const possible = vlanLimit > 0 && this.dropHandler === null && !this.closed;
    this.kernelStart.want(possible ? kernelForwarding : 'off', kernelCpus);
  }

  private eachWith(flow: InstalledFlow, action: (worker: WorkerHandle) => void): void {
    for (const { index, handle } of this.slots.all) {
      if ((flow.workers & (1 << index)) === 0 || !handle?.alive) continue;
      action(handle);
      handle.schedule();
    }
  }

  private queueCount(settings: PortQueueSettings): number {
    return settings.rxQueues ?? Math.max(1, this.slots.wanted.length);
  }

  /** Tells a worker how to send to a port. */
  private tellPort(slot: WorkerSlot, portNo: number): void {
    const plan = this.planner.plan(portNo);
    if (!plan) return;
    const { wanted } = this.slots;
    const cpus = wanted.map(({ cpu }) => cpu);
    const port = this.planner.forWorker(plan, Math.max(wanted.indexOf(slot), 0), cpus);
    slot.handle?.post({ type: 'portAdd', port });
  }

  /** Starts and ends workers; returns whether there are others now. */
  private changeWorkers(cpus: number[]): boolean {
    const { added, removed } = this.slots.plan(cpus);
    if (added.length === 0 && removed.length === 0) return false;
    // A slot that is no longer wanted is another's once its worker has ended.
    this.reopening.finish();
    for (const cpu of added) this.restoreFlows(this.slots.add(cpu));
    for (const slot of removed) slot.wanted = false;
    // Sockets and queues are counted and shared out anew: which worker sends by which, too.
    for (const port of this.portTable) if (port) this.reopening.add(port);
    this.reopening.whenDone(() => {
      for (const slot of removed) this.end(slot);
    });
    logger.info(`There are ${this.slots.wanted.length} pmd threads on numa node 0`);
    return true;
  }

  /** Forgets a worker's flows, and ends it. */
  private end(slot: WorkerSlot): void {
    for (const flow of this.flowRegistry) flow.workers &= ~(1 << slot.index);
    const ended = this.slots.remove(slot);
    this.ending.add(ended);
    void ended.then(() => this.ending.delete(ended));
  }

  /** Ports whose settings have changed; returns whether queues are pinned otherwise. */
  private configurePorts(): boolean {
    let pinned = false;
    for (const port of this.portTable) {
      if (!port) continue;
      const settings = port.netdev.queueSettings ?? DEFAULT_QUEUE_SETTINGS;
      if (this.applied.get(port.portNo) === settings) continue;
      const count = this.queueCount(settings);
      if (this.queues.pin(port.portNo, settings)) pinned = true;
      if (count !== this.queues.of(port.portNo).length) this.reopen(port);
      else this.changePort(port, settings);
    }
    return pinned;
  }

  /** Applies settings of sending; what waits in the port's queues is given up. */
  private changePort(port: PortEntry<QueuedDevice>, settings: PortQueueSettings): void {
    const { portNo } = port;
    const plan = this.planner.plan(portNo);
    const kernelBefore = leftToKernel(this.applied.get(portNo) ?? DEFAULT_QUEUE_SETTINGS);
    this.applied.set(portNo, settings);
    if (!plan) return;
    const stale = this.planner.change(plan, settings);
    for (const slot of this.slots.wanted) this.tellPort(slot, portNo);
    if (stale) for (const worker of this.slots.handles) worker.waitAcked();
    port.netdev.closeStaleClasses?.();
    if (!this.kernel?.running || kernelBefore === leftToKernel(settings)) return;
    this.kernel.portDel(portNo);
    this.kernelPort(port);
    for (const flow of this.flowRegistry) this.kernel.flowChanged(flow);
  }

  /** Lets the kernel forward a port's frames, unless that would pass by what is set for it. */
  private kernelPort(port: PortEntry<QueuedDevice>): void {
    const settings = this.applied.get(port.portNo) ?? DEFAULT_QUEUE_SETTINGS;
    // Which of several queues a frame leaves by is for workers to choose, unless told otherwise.
    const several = (this.planner.plan(port.portNo)?.slots.length ?? 1) > 1;
    if (!leftToKernel(settings) || (several && this.kernelStart.mode === 'auto')) return;
    const queues = this.queues.of(port.portNo).length;
    if (queues <= RX_QUEUES_MAX) this.kernel?.portAdd(port, port.netdev, queues);
  }

  /** Opens a port's queues anew. What waits in the old ones is lost, so that nothing overtakes. */
  private reopen(port: PortEntry<QueuedDevice>): void {
    this.detach(port, true);
    try {
      this.attach(port);
      for (const flow of this.flowRegistry) this.kernel?.flowChanged(flow);
    } catch (error) {
      logger.err(`${port.name}: its queues could not be opened again: ${errorMessage(error)}`);
    }
  }

  /** Makes a worker that was started again what the last one was. */
  private restore(slot: WorkerSlot): void {
    this.restoreFlows(slot);
    for (const port of this.portTable) {
      if (!port) continue;
      const queues = this.queues.of(port.portNo);
      // Nobody knows where in its rings the dead worker was.
      if (queues.some(({ worker }) => worker === slot || worker === null)) this.reopening.add(port);
      else this.tellPort(slot, port.portNo);
    }
  }

  /**
   * Installs all flows in a worker: a flow must not find that a worker has to ask for it because it
   * came by another queue, or what waits for the answer is overtaken.
   * @param missing only those that it does not have
   */
  private restoreFlows({ index, handle }: WorkerSlot, missing = false): void {
    for (const flow of this.flowRegistry) {
      if (missing && (flow.workers & (1 << index)) !== 0) continue;
      flow.workers |= 1 << index;
      handle?.commands.flowPut(flow.slot, flow.masked, this.programs.of(flow.actions).program);
    }
    handle?.schedule();
  }

  private startWorker(slot: WorkerSlot): WorkerHandle {
    return new WorkerHandle({
      native: this.options.native,
      url: this.options.workerUrl ?? defaultWorkerUrl(),
      index: slot.index,
      cpu: slot.cpu,
      arenaBytes: this.options.arenaBytes ?? DEFAULT_ARENA_BYTES,
      maxPorts: this.limits.maxPorts,
      flowSlots: this.limits.flowLimit,
      settings: this.settings,
      stats: slot.stats,
      meters: this.meters,
      shaper: this.shaper,
      policer: this.policer,
      kernelTable: this.kernel?.cache.mapFd ?? -1,
      onUpcall: (record, worker) => {
        this.asking = worker;
        this.upcall(record, worker);
        this.asking = -1;
      },
      onReport: (report) => this.reported(report),
      onDeath: (worker) => this.slots.died(worker),
    });
  }

  private upcall(record: UpcallRecord, worker: number): void {
    const { vnetHdr, key, kind } = record;
    const frame: FrameBytes = { data: record.frame, vnetHdr };
    if (kind === UPCALL_MISS) {
      // Many packets of a flow miss before its megaflow is there: they need no second translation.
      const { handle } = this.slots.all[worker];
      if (key[W_RECIRC_ID] === 0 && this.installedFor(key, worker)) {
        handle?.commands.reinject(frame, key[W_IN_PORT]);
        handle?.schedule();
        return;
      }
      this.upcallHandler({ type: 'miss', frame, key, worker });
    } else if (kind === UPCALL_DROP) this.dropHandler?.(droppedFrame(record));
    else {
      const cookie = decodeCookie(record.cookieWords, record.cookieAt);
      this.upcallHandler({ type: 'action', frame, key, cookie, worker });
    }
  }

  private reported(report: WorkerReport): void {
    const name = this.portTable[report.portNo]?.name ?? String(report.portNo);
    logger.err(`${name}: queue ${report.rxq} could not be taken up: ${report.message}`);
  }
}
