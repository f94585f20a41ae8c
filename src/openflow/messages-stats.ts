/**
 * Statistics (multipart) requests and replies in version-independent form.
 *
 * A reply may come in several messages: `more` is set in all but the last. `nx` says that the
 * message is Nicira's form of OpenFlow 1.0; a reply takes it over from its request.
 */
import type { FlowStatsEntry, PortDesc, PortStatsEntry } from './messages.js';

export interface StatsRequest {
  type:
    | 'desc_stats_request'
    | 'table_stats_request'
    | 'group_features_request'
    | 'table_desc_request'
    | 'ipfix_bridge_stats_request'
    | 'ipfix_flow_stats_request';
}

export interface DescStatsReply {
  type: 'desc_stats_reply';
  mfrDesc: string;
  hwDesc: string;
  swDesc: string;
  serialNum: string;
  dpDesc: string;
}

export interface FlowStatsReply {
  type: 'flow_stats_reply';
  nx?: boolean;
  more?: boolean;
  entries: FlowStatsEntry[];
}

export interface AggregateStatsReply {
  type: 'aggregate_stats_reply';
  nx?: boolean;
  packets: bigint;
  bytes: bigint;
  flows: number;
}

export interface TableStatsEntry {
  table: number;
  name: string;
  /** OpenFlow 1.0: which fields may be wildcarded. */
  wildcards: number;
  maxEntries: number;
  active: number;
  lookups: bigint;
  matched: bigint;
  /** OpenFlow 1.1 and 1.2: what a miss does, controller 0, continue 1, drop 2. */
  missConfig?: number;
  /** OpenFlow 1.1 and 1.2, when sent: no other table can be reached from it. */
  last?: boolean;
  /** OpenFlow 1.1 and 1.2: what the table can do; when sent, unset: all that this switch can. */
  abilities?: TableAbilities;
}

/** Bits by the numbers of fields, actions and instructions in the message's version. */
export interface TableAbilities {
  match: bigint;
  wildcards: bigint;
  writeActions: number;
  applyActions: number;
  instructions: number;
  /** From here on: OpenFlow 1.2 alone, else 0. */
  writeSetFields: bigint;
  applySetFields: bigint;
  metadataMatch: bigint;
  metadataWrite: bigint;
}

export interface TableStatsReply {
  type: 'table_stats_reply';
  more?: boolean;
  entries: TableStatsEntry[];
}

export interface PortStatsRequest {
  type: 'port_stats_request';
  /** OFPP.NONE: every port. */
  port: number;
}

export interface PortStatsReply {
  type: 'port_stats_reply';
  more?: boolean;
  entries: PortStatsEntry[];
}

export interface PortDescRequest {
  type: 'port_desc_request';
  port: number;
}

export interface PortDescReply {
  type: 'port_desc_reply';
  more?: boolean;
  entries: PortDesc[];
}

export interface QueueStatsRequest {
  type: 'queue_stats_request';
  port: number;
  /** 0xffffffff: every queue. */
  queue: number;
}

export interface QueueStatsEntry {
  port: number;
  queue: number;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  durationSec: number;
  durationNsec: number;
}

export interface QueueStatsReply {
  type: 'queue_stats_reply';
  more?: boolean;
  entries: QueueStatsEntry[];
}

/** Since 1.4, in place of queue_get_config_request. */
export interface QueueDescRequest {
  type: 'queue_desc_request';
  /** OFPP.NONE: every port. */
  port: number;
  /** 0xffffffff: every queue. */
  queue: number;
}

export interface QueueDescEntry {
  port: number;
  queue: number;
  /** Tenths of a percent; undefined: not limited. */
  minRate?: number;
  maxRate?: number;
}

export interface QueueDescReply {
  type: 'queue_desc_reply';
  more?: boolean;
  entries: QueueDescEntry[];
}

/** Nicira: what a bridge's IPFIX exporters have counted. */
export interface IpfixStatsEntry {
  totalFlows: bigint;
  currentFlows: bigint;
  packets: bigint;
  ipv4Packets: bigint;
  ipv6Packets: bigint;
  errorPackets: bigint;
  ipv4ErrorPackets: bigint;
  ipv6ErrorPackets: bigint;
  txPackets: bigint;
  txErrors: bigint;
  /** 0: the bridge's own. */
  collectorSet: number;
}

export interface IpfixStatsReply {
  type: 'ipfix_bridge_stats_reply' | 'ipfix_flow_stats_reply';
  more?: boolean;
  entries: IpfixStatsEntry[];
}

export type StatsMessage =
  | StatsRequest
  | DescStatsReply
  | FlowStatsReply
  | AggregateStatsReply
  | TableStatsReply
  | PortStatsRequest
  | PortStatsReply
  | PortDescRequest
  | PortDescReply
  | QueueStatsRequest
  | QueueStatsReply
  | QueueDescRequest
  | QueueDescReply
  | IpfixStatsReply;
