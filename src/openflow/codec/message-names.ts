/**
 * Names of messages as ovs-ofctl prints them.
 */
import type { OfMessage } from '../messages.js';
import type { MessageClass } from './message-row.js';

const STATS_NAMES = [
  ...['DESC', 'FLOW', 'AGGREGATE', 'TABLE', 'PORT', 'QUEUE', 'GROUP', 'GROUP_DESC'],
  ...['GROUP_FEATURES', 'METER', 'METER_CONFIG', 'METER_FEATURES', 'TABLE_FEATURES', 'PORT_DESC'],
  ...['TABLE_DESC', 'QUEUE_DESC', 'FLOW_MONITOR'],
];
const NXST_NAMES = [
  ...['FLOW', 'AGGREGATE', 'FLOW_MONITOR', 'IPFIX_BRIDGE', 'IPFIX_FLOW', '5', '6', 'GROUP'],
  ...['GROUP_DESC', 'GROUP_FEATURES'],
];
const NX_NAMES: Record<number, string> = {
  10: 'ROLE_REQUEST',
  11: 'ROLE_REPLY',
  12: 'SET_FLOW_FORMAT',
  13: 'FLOW_MOD',
  14: 'FLOW_REMOVED',
  15: 'FLOW_MOD_TABLE_ID',
  16: 'SET_PACKET_IN_FORMAT',
  17: 'PACKET_IN',
  18: 'FLOW_AGE',
  19: 'SET_ASYNC_CONFIG',
  20: 'SET_CONTROLLER_ID',
  21: 'FLOW_MONITOR_CANCEL',
  22: 'FLOW_MONITOR_PAUSED',
  23: 'FLOW_MONITOR_RESUMED',
  24: 'TLV_TABLE_MOD',
  25: 'TLV_TABLE_REQUEST',
  26: 'TLV_TABLE_REPLY',
  27: 'SET_ASYNC_CONFIG2',
  28: 'RESUME',
  29: 'CT_FLUSH_ZONE',
  30: 'PACKET_IN2',
  31: 'GROUP_MOD',
  32: 'CT_FLUSH',
  132: 'REQUESTFORWARD',
};

/** The ONF's number of flow monitors in OpenFlow 1.3. */
const ONF_MONITOR = 1870;

/** Which message a frame is, as its header and the start of its body tell. */
export interface MessagePlace {
  cls: MessageClass;
  number: number;
  /** Statistics: another message of the same reply follows. */
  more: boolean;
  xid: number;
  version: number;
  /** As in the decoded message. */
  type: OfMessage['type'];
}

/** A message's name: `OFPT_HELLO`, `NXST_FLOW reply`. */
export function placeName(place: MessagePlace, msg: OfMessage | undefined): string {
  switch (place.cls) {
    case 'onf':
      return `ONFT_${(msg?.type ?? place.type).toUpperCase()}`;
    case 'nx':
      return `NXT_${NX_NAMES[place.number] ?? place.number}`;
    case 'stats_request':
      return `OFPST_${STATS_NAMES[place.number]} request`;
    case 'stats_reply':
      return `OFPST_${STATS_NAMES[place.number]} reply`;
    case 'nx_stats_request':
      return `NXST_${NXST_NAMES[place.number] ?? place.number} request`;
    case 'nx_stats_reply':
      return `NXST_${NXST_NAMES[place.number] ?? place.number} reply`;
    case 'onf_stats_request':
      return `ONFST_${place.number === ONF_MONITOR ? 'FLOW_MONITOR' : place.number} request`;
    case 'onf_stats_reply':
      return `ONFST_${place.number === ONF_MONITOR ? 'FLOW_MONITOR' : place.number} reply`;
    default:
      return `OFPT_${messageName(msg?.type ?? place.type)}`;
  }
}

/** In the protocol's words: properties are but a form of the message. */
const messageName = (type: string): string => type.replace(/_properties$/, '').toUpperCase();
