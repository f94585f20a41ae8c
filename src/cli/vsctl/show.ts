/**
 * `show`: the configuration as a tree.
 *
 *     Open_vSwitch row
 *         Bridge br0
 *             fail_mode: secure
 *             Port br0
 *                 Interface br0
 *                     type: internal
 *
 * Columns that hold their default are left out.
 *
 * Not for: the state of the datapath (ovs-appctl, ovs-ofctl).
 */

import { Datum } from '../../ovsdb/datum.js';
import type { IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';

/** What is shown of a row: its name, then these columns in this order. */
const SHOWN: Readonly<Record<string, { name: string | null; columns: readonly string[] }>> = {
  Open_vSwitch: { name: null, columns: ['manager_options', 'bridges', 'ovs_version'] },
  Bridge: { name: 'name', columns: ['controller', 'fail_mode', 'datapath_type', 'ports'] },
  Port: { name: 'name', columns: ['tag', 'trunks', 'interfaces'] },
  Interface: { name: 'name', columns: ['type', 'options', 'error', 'bfd_status'] },
  Controller: { name: 'target', columns: ['is_connected'] },
  Manager: { name: 'target', columns: ['is_connected'] },
};

function columnText(ctx: CommandContext, row: IdlRow, column: string): string {
  return ctx.txn.datum(row, column).toText(row.table.column(column).type);
}

function showColumn(ctx: CommandContext, row: IdlRow, column: string, level: number): void {
  if (!row.table.has(column)) return;
  const { type } = row.table.column(column);
  const datum = ctx.txn.datum(row, column);
  const { refTable } = type.key;
  if (refTable !== null && SHOWN[refTable]) {
    for (const uuid of datum.keys) {
      const target = ctx.txn.row(refTable, uuid as string);
      if (target) showRow(ctx, target, level + 1);
    }
    return;
  }
  if (datum.equals(Datum.defaultOf(type))) return;
  ctx.output += `${'    '.repeat(level + 1)}${column}: ${datum.toText(type)}\n`;
}

function showRow(ctx: CommandContext, row: IdlRow, level: number): void {
  const { name: table } = row.table;
  const { name, columns } = SHOWN[table];
  const title = name === null ? row.uuid : `${table} ${columnText(ctx, row, name)}`;
  ctx.output += `${'    '.repeat(level)}${title}\n`;
  for (const column of columns) showColumn(ctx, row, column, level);
}

function monitorShown(_command: ParsedCommand, spec: MonitorSpec): void {
  for (const [table, { name, columns }] of Object.entries(SHOWN)) {
    if (!spec.schema.tables.has(table)) continue;
    spec.columns(table, ...columns);
    if (name !== null) spec.columns(table, name);
  }
}

export const SHOW_COMMAND: CommandSyntax = {
  name: 'show',
  minArgs: 0,
  maxArgs: 0,
  arguments: '',
  options: [],
  writes: false,
  prerequisites: monitorShown,
  run: (ctx) => {
    for (const row of ctx.txn.rows('Open_vSwitch')) showRow(ctx, row, 0);
  },
};
