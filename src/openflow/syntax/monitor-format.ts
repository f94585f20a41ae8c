/**
 * Messages about monitored flows, forwarded requests, roles, tables and Nicira's extensions as
 * ovs-ofctl prints them.
 */
import { formatIpv6 } from '../../packet/ip-text.js';
import { OFPP } from '../actions.js';
import type { OfMessage } from '../messages.js';
import type {
  CtFlush,
  CtTuple,
  TlvMapping,
  TlvTableMod,
  TlvTableReply,
} from '../messages-extension.js';
import { OFPG } from '../messages-groups.js';
import {
  type FlowMonitor,
  type FlowUpdate,
  MONITOR_FLAG,
  type RoleStatus,
  type TableStatus,
  VACANCY,
} from '../messages-monitor.js';
import type { IpfixStatsEntry, QueueDescEntry } from '../messages-stats.js';
import { TABLE_CONFIG, type TableDesc, type TableMod } from '../messages-tables.js';
import { formatActions } from './action-format.js';
import { formatMatch } from './match-format.js';
import { formatPort, formatTable, type NameMap, type Names } from './names.js';
import { formatQueueRates } from './port-format.js';

const hex = (n: number | bigint): string => (Number(n) === 0 ? '0' : `0x${n.toString(16)}`);

const FLAG_NAMES: readonly [bit: number, name: string][] = [
  [MONITOR_FLAG.INITIAL, 'initial'],
  [MONITOR_FLAG.ADD, 'add'],
  [MONITOR_FLAG.REMOVED, 'delete'],
  [MONITOR_FLAG.MODIFY, 'modify'],
  [MONITOR_FLAG.INSTRUCTIONS, 'actions'],
  [MONITOR_FLAG.NO_ABBREV, 'no-abbrev'],
  [MONITOR_FLAG.ONLY_OWN, 'own'],
];

/** Names of set bits; what has none as one number. */
function bitText(
  bits: number,
  names: readonly [bit: number, name: string][],
  between: string,
): string {
  const known = names.filter(([bit]) => (bits & bit) !== 0);
  const left = known.reduce((rest, [bit]) => rest & ~bit, bits) >>> 0;
  const parts = known.map(([, name]) => name);
  if (left !== 0) parts.push(`0x${left.toString(16)}`);
  return parts.length === 0 ? '0' : parts.join(between);
}

function formatMonitor(m: FlowMonitor, names: Names): string {
  if (m.command === 'delete') return `\n id=${m.id} command=delete`;
  let text = `\n id=${m.id} flags=${bitText(m.flags, FLAG_NAMES, ',')}`;
  if (m.outPort !== OFPP.NONE) text += ` out_port=${formatPort(m.outPort, names.ports)}`;
  if (m.outGroup !== 0 && m.outGroup !== OFPG.ANY) text += ` out_group=${m.outGroup | 0}`;
  if (m.table !== 255) text += ` table=${formatTable(m.table, names.tables)}`;
  return `${text} ${formatMatch(m.match, names.ports)}`.replace(/ $/, '');
}

const REASONS = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];
const EVENT_NAMES = {
  initial: 'INITIAL',
  added: 'ADDED',
  removed: 'DELETED',
  modified: 'MODIFIED',
  abbrev: 'ABBREV',
  paused: 'PAUSED',
  resumed: 'RESUMED',
} as const;

function formatUpdate(u: FlowUpdate, names: Names): string {
  let text = `\n event=${EVENT_NAMES[u.event]}`;
  if (u.event === 'abbrev') return `${text} xid=0x${u.xid.toString(16)}`;
  if (!('match' in u)) return text;
  if (u.event === 'removed') text += ` reason=${REASONS[u.reason] ?? u.reason}`;
  text += ` table=${formatTable(u.table, names.tables)}`;
  if (u.idleTimeout !== 0) text += ` idle_timeout=${u.idleTimeout}`;
  if (u.hardTimeout !== 0) text += ` hard_timeout=${u.hardTimeout}`;
  text += ` cookie=${hex(u.cookie)} ${formatMatch(u.match, names.ports)}`;
  if (u.actions.length === 0) return text;
  return `${text}${text.endsWith(' ') ? '' : ' '}actions=${formatActions(u.actions, names)}`;
}

