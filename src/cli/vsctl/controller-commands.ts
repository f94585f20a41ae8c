/**
 * Commands for controllers, fail mode, managers and SSL.
 *
 * Not for: the other bridge settings (bridge-commands.ts).
 */

import type { IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import { leadingInteger, monitorConfigFor, sortedLines } from './bridge-commands.js';
import { getBridge, getRealBridgeRow, monitorConfig, settingsRow } from './config-cache.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';
import { CtlError } from './errors.js';

const ANY = Number.POSITIVE_INFINITY;

/** Kinds of connection that a target can begin with. */
const TARGET = /^p?(tcp|ssl|unix):/;

function warnIfOddTarget(ctx: CommandContext, target: string): void {
  if (!TARGET.test(target)) ctx.run.warn(`target type "${target}" is possibly erroneous`);
}

/** New rows of `table` (Controller or Manager) for the targets. */
function insertTargets(ctx: CommandContext, table: string, targets: readonly string[]): IdlRow[] {
  const probe = ctx.option('--inactivity-probe');
  return targets.map((target) => {
    warnIfOddTarget(ctx, target);
    const row = ctx.txn.insert(table, { target });
    if (probe !== undefined) ctx.txn.set(row, 'inactivity_probe', leadingInteger(probe));
    return row;
  });
}

function verifyTargets(ctx: CommandContext, owner: IdlRow, column: string): IdlRow[] {
  ctx.txn.verify(owner, column);
  const rows = ctx.rows(owner, column);
  for (const row of rows) ctx.txn.verify(row, 'target');
  return rows;
}

function targetsOf(ctx: CommandContext, rows: readonly IdlRow[]): string[] {
  return rows.map((row) => ctx.get<string>(row, 'target'));
}

function monitorControllers(_command: ParsedCommand, spec: MonitorSpec): void {
  monitorConfig(spec);
  spec.columns('Controller', 'target', 'inactivity_probe');
}

function getControllers(ctx: CommandContext): void {
  const row = settingsRow(getBridge(ctx, ctx.argv[1]));
  ctx.output = sortedLines(targetsOf(ctx, verifyTargets(ctx, row, 'controller')));
}

function deleteControllers(ctx: CommandContext): void {
  const bridge = getRealBridgeRow(ctx, ctx.argv[1]);
  const rows = verifyTargets(ctx, bridge, 'controller');
  for (const row of rows) ctx.txn.delete(row);
  if (rows.length > 0) ctx.txn.set(bridge, 'controller', []);
}

function setControllers(ctx: CommandContext): void {
  const bridge = getRealBridgeRow(ctx, ctx.argv[1]);
  for (const row of verifyTargets(ctx, bridge, 'controller')) ctx.txn.delete(row);
  ctx.txn.set(bridge, 'controller', insertTargets(ctx, 'Controller', ctx.argv.slice(2)));
}

function getFailMode(ctx: CommandContext): void {
  const row = settingsRow(getBridge(ctx, ctx.argv[1]));
  ctx.txn.verify(row, 'fail_mode');
  const mode = ctx.get<string | null>(row, 'fail_mode');
  if (mode) ctx.output = `${mode}\n`;
}

function setFailMode(ctx: CommandContext): void {
  const bridge = getRealBridgeRow(ctx, ctx.argv[1]);
  const mode = ctx.argv[2];
  if (mode !== 'standalone' && mode !== 'secure') {
    throw new CtlError('fail-mode must be "standalone" or "secure"');
  }
  ctx.txn.set(bridge, 'fail_mode', mode);
}

function monitorManagers(_command: ParsedCommand, spec: MonitorSpec): void {
  spec.columns('Open_vSwitch', 'manager_options').columns('Manager', 'target', 'inactivity_probe');
}

function getManagers(ctx: CommandContext): void {
  const targets = targetsOf(ctx, verifyTargets(ctx, ctx.run.ovs, 'manager_options'));
  ctx.output = sortedLines([...new Set(targets)]);
}

function deleteManagers(ctx: CommandContext): void {
  const { ovs } = ctx.run;
  for (const row of verifyTargets(ctx, ovs, 'manager_options')) ctx.txn.delete(row);
  ctx.txn.set(ovs, 'manager_options', []);
}

function setManagers(ctx: CommandContext): void {
  deleteManagers(ctx);
  const rows = insertTargets(ctx, 'Manager', ctx.argv.slice(1));
  ctx.txn.set(ctx.run.ovs, 'manager_options', rows);
}

const SSL_COLUMNS = ['private_key', 'certificate', 'ca_cert', 'bootstrap_ca_cert'] as const;

function monitorSsl(command: ParsedCommand, spec: MonitorSpec): void {
  spec.columns('Open_vSwitch', 'ssl');
  if (command.syntax.name === 'get-ssl') spec.columns('SSL', ...SSL_COLUMNS);
}

function getSsl(ctx: CommandContext): void {
  const { ovs } = ctx.run;
  ctx.txn.verify(ovs, 'ssl');
  const ssl = ctx.get<IdlRow | null>(ovs, 'ssl');
  if (!ssl) return;
  for (const column of SSL_COLUMNS) ctx.txn.verify(ssl, column);
  ctx.output =
    `Private key: ${ctx.get<string>(ssl, 'private_key')}\n` +
    `Certificate: ${ctx.get<string>(ssl, 'certificate')}\n` +
    `CA Certificate: ${ctx.get<string>(ssl, 'ca_cert')}\n` +
    `Bootstrap: ${ctx.get<boolean>(ssl, 'bootstrap_ca_cert')}\n`;
}

function deleteSsl(ctx: CommandContext): void {
  const { ovs } = ctx.run;
  const ssl = ctx.get<IdlRow | null>(ovs, 'ssl');
  if (!ssl) return;
  ctx.txn.verify(ovs, 'ssl');
  ctx.txn.delete(ssl);
  ctx.txn.set(ovs, 'ssl', null);
}

function setSsl(ctx: CommandContext): void {
  const { ovs } = ctx.run;
  ctx.txn.verify(ovs, 'ssl');
  const old = ctx.get<IdlRow | null>(ovs, 'ssl');
  if (old) ctx.txn.delete(old);
  const [, private_key, certificate, ca_cert] = ctx.argv;
  const bootstrap_ca_cert = ctx.has('--bootstrap');
  const ssl = ctx.txn.insert('SSL', { private_key, certificate, ca_cert, bootstrap_ca_cert });
  ctx.txn.set(ovs, 'ssl', ssl);
}

const none = { minArgs: 0, maxArgs: 0, arguments: '', options: [], writes: false } as const;
const oneBridge = { ...none, minArgs: 1, maxArgs: 1, arguments: 'BRIDGE' } as const;

export const CONTROLLER_COMMANDS: readonly CommandSyntax[] = [
  {
    ...oneBridge,
    name: 'get-controller',
    prerequisites: monitorControllers,
    run: getControllers,
  },
  {
    ...oneBridge,
    name: 'del-controller',
    writes: true,
    prerequisites: monitorControllers,
    run: deleteControllers,
  },
  {
    ...oneBridge,
    name: 'set-controller',
    maxArgs: ANY,
    arguments: 'BRIDGE TARGET...',
    options: ['--inactivity-probe='],
    writes: true,
    prerequisites: monitorControllers,
    run: setControllers,
  },
  { ...oneBridge, name: 'get-fail-mode', prerequisites: monitorConfigFor, run: getFailMode },
  {
    ...oneBridge,
    name: 'del-fail-mode',
    writes: true,
    prerequisites: monitorConfigFor,
    run: (ctx) => ctx.txn.set(getRealBridgeRow(ctx, ctx.argv[1]), 'fail_mode', null),
  },
  {
    ...oneBridge,
    name: 'set-fail-mode',
    minArgs: 2,
    maxArgs: 2,
    arguments: 'BRIDGE MODE',
    writes: true,
    prerequisites: monitorConfigFor,
    run: setFailMode,
  },
  { ...none, name: 'get-manager', prerequisites: monitorManagers, run: getManagers },
  {
    ...none,
    name: 'del-manager',
    writes: true,
    prerequisites: monitorManagers,
    run: deleteManagers,
  },
  {
    ...none,
    name: 'set-manager',
    minArgs: 1,
    maxArgs: ANY,
    arguments: 'TARGET...',
    options: ['--inactivity-probe='],
    writes: true,
    prerequisites: monitorManagers,
    run: setManagers,
  },
  { ...none, name: 'get-ssl', prerequisites: monitorSsl, run: getSsl },
  { ...none, name: 'del-ssl', writes: true, prerequisites: monitorSsl, run: deleteSsl },
  {
    ...none,
    name: 'set-ssl',
    minArgs: 3,
    maxArgs: 3,
    arguments: 'PRIVATE-KEY CERTIFICATE CA-CERT',
    options: ['--bootstrap'],
    writes: true,
    prerequisites: monitorSsl,
    run: setSsl,
  },
];
