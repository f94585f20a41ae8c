/**
 * Actions as text, exactly as Open vSwitch prints them. The reverse is action-parse.ts.
 */

import { type Field, fieldHeader, mustField, portTo16 } from '../../packet/fields.js';
import { bytesToBigint, subfieldOfValue } from '../../packet/fields-subfield.js';
import { formatFieldText } from '../../packet/fields-text.js';
import { formatEth, formatIpv4, formatIpv6 } from '../../packet/ip-text.js';
import type {
  BundleSpec,
  LearnFlowSpec,
  LearnSpec,
  NatSpec,
  OfAction,
  SampleSpec,
  SubField,
} from '../actions.js';
import { OFPP } from '../actions.js';
import { maskRuns } from '../codec/actions-set.js';
import { formatDecap, formatEncap } from './encap.js';
import { DEFAULT_PRIORITY } from './match-format.js';
import { formatPort, formatTable, type Names, NO_NAMES, portNames } from './names.js';

export const PACKET_IN_REASONS = [
  ...['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'],
];
const NXM_PREFERRED = 1;

const hash = (n: number | bigint): string => (n === 0 || n === 0n ? '0' : `0x${n.toString(16)}`);
const hex4 = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`;

/** Bytes joined by dots, as note and userdata are written. */
const hexArg = (data: Uint8Array): string =>
  Array.from(data, (b) => b.toString(16).padStart(2, '0')).join('.');

/** A big number without leading zeros. */
const hexNumber = (bytes: Uint8Array): string => hash(bytesToBigint(bytes));

/** A run of bits under its NXM name: `NXM_NX_REG0[0..15]`. */
export function formatSubfield(sub: SubField): string {
  const field = mustField(sub.field);
  const name = fieldHeader(field, NXM_PREFERRED)?.name ?? field.name;
  if (sub.ofs === 0 && sub.nBits === field.nBits) return `${name}[]`;
  if (sub.nBits === 1) return `${name}[${sub.ofs}]`;
  return `${name}[${sub.ofs}..${sub.ofs + sub.nBits - 1}]`;
}

type SetField = Extract<OfAction, { type: 'set_field' }>;

/** Names of the old actions, by the field they set. */
const MOD_NAMES: Record<string, string> = {
  eth_src: 'mod_dl_src',
  eth_dst: 'mod_dl_dst',
  ip_src: 'mod_nw_src',
  ip_dst: 'mod_nw_dst',
  nw_tos: 'mod_nw_tos',
  nw_ecn: 'mod_nw_ecn',
  nw_ttl: 'mod_nw_ttl',
  tcp_src: 'mod_tp_src',
  tcp_dst: 'mod_tp_dst',
};

function formatMod(a: SetField): string {
  const number = String(bytesToBigint(a.value));
  switch (a.field) {
    case 'dl_vlan':
      return `${a.form === 'set' ? 'set' : 'mod'}_vlan_vid:${number}`;
    case 'dl_vlan_pcp':
      return `${a.form === 'set' ? 'set' : 'mod'}_vlan_pcp:${number}`;
    case 'mpls_label':
    case 'mpls_tc':
      return `set_${a.field}(${number})`;
    case 'eth_src':
    case 'eth_dst':
      return `${MOD_NAMES[a.field]}:${formatEth(a.value)}`;
    case 'ip_src':
    case 'ip_dst':
      return `${MOD_NAMES[a.field]}:${formatIpv4(a.value)}`;
    default:
      return `${MOD_NAMES[a.field] ?? `set_field:${number}->${a.field}`}${
        MOD_NAMES[a.field] === undefined ? '' : `:${number}`
      }`;
  }
}

function formatLoad(a: SetField): string {
  const field = mustField(a.field);
  const runs = a.sub !== undefined && a.sub.nBits <= 64 ? [a.sub] : maskRuns(field, a.mask);
  return runs
    .map((run) => {
      const value = bytesToBigint(subfieldOfValue(a.value, run.ofs, run.nBits));
      return `load:${hash(value)}->${formatSubfield(run)}`;
    })
    .join(',');
}

function formatSetField(a: SetField, names: Names): string {
  if (a.form === 'mod' || a.form === 'set') return formatMod(a);
  if (a.form === 'load') return formatLoad(a);
  const field = mustField(a.field);
  const value = formatFieldText(field, a.value, a.mask, portNames(names.ports));
  return `set_field:${value}->${field.name}`;
}

function formatController(a: Extract<OfAction, { type: 'controller' }>): string {
  const meterId = a.meterId ?? 0;
  const plain = a.reason === 1 && a.controllerId === 0 && a.userdata === undefined;
  if (plain && a.pause !== true && meterId === 0) return `CONTROLLER:${a.maxLen}`;
  const args: string[] = [];
  if (a.reason !== 1) args.push(`reason=${PACKET_IN_REASONS[a.reason] ?? a.reason}`);
  if (a.maxLen !== 0xffff) args.push(`max_len=${a.maxLen}`);
  if (a.controllerId !== 0) args.push(`id=${a.controllerId}`);
  if (a.userdata !== undefined) args.push(`userdata=${hexArg(a.userdata)}`);
  if (a.pause === true) args.push('pause');
  if (meterId !== 0) args.push(`meter_id=${meterId}`);
  return `controller(${args.join(',')})`;
}

function formatOutput(a: Extract<OfAction, { type: 'output' }>, names: Names): string {
  const prefix = portTo16(a.port) < 0xff00 ? 'output:' : '';
  const suffix = a.port === OFPP.CONTROLLER ? `:${a.maxLen}` : '';
  return prefix + formatPort(a.port, names.ports) + suffix;
}

function formatBundle(load: boolean, b: BundleSpec, names: Names): string {
  const head = `${load ? 'bundle_load' : 'bundle'}(${b.fields},${b.basis},${b.algorithm},ofport,`;
  const dst = b.dst === undefined ? '' : `${formatSubfield(b.dst)},`;
  return `${head}${dst}members:${b.members.map((m) => formatPort(m, names.ports)).join(',')})`;
}

function formatResubmit(a: Extract<OfAction, { type: 'resubmit' }>, names: Names): string {
  const table = a.table ?? 255;
  if (a.inPort !== undefined && table === 255) {
    return `resubmit:${formatPort(a.inPort, names.ports)}`;
  }
  const port = a.inPort === undefined ? '' : formatPort(a.inPort, names.ports);
  const tableText = table === 255 ? '' : formatTable(table, names.tables);
  return `resubmit(${port},${tableText}${a.ct === true ? ',ct' : ''})`;
}

function formatSample(s: SampleSpec, names: Names): string {
  let text = `sample(probability=${s.probability},collector_set_id=${s.collectorSetId}`;
  text += `,obs_domain_id=${s.obsDomainId},obs_point_id=${s.obsPointId}`;
  if (s.samplingPort !== OFPP.NONE) {
    text += `,sampling_port=${formatPort(s.samplingPort, names.ports)}`;
  }
  if (s.direction !== 'default') text += `,${s.direction}`;
  return `${text})`;
}

function formatNat(nat: NatSpec): string {
  if ((nat.flags & 3) === 0) return 'nat';
  let text = (nat.flags & 1) !== 0 ? 'src' : 'dst';
  const { addrMin, addrMax } = nat;
  if (addrMin !== undefined) {
    const wide = addrMin.length === 16;
    const address = (a: Uint8Array): string => {
      if (!wide) return formatIpv4(a);
      return nat.portMin !== 0 ? `[${formatIpv6(a)}]` : formatIpv6(a);
    };
    text += `=${address(addrMin)}`;
    if (addrMax !== undefined && Buffer.compare(addrMax, addrMin) !== 0) {
      text += `-${address(addrMax)}`;
    }
    if (nat.portMin !== 0) {
      text += `:${nat.portMin}`;
      if (nat.portMax !== 0 && nat.portMax !== nat.portMin) text += `-${nat.portMax}`;
    }
    const flags: [number, string][] = [
      [4, 'persistent'],
      [8, 'hash'],
      [16, 'random'],
    ];
    for (const [bit, name] of flags) if ((nat.flags & bit) !== 0) text += `,${name}`;
  }
  return `nat(${text})`;
}

const ALGS: Record<number, string> = { 21: 'ftp', 69: 'tftp' };

function formatCt(a: Extract<OfAction, { type: 'ct' }>, names: Names): string {
  const args: string[] = [];
  if ((a.flags & 1) !== 0) args.push('commit');
  if ((a.flags & 2) !== 0) args.push('force');
  if (a.table !== undefined) args.push(`table=${formatTable(a.table, names.tables)}`);
  if (typeof a.zone !== 'number') args.push(`zone=${formatSubfield(a.zone)}`);
  else if (a.zone !== 0) args.push(`zone=${a.zone}`);
  let rest = a.actions;
  if (rest.length > 0 && rest[0].type === 'nat') {
    args.push(formatNat(rest[0].nat));
    rest = rest.slice(1);
  }
  if (rest.length > 0) args.push(`exec(${formatActions(rest, names)})`);
  if (a.alg !== undefined && a.alg !== 0) args.push(`alg=${ALGS[a.alg] ?? a.alg}`);
  return `ct(${args.join(',')})`;
}

function formatImmediate(spec: LearnFlowSpec, bytes: Uint8Array, names: Names): string {
  if (spec.dst.type !== 'match') return '';
  const field: Field = mustField(spec.dst.sub.field);
  if (spec.dst.sub.ofs !== 0 || spec.nBits !== field.nBits) {
    return `${formatSubfield(spec.dst.sub)}=${hexNumber(bytes)}`;
  }
  const value = new Uint8Array(field.nBytes);
  value.set(bytes, field.nBytes - bytes.length);
  return `${field.name}=${formatFieldText(field, value, undefined, portNames(names.ports))}`;
}

function formatLearnSpec(spec: LearnFlowSpec, names: Names): string {
  const { src, dst } = spec;
  if (dst.type === 'output') return `output:${'field' in src ? formatSubfield(src) : ''}`;
  if (dst.type === 'match') {
    if ('immediate' in src) return formatImmediate(spec, src.immediate, names);
    const same = src.field === dst.sub.field && src.ofs === dst.sub.ofs;
    return formatSubfield(dst.sub) + (same ? '' : `=${formatSubfield(src)}`);
  }
  const from = 'immediate' in src ? hexNumber(src.immediate) : formatSubfield(src);
  return `load:${from}->${formatSubfield(dst.sub)}`;
}

function formatLearn(l: LearnSpec, names: Names): string {
  const args = [`table=${formatTable(l.table, names.tables)}`];
  if (l.idleTimeout !== 0) args.push(`idle_timeout=${l.idleTimeout}`);
  if (l.hardTimeout !== 0) args.push(`hard_timeout=${l.hardTimeout}`);
  if (l.finIdle !== 0) args.push(`fin_idle_timeout=${l.finIdle}`);
  if (l.finHard !== 0) args.push(`fin_hard_timeout=${l.finHard}`);
  if (l.priority !== DEFAULT_PRIORITY) args.push(`priority=${l.priority}`);
  if (l.sendFlowRem) args.push('send_flow_rem');
  if (l.deleteLearned) args.push('delete_learned');
  if (l.cookie !== 0n) args.push(`cookie=${hash(l.cookie)}`);
  if (l.limit !== 0) args.push(`limit=${l.limit}`);
  if (l.resultDst !== undefined) args.push(`result_dst=${formatSubfield(l.resultDst)}`);
  for (const spec of l.specs) args.push(formatLearnSpec(spec, names));
  return `learn(${args.join(',')})`;
}

function formatFinTimeout(a: Extract<OfAction, { type: 'fin_timeout' }>): string {
  const args: string[] = [];
  if (a.idle !== 0) args.push(`idle_timeout=${a.idle}`);
  if (a.hard !== 0) args.push(`hard_timeout=${a.hard}`);
  return `fin_timeout(${args.join(',')})`;
}

/** One action as Open vSwitch prints it. */
export function formatAction(a: OfAction, names: Names = NO_NAMES): string {
  switch (a.type) {
    case 'output':
      return formatOutput(a, names);
    case 'output_trunc':
      return `output(port=${formatPort(a.port, names.ports)},max_len=${a.maxLen})`;
    case 'output_reg':
      return `output:${formatSubfield(a.src)}`;
    case 'enqueue':
      return `enqueue:${formatPort(a.port, names.ports)}:${a.queue}`;
    case 'set_queue':
      return `set_queue:${a.queue}`;
    case 'controller':
      return formatController(a);
    case 'group':
      return `group:${a.group}`;
    case 'meter':
      return `meter:${a.meter}`;
    case 'bundle':
      return formatBundle(a.load, a.bundle, names);
    case 'set_field':
      return formatSetField(a, names);
    case 'move':
      return `move:${formatSubfield(a.src)}->${formatSubfield(a.dst)}`;
    case 'stack_push':
      return `push:${formatSubfield(a.sub)}`;
    case 'stack_pop':
      return `pop:${formatSubfield(a.sub)}`;
    case 'push_vlan':
      return `push_vlan:${hash(a.ethType)}`;
    case 'strip_vlan':
      return a.form === 'pop' ? 'pop_vlan' : 'strip_vlan';
    case 'push_mpls':
    case 'pop_mpls':
      return `${a.type}:${hex4(a.ethType)}`;
    case 'set_mpls_ttl':
      return `set_mpls_ttl(${a.ttl})`;
    case 'dec_ttl': {
      const plain = a.controllerIds.length === 1 && a.controllerIds[0] === 0;
      return plain ? 'dec_ttl' : `dec_ttl(${a.controllerIds.join(',')})`;
    }
    case 'resubmit':
      return formatResubmit(a, names);
    case 'conjunction':
      return `conjunction(${a.id},${a.clause + 1}/${a.nClauses})`;
    default:
      return formatOther(a, names);
  }
}

function formatOther(a: OfAction, names: Names): string {
  switch (a.type) {
    case 'learn':
      return formatLearn(a.learn, names);
    case 'multipath': {
      const m = a.multipath;
      const head = `${m.fields},${m.basis},${m.algorithm},${m.maxLink + 1},${m.arg}`;
      return `multipath(${head},${formatSubfield(m.dst)})`;
    }
    case 'note':
      return `note:${hexArg(a.data)}`;
    case 'clone':
      return `clone(${formatActions(a.actions, names)})`;
    case 'sample':
      return formatSample(a.sample, names);
    case 'fin_timeout':
      return formatFinTimeout(a);
    case 'set_tunnel': {
      const wide = a.form === 'set_tunnel64' || a.id > 0xffffffffn;
      return `set_tunnel${wide ? '64' : ''}:${hash(a.id)}`;
    }
    case 'check_pkt_larger':
      return `check_pkt_larger(${a.size})->${formatSubfield(a.dst)}`;
    case 'ct':
      return formatCt(a, names);
    case 'nat':
      return formatNat(a.nat);
    case 'delete_field':
      return `delete_field:${a.field}`;
    case 'encap':
      return formatEncap(a);
    case 'decap':
      return formatDecap(a);
    case 'write_actions':
      return `write_actions(${formatActions(a.actions, names)})`;
    case 'write_metadata': {
      const mask = a.mask === 0xffffffffffffffffn ? '' : `/${hash(a.mask)}`;
      return `write_metadata:${hash(a.metadata)}${mask}`;
    }
    case 'goto_table':
      return `goto_table:${formatTable(a.table, names.tables)}`;
    default:
      // pop_queue, dec_mpls_ttl, exit, ct_clear, clear_actions: the name says it all.
      return a.type;
  }
}

/** A list of actions as Open vSwitch prints it; `drop` when it is empty. */
export function formatActions(actions: readonly OfAction[], names: Names = NO_NAMES): string {
  if (actions.length === 0) return 'drop';
  return actions.map((a) => formatAction(a, names)).join(',');
}
