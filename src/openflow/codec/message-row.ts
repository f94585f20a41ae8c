/**
 * What the message tables (messages-*.ts) are made of: where a message sits in the numbering of
 * each protocol version, how long its body is, and its decoder and encoder.
 */
import type { OfMessage } from '../messages.js';
import type { ActionMemo } from './action-memo.js';
import type { Reader, Writer } from './buffer.js';

/** Settings of a connection that change how OpenFlow 1.0 messages read. */
export interface CodecOptions {
  /** 1.0: flow messages in Nicira's form or the specification's. Default: what the match needs. */
  flowFormat?: 'openflow10' | 'nxm';
  /** 1.0: the upper byte of a flow mod's command is the table. */
  tableId?: boolean;
  /** Called for each flow that a reply leaves out, since no message is long enough for it. */
  onLeftOut?: () => void;
  /** Actions of flow-mods are shared, and cannot be changed, where they were decoded before. */
  memo?: ActionMemo;
}

export interface MessageContext {
  version: number;
  options: CodecOptions;
  /** Statistics: another message of the same reply follows. */
  more: boolean;
}

/** Where a message is numbered: plain types, vendor messages, and the two kinds of statistics. */
export type MessageClass =
  | 'msg'
  | 'nx'
  | 'onf'
  | 'stats_request'
  | 'stats_reply'
  | 'nx_stats_request'
  | 'nx_stats_reply'
  | 'onf_stats_request'
  | 'onf_stats_reply';

type MessageOf<T, M = OfMessage> = M extends { type: infer U } ? (T extends U ? M : never) : never;

export interface MessageRow<T extends OfMessage['type'] = OfMessage['type']> {
  type: T;
  cls: MessageClass;
  /** First and last protocol version. */
  min: number;
  max: number;
  number: number;
  /** Bytes of the fixed part of the body; what follows is a multiple of `unit` (0: nothing). */
  body: number;
  unit?: number;
  decode(r: Reader, ctx: MessageContext): OfMessage;
  encode(w: Writer, msg: MessageOf<T>, ctx: MessageContext): void;
  /** For types with several rows in one version: whether this row serves the message. */
  serves?(msg: MessageOf<T>, ctx: MessageContext): boolean;
  /** Replies with entries: writes one of them (encode then writes only what precedes them). */
  encodeEntry?(w: Writer, entry: never, ctx: MessageContext): void;
  /** Entries that no message is long enough for are left out. */
  leavesOut?: boolean;
}

/** Gives a row its precise type, then forgets it so that rows of all types form one table. */
export function row<T extends OfMessage['type']>(r: MessageRow<T>): MessageRow {
  return r as unknown as MessageRow;
}
