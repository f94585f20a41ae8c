/**
 * What can be seen of forwarding threads, and asked of them, from above (control socket).
 */
import type { PmdPerf } from './pmd-perf.js';

/** Counters of a transmit queue or class. */
export interface TxQueueCounters {
  packets: number;
  bytes: number;
  dropped: number;
  /** Frames that had to wait, and that wait now; times that the device was full. */
  queued: number;
  waiting: number;
  stops: number;
  /** Choices by REASON_*. */
  reasons: number[];
}

export interface TxQueueInfo extends TxQueueCounters {
  queue: number;
  cpu: number;
}

export interface TxPortInfo {
  portNo: number;
  port: string;
  discipline: string;
  queues: TxQueueInfo[];
  /** Frames that each receive queue gave since it was opened. */
  rxFrames: number[];
  /** Classes that QoS made, by queue id; all workers together. */
  classes: (TxQueueCounters & { queueId: number; createdMs: number })[];
}

/** A receive queue, as pmd-rxq-show has it. */
export interface PmdRxQueue {
  port: string;
  rxq: number;
  enabled: boolean;
  /** Frames that it gave since it was opened. */
  frames: number;
  /** Cycles in the last `intervals` intervals. */
  cycles(intervals: number): number;
}

/** Counts since the last clear. */
export interface PmdCounters {
  received: number;
  recirculated: number;
  cacheHits: number;
  megaflowHits: number;
  megaflowLookups: number;
  missed: number;
  lost: number;
  sent: number;
  sendCalls: number;
  busyRounds: number;
  idleRounds: number;
  sleeps: number;
  /** Cycles of rounds that moved frames (sampled), and all that went by. */
  busyCycles: number;
  totalCycles: number;
  /** Cycles of empty rounds: polled for nothing. */
  idleCycles: number;
}

export interface PmdInfo {
  /** -1: not pinned. */
  cpu: number;
  numa: number;
  alive: boolean;
  isolated: boolean;
  queues: readonly PmdRxQueue[];
  /** Cycles that it was busy in the last `intervals` intervals. */
  busyCycles(intervals: number): number;
  counters: PmdCounters;
  /** Milliseconds since the last clear. */
  durationMs: number;
  /** Of each round; null: not recorded (other_config:pmd-perf-metrics). */
  perf: PmdPerf | null;
}

/** dpif-netdev/pmd-perf-log-set: when a round is worth a warning. */
export interface PerfLog {
  on: boolean;
  before: number;
  after: number;
  extend: boolean;
  /** Microseconds that a round may take. */
  usec: number;
  queueLength: number;
}

export const DEFAULT_PERF_LOG: PerfLog = {
  on: false,
  before: 5,
  after: 5,
  extend: false,
  usec: 250,
  queueLength: 128,
};

export interface PmdControl {
  /** All threads, by CPU. */
  info(): PmdInfo[];
  /** Cycles of one interval; 0 while none is over. */
  readonly intervalCycles: number;
  readonly hz: number;
  perfLog: PerfLog;
  /** Counts start anew. @param cpu of one thread, or all */
  clear(cpu?: number): void;
  /** Transmit queues of all ports, or of one. */
  txPorts(portNo?: number): TxPortInfo[];
  /** Assigns the receive queues anew. */
  rebalance(): void;
  /** Ends a thread on purpose, from outside or by an error inside: a test of what follows. */
  kill(cpu: number, inside: boolean): boolean;
}
