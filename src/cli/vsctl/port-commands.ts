/**
 * Port, bond and interface commands.
 *
 * Not for: bridges (bridge-commands.ts).
 */

import type { IdlRow } from '../../ovsdb/idl/index.js';
import { monitorConfigFor, sortedLines } from './bridge-commands.js';
import { escapeArgs } from './command-line.js';
import {
  type Bridge,
  checkConflicts,
  configOf,
  findBridge,
  findIface,
  findPort,
  getBridge,
  getIface,
  getPort,
  type Port,
  settingsRow,
  verifyPorts,
} from './config-cache.js';
import type { CommandContext, CommandSyntax } from './context.js';
import { CtlError } from './errors.js';
import { setColumn } from './record-edit-commands.js';

const ANY = Number.POSITIVE_INFINITY;

/** The command as it was typed, for messages. */
function commandText(ctx: CommandContext): string {
  return escapeArgs([...ctx.command.options.keys(), ...ctx.argv]);
}

interface NewPort {
  readonly bridge: string;
  readonly port: string;
  readonly ifaces: readonly string[];
  readonly settings: readonly string[];
  readonly fakeIface: boolean;
}

/** `--may-exist`: the port is there; complain if it is not the one that was asked for. */
function checkExisting(ctx: CommandContext, port: Port, wanted: NewPort): void {
  if (port.bridge.name !== wanted.bridge) {
    const where = `is actually attached to bridge ${port.bridge.name}`;
    throw new CtlError(`"${commandText(ctx)}" but ${port.name} ${where}`);
  }
  const have = ctx.rows(port.row, 'interfaces').map((row) => ctx.name(row));
  if (have.sort().join('\0') === [...wanted.ifaces].sort().join('\0')) return;
  const list = have.join(', ');
  throw new CtlError(`"${commandText(ctx)}" but ${port.name} actually has interface(s) ${list}`);
}

function addPort(ctx: CommandContext, wanted: NewPort): void {
  if (wanted.port === '') throw new CtlError('port name must not be empty string');
  if (wanted.ifaces.includes('')) throw new CtlError('interface name must not be empty string');
  const existing = ctx.has('--may-exist') ? findPort(ctx, wanted.port) : null;
  if (existing) {
    checkExisting(ctx, existing, wanted);
    return;
  }
  checkConflicts(ctx, wanted.port, `cannot create a port named ${wanted.port}`);
  for (const name of wanted.ifaces) {
    checkConflicts(ctx, name, `cannot create an interface named ${name}`);
  }
  insertPort(ctx, getBridge(ctx, wanted.bridge), wanted);
}

function insertPort(ctx: CommandContext, bridge: Bridge, wanted: NewPort): void {
  const ifaces = wanted.ifaces.map((name) => insertIface(ctx, name));
  const port = ctx.txn.insert('Port', { name: wanted.port, interfaces: ifaces });
  ctx.txn.set(port, 'bond_fake_iface', wanted.fakeIface);
  if (bridge.parent) ctx.txn.set(port, 'tag', bridge.vlan);
  for (const setting of wanted.settings) setColumn(ctx, port, setting);
  ctx.addReference(settingsRow(bridge), 'ports', port);
  const config = configOf(ctx);
  const cached = config.addPort(bridge, port);
  for (const iface of ifaces) config.addIface(cached, iface);
}

function insertIface(ctx: CommandContext, name: string): IdlRow {
  const iface = ctx.txn.insert('Interface', { name });
  ctx.run.newInterfaces.push(iface);
  return iface;
}

function addSinglePort(ctx: CommandContext): void {
  const [, bridge, port, ...settings] = ctx.argv;
  addPort(ctx, { bridge, port, ifaces: [port], settings, fakeIface: false });
}

function addBond(ctx: CommandContext): void {
  const [, bridge, port, ...rest] = ctx.argv;
  const firstSetting = rest.findIndex((arg) => arg.includes('='));
  const count = firstSetting < 0 ? rest.length : firstSetting;
  if (count < 2) {
    throw new CtlError(`add-bond requires at least 2 interfaces, but only ${count} were specified`);
  }
  const ifaces = rest.slice(0, count);
  const fakeIface = ctx.has('--fake-iface');
  addPort(ctx, { bridge, port, ifaces, settings: rest.slice(count), fakeIface });
}

function addBondIface(ctx: CommandContext): void {
  const [, portName, name] = ctx.argv;
  const port = getPort(ctx, portName);
  const existing = ctx.has('--may-exist') ? findIface(ctx, name) : null;
  if (existing) {
    if (existing.port === port) return;
    const where = `is actually attached to port ${existing.port.name}`;
    throw new CtlError(`"${commandText(ctx)}" but ${name} ${where}`);
  }
  checkConflicts(ctx, name, `cannot create an interface named ${name}`);
  const iface = insertIface(ctx, name);
  ctx.addReference(port.row, 'interfaces', iface);
  configOf(ctx).addIface(port, iface);
}