const ROLE_REASONS = ['primary_request', 'configuration_changed', 'experimenter_data_changed'];

function formatRoleStatus(r: RoleStatus): string {
  const id = r.generationId === 0xffffffffffffffffn ? '' : ` generation_id=${r.generationId}`;
  return ` role=${r.role}${id} reason=${ROLE_REASONS[r.reason] ?? '(unknown)'}`;
}

const EVICTION_NAMES: readonly [bit: number, name: string][] = [
  [1, 'OTHER'],
  [2, 'IMPORTANCE'],
  [4, 'LIFETIME'],
];

function evictionText(flags: number | undefined): string {
  return flags === undefined ? '(default)' : bitText(flags, EVICTION_NAMES, '|');
}

const onOff = (config: number, bit: number): string => ((config & bit) === 0 ? 'off' : 'on');

function formatTableDesc(t: TableDesc, names: Names): string {
  let text = `\n  table ${formatTable(t.table, names.tables)}:\n`;
  text += `   eviction=${onOff(t.config, TABLE_CONFIG.EVICTION)}`;
  text += ` eviction_flags=${evictionText(t.evictionFlags)}\n`;
  text += `   vacancy=${onOff(t.config, TABLE_CONFIG.VACANCY_EVENTS)}`;
  if ((t.config & TABLE_CONFIG.VACANCY_EVENTS) !== 0) {
    const { down, up, current } = t.vacancy ?? { down: 0, up: 0, current: 0 };
    text += ` vacancy_down=${down}% vacancy_up=${up}% vacancy=${current}%`;
  }
  return `${text}\n`;
}

function formatTableStatus(m: TableStatus, names: Names): string {
  const reason = m.reason === VACANCY.DOWN ? 'VACANCY_DOWN' : 'VACANCY_UP';
  return ` reason=${reason}\ntable_desc:-${formatTableDesc(m.desc, names)}`;
}

const MISS_NAMES = ['controller', 'continue', 'drop'];

function formatTableMod(m: TableMod, version: number, names: Names): string {
  let text = ' table_id: ALL_TABLES';
  if (m.table !== 255) text = ` table_id=${formatTable(m.table, names.tables)}`;
  if (version === 2 || version === 3) {
    text += `, flow_miss_config=${MISS_NAMES[m.config & 3] ?? MISS_NAMES[0]}`;
  }
  if (version < 5) return text;
  text += `, eviction=${onOff(m.config, TABLE_CONFIG.EVICTION)}`;
  if (m.evictionFlags !== undefined) text += `eviction_flags=${evictionText(m.evictionFlags)}`;
  text += `, vacancy=${onOff(m.config, TABLE_CONFIG.VACANCY_EVENTS)}`;
  if ((m.config & TABLE_CONFIG.VACANCY_EVENTS) !== 0) {
    text += ` vacancy:${m.vacancy?.down ?? 0},${m.vacancy?.up ?? 0}`;
  }
  return text;
}

function formatQueueDescs(entries: readonly QueueDescEntry[], ports: NameMap | null): string {
  const sorted = [...entries].sort((a, b) => a.port - b.port || a.queue - b.queue);
  let text = ' ';
  let port = 0;
  for (const e of sorted) {
    if (e.port !== port) text += `port=${formatPort(e.port, ports)}\n`;
    port = e.port;
    text += formatQueueRates(e);
  }
  return text;
}

function formatMappings(mappings: readonly TlvMapping[]): string {
  let text = ' mapping table:\n  class  type  length  match field\n';
  text += ' ------  ----  ------  --------------';
  for (const m of mappings) {
    text += `\n ${hex(m.optionClass).padStart(6)}  ${hex(m.optionType).padStart(4)}`;
    text += `  ${String(m.length).padStart(6)}  tun_metadata${m.index}`;
  }
  return text;
}

function formatTlvMod(m: TlvTableMod): string {
  const command = { add: 'ADD', delete: 'DEL', clear: 'CLEAR' }[m.command];
  return `\n ${command}${m.command === 'clear' ? '' : formatMappings(m.mappings)}`;
}

