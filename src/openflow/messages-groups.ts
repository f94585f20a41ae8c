/**
 * OpenFlow messages about groups and meters in version-independent form.
 *
 * Numbers that only a protocol version knows (commands, types) are names here; the codec
 * (codec/messages-group.ts, codec/messages-meter.ts) has the numbers.
 */
import type { OfAction } from './actions.js';

/** Reserved group numbers. */
export const OFPG = { MAX: 0xffffff00, ALL: 0xfffffffc, ANY: 0xffffffff } as const;

/** Reserved bucket numbers: a bucket without a number of its own has ALL. */
export const BUCKET = {
  MAX: 0xffffff00,
  FIRST: 0xfffffffd,
  LAST: 0xfffffffe,
  ALL: 0xffffffff,
} as const;

/** In the order of their numbers. */
export const GROUP_TYPES = ['all', 'select', 'indirect', 'ff'] as const;
export type GroupType = (typeof GROUP_TYPES)[number];

export type GroupCommand =
  | 'add'
  | 'modify'
  | 'delete'
  | 'insert_bucket'
  | 'remove_bucket'
  | 'add_or_mod';

export interface Bucket {
  /** 1.1 to 1.4 have no such number: buckets are counted from 0. */
  id: number;
  weight: number;
  /** OFPP.NONE: none. */
  watchPort: number;
  /** OFPG.ANY: none. */
  watchGroup: number;
  actions: OfAction[];
}

/** Netronome's way to say how a select group chooses; method '' says nothing. */
export interface GroupProps {
  selectionMethod: '' | 'hash' | 'dp_hash' | (string & {});
  selectionMethodParam: bigint;
  /** Fields to hash, each with the mask of bits to hash. */
  fields: { field: string; mask: Uint8Array }[];
}

export const NO_GROUP_PROPS: GroupProps = {
  selectionMethod: '',
  selectionMethodParam: 0n,
  fields: [],
};

export interface GroupMod {
  type: 'group_mod';
  command: GroupCommand;
  groupType: GroupType;
  group: number;
  /** insert_bucket: after which (or FIRST, LAST); remove_bucket: which; else ALL. */
  commandBucketId: number;
  buckets: Bucket[];
  props: GroupProps;
}

export interface GroupDescEntry {
  group: number;
  groupType: GroupType;
  buckets: Bucket[];
  props: GroupProps;
}

export interface GroupDescReply {
  type: 'group_desc_reply';
  more?: boolean;
  entries: GroupDescEntry[];
}

/** `group` OFPG.ALL: every group. 1.1 to 1.4 describe all groups only. */
export interface GroupRequest {
  type: 'group_stats_request' | 'group_desc_request';
  group: number;
}

export interface GroupStatsEntry {
  group: number;
  refCount: number;
  packets: bigint;
  bytes: bigint;
  /** 0xffffffff: not known (1.1 and 1.2). */
  durationSec: number;
  durationNsec: number;
  buckets: { packets: bigint; bytes: bigint }[];
}

export interface GroupStatsReply {
  type: 'group_stats_reply';
  more?: boolean;
  entries: GroupStatsEntry[];
}

export interface GroupFeaturesReply {
  type: 'group_features_reply';
  /** Bits by group type. */
  types: number;
  /** select_weight 1, select_liveness 2, chaining 4, chaining_checks 8. */
  capabilities: number;
  /** By group type, four of each. */
  maxGroups: number[];
  /** Bits by action number of the protocol version. */
  actions: number[];
}

/** Reserved meter numbers. */
export const OFPM = {
  MAX: 0xffff0000,
  SLOWPATH: 0xfffffffd,
  CONTROLLER: 0xfffffffe,
  ALL: 0xffffffff,
} as const;

/** Bits of a meter's flags. */
export const METER_FLAG = { KBPS: 1, PKTPS: 2, BURST: 4, STATS: 8 } as const;

export interface MeterBand {
  type: 'drop' | 'dscp_remark';
  /** kbit/s or packets/s, as the meter's flags say. */
  rate: number;
  /** kbit or packets; of effect when the meter has the burst flag. */
  burstSize: number;
  /** dscp_remark: by how much the drop precedence grows; else 0. */
  precLevel: number;
}

export interface MeterConfig {
  meter: number;
  flags: number;
  bands: MeterBand[];
}

export interface MeterMod {
  type: 'meter_mod';
  command: 'add' | 'modify' | 'delete';
  meter: MeterConfig;
}

/** `meter` OFPM.ALL: every meter. */
export interface MeterRequest {
  type: 'meter_stats_request' | 'meter_config_request';
  meter: number;
}

export interface MeterFeaturesRequest {
  type: 'meter_features_request';
}

export interface MeterConfigReply {
  type: 'meter_config_reply';
  more?: boolean;
  entries: MeterConfig[];
}

export interface MeterStatsEntry {
  meter: number;
  flows: number;
  packets: bigint;
  bytes: bigint;
  durationSec: number;
  durationNsec: number;
  bands: { packets: bigint; bytes: bigint }[];
}

export interface MeterStatsReply {
  type: 'meter_stats_reply';
  more?: boolean;
  entries: MeterStatsEntry[];
}

export interface MeterFeaturesReply {
  type: 'meter_features_reply';
  maxMeters: number;
  /** Bits by band number: drop 1 << 1, dscp_remark 1 << 2. */
  bandTypes: number;
  /** METER_FLAG bits. */
  capabilities: number;
  maxBands: number;
  maxColor: number;
}

export type GroupMessage =
  | GroupMod
  | GroupRequest
  | GroupDescReply
  | GroupStatsReply
  | GroupFeaturesReply
  | MeterMod
  | MeterRequest
  | MeterFeaturesRequest
  | MeterConfigReply
  | MeterStatsReply
  | MeterFeaturesReply;
