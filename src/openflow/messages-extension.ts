/**
 * Nicira's messages about tunnel options and tracked connections.
 *
 * Only their forms: a switch without conntrack answers the latter by an error.
 */

/** A Geneve option that a tun_metadata field stands for. */
export interface TlvMapping {
  optionClass: number;
  optionType: number;
  /** Bytes; a multiple of 4, 4 to 124. */
  length: number;
  /** The number in the field's name, 0 to 63. */
  index: number;
}

export interface TlvTableMod {
  type: 'nx_tlv_table_mod';
  command: 'add' | 'delete' | 'clear';
  mappings: TlvMapping[];
}

export interface TlvTableRequest {
  type: 'nx_tlv_table_request';
}

export interface TlvTableReply {
  type: 'nx_tlv_table_reply';
  /** Bytes of options, fields: what there is room for. */
  maxSpace: number;
  maxFields: number;
  mappings: TlvMapping[];
}

export interface CtFlushZone {
  type: 'nx_ct_flush_zone';
  zone: number;
}

/** One direction of a connection; what is absent matches anything. */
export interface CtTuple {
  /** 16 bytes; IPv4 addresses as IPv6 has them (::ffff:a.b.c.d). */
  src?: Uint8Array;
  dst?: Uint8Array;
  srcPort?: number;
  dstPort?: number;
  icmpId?: number;
  icmpType?: number;
  icmpCode?: number;
}

export interface CtFlush {
  type: 'nx_ct_flush';
  ipProto: number;
  zone?: number;
  orig?: CtTuple;
  reply?: CtTuple;
}

export type ExtensionMessage =
  | TlvTableMod
  | TlvTableRequest
  | TlvTableReply
  | CtFlushZone
  | CtFlush;
