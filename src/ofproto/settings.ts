/**
 * What the configuration layer tells the OpenFlow layer: plain settings, one interface for each
 * thing that has settings, with Open vSwitch's defaults.
 *
 * Not for: state (see bundle.ts, bond.ts, ofproto.ts) or the database's column names.
 */
import type { DpNetdev } from '../datapath/dpif.js';

/** What the OpenFlow layer needs of a device; every Netdev of src/netdev satisfies it. */
export interface PortDevice extends DpNetdev {
  readonly name: string;
  /** 'system', 'tap', 'internal', 'patch', 'dummy'. Patch devices never reach the datapath. */
  readonly type: string;
  /** The type as dpif/show prints it, where it is another: an internal port is a 'tap' there. */
  readonly dpifType?: string;
  /** For type 'patch': the name of the peer's port, null while it has none. */
  readonly patchPeer?: string | null;
  /** 6 bytes. */
  etherAddr(): Uint8Array;
  /** True while the link is up (both ends, for veth). */
  carrier(): boolean;
  /** How often the carrier changed; lets a short flap be seen between two polls. */
  carrierResets(): number;
  /** The link bit of its MII registers, for bond-detect-mode=miimon; null: unreadable. */
  miiLink?(): boolean | null;
  adminUp(): boolean;
  setAdminUp(up: boolean): void;
  mtu(): number;
  /** OpenFlow 1.1+ port feature bits (10MB_HD is bit 0); 0 when unknown. */
  features?(): PortFeatures;
  /** Counters under the names of Interface.statistics. */
  statistics?(): Readonly<Record<string, number | undefined>>;
  /** Numbers of its transmit queues, where it has configured ones. */
  queueIds?(): readonly number[];
  /** Patch devices: what translation took across. */
  countTx?(packets: number, bytes: number): void;
  countRx?(packets: number, bytes: number): void;
  /** Link speed in Mbit/s, 0 when unknown. */
  speedMbps?(): number;
  /** Null when unknown. */
  fullDuplex?(): boolean | null;
  /** 0 when the device has none. */
  ifindex?(): number;
}

export interface PortFeatures {
  current: number;
  advertised: number;
  supported: number;
  peer: number;
}

export type VlanMode = 'access' | 'trunk' | 'native-tagged' | 'native-untagged' | 'dot1q-tunnel';

export type BondMode = 'active-backup' | 'balance-slb' | 'balance-tcp';

export interface BondSettings {
  mode: BondMode;
  /** Milliseconds a link must be up before it is used. */
  updelayMs: number;
  /** Milliseconds a link must be down before it is given up. */
  downdelayMs: number;
  /** bond-hash-basis. */
  basis: number;
  /** Milliseconds between rebalances; 0: never. */
  rebalanceIntervalMs: number;
  /** bond-primary: the member preferred in active-backup. */
  primary: string | null;
  lacpFallbackAb: boolean;
  allMembersActive: boolean;
  useLbOutput: boolean;
  /** bond_active_slave as stored: MAC of the member to prefer at start, null for none. */
  activeMemberMac: Uint8Array | null;
  /** bond-detect-mode. */
  detect: 'carrier' | 'miimon';
  miimonIntervalMs: number;
}

/** Defaults of bond settings, as ovs-vswitchd.conf.db(5) states them. */
export function defaultBondSettings(): BondSettings {
  return {
    mode: 'active-backup',
    updelayMs: 0,
    downdelayMs: 0,
    basis: 0,
    rebalanceIntervalMs: 10_000,
    primary: null,
    lacpFallbackAb: false,
    allMembersActive: false,
    useLbOutput: false,
    activeMemberMac: null,
    detect: 'carrier',
    miimonIntervalMs: 200,
  };
}

export interface BundleSettings {
  /** The configuration's port name. */
  name: string;
  /** OpenFlow port numbers of the members, in configuration order. */
  members: number[];
  vlanMode: VlanMode;
  /** Access or native VLAN; -1: none (a trunk of all VLANs). */
  tag: number;
  /** VLANs carried; null: all. */
  trunks: ReadonlySet<number> | null;
  /** dot1q-tunnel: customer VLANs carried; null: all. */
  cvlans: ReadonlySet<number> | null;
  /** other_config:priority-tags. */
  priorityTags: 'never' | 'if-nonzero' | 'always';
  /** other_config:qinq-ethtype of dot1q-tunnel. */
  qinqEthType: number;
  /** Set when there are several members (or LACP). */
  bond: BondSettings | null;
  lacp: LacpSettings | null;
  /** LACP settings of the members that have any, by OpenFlow port number. */
  lacpMembers?: ReadonlyMap<number, LacpMemberSettings>;
  protected: boolean;
}

