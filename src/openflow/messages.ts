/**
 * OpenFlow messages, decoded, in one version-independent form.
 *
 * The codec turns bytes of any supported version into these and back. Ports are 32-bit numbers
 * (OFPP in actions.ts), cookies are bigint (control plane only), times are seconds as the
 * protocol has them unless a name says otherwise.
 */
import type { OfAction } from './actions.js';
import type { Match } from './match.js';
import type { BundleMessage } from './messages-bundle.js';
import type { ControlMessage } from './messages-control.js';
import type { ExtensionMessage } from './messages-extension.js';
import type { GroupMessage } from './messages-groups.js';
import type { MonitorMessage } from './messages-monitor.js';
import type { StatsMessage } from './messages-stats.js';
import type { TableMessage } from './messages-tables.js';

/** Protocol versions as on the wire. */
export const OFP_VERSION = {
  OF10: 0x01,
  OF11: 0x02,
  OF12: 0x03,
  OF13: 0x04,
  OF14: 0x05,
  OF15: 0x06,
} as const;

export interface FlowMod {
  type: 'flow_mod';
  command: 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';
  /** 255: all tables (delete), or the switch's choice (add). */
  table: number;
  match: Match;
  priority: number;
  cookie: bigint;
  /** Which cookie bits a modify or delete compares (`cookie` then being the value). */
  cookieMask: bigint;
  /** For modify: the cookie to set, or null to keep. */
  newCookie: bigint | null;
  /** `newCookie` is for an entry that has to be added alone (OpenFlow 1.1's modify). */
  keepCookie?: boolean;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  bufferId: number;
  outPort: number;
  outGroup: number;
  /** send_flow_rem, check_overlap, reset_counts, no_packet_counts, no_byte_counts as set bits. */
  flags: {
    sendFlowRem: boolean;
    checkOverlap: boolean;
    resetCounts: boolean;
    noPktCounts: boolean;
    noByteCounts: boolean;
  };
  actions: OfAction[];
}

export interface FlowStatsRequest {
  type: 'flow_stats_request';
  /** Nicira's form of OpenFlow 1.0; the reply is to have the same. */
  nx?: boolean;
  aggregate: boolean;
  table: number;
  match: Match;
  outPort: number;
  outGroup: number;
  cookie: bigint;
  cookieMask: bigint;
}

export interface FlowStatsEntry {
  table: number;
  match: Match;
  priority: number;
  cookie: bigint;
  durationSec: number;
  durationNsec: number;
  idleTimeout: number;
  hardTimeout: number;
  /** Seconds since last hit; -1 when unknown. */
  idleAge: number;
  hardAge: number;
  importance: number;
  packets: bigint;
  bytes: bigint;
  flags: FlowMod['flags'];
  actions: OfAction[];
}

export interface PacketOut {
  type: 'packet_out';
  bufferId: number;
  inPort: number;
  data: Uint8Array;
  actions: OfAction[];
  /** 1.5: what else the packet is to carry: tunnel, registers, metadata. */
  metadata?: Match;
}

export interface PacketIn {
  type: 'packet_in';
  bufferId: number;
  totalLen: number;
  inPort: number;
  /** no_match 0, action 1, invalid_ttl 2, action_set 3, group 4, packet_out 5. */
  reason: number;
  table: number;
  cookie: bigint;
  data: Uint8Array;
  /** Metadata fields of the packet, as a match (registers, tunnel, in_port...). */
  metadata: Match;
  userdata?: Uint8Array;
  /** The switch waits for the packet to come back with this (nxt_packet_in2 alone). */
  continuation?: Uint8Array;
  /** Sent in this form over OpenFlow 1.0 and, for the Nicira forms, any version. */
  format?: 'standard' | 'nxt_packet_in' | 'nxt_packet_in2';
}

/** A paused packet comes back: as it was sent in a packet_in, or changed. */
export interface NxResume {
  type: 'nx_resume';
  /** As in the packet_in; absent: no_match. */
  reason?: number;
  data: Uint8Array;
  metadata: Match;
  continuation: Uint8Array;
}

export interface FlowRemoved {
  type: 'flow_removed';
  match: Match;
  table: number;
  priority: number;
  cookie: bigint;
  /** idle 0, hard 1, delete 2, group_delete 3, meter_delete 4, eviction 5. */
  reason: number;
  durationSec: number;
  durationNsec: number;
  idleTimeout: number;
  hardTimeout: number;
  packets: bigint;
  bytes: bigint;
}

export interface PortDesc {
  portNo: number;
  hwAddr: Uint8Array;
  name: string;
  /** Bits as OpenFlow 1.1+: port_down 1, no_recv 4, no_fwd 32, no_packet_in 64; 1.0 adds no_stp 2,
   * no_recv_stp 8, no_flood 16. */
  config: number;
  /** link_down 1, blocked 2, live 4. */
  state: number;
  curr: number;
  advertised: number;
  supported: number;
  peer: number;
  currSpeedKbps: number;
  maxSpeedKbps: number;
}

export interface PortStatsEntry {
  portNo: number;
  rxPackets: bigint;
  txPackets: bigint;
  rxBytes: bigint;
  txBytes: bigint;
  rxDropped: bigint;
  txDropped: bigint;
  rxErrors: bigint;
  txErrors: bigint;
  rxFrameErr: bigint;
  rxOverErr: bigint;
  rxCrcErr: bigint;
  collisions: bigint;
  durationSec: number;
  durationNsec: number;
  /** Since 1.4, Intel's extension: counters of the device's own. */
  custom?: { name: string; value: bigint }[];
}

export interface FeaturesReply {
  type: 'features_reply';
  datapathId: bigint;
  nBuffers: number;
  nTables: number;
  auxiliaryId: number;
  capabilities: number;
  /** 1.0: bit mask of supported actions. */
  actions: number;
  /** 1.0 to 1.2 carry the ports here. */
  ports: PortDesc[];
}

export interface PortMod {
  type: 'port_mod';
  portNo: number;
  hwAddr: Uint8Array;
  config: number;
  mask: number;
  advertise: number;
}

export interface PortStatus {
  type: 'port_status';
  /** add 0, delete 1, modify 2. */
  reason: number;
  desc: PortDesc;
}

export interface OfError {
  type: 'error';
  /** Name as in the specification's enumerations: 'OFPBRC_BAD_TYPE', 'OFPFMFC_TABLE_FULL'... */
  error: string;
  /** The message that was refused (its beginning), or for OFPHFC_* a text. */
  data: Uint8Array;
  /** As on the wire when `error` is 'unknown'. */
  errorType?: number;
  errorCode?: number;
}

/** Any OpenFlow message. */
export type OfMessage =
  | NxResume
  | FlowMod
  | FlowStatsRequest
  | PacketOut
  | PacketIn
  | FlowRemoved
  | FeaturesReply
  | PortMod
  | PortStatus
  | OfError
  | ControlMessage
  | GroupMessage
  | BundleMessage
  | MonitorMessage
  | TableMessage
  | ExtensionMessage
  | StatsMessage;
