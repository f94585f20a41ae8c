/**
 * Netdev: what every device of the switch offers to the layers above, whatever it is made of.
 *
 *     type       made of                                   frames reach the datapath by
 *     system     packet socket on an existing interface    ring in the worker (openQueues)
 *     afxdp      AF_XDP sockets on an existing interface   memory in the worker (openQueues)
 *     internal   TAP of the bridge, seen by the host        TAP descriptors (openQueues)
 *     tap        the same, without the bridge's meaning     TAP descriptors (openQueues)
 *     patch      nothing: a wire to another bridge          never: translation crosses over
 *     dummy      memory, for tests                          receive() and send()
 *
 * Devices are opened by the registry (registry.ts). Everything here runs on the main thread.
 */

import type { PortQueueSettings, Shaping } from './queue-settings.js';

/** A receive and transmit queue of a real device: what a forwarding worker needs of it. */
export interface DatapathQueue {
  kind: 'packet' | 'tap' | 'xdp';
  fd: number;
  /** What ringBytes are mapped from, where that is not fd. */
  memoryFd?: number;
  ifindex: number;
  /** Ring of a packet socket (slots * slotBytes), memory of an AF_XDP socket: bytes to be mapped;
   * 0 for a TAP. */
  ringBytes: number;
  slots: number;
  slotBytes: number;
  /** Free bytes before the virtio header of each frame in the ring (PACKET_RESERVE). */
  reserve: number;
}

/** Descriptors for sending where receive queues do not serve: by worker, then by queue. */
export interface TransmitQueues {
  fds: number[][];
}

export interface ClassCounters {
  packets: number;
  bytes: number;
  dropped: number;
}

/** Sockets whose frames the kernel schedules by class (kernel-classes.ts). */
export interface ClassSockets {
  /** By worker, by class in the order of Shaping.classes, and by band. */
  fds: number[][][];
  /** What the kernel let out of each class, by queue number. */
  counters(): ReadonlyMap<number, ClassCounters>;
}

/** OpenFlow 1.1+ port feature bits (10MB-HD is bit 0). */
export interface NetdevFeatures {
  current: number;
  advertised: number;
  supported: number;
  peer: number;
}

/** Counters under the names of Interface.statistics; what a device does not count is missing. */
export type NetdevStatistics = Partial<Record<NetdevStatistic, number>> & Record<string, number>;

export type NetdevStatistic =
  | 'rx_packets'
  | 'tx_packets'
  | 'rx_bytes'
  | 'tx_bytes'
  | 'rx_dropped'
  | 'tx_dropped'
  | 'rx_errors'
  | 'tx_errors'
  | 'rx_frame_err'
  | 'rx_over_err'
  | 'rx_crc_err'
  | 'rx_missed_errors'
  | 'tx_aborted_err'
  | 'tx_carrier_err'
  | 'collisions'
  | 'rx_multicast_packets';

export type NetdevEvent =
  /** State, MTU, address or carrier may have changed; changeSeq() has moved on. */
  | 'change'
  /** The device is no more: deleted, renamed, or in another namespace. Close it. */
  | 'gone'
  /** close() was called: the last event. */
  | 'closed';

export interface Netdev {
  readonly name: string;
  /** The type it was opened with ('' reads 'system'). */
  readonly type: string;
  /** The type as dpctl/show prints it: an internal port is a 'tap' there. */
  readonly dpifType: string;
  /** For type 'patch': the peer's port name. */
  readonly patchPeer?: string | null;
  /** How its queues are to be: the datapath takes it up when it is configured next. */
  queueSettings?: PortQueueSettings;

  /** Applies Interface.options, where the type has any. @throws TapswitchError */
  setOptions?(options: Readonly<Record<string, string>>): void;

  /** Settings in force, as dpctl/show prints them behind the type. */
  config?(): Readonly<Record<string, string>>;

