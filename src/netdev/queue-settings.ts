/**
 * What a port's queues are to be like: set on the device by the configuration layer, taken up by
 * the datapath when a port is added or the datapath is configured again.
 */

/** Traffic classes as mqprio has them: a class for each priority, a range of queues for each. */
export interface TrafficClasses {
  /** Class by priority, 0..15. */
  classOf: readonly number[];
  /** Queues of each class. */
  ranges: readonly { count: number; offset: number }[];
}

/** How frames wait for a device. */
export type Discipline = 'noqueue' | 'pfifo_fast';

/** A class of a shaped port. Rates are bytes in a second. */
export interface ShapingClass {
  queueId: number;
  minRate: number;
  maxRate: number;
  /** Bytes. */
  burst: number;
  /** Lower ones are served first. */
  priority: number;
}

/** What a QoS row asks for: the kernel keeps to it where it can, else the switch itself. */
export interface Shaping {
  /** The QoS row's: 'linux-htb', 'linux-hfsc', 'egress-policer'. */
  type: string;
  /** Whether the kernel is to be asked at all. */
  byKernel: boolean;
  /** Nothing waits: what is over the rate is dropped. */
  policer: boolean;
  /** Bytes in a second, of all classes together. */
  maxRate: number;
  burst: number;
  /** One of them has queueId 0. */
  classes: readonly ShapingClass[];
}

/** Bound on what comes in: bytes and packets, in a second and at once; a rate of 0: none. */
export interface Policing {
  rate: number;
  burst: number;
  packetRate: number;
  packetBurst: number;
}

export interface PortQueueSettings {
  /** Receive queues (options:n_rxq), or null: as many as there are workers. */
  rxQueues: number | null;
  /** CPU by receive queue (other_config:pmd-rxq-affinity). */
  rxAffinity: ReadonlyMap<number, number>;
  /** CPUs of each transmit queue (other_config:xps-cpus); null: shared out among the workers. */
  xpsCpus: readonly (readonly number[])[] | null;
  /** other_config:num-tc and so on; null: one class with all queues. */
  classes: TrafficClasses | null;
  discipline: Discipline;
  /** Frames that wait at most for one transmit queue. */
  queueLength: number;
  shaping: Shaping | null;
  policing: Policing | null;
}

export const DEFAULT_QUEUE_LENGTH = 1000;

export const DEFAULT_QUEUE_SETTINGS: PortQueueSettings = {
  rxQueues: null,
  rxAffinity: new Map(),
  xpsCpus: null,
  classes: null,
  discipline: 'pfifo_fast',
  queueLength: DEFAULT_QUEUE_LENGTH,
  shaping: null,
  policing: null,
};
