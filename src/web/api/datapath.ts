/**
 * The datapath: workers, transmit queues, drops.
 */
import { type Static, Type } from '@sinclair/typebox';
import { History, MapOf, Nullable } from './common.js';

export const Worker = Type.Object({
  /** The CPU that it is pinned to; -1: not pinned. */
  cpu: Type.Integer(),
  numa: Type.Integer(),
  alive: Type.Boolean(),
  isolated: Type.Boolean(),
  /** Share of its CPU that packets take, 0 to 1; null until two samples have been taken. */
  load: Nullable(Type.Number()),
  /** Packets per second. */
  pps: Nullable(Type.Number()),
  cyclesPerPacket: Nullable(Type.Number()),
  /** Packets of the interval answered by each, shares of 0 to 1. */
  hits: Nullable(
    Type.Object({ cache: Type.Number(), megaflow: Type.Number(), upcall: Type.Number() }),
  ),
  packetsPerBatch: Nullable(Type.Number()),
  /** Since the worker started (or pmd-stats-clear). */
  totals: Type.Object({
    received: Type.Number(),
    cacheHits: Type.Number(),
    megaflowHits: Type.Number(),
    upcalls: Type.Number(),
    lostUpcalls: Type.Number(),
    sent: Type.Number(),
    busyCycles: Type.Number(),
    totalCycles: Type.Number(),
  }),
  /** Receive queues that it reads. */
  queues: Type.Array(
    Type.Object({
      port: Type.String(),
      queue: Type.Integer(),
      enabled: Type.Boolean(),
      /** Share of the worker's CPU over the last minute, 0 to 1. */
      load: Nullable(Type.Number()),
    }),
  ),
});
export type Worker = Static<typeof Worker>;

export const Workers = Type.Object({
  workers: Type.Array(Worker),
  /** Datapath flows: how many, and how many there may be. */
  flows: Nullable(Type.Object({ current: Type.Integer(), limit: Type.Integer() })),
  /** `load` and `pps` of each worker by CPU: 'load:2', 'pps:2'. */
  history: History,
});
export type Workers = Static<typeof Workers>;

export const TxQueue = Type.Object({
  /** Queue of the device; for a class the queue of QoS. */
  queue: Type.Integer(),
  /** Worker that sent; -1: any. */
  cpu: Type.Integer(),
  packets: Type.Number(),
  bytes: Type.Number(),
  dropped: Type.Number(),
  /** Frames that had to wait, ever. */
  queued: Type.Number(),
  /** Frames that wait now. */
  waiting: Type.Number(),
  /** How often it was stopped. */
  stops: Type.Number(),
  /** Frames by reason of the choice: hash, cpu, priority... */
  reasons: MapOf(Type.Number()),
  pps: Nullable(Type.Number()),
});
export type TxQueue = Static<typeof TxQueue>;

export const PortQueues = Type.Object({
  port: Type.String(),
  discipline: Type.String(),
  queues: Type.Array(TxQueue),
  /** Classes of QoS, where the port has any. */
  classes: Type.Array(TxQueue),
});
export type PortQueues = Static<typeof PortQueues>;
export const Queues = Type.Array(PortQueues);
export type Queues = Static<typeof Queues>;

export const DropReason = Type.Object({
  /** As coverage/show names it. */
  name: Type.String(),
  meaning: Type.String(),
  packets: Type.Number(),
  /** Packets per second. */
  rate: Nullable(Type.Number()),
  /** Example packets can be asked for (drops/:reason/examples). */
  examples: Type.Boolean(),
});
export type DropReason = Static<typeof DropReason>;

export const Drops = Type.Object({
  reasons: Type.Array(DropReason),
  /** Packets per second by reason, of reasons that ever counted. */
  history: History,
});
export type Drops = Static<typeof Drops>;