/** Settings of an access-less trunk port with one member: what add-port without options gives. */
export function defaultBundleSettings(name: string, members: number[]): BundleSettings {
  return {
    name,
    members,
    vlanMode: 'trunk',
    tag: -1,
    trunks: null,
    cvlans: null,
    priorityTags: 'never',
    qinqEthType: 0x88a8,
    bond: null,
    lacp: null,
    protected: false,
  };
}

/** A mirror: packets of some ports, in some VLANs, are copied to a port or into a VLAN. */
export interface MirrorSettings {
  name: string;
  /** Every port of the bridge; `srcPorts` and `dstPorts` do not count then. */
  selectAll: boolean;
  /** Ports (bundle keys) whose arriving packets are copied, and whose departing ones are. */
  srcPorts: readonly string[];
  dstPorts: readonly string[];
  /** VLANs whose packets are copied; null: all. */
  vlans: ReadonlySet<number> | null;
  /** The bundle that takes the copies and nothing else; null: `outVlan` does. */
  outPort: string | null;
  outVlan: number | null;
  /** Bytes that a copy is cut to; 0: it goes whole. */
  snaplen: number;
  /** Only packets of this flow are copied, in the syntax of matches; '': all. */
  filter: string;
}

export interface LacpSettings {
  active: boolean;
  fast: boolean;
  /** 6 bytes, not all of them 0. */
  systemId: Uint8Array;
  systemPriority: number;
  fallbackAb: boolean;
}

export interface LacpMemberSettings {
  /** 1 to 65535, unique in the system. */
  portId: number;
  portPriority: number;
  /** Aggregation key; 0: the first member's port id. */
  key: number;
}

export type FailMode = 'standalone' | 'secure';

export type ControllerKind = 'primary' | 'service';

export interface ControllerSettings {
  /** 'tcp:127.0.0.1:6653', 'unix:path', 'ptcp:6653', 'punix:path', 'none' is not given here. */
  target: string;
  /** 'in-band': it is reached through the bridge, whatever its tables say (connmgr/in-band.ts). */
  connectionMode: 'in-band' | 'out-of-band';
  maxBackoffMs: number;
  inactivityProbeMs: number;
  /**
   * Whether it is in charge of the bridge ('primary'; fail-mode is for when it is gone) or only
   * looks on ('service'); unset: who is connected to is in charge, who connects looks on.
   */
  kind?: ControllerKind;
  /** What it is told unasked; nothing is limited, and all is told, unless said otherwise. */
  async?: AsyncSettings;
}

/** Limits of what a controller is told without having asked. */
export interface AsyncSettings {
  /** It hears nothing unless it says what it wants. */
  enabled: boolean;
  /** Packets a second, and at once; 0: no limit, a quarter of the rate. */
  ratePps: number;
  burst: number;
  /** Packets that it may leave unread; 0: as many as 1 MiB holds. */
  queueMax: number;
}

/** What the configuration layer writes back for one controller row. */
export interface ControllerStatus {
  target: string;
  connected: boolean;
  /** Null: it is not connected. */
  role: 'other' | 'master' | 'slave' | null;
  lastError: string | null;
  state: string;
  secSinceConnect: number | null;
  secSinceDisconnect: number | null;
  /** Counters of limited packets, by their names in the database. */
  packetIns: ReadonlyMap<string, number>;
}

export interface MacTableSettings {
  idleSec: number;
  max: number;
}

/** What ofp_desc_stats says about a bridge. */
export interface OfprotoDesc {
  mfrDesc: string;
  hwDesc: string;
  swDesc: string;
  serialDesc: string;
  dpDesc: string;
}

/** Settings that hold for every bridge of the daemon (Open_vSwitch other_config). */
export interface UdpifSettings {
  flowLimit: number;
  maxIdleMs: number;
  maxRevalidatorMs: number;
  minRevalidatePps: number;
}

export function defaultUdpifSettings(): UdpifSettings {
  return { flowLimit: 200_000, maxIdleMs: 10_000, maxRevalidatorMs: 500, minRevalidatePps: 5 };
}