function deleteBondIface(ctx: CommandContext): void {
  const name = ctx.argv[ctx.argv.length - 1];
  const iface = ctx.has('--if-exists') ? findIface(ctx, name) : getIface(ctx, name);
  if (!iface) return;
  if (ctx.argv.length > 2 && iface.port !== getPort(ctx, ctx.argv[1])) {
    throw new CtlError(`port ${ctx.argv[1]} does not have an interface ${name}`);
  }
  if (iface.port.ifaces.size < 2) {
    throw new CtlError(`cannot delete last interface from port ${iface.port.name}`);
  }
  ctx.removeReference(iface.port.row, 'interfaces', iface.row);
  configOf(ctx).deleteIface(iface);
}

/** The port that `del-port` means; null if there is none and that is allowed. */
function portToDelete(ctx: CommandContext, target: string): Port | null {
  const mustExist = !ctx.has('--if-exists');
  if (findBridge(ctx, target)) {
    if (!mustExist) return null;
    throw new CtlError(
      `cannot delete port ${target} because it is the local port for bridge ${target} ` +
        '(deleting this port requires deleting the entire bridge)',
    );
  }
  if (!ctx.has('--with-iface')) return mustExist ? getPort(ctx, target) : findPort(ctx, target);
  const port = findPort(ctx, target) ?? findIface(ctx, target)?.port ?? null;
  if (!port && mustExist) throw new CtlError(`no port or interface named ${target}`);
  return port;
}

function deletePort(ctx: CommandContext): void {
  const target = ctx.argv[ctx.argv.length - 1];
  const port = portToDelete(ctx, target);
  if (!port) return;
  if (ctx.argv.length === 3) {
    const bridge = getBridge(ctx, ctx.argv[1]);
    if (port.bridge !== bridge) {
      const child = port.bridge.parent === bridge;
      const hint = child ? ` (although its child bridge ${port.bridge.name} does)` : '';
      throw new CtlError(`bridge ${bridge.name} does not have a port ${target}${hint}`);
    }
  }
  configOf(ctx).deletePort(port);
}

function listPorts(ctx: CommandContext): void {
  const bridge = getBridge(ctx, ctx.argv[1]);
  ctx.txn.verify(settingsRow(bridge), 'ports');
  const names = [...bridge.ports].map(({ name }) => name);
  ctx.output = sortedLines(names.filter((name) => name !== bridge.name));
}

function listIfaces(ctx: CommandContext): void {
  const bridge = getBridge(ctx, ctx.argv[1]);
  verifyPorts(ctx);
  const names = [...bridge.ports].flatMap(({ ifaces }) => [...ifaces].map(({ name }) => name));
  ctx.output = sortedLines(names.filter((name) => name !== bridge.name));
}

const base = { options: [], writes: false, prerequisites: monitorConfigFor } as const;
const oneName = { ...base, minArgs: 1, maxArgs: 1 } as const;

export const PORT_COMMANDS: readonly CommandSyntax[] = [
  { ...oneName, name: 'list-ports', arguments: 'BRIDGE', run: listPorts },
  {
    ...base,
    name: 'add-port',
    minArgs: 2,
    maxArgs: ANY,
    arguments: 'BRIDGE NEW-PORT [COLUMN[:KEY]=VALUE]...',
    options: ['--may-exist'],
    writes: true,
    run: addSinglePort,
  },
  {
    ...base,
    name: 'del-port',
    minArgs: 1,
    maxArgs: 2,
    arguments: '[BRIDGE] PORT|IFACE',
    options: ['--if-exists', '--with-iface'],
    writes: true,
    run: deletePort,
  },
  {
    ...oneName,
    name: 'port-to-br',
    arguments: 'PORT',
    run: (ctx) => {
      ctx.output = `${getPort(ctx, ctx.argv[1]).bridge.name}\n`;
    },
  },
  {
    ...base,
    name: 'add-bond',
    minArgs: 4,
    maxArgs: ANY,
    arguments: 'BRIDGE BOND IFACE... [COLUMN[:KEY]=VALUE]...',
    options: ['--may-exist', '--fake-iface'],
    writes: true,
    run: addBond,
  },
  {
    ...base,
    name: 'add-bond-iface',
    minArgs: 2,
    maxArgs: 2,
    arguments: 'BOND IFACE',
    options: ['--may-exist'],
    writes: true,
    run: addBondIface,
  },
  {
    ...base,
    name: 'del-bond-iface',
    minArgs: 1,
    maxArgs: 2,
    arguments: '[BOND] IFACE',
    options: ['--if-exists'],
    writes: true,
    run: deleteBondIface,
  },
  { ...oneName, name: 'list-ifaces', arguments: 'BRIDGE', run: listIfaces },
  {
    ...oneName,
    name: 'iface-to-br',
    arguments: 'IFACE',
    run: (ctx) => {
      ctx.output = `${getIface(ctx, ctx.argv[1]).port.bridge.name}\n`;
    },
  },
];
