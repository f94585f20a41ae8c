/**
 * The choice of a transmit queue as Linux makes it (netdev_pick_tx), told again as plainly as can
 * be and sharing no code with the switch. Hashes are given, not computed.
 */
export interface ModelPort {
  /** How many queues there are. */
  queues: number;
  /** Queues of the CPU that sends, also ones that are not there; empty: no XPS map. */
  xps: number[];
  /** Class by priority, and count@offset of each class; null: none. */
  classes: { classOf: number[]; ranges: { count: number; offset: number }[] } | null;
}

export interface ModelFrame {
  /** Unsigned 32 bits. */
  hash: number;
  priority: number;
  /** Receive queue, or null when it was not received. */
  recorded: number | null;
}

export type ModelReason = 'single' | 'cached' | 'xps' | 'xps-hash' | 'recorded' | 'hash' | 'class';

export interface ModelChoice {
  queue: number;
  reason: ModelReason;
}

/** hash * n / 2^32, in exact arithmetic. */
function reciprocal(hash: number, n: number): number {
  return Number((BigInt(hash) * BigInt(n)) >> 32n);
}

/** What the rules say of a frame whose flow has nothing in flight. */
export function freshChoice(port: ModelPort, frame: ModelFrame): ModelChoice {
  if (port.queues === 1) return { queue: 0, reason: 'single' };
  const several = port.xps.length > 1;
  const mapped = several ? port.xps[reciprocal(frame.hash, port.xps.length)] : port.xps[0];
  if (mapped !== undefined && mapped < port.queues) {
    return { queue: mapped, reason: several ? 'xps-hash' : 'xps' };
  }
  if (frame.recorded !== null) {
    return { queue: frame.recorded % port.queues, reason: 'recorded' };
  }
  if (port.classes) {
    const { count, offset } = port.classes.ranges[port.classes.classOf[frame.priority]];
    const queue = reciprocal(frame.hash, count) + offset;
    if (queue < port.queues) return { queue, reason: 'class' };
  }
  return { queue: reciprocal(frame.hash, port.queues), reason: 'hash' };
}

/** Remembers what flows have in flight. */
export class TxModel {
  private inFlight = new Map<number, { queue: number; frames: number }>();

  constructor(private port: ModelPort) {}

  /** Other rules; with another number of queues, nothing that was chosen before counts. */
  change(port: ModelPort): void {
    if (port.queues !== this.port.queues) this.inFlight.clear();
    this.port = port;
  }

  send(frame: ModelFrame): ModelChoice {
    if (this.port.queues === 1) return { queue: 0, reason: 'single' };
    const flow = this.inFlight.get(frame.hash);
    if (flow) {
      flow.frames += 1;
      return { queue: flow.queue, reason: 'cached' };
    }
    const choice = freshChoice(this.port, frame);
    this.inFlight.set(frame.hash, { queue: choice.queue, frames: 1 });
    return choice;
  }

  /** The kernel has all of them. */
  completed(): void {
    this.inFlight.clear();
  }
}
