/**
 * When which flow goes to the kernel: between the datapath's list of flows and the kernel's table.
 *
 *     flow installed, changed ─> waiting ─ 20 ms later ─> KernelCache.put ─> the kernel forwards
 *     flow or port removed    ─> KernelCache.remove, at once
 *
 * The wait lets the flow's first packets, which took the way through the main thread, go ahead of
 * those that will overtake workers. Flows that the kernel cannot do are dropped from the list.
 *
 * Its timer is the machine's: this belongs to the real datapath only.
 */
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { NativeBinding } from '../../native/binding.js';
import type { KernelPrograms } from '../../netdev/netdev.js';
import type { DpPort, DpStats } from '../dpif.js';
import { DROP_REASONS } from '../drop-reasons.js';
import type { InstalledFlow } from '../flow-registry.js';
import { KernelCache } from './kernel-cache.js';

const log = getLogger('dpif_netdev');

const WAIT_MS = 20;
/** Flows that one turn hands over: the main loop has other work. */
const TURN_FLOWS = 2000;

/** What it needs of a port's device. */
export interface KernelDevice {
  ifindex(): number;
  readonly dpifType: string;
  setKernelPrograms(programs: KernelPrograms | null): void;
}

export class KernelForwarding {
  readonly cache: KernelCache;
  /** False: nothing is handed to the kernel; what it counted before still counts. */
  running = false;
  /** Ports that were ever here. */
  private readonly counted = new Set<number>();
  private readonly devices = new Map<number, KernelDevice>();
  private readonly waiting = new Set<InstalledFlow>();
  /** The flow that the counters of a slot belong to. */
  private readonly seen: InstalledFlow[] = [];
  private timer: NodeJS.Timeout | null = null;

  /** @throws TapswitchError E_KERNEL_CACHE */
  constructor(
    native: NativeBinding,
    private readonly now: () => number,
  ) {
    this.cache = KernelCache.open(native);
  }

  /** Puts the programs in the port's way. A device that does not let them stays with workers. */
  portAdd({ portNo, name }: DpPort, device: KernelDevice): void {
    if (!this.running) return;
    this.counted.add(portNo);
    try {
      device.setKernelPrograms(this.cache.programs);
    } catch (error) {
      log.warn(`${name}: not forwarded in the kernel: ${errorMessage(error)}`);
      return;
    }
    this.devices.set(portNo, device);
    this.cache.portAdd(portNo, { ifindex: device.ifindex(), tap: device.dpifType === 'tap' });
  }

  portDel(portNo: number): void {
    const device = this.devices.get(portNo);
    if (!device) return;
    this.devices.delete(portNo);
    this.cache.portDel(portNo, this.now());
    try {
      device.setKernelPrograms(null);
    } catch (error) {
      // Its queues are closed next, which frees the rest.
      log.dbg(`port ${portNo}: ${errorMessage(error)}`);
    }
  }

  /** A new flow, or one whose actions changed. */
  flowChanged(flow: InstalledFlow): void {
    // A flow that was never here takes a slot whose counters may be another's.
    if (!this.running) return;
    if (flow !== this.seen[flow.slot]) this.cache.clearFlow(flow.slot);
    this.cache.remove(flow.slot, this.now());
    this.seen[flow.slot] = flow;
    this.waiting.add(flow);
    this.timer ??= setTimeout(() => this.turn(), WAIT_MS);
  }

  flowRemoved(flow: InstalledFlow): void {
    this.waiting.delete(flow);
    this.cache.remove(flow.slot, this.now());
  }

  /** Adds what the kernel did to a datapath's statistics. */
  addStats(stats: DpStats): void {
    for (const portNo of this.counted) stats.hit += this.cache.portStats(portNo).rxPackets;
    DROP_REASONS.forEach(({ name }, reason) => {
      const n = this.cache.drops(reason);
      if (n > 0) stats.drops[name] = (stats.drops[name] ?? 0) + n;
    });
  }

  /** Takes everything back from the kernel. */
  stop(): void {
    this.running = false;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.waiting.clear();
    for (const portNo of [...this.devices.keys()]) this.portDel(portNo);
  }

  close(): void {
    this.stop();
    this.cache.close();
  }

  private turn(): void {
    this.timer = null;
    const now = this.now();
    let left = TURN_FLOWS;
    for (const flow of this.waiting) {
      if (left-- === 0) break;
      this.waiting.delete(flow);
      if (!flow.deleted) this.cache.put(flow, now);
    }
    if (this.waiting.size > 0) this.timer = setTimeout(() => this.turn(), WAIT_MS);
  }
}
