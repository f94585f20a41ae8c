/**
 * Dpif: the one interface between the OpenFlow layer and a datapath.
 *
 * Two implementations: DpifNetdev (real devices, forwarding in pinned worker threads) and DpifDummy
 * (in-process and synchronous, for dummy devices and a stopped clock). The OpenFlow layer knows
 * nothing beyond this file. Everything here runs on the main thread; nothing blocks.
 */

import type { PortQueueSettings } from '../netdev/queue-settings.js';
import type { FlowWords } from '../packet/flow-layout.js';
import type { BondBuckets } from './bond-buckets.js';
import type { DropReasonNumber } from './drop-reasons.js';
import type { DpMeterConfig, DpMeterStats } from './meter-table.js';
import type { OdpAction, UserspaceCookie } from './odp-actions.js';
import type { PmdControl } from './pmd-control.js';
import type { RxAssignment } from './rx-assign.js';

/** A frame outside the packet path (upcalls, packet-outs): bytes without virtio header. */
export interface FrameBytes {
  /** The whole Ethernet frame, VLAN tags included. */
  data: Uint8Array;
  /** Its virtio_net_hdr (10 bytes), so that offloads survive the detour; absent: no offload. */
  vnetHdr?: Uint8Array;
}

/** A packet that needs the main thread. */
export interface Upcall {
  type: 'miss' | 'action';
  frame: FrameBytes;
  /** The extracted key; in_port is the datapath port number. */
  key: FlowWords;
  /** For 'action': the cookie of the userspace action that sent it. */
  cookie?: UserspaceCookie;
  /** Which worker asked: give it back in flowPut to install the megaflow there. */
  worker: number;
}

export interface DpFlowStats {
  packets: number;
  bytes: number;
  /** Clock.now() of the last packet, or 0 when there was none yet. */
  usedMs: number;
  /** TCP flags seen, ORed (0 when the mask leaves them out). */
  tcpFlags: number;
  /** The kernel forwards its packets, as was asked for (other_config:hw-offload=true). */
  offloaded?: boolean;
  /** The kernel forwards its packets, asked or not. */
  inKernel?: boolean;
}

/** An installed megaflow. `id` is the handle for delete, modify and statistics. */
export interface DpFlow {
  readonly id: number;
  /** A copy may be made for each caller: look once. */
  readonly key: FlowWords;
  readonly mask: FlowWords;
  actions: readonly OdpAction[];
  /** What the layer above keeps for the flow: the datapath does not look at it. */
  owner?: unknown;
}

export interface FlowPut {
  /** Values under the mask (bits outside the mask are ignored). */
  key: FlowWords;
  mask: FlowWords;
  actions: readonly OdpAction[];
}

export interface DpPort {
  readonly portNo: number;
  readonly name: string;
  /** As dpctl/show prints it: 'tap', 'system', 'dummy'... (nothing is printed for system). */
  readonly type: string;
  /** What dpctl/show prints behind the type. */
  config?(): Readonly<Record<string, string>>;
}

export interface DpPortStats {
  rxPackets: number;
  txPackets: number;
  rxBytes: number;
  txBytes: number;
  rxDropped: number;
  txDropped: number;
  rxErrors: number;
  txErrors: number;
}

export interface DpStats {
  hit: number;
  missed: number;
  lost: number;
  flows: number;
  maskHits: number;
  masks: number;
  /** Dropped packets by reason name (drop-reasons.ts). */
  drops: Record<string, number>;
}

/** Forwarding in the kernel: not at all; as asked; where it goes unnoticed. */
export type KernelMode = 'off' | 'on' | 'auto';

/**
 * Flows that there is room for, those that are about to go included: memory is taken by those that
 * there are. What other_config:flow-limit allows may thus change at any time.
 */
export const FLOW_SLOTS = 2 ** 20;

/** Rounds without any frame before a worker sleeps, unless set. */
export const DEFAULT_SPIN_ROUNDS = 32;

/** When receive queues are assigned anew by themselves (other_config:pmd-auto-lb). */
export interface AutoLbSettings {
  enabled: boolean;
  intervalMin: number;
  /** Percent. */
  loadThreshold: number;
  improvementThreshold: number;
}

