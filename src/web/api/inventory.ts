/**
 * What there is: the switch itself, its bridges, ports, neighbours and controllers.
 *
 * Not for: bonds (bonds.ts), flow tables (flows.ts), the datapath (datapath.ts).
 */
import { type Static, Type } from '@sinclair/typebox';
import { History, MapOf, Nullable, OneOf } from './common.js';

/** What this subject can be asked: what is false has no endpoint that answers. */
export const Capabilities = Type.Object({
  /** POST trace. */
  trace: Type.Boolean(),
  /** GET drops: counters by reason. */
  drops: Type.Boolean(),
  /** GET drops/:reason/examples. */
  dropExamples: Type.Boolean(),
  /** GET workers. */
  workers: Type.Boolean(),
  /** GET queues: transmit queues. */
  queues: Type.Boolean(),
  /** Bond members say why they are (not) used, and what happened. */
  bondReasons: Type.Boolean(),
  /** POST captures. */
  capture: Type.Boolean(),
  /** GET logs. */
  logs: Type.Boolean(),
  /** GET datapath/flows. */
  datapathFlows: Type.Boolean(),
});
export type Capabilities = Static<typeof Capabilities>;

export const System = Type.Object({
  /** The host's name, or what `external_ids:system-id` calls the switch. */
  name: Type.String(),
  hostname: Type.String(),
  /** Of this console. */
  version: Type.String(),
  subject: OneOf('tapswitch', 'Open vSwitch', 'none'),
  /** What the subject says of itself. */
  subjectVersion: Type.String(),
  pid: Type.Optional(Type.Integer()),
  /** When this console started, milliseconds since 1970. */
  startedAt: Type.Number(),
  /** The console's clock now, milliseconds since 1970. */
  now: Type.Number(),
  /** Changes are allowed, to those who have the token. */
  write: Type.Boolean(),
  /** Even reading needs the token. */
  tokenNeeded: Type.Boolean(),
  /** Whether each of the subject's sockets answers. */
  connected: Type.Object({
    database: Type.Boolean(),
    control: Type.Boolean(),
    /** Bridges whose OpenFlow socket answers. */
    openflow: Type.Array(Type.String()),
  }),
  capabilities: Capabilities,
});
export type System = Static<typeof System>;

export const TopologyNode = Type.Object({
  /** 'bridge:br0', 'port:p0', 'bond:bond0', 'namespace:red', 'controller:tcp:...'. */
  id: Type.String(),
  kind: OneOf('bridge', 'port', 'bond', 'namespace', 'device', 'controller'),
  label: Type.String(),
  /** Of a port or bond. */
  bridge: Type.Optional(Type.String()),
  /** Of a port: the interface's type. */
  type: Type.Optional(Type.String()),
  state: OneOf('up', 'down', 'error', 'unknown'),
  /** Of a member: it carries the bond's traffic. */
  active: Type.Optional(Type.Boolean()),
  /** One line more: an error, a VLAN, the device's name inside the namespace. */
  detail: Type.Optional(Type.String()),
});
export type TopologyNode = Static<typeof TopologyNode>;

export const TopologyEdge = Type.Object({
  id: Type.String(),
  from: Type.String(),
  to: Type.String(),
  /** 'port': bridge to port or bond; 'member': bond to port; 'veth': port to the other end. */
  kind: OneOf('port', 'member', 'patch', 'veth', 'controller'),
  state: OneOf('up', 'down', 'unknown'),
  /** Bits per second both ways together, where the edge is a port's. */
  bps: Type.Optional(Type.Number()),
});
export type TopologyEdge = Static<typeof TopologyEdge>;

export const Topology = Type.Object({
  nodes: Type.Array(TopologyNode),
  edges: Type.Array(TopologyEdge),
});
export type Topology = Static<typeof Topology>;

export const Bridge = Type.Object({
  name: Type.String(),
  datapathId: Nullable(Type.String()),
  datapathType: Type.String(),
  failMode: Nullable(Type.String()),
  protocols: Type.Array(Type.String()),
  /** Names of its ports, bonds among them. */
  ports: Type.Array(Type.String()),
  controllers: Type.Array(Type.String()),
  /** Entries of all flow tables; null while the bridge's OpenFlow socket does not answer. */
  flows: Nullable(Type.Integer()),
  macs: Nullable(Type.Integer()),
});
export type Bridge = Static<typeof Bridge>;
export const Bridges = Type.Array(Bridge);
export type Bridges = Static<typeof Bridges>;

