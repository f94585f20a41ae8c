/**
 * Groups and meters as ovs-ofctl prints them. The reverse is group-parse.ts and meter-parse.ts.
 */
import { mustField } from '../../packet/fields.js';
import { formatFieldText } from '../../packet/fields-text.js';
import { OFPP } from '../actions.js';
import {
  BUCKET,
  type Bucket,
  type GroupDescReply,
  type GroupFeaturesReply,
  type GroupMod,
  type GroupProps,
  type GroupStatsReply,
  type GroupType,
  METER_FLAG,
  type MeterConfig,
  type MeterFeaturesReply,
  type MeterMod,
  type MeterStatsEntry,
  OFPG,
  OFPM,
} from '../messages-groups.js';
import { formatActions } from './action-format.js';
import { formatDuration } from './flow-format.js';
import { formatPort, type Names, portNames } from './names.js';
import { bitNames } from './port-format.js';

const UNKNOWN_COUNT = 0xffffffffffffffffn;
const UNKNOWN_TIME = 0xffffffff;

export function formatGroupNumber(group: number): string {
  if (group === OFPG.ALL) return 'ALL';
  return group === OFPG.ANY ? 'ANY' : String(group);
}

const hasBucketIds = (version: number): boolean => version === 1 || version >= 6;

function bucketId(label: string, id: number, version: number): string {
  if (!hasBucketIds(version)) return '';
  const names: Record<number, string> = {
    [BUCKET.FIRST]: 'first',
    [BUCKET.LAST]: 'last',
    [BUCKET.ALL]: 'all',
  };
  return `${label}${names[id] ?? id},`;
}

function formatProps(props: GroupProps, names: Names): string {
  if (props.selectionMethod === '') return '';
  let text = `,selection_method=${props.selectionMethod}`;
  if (props.selectionMethodParam !== 0n) {
    text += `,selection_method_param=${props.selectionMethodParam}`;
  }
  const inOrder = [...props.fields].sort((a, b) => mustField(a.field).id - mustField(b.field).id);
  const fields = inOrder.map(({ field, mask }) => {
    if (mask.every((b) => b === 0xff)) return field;
    const value = formatFieldText(mustField(field), mask, undefined, portNames(names.ports));
    return `${field}=${value}`;
  });
  if (fields.length === 1) text += `,fields=${fields[0]}`;
  else if (fields.length > 1) text += `,fields(${fields.join(',')})`;
  return text;
}

function formatBucket(b: Bucket, type: GroupType, version: number, names: Names): string {
  let text = `bucket=${bucketId('bucket_id:', b.id, version)}`;
  if (b.weight !== (type === 'select' ? 1 : 0)) text += `weight:${b.weight},`;
  if (b.watchPort !== OFPP.NONE) text += `watch_port:${formatPort(b.watchPort, names.ports)},`;
  if (b.watchGroup !== OFPG.ANY) text += `watch_group:${b.watchGroup},`;
  return `${text}actions=${formatActions(b.actions, names)}`;
}

interface Group {
  group: number;
  groupType: GroupType;
  buckets: readonly Bucket[];
  props: GroupProps;
}

/** `group_id=1,type=all,bucket=...`: a line of dump-groups, without the leading space. */
export function formatGroup(
  g: Group,
  version: number,
  names: Names,
  options: { hideType?: boolean } = {},
): string {
  let text = `group_id=${g.group}`;
  if (options.hideType !== true) text += `,type=${g.groupType}`;
  text += formatProps(g.props, names);
  const buckets = g.buckets.map((b) => formatBucket(b, g.groupType, version, names));
  return buckets.length === 0 ? text : `${text},${buckets.join(',')}`;
}

const COMMANDS: Record<GroupMod['command'], string> = {
  add: 'ADD',
  modify: 'MOD',
  delete: 'DEL',
  add_or_mod: 'ADD_OR_MOD',
  insert_bucket: 'INSERT_BUCKET',
  remove_bucket: 'REMOVE_BUCKET',
};

/** What follows `OFPT_GROUP_MOD (xid=...):`. */
export function formatGroupMod(m: GroupMod, version: number, names: Names): string {
  const hideType = m.command.endsWith('_bucket');
  let text = `\n ${COMMANDS[m.command]} `;
  if (hideType) text += bucketId('command_bucket_id:', m.commandBucketId, version);
  return text + formatGroup(m, version, names, { hideType });
}

export function formatGroupDescs(reply: GroupDescReply, version: number, names: Names): string {
  return reply.entries.map((e) => `\n ${formatGroup(e, version, names)}`).join('');
}

export function formatGroupStats(reply: GroupStatsReply): string {
  let text = '';
  for (const e of reply.entries) {
    text += `\n group_id=${e.group},`;
    if (e.durationSec !== UNKNOWN_TIME) {
      text += `duration=${formatDuration(e.durationSec, e.durationNsec)},`;
    }
    text += `ref_count=${e.refCount},packet_count=${e.packets},byte_count=${e.bytes}`;
    for (const [i, b] of e.buckets.entries()) {
      if (b.packets === UNKNOWN_COUNT) continue;
      text += `,bucket${i}:packet_count=${b.packets},byte_count=${b.bytes}`;
    }
  }
  return text;
}

