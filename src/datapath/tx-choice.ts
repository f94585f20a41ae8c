/**
 * Which transmit queue of a port a frame leaves by, in this order (as Linux's netdev_pick_tx):
 *
 *     one queue          that
 *     cached             the flow's last one, while it has frames in flight and the number of
 *                        queues is the same
 *     XPS                the queues of the worker's CPU: the one, or one of several by hash; a
 *                        queue that does not exist counts for nothing
 *     recorded           the queue that the frame was received on, less the number of queues until
 *                        it is one of them
 *     hash               by hash among all queues, or among those of the priority's class
 *
 * In flight is what the worker itself has not handed to the kernel yet: frames of the batch at
 * hand, and frames that wait for a full device.
 *
 *     flows: 1024 sets of 4     hash | port | queue, generation | batch | waiting
 */
// hot path
export const TXQ_MAX = 64;
const PRIORITIES = 16;

export const REASON_SINGLE = 0;
export const REASON_CACHED = 1;
export const REASON_XPS = 2;
export const REASON_XPS_HASH = 3;
export const REASON_RECORDED = 4;
export const REASON_HASH = 5;
export const REASON_CLASS = 6;
/** The class of a queueing discipline that set_queue named. */
export const REASON_QOS = 7;
export const N_REASONS = 8;

const SETS = 1024;
const WAYS = 4;
export const NO_FLOW = -1;

/** A port's rules as a worker gets them. */
export interface TxRules {
  queues: number;
  /** Queues of this worker's CPU, also ones that do not exist; empty: no map. */
  xps: readonly number[];
  /** Class by priority (16), and each class's first queue and number; empty: no classes. */
  classOf: readonly number[];
  ranges: readonly { count: number; offset: number }[];
}

/** `hash` scaled to [0, n). */
function scale(hash: number, n: number): number {
  return Math.floor(((hash >>> 0) * n) / 0x100000000);
}

export class TxChoice {
  /** Why the last choice was made: REASON_*. */
  reason = REASON_SINGLE;
  /** The flow entry of the last choice, or NO_FLOW. */
  flow = NO_FLOW;
  /** Number of the batch at hand: frames of it are in flight. */
  batch = 1;

  private readonly nQueues: Int32Array;
  private readonly generation: Int32Array;
  private readonly xpsCount: Int32Array;
  private readonly xpsQueue: Uint8Array;
  private readonly hasClasses: Uint8Array;
  private readonly first: Uint8Array;
  private readonly count: Uint8Array;

  private readonly fHash = new Int32Array(SETS * WAYS);
  private readonly fPort = new Int32Array(SETS * WAYS).fill(-1);
  private readonly fQueue = new Int32Array(SETS * WAYS);
  private readonly fGeneration = new Int32Array(SETS * WAYS);
  private readonly fBatch = new Int32Array(SETS * WAYS);
  private readonly fWaiting = new Int32Array(SETS * WAYS);

  constructor(maxPorts: number) {
    this.nQueues = new Int32Array(maxPorts);
    this.generation = new Int32Array(maxPorts);
    this.xpsCount = new Int32Array(maxPorts);
    this.xpsQueue = new Uint8Array(maxPorts * TXQ_MAX);
    this.hasClasses = new Uint8Array(maxPorts);
    this.first = new Uint8Array(maxPorts * PRIORITIES);
    this.count = new Uint8Array(maxPorts * PRIORITIES);
  }

  /** Sets a port's rules. Choices cached under another number of queues are void. */
  setRules(port: number, rules: TxRules): void {
    if (this.nQueues[port] !== rules.queues) this.generation[port] += 1;
    this.nQueues[port] = rules.queues;
    this.xpsCount[port] = Math.min(rules.xps.length, TXQ_MAX);
    for (let i = 0; i < this.xpsCount[port]; i++) {
      this.xpsQueue[port * TXQ_MAX + i] = rules.xps[i];
    }
    this.hasClasses[port] = rules.ranges.length > 0 ? 1 : 0;
    if (rules.ranges.length === 0) return;
    for (let p = 0; p < PRIORITIES; p++) {
      const { count, offset } = rules.ranges[rules.classOf[p]];
      this.first[port * PRIORITIES + p] = offset;
      this.count[port * PRIORITIES + p] = count;
    }
  }

  /**
   * Chooses; `reason` and `flow` tell more.
   * @param recorded receive queue of the frame, or -1
   */
  choose(port: number, hash: number, priority: number, recorded: number): number {
    const n = this.nQueues[port];
    this.flow = NO_FLOW;
    if (n <= 1) {
      this.reason = REASON_SINGLE;
      return 0;
    }
    const flow = this.find(port, hash);
    this.flow = flow;
    if (flow !== NO_FLOW && this.fHash[flow] === hash && this.fPort[flow] === port) {
      const inFlight = this.fWaiting[flow] > 0 || this.fBatch[flow] === this.batch;
      if (inFlight && this.fGeneration[flow] === this.generation[port]) {
        this.fBatch[flow] = this.batch;
        this.reason = REASON_CACHED;
        return this.fQueue[flow];
      }
    }
    const queue = this.fresh(port, n, hash, priority, recorded);
    if (flow !== NO_FLOW) {
      if (this.fHash[flow] !== hash || this.fPort[flow] !== port) this.fWaiting[flow] = 0;
      this.fHash[flow] = hash;
      this.fPort[flow] = port;
      this.fQueue[flow] = queue;
      this.fGeneration[flow] = this.generation[port];
      this.fBatch[flow] = this.batch;
    }
    return queue;
  }

  /** A frame of the flow waits beyond this batch. */
  waits(flow: number): void {
    if (flow !== NO_FLOW) this.fWaiting[flow] += 1;
  }

  /** A frame that waited has gone, or was given up. */
  gone(flow: number): void {
    if (flow !== NO_FLOW && this.fWaiting[flow] > 0) this.fWaiting[flow] -= 1;
  }

  /** What the rules say, without the cache. */
  private fresh(port: number, n: number, hash: number, priority: number, recorded: number): number {
    const xps = this.xpsCount[port];
    if (xps > 0) {
      const queue = this.xpsQueue[port * TXQ_MAX + (xps === 1 ? 0 : scale(hash, xps))];
      if (queue < n) {
        this.reason = xps === 1 ? REASON_XPS : REASON_XPS_HASH;
        return queue;
      }
    }
    if (recorded >= 0) {
      let queue = recorded;
      while (queue >= n) queue -= n;
      this.reason = REASON_RECORDED;
      return queue;
    }
    if (this.hasClasses[port] !== 0) {
      const at = port * PRIORITIES + (priority & (PRIORITIES - 1));
      const queue = scale(hash, this.count[at]) + this.first[at];
      if (queue < n) {
        this.reason = REASON_CLASS;
        return queue;
      }
    }
    this.reason = REASON_HASH;
    return scale(hash, n);
  }

  /** The flow's entry, else one with nothing in flight, else NO_FLOW. */
  private find(port: number, hash: number): number {
    const set = ((hash ^ Math.imul(port, 0x9e3779b1)) & (SETS - 1)) * WAYS;
    let free = NO_FLOW;
    for (let at = set; at < set + WAYS; at++) {
      if (this.fHash[at] === hash && this.fPort[at] === port) return at;
      if (this.fWaiting[at] === 0 && this.fBatch[at] !== this.batch) free = at;
    }
    return free;
  }
}