  /** False once 'gone' was emitted. */
  present(): boolean;
  /** 0 when the device has none. */
  ifindex(): number;
  /** 6 bytes. */
  etherAddr(): Uint8Array;
  /** @throws TapswitchError where the device does not allow it */
  setEtherAddr(address: Uint8Array): void;
  /** Bytes after the Ethernet header; 0 when the device has no such thing. */
  mtu(): number;
  setMtu(mtu: number): void;
  adminUp(): boolean;
  setAdminUp(up: boolean): void;
  /** Up, and something answers at the other end. */
  carrier(): boolean;
  /** The link as its MII registers or its driver have it now, for bond-detect-mode=miimon. */
  miiLink?(): boolean;
  /** How often the carrier changed since the device was opened. */
  carrierResets(): number;
  /** 0 when unknown. */
  speedMbps(): number;
  /** Null when unknown. */
  fullDuplex(): boolean | null;
  features(): NetdevFeatures;
  /** Interface.status: driver_name, driver_version, firmware_version. */
  status(): Record<string, string>;
  /** From the switch's side: rx is what the switch receives. */
  statistics(): NetdevStatistics;

  /** Grows with every change. Starts at 1. */
  changeSeq(): number;
  /** @returns a function that ends it */
  onEvent(callback: (event: NetdevEvent) => void): () => void;

  /** Frees everything the device holds. Idempotent. */
  close(): void;
}

/**
 * A device whose frames workers read and write themselves.
 *
 * Whoever opened queues closes them: their descriptors stay valid until closeQueues(), also after
 * close(). A worker may thus finish what it is sending; were the descriptor closed under it, its
 * number could already mean another device.
 */
export interface QueuedNetdev extends Netdev {
  /**
   * Opens (or gives again) `n` queues. From now on, until close() or closeQueues(), the host's own
   * stack sees nothing of the interface's traffic. @throws TapswitchError
   */
  openQueues(n: number): DatapathQueue[];
  /**
   * After openQueues(): sockets that only send, for a device with several transmit queues.
   * @returns null where the receive queues are to be sent by
   */
  openTransmit(workers: number): TransmitQueues | null;
  /**
   * Has the kernel shape what is sent: its classes are made equal to `shaping`. Sockets that were
   * given before and are not given again are for closeStaleClasses().
   * @param shaping null: nothing is to be shaped
   * @returns null where the switch has to shape by itself
   */
  openClasses?(shaping: Shaping | null, workers: number): ClassSockets | null;
  /** Once the workers have let go of them. */
  closeStaleClasses?(): void;
  /**
   * After the workers have let go of them (rings unmapped). Idempotent.
   * @param stays they will be opened again at once: the host's stack stays shut out
   */
  closeQueues(stays?: boolean): void;
  /**
   * Puts programs in the way of the frames of its open queues, or takes them away (null).
   * closeQueues() does that too. @throws an Error of the system
   * @param counted what they forwarded from and to it so far
   */
  setKernelPrograms(programs: KernelPrograms | null, counted?: () => KernelCounters): void;
}

/** eBPF programs that forward in the kernel (datapath/kernel-cache): their descriptors. */
export interface KernelPrograms {
  /** Filter of the packet socket of a receive queue: what the kernel forwards is not queued. */
  filter(queue: number): number;
  /** tc ingress of an interface with packet sockets. */
  ingress: number;
  /** tc egress of a TAP. */
  tapEgress: number;
}

/** What the programs forwarded, from the switch's side. */
export interface KernelCounters {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
  /** Of these, what passed beside the interface. */
  passedPackets?: number;
  passedBytes?: number;
}

/** Whether frames of `netdev` pass through workers. */
export function hasQueues(netdev: { readonly name: string }): netdev is QueuedNetdev {
  return 'openQueues' in netdev;
}

/** State and listeners that every device has. */
export abstract class NetdevBase {
  private seq = 1;
  private readonly listeners = new Set<(event: NetdevEvent) => void>();

  changeSeq(): number {
    return this.seq;
  }

  onEvent(callback: (event: NetdevEvent) => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  protected emit(event: NetdevEvent): void {
    this.seq += 1;
    for (const listener of [...this.listeners]) listener(event);
  }

  /** Ends close(): nothing is emitted after it. */
  protected emitClosed(): void {
    this.emit('closed');
    this.listeners.clear();
  }
}
