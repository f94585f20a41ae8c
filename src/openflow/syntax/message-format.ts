/**
 * Any OpenFlow message as ovs-ofctl prints it: `OFPT_HELLO (xid=0x1):` and what follows.
 *
 * Works on frames, because what is printed names the form on the wire and shows what does not
 * decode.
 */
import * as L from '../../packet/flow-layout.js';
import { OFPP } from '../actions.js';
import {
  decodeMessage,
  HEADER_LENGTH,
  identifyMessage,
  type MessagePlace,
} from '../codec/index.js';
import { placeName } from '../codec/message-names.js';
import { codecWarning } from '../codec/warnings.js';
import { matchAny } from '../match.js';
import type {
  FeaturesReply,
  FlowRemoved,
  FlowStatsRequest,
  NxResume,
  OfError,
  OfMessage,
  PacketIn,
  PacketOut,
} from '../messages.js';
import { BUNDLABLE, type BundleAdd, type BundleControl } from '../messages-bundle.js';
import type {
  AsyncConfig,
  RoleMessage,
  SetAsyncProperties,
  SwitchConfig,
} from '../messages-control.js';
import { formatActions, PACKET_IN_REASONS } from './action-format.js';
import { formatDuration, formatFlowMod, formatFlowStats, hexCookie } from './flow-format.js';
import {
  formatGroupDescs,
  formatGroupFeatures,
  formatGroupMod,
  formatGroupNumber,
  formatGroupStats,
  formatMeterConfig,
  formatMeterFeatures,
  formatMeterMod,
  formatMeterNumber,
  formatMeterStats,
} from './group-format.js';
import { formatHello } from './hello-format.js';
import { formatMatch } from './match-format.js';
import { formatMatch10 } from './match10-format.js';
import { formatMonitoring } from './monitor-format.js';
import { formatPort, formatTable, type Names, NO_NAMES } from './names.js';
import { formatNxmText } from './nxm-text.js';
import { formatPacket, hexDump } from './packet-format.js';
import {
  bitNames,
  formatPortDesc,
  formatPortDescs,
  formatPortMod,
  formatPortStats,
  formatQueueConfig,
  formatQueueStatsReply,
  queueName,
} from './port-format.js';
import { formatTableFeatures } from './table-features-format.js';
import { formatTableStats } from './table-stats-format.js';

function header(place: MessagePlace, msg: OfMessage | undefined): string {
  const { version, xid } = place;
  let text = placeName(place, msg);
  if (version >= 2 && version <= 6) text += ` (OF1.${version - 1})`;
  else if (version > 6) text += ` (OF 0x${version.toString(16).padStart(2, '0')})`;
  return `${text} (xid=0x${xid.toString(16)}):${place.more ? ' flags=[more]' : ''}`;
}

