/**
 * When which flow goes to the kernel: between the datapath's list of flows and the kernel's table.
 *
 *     flow installed, changed ─> waiting ─ workers are done with what they were told before
 *                                          ─> KernelCache.put ─> HandOver ─> the kernel forwards
 *     flow or port removed    ─> KernelCache.remove, at once
 *
 * The wait lets the flow's first packets, which took the way through the main thread, go ahead.
 * Flows that the kernel cannot do are dropped from the list.
 *
 * Its timer is the machine's: this belongs to the real datapath only.
 */
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { NativeBinding } from '../../native/binding.js';
import type { KernelPrograms } from '../../netdev/netdev.js';
import type { DpFlowStats, DpPort, DpStats } from '../dpif.js';
import { DROP_REASONS } from '../drop-reasons.js';
import type { InstalledFlow } from '../flow-registry.js';
import { HandOver, type WorkerFeed } from './hand-over.js';
import { KernelCache, type KernelPortStats } from './kernel-cache.js';

const log = getLogger('dpif_netdev');

/** A flow waits for one to two of these, and as long as something would be overtaken. */
const WAIT_MS = 20;
/** While frames are dropped so that none is. */
const SHED_MS = 4;
/** Flows that one turn hands over: the main loop has other work. */
const TURN_FLOWS = 2000;

/** Bytes of an Ethernet header without a tag. */
const ETH_HEADER = 14;
/** A TAP takes frames of any length. */
const ANY_LENGTH = 0x7fff_ffff;
/** Nobody tells of a host that changes its address. */
const HOSTS_MS = 1000;

/** What it needs of a port's device. */
export interface KernelDevice {
  readonly dpifType: string;
  ifindex(): number;
  mtu(): number;
  adminUp(): boolean;
  onEvent(callback: (event: string) => void): () => void;
  /** @param counted what the kernel forwarded from and to it since it was a port */
  setKernelPrograms(programs: KernelPrograms | null, counted?: () => KernelPortStats): void;
  /** Address of the host at the other end of a veth, in a namespace of its own; null: none. */
  hostAddress?(): Uint8Array | null;
  /** CPUs that handle what it receives; null: as before. @throws an Error of the system */
  steerReceive?(cpus: readonly number[] | null): void;
}

/** A port that the kernel forwards from and to. */
interface ForwardingPort {
  device: KernelDevice;
  ifindex: number;
  tap: boolean;
  frameMax: number;
  host: Uint8Array | null;
  /** Ends listening for changes of the device. */
  unsubscribe: () => void;
}

export class KernelForwarding {
  readonly cache: KernelCache;
  /** False: nothing is handed to the kernel; what it counted before still counts. */
  running = false;
  /** Nobody asked for it: hosts are not to notice, and who cannot have it is not warned. */
  quiet = false;
  /** CPUs that share the work; null: that of each sender has it. */
  private cpus: readonly number[] | null = null;
  /** Ports that were ever here. */
  private readonly counted = new Set<number>();
  private readonly ports = new Map<number, ForwardingPort>();
  /** By flow: the number of turns when it came. */
  private readonly waiting = new Map<InstalledFlow, number>();
  private readonly handOvers: HandOver;
  /** The flow that the counters of a slot belong to. */
  private readonly seen: InstalledFlow[] = [];
  private timer: NodeJS.Timeout | null = null;
  private hosts: NodeJS.Timeout | null = null;
  private turning = false;
  private turns = 0;

  /** @throws TapswitchError E_KERNEL_CACHE */
  constructor(
    native: NativeBinding,
    private readonly now: () => number,
    private readonly settled: () => Promise<void>,
    private readonly feed: WorkerFeed,
  ) {
    this.cache = KernelCache.open(native);
    this.handOvers = new HandOver(this.cache, feed, (portNo) => this.ports.get(portNo));
  }

  /**
   * Puts the programs in the port's way. A device that does not let them stays with workers, and
   * so does a TAP unless asked for: its own counters do not see what passes by its reader.
   * @param queues its receive queues
   */
  portAdd({ portNo, name }: DpPort, device: KernelDevice, queues: number): void {
    if (!this.running || (this.quiet && device.dpifType === 'tap')) return;
    this.counted.add(portNo);
    const base = this.cache.portStats(portNo);
    const ifindex = device.ifindex();
    const tap = device.dpifType === 'tap';
    if (!this.cache.order.claim(ifindex, tap, queues)) {
      log.info(
        `${name}: not forwarded in the kernel: its index is that of another port modulo 4096`,
      );
      return;
    }
    try {
      device.setKernelPrograms(this.cache.programs, () => this.countedSince(portNo, base));
    } catch (error) {
      this.cache.order.release(ifindex);
      const text = `${name}: not forwarded in the kernel: ${errorMessage(error)}`;
      if (this.quiet) log.info(text);
      else log.warn(text);
      return;
    }
    const unsubscribe = device.onEvent((event) => {
      if (event === 'change') this.deviceChanged(portNo);
    });
    const state = { frameMax: frameMaxOf(device), host: this.hostOf(device) };
    const port = { device, ifindex, tap, ...state, unsubscribe };
    this.ports.set(portNo, port);
    this.tellPort(portNo, port);
    if (this.cpus !== null) this.steer(port);
  }

  /**
   * Takes the port's flows back.
   * @param closing its queues are closed next, and the programs go with them: each change of
   *     programs waits until all CPUs have seen it, some 10 ms
   */
  portDel(portNo: number, closing = false): void {
    const port = this.ports.get(portNo);
    if (!port) return;
    this.ports.delete(portNo);
    port.unsubscribe();
    this.cache.order.release(port.ifindex);
    if (this.cpus !== null) this.steer(port, null);
    this.cache.portDel(portNo, this.now());
    if (closing) return;
    try {
      port.device.setKernelPrograms(null);
    } catch (error) {
      // Its queues are closed next, which frees the rest.
      log.dbg(`port ${portNo}: ${errorMessage(error)}`);
    }
  }

