/**
 * Counters that a worker writes and the main thread reads, in shared memory.
 *
 * One writer each, no locks, no cache line with another's (shared-lines.ts): doubles count exactly
 * to 2^53, and an aligned 8-byte store is seen whole on every CPU that Node.js runs on. Watching
 * costs the worker nothing.
 *
 *     ports     maxPorts x 8 doubles     PS_*
 *     flows     flowSlots x 4 doubles    FS_*
 *     txqs      (maxPorts + EXTRA_QUEUES) x 16 doubles     TQ_*, by transmit queue (egress.ts)
 *     drops     one double per reason (drop-reasons.ts)
 *     counters  C_* doubles
 *     control   int32: CTL_*
 *
 * And, the other way round, what the main thread writes and the worker reads for lb_output:
 *
 *     bondPorts  BONDS_MAX x 256 int32: the port of each bucket, -1: none
 *     bondBytes  BONDS_MAX x 256 doubles, again the worker's: what each bucket has sent
 */
import { N_DROP_REASONS } from './drop-reasons.js';
import { PmdPerf } from './pmd-perf.js';
import { sharedDoubles, sharedLines, sharedWords } from './shared-lines.js';

export const PORT_STATS_STRIDE = 8;
export const PS_RX_PACKETS = 0;
export const PS_RX_BYTES = 1;
export const PS_TX_PACKETS = 2;
export const PS_TX_BYTES = 3;
export const PS_RX_DROPPED = 4;
export const PS_TX_DROPPED = 5;
export const PS_RX_ERRORS = 6;
export const PS_TX_ERRORS = 7;

export const FLOW_STATS_STRIDE = 4;
export const FS_PACKETS = 0;
export const FS_BYTES = 1;
/** PacketIo.clockMs() of the last packet; 0 when there was none. */
export const FS_USED_MS = 2;
export const FS_TCP_FLAGS = 3;

/** Packets that the exact-match cache answered. */
export const C_CACHE_HIT = 0;
/** Packets that the megaflow table answered. */
export const C_MEGAFLOW_HIT = 1;
/** Packets that no megaflow matched. */
export const C_MISS = 2;
/** Packets that should have gone to the main thread and found the queue full. */
export const C_LOST = 3;
/** Subtables probed by megaflow look-ups. */
export const C_MASK_HIT = 4;
/** Rounds of the worker's loop that moved frames, and those that did not. */
export const C_BUSY_ROUNDS = 5;
export const C_IDLE_ROUNDS = 6;
/** Times that the worker slept in the kernel. */
export const C_SLEEPS = 7;
/** Packets that passed the datapath again (recirculation). */
export const C_RECIRC = 8;
/** System calls that sent frames. */
export const C_TX_CALLS = 9;
/** Megaflow masks in use. */
export const C_MASKS = 10;
/** CPU time of the worker's thread, microseconds, as of the last command it executed. */
export const C_CPU_US = 11;
/** Bytes of the worker's heap in use, as of the last command, and collections seen since start. */
export const C_HEAP_USED = 12;
export const C_HEAP_ALLOCATED = 13;
/** Cycles of rounds that moved frames, and of all rounds: sampled. */
export const C_BUSY_CYCLES = 14;
export const C_SPIN_CYCLES = 15;
export const N_COUNTERS = 24;

/** Further transmit queues of ports that have several, and classes of shaped ports. */
export const EXTRA_QUEUES = 4096;
/** Counters of a transmit queue or class: TQ_*, then choices by reason (tx-choice.ts). */
export const TXQ_STATS_STRIDE = 16;
export const TQ_PACKETS = 0;
export const TQ_BYTES = 1;
export const TQ_DROPPED = 2;
/** Times that the device took no more, and frames that had to wait. */
export const TQ_STOPS = 3;
export const TQ_QUEUED = 4;
/** Frames that wait now. */
export const TQ_WAITING = 5;
export const TQ_REASONS = 8;