const CAPABILITIES: Record<number, string> = {
  1: 'FLOW_STATS',
  2: 'TABLE_STATS',
  4: 'PORT_STATS',
  32: 'IP_REASM',
  64: 'QUEUE_STATS',
  128: 'ARP_MATCH_IP',
};
const ACTION_NAMES10 = [
  ...['output', 'set_vlan_vid', 'set_vlan_pcp', 'strip_vlan', 'mod_dl_src', 'mod_dl_dst'],
  ...['mod_nw_src', 'mod_nw_dst', 'mod_nw_tos', 'mod_tp_src', 'mod_tp_dst', 'enqueue'],
];
/** Shown in the order of Open vSwitch's own action list, where enqueue follows output. */
const ACTION_ORDER10 = [0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

function formatFeatures(f: FeaturesReply, version: number): string {
  let text = ` dpid:${f.datapathId.toString(16).padStart(16, '0')}\n`;
  text += `n_tables:${f.nTables}, n_buffers:${f.nBuffers}`;
  text += f.auxiliaryId === 0 ? '\n' : `, auxiliary_id:${f.auxiliaryId}\n`;
  const names = { ...CAPABILITIES };
  if (version === 1) names[8] = 'STP';
  else names[8] = 'GROUP_STATS';
  if (version >= 3) {
    delete names[128];
    names[256] = 'PORT_BLOCKED';
  }
  if (version >= 5) {
    names[512] = 'BUNDLES';
    names[1024] = 'FLOW_MONITORING';
  }
  const known = Object.keys(names).reduce((bits, bit) => bits | Number(bit), 0);
  text += `capabilities: ${bitNames(f.capabilities & known, names)}\n`;
  if (version === 1 && f.actions !== 0) {
    const shown = ACTION_ORDER10.filter((i) => (f.actions & (1 << i)) !== 0);
    text += `actions: ${shown.map((i) => ACTION_NAMES10[i]).join(' ')}\n`;
  }
  return text + formatPortDescs(f.ports);
}

export const FRAG_NAMES = ['normal', 'drop', 'reassemble', 'nx-match'];

function formatConfig(c: SwitchConfig): string {
  const ttl = c.invalidTtlToController === true ? ' invalid_ttl_to_controller' : '';
  return ` frags=${FRAG_NAMES[c.fragHandling]}${ttl} miss_send_len=${c.missSendLen}\n`;
}

/** Text of a peer: whatever is no printable character in octal. */
const printable = (data: Uint8Array): string =>
  Array.from(data, (b) =>
    b >= 32 && b < 127 && b !== 92 ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`,
  ).join('');

function formatError(e: OfError, names: Names): string {
  let text = ` ${e.error}\n`;
  if (e.error === 'OFPHFC_INCOMPATIBLE' || e.error === 'OFPHFC_EPERM') {
    text += printable(e.data);
  } else text += formatMessage(e.data, names, 1);
  return text;
}

function formatPacketIn(p: PacketIn, names: Names, verbosity: number): string {
  let text = '';
  if (p.table !== 0 || names.tables?.nameOf(p.table) !== undefined) {
    text += ` table_id=${formatTable(p.table, names.tables)}`;
  }
  if (p.cookie !== 0xffffffffffffffffn) text += ` cookie=${hexCookie(p.cookie)}`;
  text += ` total_len=${p.totalLen} ${formatMatch(p.metadata, names.ports)}`;
  text += ` (via ${PACKET_IN_REASONS[p.reason] ?? p.reason}) data_len=${p.data.length}`;
  if (p.bufferId === 0xffffffff) {
    text += ' (unbuffered)';
    if (p.totalLen !== p.data.length) text += ' (***total_len != data_len***)';
  } else {
    text += ` buffer=0x${p.bufferId.toString(16).padStart(8, '0')}`;
    if (p.totalLen < p.data.length) text += ' (***total_len < data_len***)';
  }
  text += '\n';
  if (p.userdata !== undefined) {
    const bytes = Array.from(p.userdata, (b) => b.toString(16).padStart(2, '0'));
    text += ` userdata=${bytes.join('.')}\n`;
  }
  if (verbosity > 0) text += formatPacket(p.data);
  if (verbosity > 2) text += hexDump(p.data, false);
  return text;
}

/** A packet that comes back looks as it did when it went. */
function formatResume(m: NxResume, names: Names, verbosity: number): string {
  const packet: PacketIn = {
    ...{ type: 'packet_in', bufferId: NO_BUFFER, totalLen: m.data.length, inPort: 0 },
    ...{ reason: m.reason ?? 0, table: 0, cookie: NO_COOKIE, data: m.data, metadata: m.metadata },
  };
  return formatPacketIn(packet, names, verbosity);
}

const NO_BUFFER = 0xffffffff;
const NO_COOKIE = 0xffffffffffffffffn;

function formatPacketOut(p: PacketOut, names: Names, verbosity: number): string {
  const match = p.metadata ?? matchAny();
  match.flow[L.W_IN_PORT] = p.inPort;
  match.mask[L.W_IN_PORT] = -1;
  let text = ` ${formatMatch(match, names.ports)} actions=${formatActions(p.actions, names)}`;
  if (p.bufferId !== 0xffffffff) {
    return `${text} buffer=0x${p.bufferId.toString(16).padStart(8, '0')}`;
  }
  text += ` data_len=${p.data.length}`;
  if (verbosity > 0 && p.data.length > 0) text += `\n${formatPacket(p.data)}`;
  if (verbosity > 2) text += hexDump(p.data, false);
  return text;
}

const REMOVED_REASONS = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];

function formatFlowRemoved(r: FlowRemoved, names: Names): string {
  let text = ` ${formatMatch(r.match, names.ports, r.priority)}`;
  text += ` reason=${REMOVED_REASONS[r.reason] ?? r.reason}`;
  if (r.table !== 255) text += ` table_id=${formatTable(r.table, names.tables)}`;
  if (r.cookie !== 0n) text += ` cookie:${hexCookie(r.cookie)}`;
  text += ` duration${formatDuration(r.durationSec, r.durationNsec)} idle${r.idleTimeout}`;
  if (r.hardTimeout !== 0) text += ` hard${r.hardTimeout}`;
  return `${text} pkts${r.packets} bytes${r.bytes}\n`;
}

function formatFlowRequest(r: FlowStatsRequest, names: Names): string {
  let text = '';
  if (r.table !== 255) text += ` table=${formatTable(r.table, names.tables)}`;
  if (r.outPort !== OFPP.NONE) text += ` out_port=${formatPort(r.outPort, names.ports)}`;
  return `${text} ${formatMatch(r.match, names.ports)}`;
}

function formatRole(r: RoleMessage): string {
  const id = r.generationId;
  const shown = id !== undefined && id !== 0xffffffffffffffffn && r.role !== 'nochange';
  return ` role=${r.role}${shown ? ` generation_id=${id}` : ''}`;
}

const ROLE_REASONS = ['primary_request', 'configuration_changed', 'experimenter_data_changed'];
const TABLE_REASONS = ['', '', '', 'vacancy_down', 'vacancy_up'];
const FORWARD_REASONS = ['group_mod_request', 'meter_mod_request'];
const ASYNC_TEXT = [
  { kind: 'packetIn', name: 'PACKET_IN', reasons: PACKET_IN_REASONS },
  { kind: 'portStatus', name: 'PORT_STATUS', reasons: ['add', 'delete', 'modify'] },
  { kind: 'flowRemoved', name: 'FLOW_REMOVED', reasons: REMOVED_REASONS },
  { kind: 'roleStatus', name: 'ROLE_STATUS', reasons: ROLE_REASONS },
  { kind: 'tableStatus', name: 'TABLE_STATUS', reasons: TABLE_REASONS },
  { kind: 'requestForward', name: 'REQUESTFORWARD', reasons: FORWARD_REASONS },
] as const;

function formatAsync(a: Omit<AsyncConfig, 'type'>): string {
  let text = '';
  for (const [i, role] of ['primary', 'secondary'].entries()) {
    text += `\n ${role}:\n`;
    for (const { kind, name, reasons } of ASYNC_TEXT) {
      const mask = a[kind]?.[i] ?? 0;
      const on = reasons.filter((_r, bit) => (mask & (1 << bit)) !== 0);
      text += `${name.padStart(16)}:${on.length === 0 ? ' (off)' : ` ${on.join(' ')}`}\n`;
    }
  }
  return text;
}

function formatAsyncChanges(m: SetAsyncProperties): string {
  const none = (): [number, number] => [0, 0];
  const all = {
    ...{ packetIn: none(), portStatus: none(), flowRemoved: none() },
    ...{ roleStatus: none(), tableStatus: none(), requestForward: none() },
  };
  for (const { kind, secondary, mask } of m.changes) all[kind][secondary ? 1 : 0] = mask;
  return formatAsync(all);
}

const BUNDLE_FLAGS = { 1: 'atomic', 2: 'ordered' };
const hexNumber = (n: number): string => (n === 0 ? '0' : `0x${n.toString(16)}`);

function formatBundleControl(m: BundleControl): string {
  const ctrl = typeof m.ctrl === 'number' ? '' : m.ctrl.toUpperCase();
  const flags = bitNames(m.flags, BUNDLE_FLAGS);
  return `\n bundle_id=${hexNumber(m.bundle)} type=${ctrl} flags=${flags}`;
}

/** Nicira's flow mod: the length of its match, and the match, in the frame. */
const isNxFlowMod = ({ cls, number }: MessagePlace): boolean => cls === 'nx' && number === 13;
const NXM_LENGTH_AT = 40;
const NXM_AT = 48;

const MATCH10_LENGTH = 40;

/** The match of a flow-mod of 1.0 as it is on the wire, or null. */
function wireMatch(place: MessagePlace, frame: Uint8Array, names: Names): string | null {
  if (isNxFlowMod(place)) {
    const length = (frame[NXM_LENGTH_AT] << 8) | frame[NXM_LENGTH_AT + 1];
    return formatNxmText(frame.subarray(NXM_AT, NXM_AT + length));
  }
  if (place.version !== 1) return null;
  return formatMatch10(frame.subarray(HEADER_LENGTH, HEADER_LENGTH + MATCH10_LENGTH), names.ports);
}

/** Whether a bundle may have the message in it; says so in the log if not. */
function isBundlable(frame: Uint8Array): boolean {
  const place = identifyMessage(frame);
  if (typeof place !== 'string' && BUNDLABLE.has(place.type)) return true;
  const where = 'OFPT14_BUNDLE_ADD_MESSAGE';
  codecWarning('ofp_bundle', () =>
    typeof place === 'string'
      ? `${where} contained message is unparsable (${place})`
      : `${placeName(place, undefined)} message not allowed inside ${where}`,
  );
  return false;
}

function formatBundleAdd(m: BundleAdd, names: Names, verbosity: number): string {
  const flags = bitNames(m.flags, BUNDLE_FLAGS);
  const inner = formatMessage(m.frame, names, verbosity);
  return `\n bundle_id=${hexNumber(m.bundle)} flags=${flags}\n${inner}`;
}

function formatForwarded(frame: Uint8Array, version: number, names: Names): string {
  const { msg, error } = decodeMessage(version, frame);
  if (msg?.type === 'group_mod') return ` reason=group_mod${formatGroupMod(msg, version, names)}`;
  if (msg?.type === 'meter_mod') return ` reason=meter_mod${formatMeterMod(msg)}`;
  return ` ***decode error: ${error ?? 'OFPBFC_MSG_UNSUP'}***`;
}

function formatBody(msg: OfMessage, version: number, names: Names, verbosity: number): string {
  switch (msg.type) {
    case 'error':
      return formatError(msg, names);
    case 'echo_request':
    case 'echo_reply': {
      const dump = verbosity > 1 ? hexDump(msg.data, true) : '';
      return ` ${msg.data.length} bytes of payload\n${dump}`;
    }
    case 'features_reply':
      return formatFeatures(msg, version);
    case 'get_config_reply':
    case 'set_config':
      return formatConfig(msg);
    case 'packet_in':
      return formatPacketIn(msg, names, verbosity);
    case 'nx_resume':
      return formatResume(msg, names, verbosity);
    case 'packet_out':
      return formatPacketOut(msg, names, verbosity);
    case 'flow_removed':
      return formatFlowRemoved(msg, names);
    case 'port_status':
      return ` ${['ADD', 'DEL', 'MOD'][msg.reason]}:${formatPortDesc(msg.desc)}`;
    case 'flow_mod':
      return formatFlowMod(msg, version, names);
    case 'port_mod':
      return formatPortMod(msg, names.ports);
    case 'role_request':
    case 'role_reply':
      return formatRole(msg);
    case 'set_async':
    case 'get_async_reply':
      return formatAsync(msg);
    case 'set_async_properties':
      return formatAsyncChanges(msg);
    case 'nx_set_flow_format':
      return ` format=${msg.format}`;
    case 'nx_flow_mod_table_id':
      return msg.enable ? ' enable' : ' disable';
    case 'nx_set_packet_in_format':
      return ` format=${['standard', 'nxt_packet_in', 'nxt_packet_in2'][msg.format] ?? msg.format}`;
    case 'nx_set_controller_id':
      return ` id=${msg.id}`;
    case 'bundle_control':
      return formatBundleControl(msg);
    case 'bundle_add_message':
      return formatBundleAdd(msg, names, verbosity);
    case 'requestforward':
      return formatForwarded(msg.frame, version, names);
    case 'group_mod':
      return formatGroupMod(msg, version, names);
    case 'meter_mod':
      return formatMeterMod(msg);
    default:
      return (
        formatGroups(msg, version, names) ??
        formatMonitoring(msg, version, names) ??
        formatFeaturesOfTables(msg, version) ??
        formatStats(msg, names, verbosity)
      );
  }
}

function formatFeaturesOfTables(msg: OfMessage, version: number): string | null {
  if (msg.type === 'table_stats_reply') return formatTableStats(msg, version);
  if (msg.type !== 'table_features_request' && msg.type !== 'table_features_reply') return null;
  return formatTableFeatures(msg.entries ?? [], version);
}

/** Statistics about groups and meters, or null for anything else. */
function formatGroups(msg: OfMessage, version: number, names: Names): string | null {
  switch (msg.type) {
    case 'group_stats_request':
      return ` group_id=${formatGroupNumber(msg.group)}`;
    case 'group_desc_request':
      return ` group_id=${formatGroupNumber(msg.group)}`;
    case 'group_stats_reply':
      return formatGroupStats(msg);
    case 'group_desc_reply':
      return formatGroupDescs(msg, version, names);
    case 'group_features_reply':
      return formatGroupFeatures(msg, version);
    case 'meter_stats_request':
    case 'meter_config_request':
      return ` ${formatMeterNumber(msg.meter)}`;
    case 'meter_stats_reply':
      return msg.entries.map((e) => `\n${formatMeterStats(e)}`).join('');
    case 'meter_config_reply':
      return msg.entries.map((e) => `\n${formatMeterConfig(e)}`).join('');
    case 'meter_features_reply':
      return formatMeterFeatures(msg);
    default:
      return null;
  }
}

function formatStats(msg: OfMessage, names: Names, verbosity: number): string {
  switch (msg.type) {
    case 'desc_stats_reply':
      return (
        `\nManufacturer: ${msg.mfrDesc}\nHardware: ${msg.hwDesc}\nSoftware: ${msg.swDesc}\n` +
        `Serial Num: ${msg.serialNum}\nDP Description: ${msg.dpDesc}\n`
      );
    case 'flow_stats_request':
      return formatFlowRequest(msg, names);
    case 'flow_stats_reply':
      return msg.entries.map((e) => `\n ${formatFlowStats(e, names)}`).join('');
    case 'aggregate_stats_reply':
      return ` packet_count=${msg.packets} byte_count=${msg.bytes} flow_count=${msg.flows}`;
    case 'port_stats_request':
      return ` port_no=${formatPort(msg.port, names.ports)}`;
    case 'port_stats_reply': {
      const lines = msg.entries.map((e) => formatPortStats(e, names.ports)).join('');
      return ` ${msg.entries.length} ports\n${verbosity < 1 ? '' : lines}`;
    }
    case 'port_desc_request':
      return ` port=${formatPort(msg.port, names.ports)}`;
    case 'port_desc_reply':
      return `\n${formatPortDescs(msg.entries)}`;
    case 'queue_stats_request':
      return ` port=${formatPort(msg.port, names.ports)} queue=${queueName(msg.queue)}`;
    case 'queue_stats_reply':
      return formatQueueStatsReply(msg, names.ports);
    case 'queue_get_config_request':
      return ` port=${formatPort(msg.port, names.ports)}`;
    case 'queue_get_config_reply':
      return formatQueueConfig(msg, names.ports);
    default:
      return '';
  }
}

const withNewline = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

/**
 * A frame as text, ending in a newline.
 * @param verbosity as -m of ovs-ofctl adds up: 1 packets as text, 3 and more packets as hex, 5 the
 *   frame.
 */
export function formatMessage(frame: Uint8Array, names: Names = NO_NAMES, verbosity = 0): string {
  if (frame.length === 0) return 'OpenFlow message is empty\n';
  if (frame.length < HEADER_LENGTH) {
    const problem = `OpenFlow packet too short (only ${frame.length} bytes):\n`;
    return problem + hexDump(frame, true);
  }
  const length = (frame[2] << 8) | frame[3];
  if (length !== frame.length) return formatWrongLength(frame, length);
  const place = identifyMessage(frame);
  if (typeof place === 'string') {
    return `***decode error: ${place}***\n${hexDump(frame, true)}`;
  }
  // Flow mods are printed with the table that their command may name.
  const decoded = decodeMessage(0, frame, { tableId: true });
  if (decoded.error !== undefined) {
    const problem = `***decode error: ${decoded.error}***`;
    return `${header(place, undefined)} ${problem}\n${hexDump(frame, true)}`;
  }
  const head = header(place, decoded.msg);
  const { msg } = decoded;
  if (msg.type === 'bundle_add_message' && !isBundlable(msg.frame)) {
    const problem = '***decode error: OFPBFC_MSG_UNSUP***';
    return `${header(place, undefined)} ${problem}\n${hexDump(frame, true)}`;
  }
  const isHello = msg.type === 'hello';
  let body = isHello ? formatHello(frame) : formatBody(msg, place.version, names, verbosity);
  if (verbosity >= 3 && msg.type === 'flow_mod') {
    const match = wireMatch(place, frame, names);
    if (match !== null) body = formatFlowMod(msg, place.version, names, match);
  }
  const text = (head + body).replace(/ $/, '');
  if (verbosity < 5) return withNewline(text);
  return withNewline(text) + hexDump(frame, true);
}

function formatWrongLength(frame: Uint8Array, length: number): string {
  let text = '';
  if (length > frame.length) {
    const place = identifyMessage(frame, true);
    if (typeof place !== 'string') text += `${header(place, undefined)}\n`;
    text += `(***truncated to ${frame.length} bytes from ${length}***)\n`;
  } else text += `(***only uses ${length} bytes out of ${frame.length}***)\n`;
  return text + hexDump(frame, true);
}
