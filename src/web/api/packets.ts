/**
 * Single packets: traces, captures, examples of what was dropped.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Nullable, OneOf } from './common.js';

export const TraceRequest = Type.Object({
  bridge: Type.String({ maxLength: 64 }),
  /** In ofctl's syntax: 'in_port=1,tcp,dl_src=...'. Names of ports are allowed. */
  flow: Type.Optional(Type.String({ maxLength: 8192 })),
  /** A frame; with `inPort`. */
  packetHex: Type.Optional(Type.String({ maxLength: 40_000, pattern: '^([0-9a-fA-F]{2})*$' })),
  /** Name or OpenFlow number. */
  inPort: Type.Optional(Type.String({ maxLength: 64 })),
});
export type TraceRequest = Static<typeof TraceRequest>;

/** One step; what it led to is in `steps`. */
export const TraceStep = Type.Recursive(
  (This) =>
    Type.Object({
      kind: OneOf(
        ...(['bridge', 'table', 'action', 'normal', 'bond', 'queue', 'output', 'drop'] as const),
        ...(['detail', 'warning', 'error'] as const),
      ),
      text: Type.String(),
      /** Of a table: its number, and the entry that matched. */
      table: Type.Optional(Type.Integer()),
      /** Match and priority, or 'No match.'. */
      entry: Type.Optional(Type.String()),
      /** Of an output: the port's name where it is known. */
      port: Type.Optional(Type.String()),
      steps: Type.Array(This),
    }),
  { $id: 'TraceStep' },
);
export type TraceStep = Static<typeof TraceStep>;

/** One way through the tables: the first, or after a recirculation. */
export const TracePass = Type.Object({
  bridge: Type.String(),
  recirculation: Nullable(Type.Integer()),
  /** The packet as it came. */
  flow: Type.String(),
  steps: Type.Array(TraceStep),
  /** The packet as it goes; null: unchanged. */
  finalFlow: Nullable(Type.String()),
  /** All that was consulted. */
  megaflow: Type.String(),
  datapathActions: Type.String(),
  forwarded: Type.Boolean(),
  error: Nullable(Type.String()),
  slowPath: Nullable(Type.String()),
  /** Why the packet, or a copy of it, went no further. */
  drops: Type.Array(Type.Object({ where: Type.String(), why: Type.String() })),
});
export type TracePass = Static<typeof TracePass>;

export const TraceAnswer = Type.Object({
  passes: Type.Array(TracePass),
  /** Where copies of the packet leave. */
  outputs: Type.Array(
    Type.Object({
      port: Type.String(),
      /** The bond that chose it. */
      bond: Nullable(Type.String()),
      queue: Nullable(Type.Integer()),
    }),
  ),
});
export type TraceAnswer = Static<typeof TraceAnswer>;

export const CaptureRequest = Type.Object(
  {
    port: Type.String({ minLength: 1, maxLength: 64 }),
    /** In pcap-filter(7)'s syntax. */
    filter: Type.Optional(Type.String({ maxLength: 500 })),
    seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60 })),
    packets: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000 })),
  },
  { additionalProperties: false },
);
export type CaptureRequest = Static<typeof CaptureRequest>;

export const Capture = Type.Object({
  id: Type.String(),
  /** A port's name; 'drops' for examples of dropped packets. */
  port: Type.String(),
  filter: Type.String(),
  state: OneOf('running', 'done', 'failed'),
  error: Nullable(Type.String()),
  startedAt: Type.Number(),
  seconds: Type.Integer(),
  packets: Type.Integer(),
  bytes: Type.Integer(),
});
export type Capture = Static<typeof Capture>;
export const Captures = Type.Array(Capture);
export type Captures = Static<typeof Captures>;

export const PacketRow = Type.Object({
  index: Type.Integer(),
  /** Milliseconds since 1970, with fractions. */
  at: Type.Number(),
  /** Bytes on the wire; `hex` may hold fewer. */
  length: Type.Integer(),
  /** 'in', 'out', '' where not known. */
  direction: OneOf('in', 'out', ''),
  /** Of an example of a drop: the port it came in by. */
  port: Nullable(Type.String()),
  source: Type.String(),
  destination: Type.String(),
  protocol: Type.String(),
  summary: Type.String(),
  /** For an example of a drop: the reason's name. */
  reason: Nullable(Type.String()),
  /** The flow that a trace of it needs, without in_port. */
  flow: Type.String(),
  hex: Type.String(),
});
export type PacketRow = Static<typeof PacketRow>;

export const Packets = Type.Object({
  capture: Capture,
  total: Type.Integer(),
  offset: Type.Integer(),
  rows: Type.Array(PacketRow),
});
export type Packets = Static<typeof Packets>;

/** drops/:reason/examples?seconds=&packets= : waits until there are some, or the time is over. */
export const DropExamples = Type.Object({
  reason: Type.String(),
  seconds: Type.Number(),
  rows: Type.Array(PacketRow),
});
export type DropExamples = Static<typeof DropExamples>;
