/**
 * Less common commands: emer-reset, Auto Attach mappings, connection tracking zones, capabilities.
 *
 * Not for: what the switch makes of these columns.
 */

import type { IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import { leadingInteger } from './bridge-commands.js';
import { getBridge, monitorConfig, settingsRow } from './config-cache.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';
import { CtlError } from './errors.js';

const ANY = Number.POSITIVE_INFINITY;

/** Settings of a bridge that `emer-reset` clears. */
const RESET_BRIDGE_COLUMNS = [
  'controller',
  'fail_mode',
  'mirrors',
  'netflow',
  'sflow',
  'ipfix',
  'flood_vlans',
] as const;
/** Tables that `emer-reset` empties. */
const RESET_TABLES = [
  'Mirror',
  'Controller',
  'Manager',
  'NetFlow',
  'SSL',
  'sFlow',
  'IPFIX',
  'Flow_Sample_Collector_Set',
] as const;

function monitorEmerReset(_command: ParsedCommand, spec: MonitorSpec): void {
  spec
    .columns('Open_vSwitch', 'manager_options', 'ssl')
    .columns('Bridge', ...RESET_BRIDGE_COLUMNS, 'other_config')
    .columns('Port', 'other_config')
    .columns('Interface', 'ingress_policing_rate', 'ingress_policing_burst');
  for (const table of RESET_TABLES) spec.table(table);
}

function emerReset(ctx: CommandContext): void {
  const { txn } = ctx;
  txn.set(ctx.run.ovs, 'manager_options', []);
  txn.set(ctx.run.ovs, 'ssl', null);
  for (const bridge of txn.rows('Bridge')) {
    for (const column of RESET_BRIDGE_COLUMNS) txn.set(bridge, column, null);
    // The bridge's address stays: hosts know it.
    const hwaddr = ctx.get<Map<string, string>>(bridge, 'other_config').get('hwaddr');
    txn.set(bridge, 'other_config', hwaddr === undefined ? {} : { hwaddr });
  }
  for (const port of txn.rows('Port')) txn.set(port, 'other_config', {});
  for (const iface of txn.rows('Interface')) {
    txn.set(iface, 'ingress_policing_rate', 0);
    txn.set(iface, 'ingress_policing_burst', 0);
  }
  for (const table of RESET_TABLES) for (const row of txn.rows(table)) txn.delete(row);
  ctx.invalidateCache();
}

function monitorAutoAttach(_command: ParsedCommand, spec: MonitorSpec): void {
  monitorConfig(spec);
  spec.columns('Bridge', 'auto_attach').columns('AutoAttach', 'mappings');
}

function unsignedArg(text: string): number {
  const number = Number.parseInt(text, 10);
  if (Number.isNaN(number)) throw new CtlError(`Invalid argument ${text}`);
  return number;
}

function autoAttachOf(ctx: CommandContext): { bridge: IdlRow; row: IdlRow | null } {
  const bridge = settingsRow(getBridge(ctx, ctx.argv[1]));
  return { bridge, row: ctx.get<IdlRow | null>(bridge, 'auto_attach') };
}

function addMapping(ctx: CommandContext): void {
  const isid = unsignedArg(ctx.argv[2]);
  const vlan = unsignedArg(ctx.argv[3]);
  const { bridge, row } = autoAttachOf(ctx);
  const target = row ?? ctx.txn.insert('AutoAttach');
  if (!row) ctx.txn.set(bridge, 'auto_attach', target);
  const mappings = ctx.get<Map<number, number>>(target, 'mappings');
  ctx.txn.set(target, 'mappings', new Map(mappings).set(isid, vlan));
}

function deleteMapping(ctx: CommandContext): void {
  const isid = unsignedArg(ctx.argv[2]);
  const vlan = unsignedArg(ctx.argv[3]);
  const { row } = autoAttachOf(ctx);
  if (!row) return;
  const mappings = ctx.get<Map<number, number>>(row, 'mappings');
  if (mappings.get(isid) !== vlan) return;
  mappings.delete(isid);
  ctx.txn.set(row, 'mappings', mappings);
}

function getMappings(ctx: CommandContext): void {
  const { bridge, row } = autoAttachOf(ctx);
  ctx.txn.verify(bridge, 'auto_attach');
  if (!row) return;
  ctx.txn.verify(row, 'mappings');
  for (const [isid, vlan] of ctx.get<Map<number, number>>(row, 'mappings')) {
    ctx.output += `${isid} ${vlan}\n`;
  }
}

function monitorZones(_command: ParsedCommand, spec: MonitorSpec): void {
  spec
    .columns('Open_vSwitch', 'datapaths')
    .columns('Datapath', 'ct_zones')
    .columns('CT_Zone', 'timeout_policy')
    .columns('CT_Timeout_Policy', 'timeouts');
}

function findDatapath(ctx: CommandContext): IdlRow | null {
  const datapaths = ctx.get<Map<string, IdlRow>>(ctx.run.ovs, 'datapaths');
  return datapaths.get(ctx.argv[1]) ?? null;
}

function zonesOf(ctx: CommandContext): { datapath: IdlRow; zones: Map<number, IdlRow> } {
  const datapath = findDatapath(ctx);
  if (!datapath) throw new CtlError(`datapath ${ctx.argv[1]} does not exist`);
  return { datapath, zones: ctx.get<Map<number, IdlRow>>(datapath, 'ct_zones') };
}

function zoneArg(text: string): number {
  const match = /^zone=\s*([+-]?\d+)/.exec(text);
  if (!match) throw new CtlError(`${text}: not of the form zone=ID`);
  return Number(match[1]);
}

function parseTimeouts(args: readonly string[]): Map<string, number> {
  const timeouts = new Map<string, number>();
  for (const arg of args) {
    const equals = arg.indexOf('=');
    if (equals < 1) throw new CtlError(`${arg}: not of the form TIMEOUT=SECONDS`);
    timeouts.set(arg.slice(0, equals), leadingInteger(arg.slice(equals + 1)));
  }
  return timeouts;
}

/** The policy row with exactly these timeouts: one that is there, or a new one. */
function timeoutPolicy(ctx: CommandContext, timeouts: Map<string, number>): IdlRow {
  const same = ctx.txn.rows('CT_Timeout_Policy').find((row) => {
    const have = ctx.get<Map<string, number>>(row, 'timeouts');
    return have.size === timeouts.size && [...timeouts].every(([k, v]) => have.get(k) === v);
  });
  return same ?? ctx.txn.insert('CT_Timeout_Policy', { timeouts });
}

function addZone(ctx: CommandContext): void {
  const id = zoneArg(ctx.argv[2]);
  const { datapath, zones } = zonesOf(ctx);
  const zone = zones.get(id);
  if (zone && !ctx.has('--may-exist')) throw new CtlError(`zone id ${id} already exists`);
  const policy = timeoutPolicy(ctx, parseTimeouts(ctx.argv.slice(3)));
  const target = zone ?? ctx.txn.insert('CT_Zone');
  ctx.txn.set(target, 'timeout_policy', policy);
  if (zone) return;
  ctx.txn.verify(datapath, 'ct_zones');
  ctx.txn.set(datapath, 'ct_zones', new Map(zones).set(id, target));
}

function deleteZone(ctx: CommandContext): void {
  const id = zoneArg(ctx.argv[2]);
  const { datapath, zones } = zonesOf(ctx);
  if (!zones.has(id)) {
    if (ctx.has('--if-exists')) return;
    throw new CtlError(`zone id ${id} does not exist`);
  }
  zones.delete(id);
  ctx.txn.verify(datapath, 'ct_zones');
  ctx.txn.set(datapath, 'ct_zones', zones);
}

function listZones(ctx: CommandContext): void {
  const datapath = findDatapath(ctx);
  if (!datapath) throw new CtlError(`datapath: ${ctx.argv[1]} record not found`);
  for (const [id, zone] of ctx.get<Map<number, IdlRow>>(datapath, 'ct_zones')) {
    const policy = ctx.get<IdlRow | null>(zone, 'timeout_policy');
    const timeouts = policy ? [...ctx.get<Map<string, number>>(policy, 'timeouts')] : null;
    const text = timeouts?.map(([name, seconds]) => `${name}=${seconds}`).join(' ');
    ctx.output += `Zone:${id}, Timeout Policies: ${text ?? 'system default'}\n`;
  }
}

function listCapabilities(ctx: CommandContext): void {
  const datapath = findDatapath(ctx);
  if (!datapath) throw new CtlError(`datapath "${ctx.argv[1]}" record not found`);
  const capabilities = [...ctx.get<Map<string, string>>(datapath, 'capabilities')];
  ctx.output = `${capabilities.map(([name, value]) => `${name}=${value}`).join(' ')}\n`;
}

const mapping = {
  minArgs: 3,
  maxArgs: 3,
  arguments: 'BRIDGE ARG ARG',
  options: [],
  writes: true,
  prerequisites: monitorAutoAttach,
} as const;
const zone = { arguments: '', options: [], writes: true, prerequisites: monitorZones } as const;

export const OTHER_COMMANDS: readonly CommandSyntax[] = [
  {
    name: 'emer-reset',
    minArgs: 0,
    maxArgs: 0,
    arguments: '',
    options: [],
    writes: true,
    prerequisites: monitorEmerReset,
    run: emerReset,
  },
  { ...mapping, name: 'add-aa-mapping', run: addMapping },
  { ...mapping, name: 'del-aa-mapping', run: deleteMapping },
  {
    ...mapping,
    name: 'get-aa-mapping',
    minArgs: 1,
    maxArgs: 1,
    arguments: 'BRIDGE',
    writes: false,
    run: getMappings,
  },
  {
    ...zone,
    name: 'add-zone-tp',
    minArgs: 3,
    maxArgs: ANY,
    options: ['--may-exist'],
    run: addZone,
  },
  {
    ...zone,
    name: 'del-zone-tp',
    minArgs: 2,
    maxArgs: 2,
    options: ['--if-exists'],
    run: deleteZone,
  },
  { ...zone, name: 'list-zone-tp', minArgs: 1, maxArgs: 1, writes: false, run: listZones },
  {
    ...zone,
    name: 'list-dp-cap',
    minArgs: 1,
    maxArgs: 1,
    writes: false,
    prerequisites: (_command, spec) => {
      spec.columns('Open_vSwitch', 'datapaths').columns('Datapath', 'capabilities');
    },
    run: listCapabilities,
  },
];