/** Names of actions that feature bits stand for, in the order in which they are shown. */
export const ACTIONS_11: readonly [bit: number, name: string][] = [
  [0, 'output'],
  [22, 'group'],
  [1, 'set_vlan_vid'],
  [2, 'set_vlan_pcp'],
  [18, 'strip_vlan'],
  [17, 'push_vlan'],
  [3, 'mod_dl_src'],
  [4, 'mod_dl_dst'],
  [5, 'mod_nw_src'],
  [6, 'mod_nw_dst'],
  [7, 'mod_nw_tos'],
  [8, 'mod_nw_ecn'],
  [23, 'mod_nw_ttl'],
  [9, 'mod_tp_src'],
  [10, 'mod_tp_dst'],
  [24, 'dec_ttl'],
  [13, 'set_mpls_label'],
  [14, 'set_mpls_tc'],
  [15, 'set_mpls_ttl'],
  [16, 'dec_mpls_ttl'],
  [19, 'push_mpls'],
  [20, 'pop_mpls'],
  [21, 'set_queue'],
];
export const ACTIONS_12: readonly [bit: number, name: string][] = [
  [0, 'output'],
  [22, 'group'],
  [25, 'set_field'],
  [18, 'strip_vlan'],
  [17, 'push_vlan'],
  [23, 'mod_nw_ttl'],
  [24, 'dec_ttl'],
  [15, 'set_mpls_ttl'],
  [16, 'dec_mpls_ttl'],
  [19, 'push_mpls'],
  [20, 'pop_mpls'],
  [21, 'set_queue'],
];
const ACTIONS_10: [bit: number, name: string][] = [
  [0, 'output'],
  [11, 'enqueue'],
  [1, 'set_vlan_vid'],
  [2, 'set_vlan_pcp'],
  [3, 'strip_vlan'],
  [4, 'mod_dl_src'],
  [5, 'mod_dl_dst'],
  [6, 'mod_nw_src'],
  [7, 'mod_nw_dst'],
  [8, 'mod_nw_tos'],
  [9, 'mod_tp_src'],
  [10, 'mod_tp_dst'],
];

function actionNames(bits: number, version: number): string {
  const later = version === 2 ? ACTIONS_11 : ACTIONS_12;
  const table = version === 1 ? ACTIONS_10 : later;
  const names = table.filter(([bit]) => (bits & (1 << bit)) !== 0).map(([, name]) => name);
  return names.length === 0 ? '<none>' : names.join(' ');
}

const TYPE_NAMES = ['all', 'select', 'indirect', 'fast failover'];

export function formatGroupFeatures(f: GroupFeaturesReply, version: number): string {
  const hex = (n: number): string => `0x${n.toString(16)}`;
  let text = `\n Group table:\n    Types:  ${hex(f.types)}\n`;
  text += `    Capabilities:  ${hex(f.capabilities)}\n`;
  for (const [i, name] of TYPE_NAMES.entries()) {
    if ((f.types & (1 << i)) === 0) continue;
    const max = f.maxGroups[i];
    text += `    ${name} group:\n       max_groups=${max === 0 ? '0' : hex(max)}\n`;
    text += `       actions: ${actionNames(f.actions[i], version)}\n`;
  }
  return text;
}

function meterName(meter: number, separator: string): string {
  if (meter <= OFPM.MAX) return `meter${separator}${meter}`;
  const names: Record<number, string> = {
    [OFPM.SLOWPATH]: 'slowpath',
    [OFPM.CONTROLLER]: 'controller',
    [OFPM.ALL]: 'all',
  };
  return `meter${separator}${names[meter] ?? 'unknown'}`;
}

/** `meter=1` in requests. */
export const formatMeterNumber = (meter: number): string => meterName(meter, '=');

const FLAG_NAMES: [bit: number, name: string][] = [
  [METER_FLAG.KBPS, 'kbps'],
  [METER_FLAG.PKTPS, 'pktps'],
  [METER_FLAG.BURST, 'burst'],
  [METER_FLAG.STATS, 'stats'],
];

function meterFlags(flags: number): string {
  let text = '';
  let left = flags;
  for (const [bit, name] of FLAG_NAMES) {
    if ((flags & bit) !== 0) text += `${name} `;
    left &= ~bit;
  }
  return left === 0 ? text : `${text}flags:0x${left.toString(16)} `;
}

/** A meter's line of dump-meters and its bands' lines. */
export function formatMeterConfig(m: MeterConfig): string {
  let text = `${meterName(m.meter, '=')} ${meterFlags(m.flags)}bands=`;
  for (const b of m.bands) {
    text += `\ntype=${b.type} rate=${b.rate}`;
    if ((m.flags & METER_FLAG.BURST) !== 0) text += ` burst_size=${b.burstSize}`;
    if (b.type === 'dscp_remark') text += ` prec_level=${b.precLevel}`;
  }
  return `${text}\n`;
}

export function formatMeterMod(m: MeterMod): string {
  const command = { add: 'ADD', modify: 'MOD', delete: 'DEL' }[m.command];
  return ` ${command} ${formatMeterConfig(m.meter)}`;
}

export function formatMeterStats(e: MeterStatsEntry): string {
  let text = `${meterName(e.meter, ':')} flow_count:${e.flows} packet_in_count:${e.packets} `;
  const duration = formatDuration(e.durationSec, e.durationNsec);
  text += `byte_in_count:${e.bytes} duration:${duration} bands:\n`;
  for (const [i, b] of e.bands.entries()) {
    text += `${i}: packet_count:${b.packets} byte_count:${b.bytes}\n`;
  }
  return text;
}

export function formatMeterFeatures(f: MeterFeaturesReply): string {
  const bands = bitNames(f.bandTypes, { 2: 'drop', 4: 'dscp_remark' });
  const flags = Object.fromEntries(FLAG_NAMES);
  let text = `\nmax_meter:${f.maxMeters} max_bands:${f.maxBands} max_color:${f.maxColor}\n`;
  text += `band_types: ${bands}\n`;
  text += `capabilities: ${bitNames(f.capabilities, flags)}\n`;
  return text;
}