function formatTlvReply(m: TlvTableReply): string {
  const used = m.mappings.reduce((sum, { length }) => sum + length, 0);
  const space = ` max option space=${m.maxSpace} max fields=${m.maxFields}\n`;
  return `\n${space} allocated option space=${used}\n\n${formatMappings(m.mappings)}`;
}

const isV4Mapped = (address: Uint8Array): boolean =>
  address.subarray(0, 10).every((b) => b === 0) && address[10] === 0xff && address[11] === 0xff;

function addressText(address: Uint8Array | undefined): string {
  if (address === undefined) return '::';
  return isV4Mapped(address) ? address.subarray(12).join('.') : formatIpv6(address);
}

function formatTuple(t: CtTuple, ipProto: number, v4: boolean): string {
  const name = v4 ? 'ct_nw' : 'ct_ipv6';
  const text = `${name}_src=${addressText(t.src)},${name}_dst=${addressText(t.dst)}`;
  if (ipProto === 1 || ipProto === 58) {
    const [id, type, code] = [t.icmpId ?? 0, t.icmpType ?? 0, t.icmpCode ?? 0];
    return `${text},icmp_id=${id},icmp_type=${type},icmp_code=${code}`;
  }
  return `${text},ct_tp_src=${t.srcPort ?? 0},ct_tp_dst=${t.dstPort ?? 0}`;
}

function formatCtFlush(m: CtFlush): string {
  const addresses = [m.orig?.src, m.orig?.dst, m.reply?.src, m.reply?.dst];
  const v4 = addresses.some((a) => a !== undefined && isV4Mapped(a));
  const orig = formatTuple(m.orig ?? {}, m.ipProto, v4);
  const reply = formatTuple(m.reply ?? {}, m.ipProto, v4);
  return ` zone=${m.zone ?? 0} '${orig},ct_nw_proto=${m.ipProto}' '${reply}'`;
}

function formatIpfix(e: IpfixStatsEntry, head: string, indent: number): string {
  const rest = ' '.repeat(indent);
  return (
    `${head}flows=${e.totalFlows}, current flows=${e.currentFlows}, ` +
    `sampled pkts=${e.packets}, ipv4 ok=${e.ipv4Packets}, ipv6 ok=${e.ipv6Packets}, ` +
    `tx pkts=${e.txPackets}\n${rest}pkts errs=${e.errorPackets}, ` +
    `ipv4 errs=${e.ipv4ErrorPackets}, ipv6 errs=${e.ipv6ErrorPackets}, tx errs=${e.txErrors}\n`
  );
}

/** The text of what this file is about, or null for anything else. */
export function formatMonitoring(msg: OfMessage, version: number, names: Names): string | null {
  switch (msg.type) {
    case 'flow_monitor_request':
      return msg.entries.map((m) => formatMonitor(m, names)).join('');
    case 'flow_monitor_reply':
      return msg.entries.map((u) => formatUpdate(u, names)).join('');
    case 'flow_monitor_cancel':
      return ` id=${msg.id}`;
    case 'role_status':
      return formatRoleStatus(msg);
    case 'table_status':
      return formatTableStatus(msg, names);
    case 'table_mod':
      return formatTableMod(msg, version, names);
    case 'table_desc_reply':
      return msg.entries.map((t) => formatTableDesc(t, names)).join('');
    case 'queue_desc_request':
      return ` port=${formatPort(msg.port, names.ports)}${
        msg.queue === 0xffffffff ? '' : ` queue=${msg.queue}`
      }`;
    case 'queue_desc_reply':
      return formatQueueDescs(msg.entries, names.ports);
    case 'nx_tlv_table_mod':
      return formatTlvMod(msg);
    case 'nx_tlv_table_reply':
      return formatTlvReply(msg);
    case 'nx_ct_flush_zone':
      return ` zone_id=${msg.zone}`;
    case 'nx_ct_flush':
      return formatCtFlush(msg);
    case 'ipfix_bridge_stats_reply':
      return msg.entries.map((e) => formatIpfix(e, '\n  bridge ipfix: ', 16)).join('');
    case 'ipfix_flow_stats_reply': {
      const lines = msg.entries.map((e) =>
        formatIpfix(e, `  id ${String(e.collectorSet).padStart(3)}: `, 10),
      );
      return ` ${msg.entries.length} ids\n${lines.join('')}`;
    }
    default:
      return null;
  }
}