/** Sequence number of the last command batch that is in force. */
export const CTL_ACK = 0;
/** 1 while the worker has told the main thread to look and it has not looked yet. */
export const CTL_NOTIFIED = 1;
/** 1 once the worker's loop has ended. */
export const CTL_ENDED = 2;
/** 1: the main thread looks for samples by itself; the worker need not wake it for each. */
export const CTL_SAMPLES_HELD = 3;
/** 1: packets that actions drop are copied to the main thread, too. */
export const CTL_CAPTURE_DROPS = 4;
/** 1: somebody waits for an acknowledgement. */
export const CTL_ACK_WANTED = 5;
/** 1 while the main thread has told the worker to look and it has not looked yet. */
export const CTL_CALLED = 6;
/** 1: flows are on their way to the kernel; the worker says what it is done with. */
export const CTL_HAND_OVER = 7;
/** 1 while the main thread has taken upcalls and not answered them. */
export const CTL_UPCALLS = 8;
/** Times that the worker, asked to look, found nothing anywhere. */
export const CTL_IDLE_SEEN = 9;
export const N_CONTROL = 10;

/** Bonds that lb_output can name at one time, and buckets of each. */
export const BONDS_MAX = 32;
export const BOND_BUCKETS = 256;

export interface SharedStatsLimits {
  maxPorts: number;
  flowSlots: number;
}

/** The buffers as they travel to the worker. */
export interface SharedStatsBuffers {
  ports: ArrayBufferLike;
  flows: ArrayBufferLike;
  txqs: ArrayBufferLike;
  drops: ArrayBufferLike;
  counters: ArrayBufferLike;
  control: ArrayBufferLike;
  bondPorts: ArrayBufferLike;
  bondBytes: ArrayBufferLike;
  perf: ArrayBufferLike;
}

/** Views over one worker's counters; both sides construct it over the same buffers. */
export class SharedStats {
  readonly ports: Float64Array;
  readonly flows: Float64Array;
  readonly txqs: Float64Array;
  readonly drops: Float64Array;
  readonly counters: Float64Array;
  readonly control: Int32Array;
  readonly bondPorts: Int32Array;
  readonly bondBytes: Float64Array;
  /** Of each round, when that is wanted. */
  readonly perf: PmdPerf;

  constructor(readonly buffers: SharedStatsBuffers) {
    this.ports = sharedDoubles(buffers.ports);
    this.flows = sharedDoubles(buffers.flows);
    this.txqs = sharedDoubles(buffers.txqs);
    this.drops = sharedDoubles(buffers.drops);
    this.counters = sharedDoubles(buffers.counters);
    this.control = sharedWords(buffers.control);
    this.bondPorts = sharedWords(buffers.bondPorts);
    this.bondBytes = sharedDoubles(buffers.bondBytes);
    this.perf = new PmdPerf(buffers.perf);
  }

  static create(limits: SharedStatsLimits): SharedStats {
    return new SharedStats({
      ports: sharedLines(limits.maxPorts * PORT_STATS_STRIDE * 8),
      flows: sharedLines(limits.flowSlots * FLOW_STATS_STRIDE * 8),
      txqs: sharedLines((limits.maxPorts + EXTRA_QUEUES) * TXQ_STATS_STRIDE * 8),
      drops: sharedLines(N_DROP_REASONS * 8),
      counters: sharedLines(N_COUNTERS * 8),
      control: sharedLines(N_CONTROL * 4),
      bondPorts: sharedLines(BONDS_MAX * BOND_BUCKETS * 4),
      bondBytes: sharedLines(BONDS_MAX * BOND_BUCKETS * 8),
      perf: PmdPerf.create().buffer,
    });
  }

  /** Zeroes a flow's counters: only while no worker may write them. */
  clearFlow(slot: number): void {
    this.flows.fill(0, slot * FLOW_STATS_STRIDE, (slot + 1) * FLOW_STATS_STRIDE);
  }
}
