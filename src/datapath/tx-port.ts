/**
 * How a worker sends to a port: what the main thread tells it (tx-plan.ts makes it).
 */
import type { TxRules } from './tx-choice.js';

/** A class with a rate: its slot in the shaper and among the queues that frames wait in. */
export interface TxClass {
  slot: number;
  /** What set_queue and enqueue name it by. */
  queueId: number;
  /** Lower ones are served first. */
  priority: number;
  /** Bytes in its turn, among classes of its priority that borrow. */
  quantum: number;
}

export interface TxShaper {
  /** Nothing waits: what is over the rate is dropped. */
  policer: boolean;
  /** The one with queueId 0 takes what names no class. */
  classes: readonly TxClass[];
}

/** A class that the kernel schedules: three slots, one for each band's socket. */
export interface TxKernelClass {
  slot: number;
  queueId: number;
  /** By band. */
  fds: readonly number[];
}

export interface TxPort {
  portNo: number;
  /** PORT_PACKET, PORT_TAP or PORT_XDP. */
  kind: number;
  /** Transmit queues; the first has the port's number as its slot, the others consecutive ones. */
  queues: readonly { slot: number; fd: number }[];
  rules: TxRules;
  /** Frames that wait at most in each band of a queue, or of a class. */
  limit: number;
  /** Nothing waits: what a full device does not take is dropped. */
  noqueue: boolean;
  shaper: TxShaper | null;
  /** What takes the place of queues and shaper where the kernel has the classes; else empty. */
  kernelClasses: readonly TxKernelClass[];
  /** Whether what it receives is policed. */
  policed: boolean;
}
