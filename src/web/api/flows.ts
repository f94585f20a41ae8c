/**
 * Flow tables, a page at a time, and the syntax of what is put into them.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Nullable, OneOf, PageInfo, PageQuery } from './common.js';

export const FlowQuery = Type.Composite([
  PageQuery,
  Type.Object({ table: Type.Optional(Type.Integer({ minimum: 0, maximum: 254 })) }),
]);
/** `sort`: table, priority, cookie, match, actions, packets, bytes, pps, bps, duration. */
export type FlowQuery = Static<typeof FlowQuery>;

export const FlowRow = Type.Object({
  /** The same for the same entry in every snapshot. */
  id: Type.String(),
  table: Type.Integer(),
  priority: Type.Integer(),
  /** '0x1f'. */
  cookie: Type.String(),
  /** As ofctl prints it, without the priority; '' matches everything. */
  match: Type.String(),
  actions: Type.String(),
  packets: Type.Number(),
  bytes: Type.Number(),
  /** Over the time between the last two snapshots; null for an entry seen once. */
  pps: Nullable(Type.Number()),
  /** Bits per second. */
  bps: Nullable(Type.Number()),
  /** Seconds. */
  duration: Type.Number(),
  idleTimeout: Type.Integer(),
  hardTimeout: Type.Integer(),
  /** Seconds since a packet matched, where the switch says. */
  idleAge: Nullable(Type.Integer()),
  importance: Type.Integer(),
  flags: Type.Array(Type.String()),
});
export type FlowRow = Static<typeof FlowRow>;

export const FlowPage = Type.Object({
  ...PageInfo,
  rows: Type.Array(FlowRow),
  /** Entries by table, of the whole bridge. */
  tables: Type.Array(Type.Object({ table: Type.Integer(), flows: Type.Integer() })),
});
export type FlowPage = Static<typeof FlowPage>;

export const DatapathFlowRow = Type.Object({
  id: Type.String(),
  match: Type.String(),
  actions: Type.String(),
  packets: Type.Number(),
  bytes: Type.Number(),
  pps: Nullable(Type.Number()),
  bps: Nullable(Type.Number()),
  /** Seconds since it was last hit; null: never. */
  used: Nullable(Type.Number()),
  /** The kernel forwards it. */
  offloaded: Type.Boolean(),
});
export type DatapathFlowRow = Static<typeof DatapathFlowRow>;
export const DatapathFlowPage = Type.Object({ ...PageInfo, rows: Type.Array(DatapathFlowRow) });
export type DatapathFlowPage = Static<typeof DatapathFlowPage>;

/** A flow in ofctl's syntax: 'table=0,priority=10,ip,actions=output:2'. */
export const FlowText = Type.Object({
  flow: Type.String({ minLength: 1, maxLength: 16_384 }),
  /** Names of ports and tables are this bridge's. */
  bridge: Type.Optional(Type.String({ maxLength: 64 })),
});
export type FlowText = Static<typeof FlowText>;

export const FlowCheck = Type.Object({
  ok: Type.Boolean(),
  /** With ok: the flow as the switch would print it. */
  normal: Type.Optional(Type.String()),
  /** Notes that do not keep the flow from being added. */
  warnings: Type.Optional(Type.Array(Type.String())),
  error: Type.Optional(Type.String()),
  /** Where the fault begins, characters from 0. */
  column: Type.Optional(Type.Integer()),
  length: Type.Optional(Type.Integer()),
  /** What could stand there instead. */
  expected: Type.Optional(Type.Array(Type.String())),
});
export type FlowCheck = Static<typeof FlowCheck>;

export const CompleteQuery = Type.Object({
  text: Type.String({ maxLength: 16_384 }),
  cursor: Type.Optional(Type.Integer({ minimum: 0, maximum: 16_384 })),
  bridge: Type.Optional(Type.String({ maxLength: 64 })),
});
export type CompleteQuery = Static<typeof CompleteQuery>;

export const Completion = Type.Object({
  /** What of the text a choice replaces, characters from 0. */
  from: Type.Integer(),
  to: Type.Integer(),
  items: Type.Array(
    Type.Object({
      text: Type.String(),
      kind: OneOf('field', 'value', 'action', 'port', 'keyword'),
      detail: Type.String(),
    }),
  ),
});
export type Completion = Static<typeof Completion>;

export const FlowDelete = Type.Object({
  flow: Type.String({ maxLength: 16_384 }),
  /** The entry with exactly this match and priority, not all that it contains. */
  strict: Type.Optional(Type.Boolean()),
});
export type FlowDelete = Static<typeof FlowDelete>;

/** A change that was made: what was done, in words. */
export const Changed = Type.Object({ changed: Type.String() });
export type Changed = Static<typeof Changed>;

/** PATCH ports/:p; the name is of a port or a bond. null clears a column. */
export const PortChange = Type.Object(
  {
    tag: Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: 4095 }))),
    trunks: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 4095 }))),
    vlan_mode: Type.Optional(
      Nullable(OneOf('access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel')),
    ),
    bond_mode: Type.Optional(Nullable(OneOf('active-backup', 'balance-slb', 'balance-tcp'))),
    lacp: Type.Optional(Nullable(OneOf('off', 'passive', 'active'))),
    bond_updelay: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
    bond_downdelay: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
    /** The active member of a bond, until the bond chooses again. */
    active_member: Type.Optional(Type.String({ maxLength: 64 })),
  },
  { additionalProperties: false },
);
export type PortChange = Static<typeof PortChange>;