/** What can be changed while a datapath runs; what is missing stays as it is. */
export interface DpifSettings {
  /** VLAN tags that the key looks behind, 0..2 (other_config:vlan-limit; 2 unless set). */
  vlanLimit?: number;
  /** Rounds without a frame before a worker sleeps; Infinity: it never does (pmd-maxsleep=0). */
  spinRounds?: number;
  /** Whether the kernel forwards what it can (other_config:hw-offload; 'off' unless set). */
  kernelForwarding?: KernelMode;
  /** CPUs that share that work by flow (other_config:kernel-cpu-mask); null: the sender's. */
  kernelCpus?: readonly number[] | null;
  /** CPUs that have a forwarding worker; null: the datapath chooses. */
  pmdCpus?: readonly number[] | null;
  /** How receive queues are assigned to workers (other_config:pmd-rxq-assign). */
  rxAssign?: RxAssignment;
  /** Whether a worker with a pinned queue gets no others (other_config:pmd-rxq-isolate). */
  rxIsolate?: boolean;
  /** Whether workers record what each round did (other_config:pmd-perf-metrics). */
  perfMetrics?: boolean;
  /** Assigning receive queues anew by itself (other_config:pmd-auto-lb). */
  autoLb?: AutoLbSettings;
}

/** A packet that was dropped. */
export interface DroppedFrame {
  frame: Uint8Array;
  /** Datapath port that it came in by, or, of a packet that was leaving, that did not take it. */
  port: number;
  /** Its number in drop-reasons.ts. */
  reason: number;
  leaving: boolean;
}

export type DropHandler = (drop: DroppedFrame) => void;

export interface Dpif {
  /** 'netdev@ovs-netdev', 'dummy@ovs-dummy'. */
  readonly name: string;
  readonly type: string;

  /**
   * Adds a device. `netdev` is a src/netdev Netdev that is open. The wanted number is taken when
   * free. @throws TapswitchError when its queues cannot be opened or no number is free
   */
  portAdd(netdev: DpNetdev, wantedPortNo?: number): number;
  portDel(portNo: number): void;
  ports(): Iterable<DpPort>;
  portStats(portNo: number): DpPortStats;

  /** Installs (or replaces) a megaflow in every worker, or in one. Bounded by flowLimit.
   * @throws TapswitchError E_FLOW_LIMIT */
  flowPut(put: FlowPut, worker?: number): DpFlow;
  /** Replaces the actions of an installed flow; statistics are kept. */
  flowModify(flow: DpFlow, actions: readonly OdpAction[]): void;
  /** Removes a flow; the final statistics become readable once `sync()` resolves (until then
   * flowStats gives what was counted so far). */
  flowDel(flow: DpFlow): void;
  flowFlush(): void;
  flows(): Iterable<DpFlow>;
  /** An installed flow that a packet's key (in_port the datapath's) matches, if any. */
  flowMatch(key: FlowWords): DpFlow | undefined;
  /** The number of packets in `flowStats`, for less. */
  flowPackets(flow: DpFlow): number;
  /** Statistics since the flow was put. */
  flowStats(flow: DpFlow): DpFlowStats;

  /** Executes actions on a frame, in order with earlier calls. `key` is its extracted key. */
  execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void;
  /** Counts a packet that was not given back to the datapath, since it is dropped. */
  countDrop(reason: DropReasonNumber): void;

  /** Registers who gets upcalls; called on the main thread, in order per worker. */
  onUpcall(handler: (upcall: Upcall) => void): void;

  /** Shows `handler` the packets that are dropped, in no hurry; null: no more of them. Absent: the
   * datapath cannot. */
  captureDrops?(handler: DropHandler | null): void;
  /** Somebody is shown the packets that are dropped. */
  readonly showsDrops?: boolean;

  /** Changes settings of the packet path while it runs. */
  configure(settings: DpifSettings): void;

  /** Resolves when every change made before this call is in force in all workers. DpifDummy's is
   * in force at once. */
  sync(): Promise<void>;
  /** True when they are already: sync() would not wait. */
  synced(): boolean;

  /** Makes or changes a meter, 0 .. METERS_MAX - 1, that `meter` actions name. */
  meterSet(id: number, config: DpMeterConfig): void;
  /** Packets pass a meter that is not there. */
  meterDel(id: number): void;
  meterStats(id: number): DpMeterStats;

  /** The tables of lb_output; null: the datapath has no such action. */
  readonly bonds: BondBuckets | null;

  /** What its forwarding threads do; absent: it has none. */
  readonly pmds?: PmdControl;

  stats(): DpStats;
  run(now: number): void;
  nextWake(): number;
  /** Frees everything: workers joined, rings unmapped. Devices stay the caller's to close. */
  close(): Promise<void>;
}

/** What a datapath needs of a device (src/netdev's Netdev satisfies it). */
export interface DpNetdev {
  readonly name: string;
  readonly type: string;
  /** How its queues are to be; absent: the defaults. */
  readonly queueSettings?: PortQueueSettings;
  /** Settings in force, as dpctl/show prints them. */
  config?(): Readonly<Record<string, string>>;
}