  /** Shares the work among CPUs, by flow (other_config:kernel-cpu-mask). */
  steerTo(cpus: readonly number[] | null): void {
    if (String(cpus) === String(this.cpus)) return;
    this.cpus = cpus;
    for (const port of this.ports.values()) this.steer(port);
  }

  private steer({ device }: ForwardingPort, cpus = this.cpus): void {
    try {
      device.steerReceive?.(cpus);
    } catch (error) {
      log.warn(`kernel-cpu-mask: ${errorMessage(error)}`);
    }
  }

  /** A new flow, or one whose actions changed. */
  flowChanged(flow: InstalledFlow): void {
    // A flow that was never here takes a slot whose counters may be another's.
    if (!this.running) return;
    if (flow !== this.seen[flow.slot]) this.cache.clearFlow(flow.slot);
    this.handOvers.delete(flow);
    this.cache.remove(flow.slot, this.now());
    this.seen[flow.slot] = flow;
    this.handOver(flow);
  }

  flowRemoved(flow: InstalledFlow): void {
    this.waiting.delete(flow);
    this.handOvers.delete(flow);
    this.cache.remove(flow.slot, this.now());
  }

  /**
   * Adds what the kernel forwarded of a flow, if it ever had it: else the slot counted another.
   * @param toClock from milliseconds of CLOCK_MONOTONIC, modulo 2^31
   */
  addFlowStats(stats: DpFlowStats, flow: InstalledFlow, toClock: (ms: number) => number): void {
    if (this.seen[flow.slot] !== flow) return;
    const { packets, bytes, usedNs, tcpFlags } = this.cache.flowStats(flow.slot);
    const usedMs = packets > 0 ? toClock(Math.floor(usedNs / 1e6) % 2 ** 31) : 0;
    stats.packets += packets;
    stats.bytes += bytes;
    stats.usedMs = Math.max(stats.usedMs, usedMs);
    stats.tcpFlags |= tcpFlags;
    stats.inKernel = this.cache.active(flow.slot);
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
    if (this.hosts) clearInterval(this.hosts);
    this.hosts = null;
    this.waiting.clear();
    this.handOvers.clear();
    for (const portNo of [...this.ports.keys()]) this.portDel(portNo);
  }

  close(): void {
    this.stop();
    this.cache.close();
  }

  private handOver(flow: InstalledFlow): void {
    this.waiting.set(flow, this.turns);
    this.wait();
  }

  /** Passing by the interface is for those who asked for it: captures there do not see it. */
  private hostOf(device: KernelDevice): Uint8Array | null {
    return this.quiet ? null : (device.hostAddress?.() ?? null);
  }

  private lookAtHosts(): void {
    for (const portNo of [...this.ports.keys()]) this.deviceChanged(portNo);
  }

  /** Up or down, another MTU or host: flows that send to it are looked at again. */
  private deviceChanged(portNo: number): void {
    const port = this.ports.get(portNo);
    if (!port) return;
    const frameMax = frameMaxOf(port.device);
    const host = this.hostOf(port.device);
    if (port.frameMax === frameMax && String(port.host) === String(host)) return;
    Object.assign(port, { frameMax, host });
    this.cache.portDel(portNo, this.now());
    this.tellPort(portNo, port);
    for (const flow of this.seen) {
      if (flow && !flow.deleted && !this.cache.has(flow.slot)) this.handOver(flow);
    }
  }

  private tellPort(portNo: number, { ifindex, tap, frameMax, host }: ForwardingPort): void {
    this.cache.portAdd(portNo, { ifindex, tap, frameMax, host });
    if (host !== null) this.hosts ??= setInterval(() => this.lookAtHosts(), HOSTS_MS).unref();
  }

  private countedSince(portNo: number, base: KernelPortStats): KernelPortStats {
    const stats = this.cache.portStats(portNo);
    for (const name of Object.keys(stats) as (keyof KernelPortStats)[]) stats[name] -= base[name];
    return stats;
  }

  private wait(): void {
    if (this.timer || this.turning) return;
    if (this.waiting.size === 0 && this.handOvers.size === 0) return;
    const ms = this.handOvers.sheds ? SHED_MS : WAIT_MS;
    this.timer = setTimeout(() => void this.turn(), ms);
  }

  /** Hands over what has waited, once what workers had before it is on its way. */
  private async turn(): Promise<void> {
    this.timer = null;
    this.turning = true;
    const turn = ++this.turns;
    await this.settled();
    this.turning = false;
    if (!this.running) return;
    const now = this.now();
    this.handOvers.turn();
    let left = TURN_FLOWS;
    for (const [flow, came] of this.waiting) {
      // What changed meanwhile waits anew.
      if (came >= turn) continue;
      if (left-- === 0) break;
      this.waiting.delete(flow);
      if (!flow.deleted && this.cache.put(flow, now)) {
        this.handOvers.add(flow, this.cache.inPort(flow.slot));
      }
    }
    if (this.handOvers.size > 0) this.feed.look();
    this.wait();
  }
}

/** The longest frame that a port takes now, without a tag; 0 while it is down. */
function frameMaxOf(device: KernelDevice): number {
  if (!device.adminUp()) return 0;
  return device.dpifType === 'tap' ? ANY_LENGTH : device.mtu() + ETH_HEADER;
}
