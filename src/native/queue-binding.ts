/**
 * The addon's calls for transmit queues and for measuring a worker: part of NativeBinding.
 */

export interface PacketTxOptions {
  ifname: string;
  /** Device queue that frames of this socket are to leave by (egressQueueAttach), or -1. */
  queue: number;
  /** SO_PRIORITY, 0 to 6: which band of pfifo_fast its frames wait in. */
  priority: number;
  /** SO_MARK where `queue` is -1: the class of a queueing discipline (kernel-classes.ts). */
  mark?: number;
  /** Bound of what is queued for sending (SO_SNDBUFFORCE). */
  sndBufBytes: number;
}

export interface QueueBinding {
  /** A packet socket with virtio headers that sends only. */
  packetTxOpen(options: PacketTxOptions): number;
  /** Attaches the program that turns a sending socket's mark into a device queue (tcx egress).
   * Returns the link's descriptor: closing it detaches. Throws where the kernel has no tcx. */
  egressQueueAttach(ifindex: number): number;
  /** Queues that a device uses now; empty when its driver does not say. */
  deviceQueues(ifname: string): { tx?: number; rx?: number };

  /** An epoll set that becomes readable when one of its members takes frames again. */
  writableOpen(): number;
  writableWatch(set: number, fd: number): void;
  writableUnwatch(set: number, fd: number): void;

  /** The CPU's cycle counter (x86: TSC), as a double. */
  cycleCount(): number;
  /** Its low 30 bits: allocates nothing. */
  cycleCountLow(): number;
  /** CLOCK_MONOTONIC in microseconds, modulo 2^30: allocates nothing. */
  clockUsLow(): number;
}
