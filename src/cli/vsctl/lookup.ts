/**
 * Finding a record by what a user types: UUID, `.`, name, or the beginning of a UUID.
 *
 * Some tables are found through another: the Controller of a Bridge, for instance, by the bridge's
 * name. `ROW_IDS` has all the ways.
 *
 * Not for: finding tables and columns (column-spec.ts).
 */

import { isUuid } from '../../ovsdb/atom.js';
import type { IdlRow, MonitorSpec, TableSchema } from '../../ovsdb/idl/index.js';
import type { CommandContext } from './context.js';
import { CtlError } from './errors.js';

export interface RowId {
  /** Where the name is. */
  readonly table: string;
  readonly nameColumn: string;
  /** The record is what this column of the named row refers to; absent: the named row itself. */
  readonly uuidColumn?: string;
}

/** How records are named, by table (ovs-vsctl(8), "Identifying Tables, Records, and Columns"). */
export const ROW_IDS: Readonly<Record<string, RowId>> = {
  AutoAttach: { table: 'Bridge', nameColumn: 'name', uuidColumn: 'auto_attach' },
  Bridge: { table: 'Bridge', nameColumn: 'name' },
  Controller: { table: 'Bridge', nameColumn: 'name', uuidColumn: 'controller' },
  Flow_Sample_Collector_Set: { table: 'Flow_Sample_Collector_Set', nameColumn: 'id' },
  Flow_Table: { table: 'Flow_Table', nameColumn: 'name' },
  IPFIX: { table: 'Bridge', nameColumn: 'name', uuidColumn: 'ipfix' },
  Interface: { table: 'Interface', nameColumn: 'name' },
  Manager: { table: 'Manager', nameColumn: 'target' },
  Mirror: { table: 'Mirror', nameColumn: 'name' },
  NetFlow: { table: 'Bridge', nameColumn: 'name', uuidColumn: 'netflow' },
  Port: { table: 'Port', nameColumn: 'name' },
  QoS: { table: 'Port', nameColumn: 'name', uuidColumn: 'qos' },
  sFlow: { table: 'Bridge', nameColumn: 'name', uuidColumn: 'sflow' },
};

/** Declares what finding records of `table` needs. */
export function monitorRowIds(spec: MonitorSpec, table: string): void {
  spec.table(table);
  const id = ROW_IDS[table];
  if (!id) return;
  spec.columns(id.table, id.nameColumn);
  if (id.uuidColumn) spec.columns(id.table, id.uuidColumn);
}

/** Fewest digits of a UUID that stand for it. */
const PARTIAL_UUID_MIN = 4;

function isPartialUuid(text: string): boolean {
  if (text.length < PARTIAL_UUID_MIN || text.length > 36) return false;
  return isUuid(text + '00000000-0000-0000-0000-000000000000'.slice(text.length));
}

function nameMatches(name: unknown, typed: string): boolean {
  if (typeof name !== 'string') return String(name) === String(Number(typed));
  if (name === typed) return true;
  return typed.length >= PARTIAL_UUID_MIN && isUuid(name) && name.startsWith(typed);
}

function findById(ctx: CommandContext, table: string, id: RowId, typed: string): IdlRow | null {
  const named = ctx.txn.rows(id.table);
  const { type } = ctx.run.schema.tables.get(id.table)!.columns.get(id.nameColumn)!;
  if (type.key.type === 'integer' && !/^\d+$/.test(typed)) return null;
  const matches = named.filter((row) => {
    const { keys } = ctx.txn.datum(row, id.nameColumn);
    return keys.length === 1 && nameMatches(keys[0], typed);
  });
  if (matches.length > 1) throw new CtlError(`multiple rows in ${id.table} match "${typed}"`);
  if (matches.length === 0 || !id.uuidColumn) return matches[0] ?? null;
  ctx.txn.verify(matches[0], id.uuidColumn);
  const { keys } = ctx.txn.datum(matches[0], id.uuidColumn);
  return keys.length === 1 ? ctx.txn.row(table, keys[0] as string) : null;
}

function findByPartialUuid(ctx: CommandContext, table: string, typed: string): IdlRow | null {
  const matches = ctx.txn.rows(table).filter((row) => row.uuid.startsWith(typed));
  if (matches.length > 1) {
    throw new CtlError(
      `${table} contains 2 or more rows whose UUIDs begin with ${typed}: ` +
        `at least ${matches[0].uuid} and ${matches[1].uuid}`,
    );
  }
  return matches[0] ?? null;
}

/** The record of `table` that `typed` means, or null. Throws CtlError if it is ambiguous. */
export function findRow(ctx: CommandContext, table: TableSchema, typed: string): IdlRow | null {
  const { name } = table;
  let row = isUuid(typed) ? ctx.txn.row(name, typed.toLowerCase()) : null;
  if (!row && typed === '.') {
    const rows = ctx.txn.rows(name);
    row = rows.length === 1 ? rows[0] : null;
  }
  const id = ROW_IDS[name];
  if (!row && id) row = findById(ctx, name, id, typed);
  if (!row && isPartialUuid(typed)) row = findByPartialUuid(ctx, name, typed);
  return row;
}

/** As `findRow`, but a record that is missing is a CtlError unless `--if-exists` was given. */
export function getRow(ctx: CommandContext, table: TableSchema, typed: string): IdlRow | null {
  const row = findRow(ctx, table, typed);
  if (!row && !ctx.has('--if-exists')) {
    throw new CtlError(`no row "${typed}" in table ${table.name}`);
  }
  return row;
}