/** Counters since the port came up. */
export const PortStatistics = Type.Object({
  rxPackets: Type.Number(),
  rxBytes: Type.Number(),
  rxDropped: Type.Number(),
  rxErrors: Type.Number(),
  txPackets: Type.Number(),
  txBytes: Type.Number(),
  txDropped: Type.Number(),
  txErrors: Type.Number(),
});
export type PortStatistics = Static<typeof PortStatistics>;

/** Per second, over the last sampling interval. Bits, not bytes. */
export const PortRates = Type.Object({
  rxPps: Type.Number(),
  rxBps: Type.Number(),
  txPps: Type.Number(),
  txBps: Type.Number(),
  /** Packets dropped both ways. */
  drops: Type.Number(),
});
export type PortRates = Static<typeof PortRates>;

/** One interface. A bond is in `bonds`; its members are ports here, with `bond` set. */
export const Port = Type.Object({
  name: Type.String(),
  bridge: Type.String(),
  /** Null while the switch has not opened it. */
  ofport: Nullable(Type.Integer()),
  /** 'system', 'internal', 'tap', 'patch'... */
  type: Type.String(),
  link: Nullable(OneOf('up', 'down')),
  admin: Nullable(OneOf('up', 'down')),
  mac: Nullable(Type.String()),
  mtu: Nullable(Type.Integer()),
  /** Bits per second, as the device says. */
  speed: Nullable(Type.Number()),
  ifindex: Nullable(Type.Integer()),
  /** Of the port (for a member: of its bond). */
  tag: Nullable(Type.Integer()),
  trunks: Type.Array(Type.Integer()),
  vlanMode: Nullable(Type.String()),
  bond: Nullable(Type.String()),
  /** Of a patch port: the other end. */
  peer: Nullable(Type.String()),
  /** The other end of a veth, where it can be seen. */
  far: Nullable(Type.Object({ namespace: Nullable(Type.String()), device: Type.String() })),
  /** Why the switch could not open it. */
  error: Nullable(Type.String()),
  statistics: PortStatistics,
  /** Null until two samples have been taken. */
  rates: Nullable(PortRates),
  /** The last two minutes of `rates`, by name; empty until somebody has watched. */
  history: History,
});
export type Port = Static<typeof Port>;
export const Ports = Type.Array(Port);
export type Ports = Static<typeof Ports>;

export const MacEntry = Type.Object({
  mac: Type.String(),
  vlan: Type.Integer(),
  /** The port's or bond's name, or its OpenFlow number as text. */
  port: Type.String(),
  /** Seconds since it was seen; null for one that stays. */
  age: Nullable(Type.Number()),
});
export type MacEntry = Static<typeof MacEntry>;
export const Macs = Type.Array(MacEntry);
export type Macs = Static<typeof Macs>;

export const Group = Type.Object({
  id: Type.Integer(),
  type: Type.String(),
  /** As ofctl prints it, without id and type. */
  buckets: Type.Array(
    Type.Object({ text: Type.String(), packets: Type.Number(), bytes: Type.Number() }),
  ),
  packets: Type.Number(),
  bytes: Type.Number(),
  duration: Type.Number(),
});
export type Group = Static<typeof Group>;
export const Groups = Type.Array(Group);
export type Groups = Static<typeof Groups>;

export const Meter = Type.Object({
  id: Type.Integer(),
  flags: Type.Array(Type.String()),
  bands: Type.Array(
    Type.Object({
      type: Type.String(),
      rate: Type.Number(),
      burst: Type.Number(),
      packets: Type.Number(),
      bytes: Type.Number(),
    }),
  ),
  flows: Type.Integer(),
  packets: Type.Number(),
  bytes: Type.Number(),
  duration: Type.Number(),
});
export type Meter = Static<typeof Meter>;
export const Meters = Type.Array(Meter);
export type Meters = Static<typeof Meters>;

export const Controller = Type.Object({
  bridge: Type.String(),
  target: Type.String(),
  connected: Type.Boolean(),
  role: Nullable(Type.String()),
  /** What the switch says of the connection: state, last_error, sec_since_connect... */
  status: MapOf(Type.String()),
});
export type Controller = Static<typeof Controller>;
export const Controllers = Type.Array(Controller);
export type Controllers = Static<typeof Controllers>;
