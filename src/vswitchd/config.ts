/**
 * What the database asks for, as plain objects: the wanted state of bridges, ports and interfaces.
 *
 * read-config.ts makes these from database rows; vswitch.ts compares them with what is running.
 * They hold no reference to rows, so a configuration can be compared, logged and made in tests by
 * hand.
 */

import type { TlsFiles } from '../common/tls.js';
import type { ExportSettings } from '../export/index.js';
import type { PortQueueSettings } from '../netdev/index.js';
import type { InBandRemote, InBandSettings } from '../ofproto/connmgr/in-band.js';
import type { TableSettings } from '../ofproto/flow-table.js';
import type {
  BundleSettings,
  ControllerSettings,
  FailMode,
  LacpSettings,
  MirrorSettings,
} from '../ofproto/settings.js';
import type { QosConfig } from './read-qos.js';

export interface IfaceConfig {
  /** Row in the Interface table, or null for a local port that no row describes. */
  uuid: string | null;
  name: string;
  /** 'system', 'internal', 'tap', 'patch', 'dummy'... as the row says ('' becomes 'system'). */
  type: string;
  /** 1 to 65279, or null: the switch chooses. */
  ofportRequest: number | null;
  /** Wanted MAC, 6 bytes (internal ports), or null. */
  mac: Uint8Array | null;
  mtuRequest: number | null;
  /** Receive and transmit queues. */
  queues: PortQueueSettings;
  /** The QoS row of its port. */
  qos: QosConfig | null;
  /** other_config's LACP settings. */
  lacp: IfaceLacpConfig;
  options: ReadonlyMap<string, string>;
}

/** LACP settings of an Interface; null: what follows from its OpenFlow port number. */
export interface IfaceLacpConfig {
  portId: number | null;
  portPriority: number | null;
  /** Aggregation key; 0: none of its own. */
  key: number;
}

/** LACP settings of a Port; systemId null: the bridge's MAC. */
export type PortLacpConfig = Omit<LacpSettings, 'systemId'> & { systemId: Uint8Array | null };

/** Settings of a port except what only the running state knows: numbers of ports, MACs. */
export type PortSettings = Omit<BundleSettings, 'members' | 'lacp' | 'lacpMembers'> & {
  lacp: PortLacpConfig | null;
};

export interface PortConfig {
  uuid: string | null;
  name: string;
  ifaces: IfaceConfig[];
  settings: PortSettings;
}

export interface BridgeConfig {
  uuid: string;
  name: string;
  /** 'netdev' or 'dummy'; 'system' and '' are served by the same user-space datapath. */
  datapathType: string;
  /** other_config:datapath-id, or null: derived from the bridge's MAC. */
  datapathId: bigint | null;
  /** other_config:hwaddr, or null: the lowest MAC of the ports. */
  hwaddr: Uint8Array | null;
  failMode: FailMode;
  controllers: ControllerSettings[];
  inBand: InBandSettings;
  /** OpenFlow versions allowed, as on the wire (1.0 is 1); empty: the default set. */
  protocols: number[];
  macAgingSec: number;
  macTableSize: number;
  floodVlans: ReadonlySet<number> | null;
  forwardBpdu: boolean;
  dpDesc: string | null;
  /** By table number. */
  flowTables: ReadonlyMap<number, TableSettings>;
  ports: PortConfig[];
  /** By the row's UUID. */
  mirrors: ReadonlyMap<string, MirrorSettings>;
  exports: ExportSettings;
}

export interface SwitchConfig {
  bridges: BridgeConfig[];
  /** Names that no bridge can have, of rows that are there. */
  invalidNames: string[];
  nextCfg: number;
  /** Open_vSwitch ssl; null: the row is not there. */
  tls: TlsFiles | null;
  /** Open_vSwitch other_config. */
  otherConfig: ReadonlyMap<string, string>;
  /** Managers that are reached through bridges. */
  managers: InBandRemote[];
}
