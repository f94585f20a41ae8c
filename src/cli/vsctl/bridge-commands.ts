/**
 * Bridge commands: add-br, del-br, list-br, br-exists, br-to-vlan, br-to-parent and external IDs.
 *
 * Not for: ports (port-commands.ts), controllers (controller-commands.ts).
 */

import type { IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import {
  type Bridge,
  checkConflicts,
  configOf,
  findBridge,
  getBridge,
  monitorConfig,
  settingsRow,
} from './config-cache.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';
import { CtlError, CtlExit } from './errors.js';

const VLAN_MAX = 4095;

/** As atoi(3): the number that the text begins with, else 0. */
export function leadingInteger(text: string): number {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? 0 : number;
}

export function monitorConfigFor(_command: ParsedCommand, spec: MonitorSpec): void {
  monitorConfig(spec);
}

export function sortedLines(names: readonly string[]): string {
  return [...names]
    .sort()
    .map((name) => `${name}\n`)
    .join('');
}

/** `--may-exist`: the bridge is there; complain if it is not the one that was asked for. */
function checkExisting(bridge: Bridge, parent: string | null, vlan: number): void {
  const { name } = bridge;
  if (parent === null) {
    if (!bridge.parent) return;
    throw new CtlError(
      `"--may-exist add-br ${name}" but ${name} is a VLAN bridge for VLAN ${bridge.vlan}`,
    );
  }
  const command = `"--may-exist add-br ${name} ${parent} ${vlan}"`;
  if (!bridge.parent) throw new CtlError(`${command} but ${name} is not a VLAN bridge`);
  if (bridge.parent.name !== parent) {
    throw new CtlError(`${command} but ${name} has the wrong parent ${bridge.parent.name}`);
  }
  if (bridge.vlan !== vlan) {
    const wrong = `is a VLAN bridge for the wrong VLAN ${bridge.vlan}`;
    throw new CtlError(`${command} but ${name} ${wrong}`);
  }
}

function parseVlan(ctx: CommandContext): { parent: string | null; vlan: number } {
  const [command, , parent, text] = ctx.argv;
  if (ctx.argv.length === 2) return { parent: null, vlan: 0 };
  if (ctx.argv.length !== 4) {
    throw new CtlError(`'${command}' command takes exactly 1 or 3 arguments`);
  }
  const vlan = leadingInteger(text);
  if (vlan < 0 || vlan > VLAN_MAX) {
    throw new CtlError(`${command}: vlan must be between 0 and 4095`);
  }
  return { parent, vlan };
}

function vlanParent(ctx: CommandContext, name: string, vlan: number): Bridge {
  const parent = findBridge(ctx, name);
  if (parent?.parent) throw new CtlError('cannot create bridge with fake bridge as parent');
  if (!parent) throw new CtlError(`parent bridge ${name} does not exist`);
  const conflict = parent.children.get(vlan);
  if (conflict) {
    throw new CtlError(
      `bridge ${name} already has a child VLAN bridge ${conflict.name} on VLAN ${vlan}`,
    );
  }
  return parent;
}

function addBridge(ctx: CommandContext): void {
  const name = ctx.argv[1];
  if (name === '') throw new CtlError('bridge name must not be empty string');
  const { parent, vlan } = parseVlan(ctx);
  const existing = ctx.has('--may-exist') ? findBridge(ctx, name) : null;
  if (existing) {
    checkExisting(existing, parent, vlan);
    return;
  }
  checkConflicts(ctx, name, `cannot create a bridge named ${name}`);
  const parentBridge = parent === null ? null : vlanParent(ctx, parent, vlan);
  const { txn } = ctx;
  const iface = txn.insert('Interface', { name, type: 'internal' });
  const port = txn.insert('Port', { name, interfaces: [iface] });
  let row: IdlRow | null = null;
  if (parentBridge) {
    txn.set(port, 'fake_bridge', true);
    txn.set(port, 'tag', vlan);
    ctx.addReference(settingsRow(parentBridge), 'ports', port);
  } else {
    row = txn.insert('Bridge', { name, ports: [port] });
    ctx.addReference(ctx.run.ovs, 'bridges', row);
  }
  ctx.run.newInterfaces.push(iface);
  const config = configOf(ctx);
  const bridge = config.addBridge(name, row, parentBridge, vlan);
  config.addIface(config.addPort(parentBridge ?? bridge, port), iface);
}

function deleteBridge(ctx: CommandContext): void {
  const name = ctx.argv[1];
  const bridge = ctx.has('--if-exists') ? findBridge(ctx, name) : getBridge(ctx, name);
  if (bridge) configOf(ctx).deleteBridge(bridge);
}

function listBridges(ctx: CommandContext): void {
  const both = !ctx.has('--real') && !ctx.has('--fake');
  const wanted = (bridge: Bridge) => both || ctx.has(bridge.parent ? '--fake' : '--real');
  const bridges = [...configOf(ctx).bridges.values()].filter(wanted);
  ctx.output = sortedLines(bridges.map(({ name }) => name));
}

/** Where a bridge's external IDs are: a VLAN bridge's in its port, with a prefix. */
function externalIds(ctx: CommandContext): { row: IdlRow; prefix: string } {
  const bridge = getBridge(ctx, ctx.argv[1]);
  if (bridge.row) return { row: bridge.row, prefix: '' };
  const port = configOf(ctx).ports.get(bridge.name);
  if (!port) throw new CtlError(`no port named ${bridge.name}`);
  return { row: port.row, prefix: 'fake-bridge-' };
}

function setExternalId(ctx: CommandContext): void {
  const { row, prefix } = externalIds(ctx);
  const [, , key, value] = ctx.argv;
  const ids = ctx.get<Map<string, string>>(row, 'external_ids');
  if (value === undefined) ids.delete(prefix + key);
  else ids.set(prefix + key, value);
  ctx.txn.verify(row, 'external_ids');
  ctx.txn.set(row, 'external_ids', ids);
}

function getExternalId(ctx: CommandContext): void {
  const { row, prefix } = externalIds(ctx);
  const key = ctx.argv[2];
  ctx.txn.verify(row, 'external_ids');
  const ids = ctx.get<Map<string, string>>(row, 'external_ids');
  if (key !== undefined) {
    const value = ids.get(prefix + key);
    if (value !== undefined) ctx.output = `${value}\n`;
    return;
  }
  for (const [id, value] of ids) {
    if (id.startsWith(prefix)) ctx.output += `${id.slice(prefix.length)}=${value}\n`;
  }
}

function monitorExternalIds(_command: ParsedCommand, spec: MonitorSpec): void {
  monitorConfig(spec);
  spec.columns('Bridge', 'external_ids').columns('Port', 'external_ids');
}

/** Sets of collectors go with their bridge: each would keep its row, and so its name, alive. */
function monitorCollectorSets(_command: ParsedCommand, spec: MonitorSpec): void {
  monitorConfig(spec);
  spec.columns('Flow_Sample_Collector_Set', 'bridge');
}

const base = { options: [], writes: false, prerequisites: monitorConfigFor } as const;
const oneBridge = { ...base, minArgs: 1, maxArgs: 1, arguments: 'BRIDGE' } as const;

export const BRIDGE_COMMANDS: readonly CommandSyntax[] = [
  {
    ...base,
    name: 'init',
    minArgs: 0,
    maxArgs: 0,
    arguments: '',
    writes: true,
    prerequisites: undefined,
  },
  {
    ...base,
    name: 'add-br',
    minArgs: 1,
    maxArgs: 3,
    arguments: 'NEW-BRIDGE [PARENT] [NEW-VLAN]',
    options: ['--may-exist'],
    writes: true,
    run: addBridge,
  },
  {
    ...oneBridge,
    name: 'del-br',
    options: ['--if-exists'],
    writes: true,
    prerequisites: monitorCollectorSets,
    run: deleteBridge,
  },
  {
    ...base,
    name: 'list-br',
    minArgs: 0,
    maxArgs: 0,
    arguments: '',
    options: ['--real', '--fake'],
    run: listBridges,
  },
  {
    ...oneBridge,
    name: 'br-exists',
    run: (ctx) => {
      if (!findBridge(ctx, ctx.argv[1])) throw new CtlExit(2);
    },
  },
  {
    ...oneBridge,
    name: 'br-to-vlan',
    run: (ctx) => {
      ctx.output = `${getBridge(ctx, ctx.argv[1]).vlan}\n`;
    },
  },
  {
    ...oneBridge,
    name: 'br-to-parent',
    run: (ctx) => {
      const bridge = getBridge(ctx, ctx.argv[1]);
      ctx.output = `${(bridge.parent ?? bridge).name}\n`;
    },
  },
  {
    ...base,
    name: 'br-set-external-id',
    minArgs: 2,
    maxArgs: 3,
    arguments: 'BRIDGE KEY [VALUE]',
    writes: true,
    prerequisites: monitorExternalIds,
    run: setExternalId,
  },
  {
    ...base,
    name: 'br-get-external-id',
    minArgs: 1,
    maxArgs: 2,
    arguments: 'BRIDGE [KEY]',
    prerequisites: monitorExternalIds,
    run: getExternalId,
  },
];
