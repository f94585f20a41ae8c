/**
 * Messages about whole tables: what they can do, how they are set, what happens when they are full.
 */

/** A property of table features: what a table can match, do or set. */
export interface TableFeaturesProperty {
  type: number;
  data: Uint8Array;
}

export interface TableFeaturesEntry {
  table: number;
  /** 1.5, in requests: replace 0, modify 1, enable 2, disable 3. */
  command?: number;
  /** 1.5: bits ingress 1, egress 2, first egress 16. */
  features?: number;
  name: string;
  metadataMatch: bigint;
  metadataWrite: bigint;
  /** TABLE_CONFIG bits; 1.4 and later: capabilities. */
  config: number;
  maxEntries: number;
  properties: TableFeaturesProperty[];
}

/** Without entries it asks; with them it sets. */
export interface TableFeaturesRequest {
  type: 'table_features_request';
  more?: boolean;
  entries?: TableFeaturesEntry[];
}

export interface TableFeaturesReply {
  type: 'table_features_reply';
  more?: boolean;
  entries: TableFeaturesEntry[];
}

/** Bits of a table's configuration since OpenFlow 1.4. */
export const TABLE_CONFIG = { EVICTION: 4, VACANCY_EVENTS: 8 } as const;

/** Percent of a table that is free. */
export interface Vacancy {
  /** An event comes when less is free than this... */
  down: number;
  /** ...and one when more is free than that again. */
  up: number;
  /** What is free now; 0 in requests. */
  current: number;
}

export interface TableMod {
  type: 'table_mod';
  /** 255: every table. */
  table: number;
  /** 1.1 and 1.2: what a miss does (0 to 2); 1.4 and later: TABLE_CONFIG bits. */
  config: number;
  /** Since 1.4: by what to evict (other 1, importance 2, lifetime 4). */
  evictionFlags?: number;
  vacancy?: Vacancy;
}

export interface TableDesc {
  table: number;
  /** TABLE_CONFIG bits. */
  config: number;
  evictionFlags?: number;
  vacancy?: Vacancy;
}

export interface TableDescReply {
  type: 'table_desc_reply';
  more?: boolean;
  entries: TableDesc[];
}

export type TableMessage = TableFeaturesRequest | TableFeaturesReply | TableMod | TableDescReply;
