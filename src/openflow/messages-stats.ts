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
    | 'table_features_request'
    | 'table_desc_request';
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

/** A property of table features: what a table can match, do or set. */
export interface TableFeaturesProperty {
  type: number;
  data: Uint8Array;
}

export interface TableFeaturesEntry {
  table: number;
  name: string;
  metadataMatch: bigint;
  metadataWrite: bigint;
  config: number;
  maxEntries: number;
  properties: TableFeaturesProperty[];
}

export interface TableFeaturesReply {
  type: 'table_features_reply';
  more?: boolean;
  entries: TableFeaturesEntry[];
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
  | TableFeaturesReply;
