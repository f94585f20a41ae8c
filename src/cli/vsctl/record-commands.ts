/**
 * The database commands that read records: get, list, find, wait-until, comment.
 *
 * Not for: those that change them (record-edit-commands.ts).
 */

import { atomToText } from '../../ovsdb/atom.js';
import { Datum } from '../../ovsdb/datum.js';
import type { ColumnSchema, IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import { BaseType, ColumnType } from '../../ovsdb/types.js';
import { findTable, parseColumnList, parseColumnOnly, parseColumnSpec } from './column-spec.js';
import { satisfies } from './condition.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';
import { CtlError } from './errors.js';
import { findRow, getRow, monitorRowIds } from './lookup.js';
import type { RecordTable } from './table.js';
import { parseAtom } from './value.js';

const ANY = Number.POSITIVE_INFINITY;
const UUID_TYPE = new ColumnType(new BaseType('uuid'));

function isUuidColumn(arg: string): boolean {
  return /^[_-]uuid$/i.test(arg);
}

/** Replicates the table of argv[1] and the columns that the arguments from `from` on name. */
export function monitorColumnArgs(command: ParsedCommand, spec: MonitorSpec, from: number): void {
  const table = findTable(spec.schema, command.argv[1]);
  monitorRowIds(spec, table.name);
  for (const arg of command.argv.slice(from)) {
    if (command.syntax.name === 'get' && isUuidColumn(arg)) continue;
    spec.columns(table.name, parseColumnOnly(arg, table).name);
  }
}

function monitorListed(command: ParsedCommand, spec: MonitorSpec): void {
  const table = findTable(spec.schema, command.argv[1]);
  monitorRowIds(spec, table.name);
  const columns = parseColumnList(table, command.options.get('--columns') ?? undefined);
  for (const column of columns) if (column) spec.columns(table.name, column.name);
}

function defineSymbol(ctx: CommandContext, id: string, row: IdlRow): void {
  const { symbols } = ctx.run;
  const known = symbols.has(id);
  const symbol = symbols.create(id);
  if (known) {
    throw new CtlError(`row id "${id}" specified on "get" command was used before it was defined`);
  }
  symbol.uuid = row.uuid;
  // The row exists: whether anything refers to it is no concern of this command line.
  symbol.strongRef = true;
}

function getValue(ctx: CommandContext, row: IdlRow, arg: string): string {
  const table = row.table.schema;
  const { column, key } = parseColumnSpec(arg, table);
  ctx.txn.verify(row, column.name);
  const datum = ctx.txn.datum(row, column.name);
  const { type } = column;
  if (key === null) return datum.toText(type);
  if (!type.value || !datum.values) {
    throw new CtlError(`cannot specify key to get for non-map column ${column.name}`);
  }
  const at = datum.find(parseAtom(key, type.key, ctx.run.symbols));
  if (at >= 0) return atomToText(type.value.type, datum.values[at]);
  if (ctx.has('--if-exists')) return '';
  const record = `${table.name} record "${ctx.argv[2]}"`;
  throw new CtlError(`no key "${key}" in ${record} column ${column.name}`);
}

function runGet(ctx: CommandContext): void {
  const id = ctx.option('--id');
  if (id !== undefined && ctx.has('--if-exists')) {
    throw new CtlError('--if-exists and --id may not be specified together');
  }
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const row = getRow(ctx, table, ctx.argv[2]);
  if (!row) return;
  if (id !== undefined) defineSymbol(ctx, id, row);
  for (const arg of ctx.argv.slice(3)) {
    ctx.output += `${isUuidColumn(arg) ? row.uuid : getValue(ctx, row, arg)}\n`;
  }
}

function emptyTable(columns: readonly (ColumnSchema | null)[]): RecordTable {
  return { headings: columns.map((column) => column?.name ?? '_uuid'), rows: [] };
}

function addRecord(
  ctx: CommandContext,
  out: RecordTable,
  columns: readonly (ColumnSchema | null)[],
  row: IdlRow,
): void {
  const cells = columns.map((column) =>
    column
      ? { datum: ctx.txn.datum(row, column.name), type: column.type }
      : { datum: new Datum([row.uuid]), type: UUID_TYPE },
  );
  out.rows.push(cells);
}

function runList(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const columns = parseColumnList(table, ctx.option('--columns'));
  ctx.table = emptyTable(columns);
  const names = ctx.argv.slice(2);
  const rows =
    names.length > 0 ? names.map((name) => getRow(ctx, table, name)) : ctx.txn.rows(table.name);
  for (const row of rows) if (row) addRecord(ctx, ctx.table, columns, row);
}

function runFind(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const columns = parseColumnList(table, ctx.option('--columns'));
  ctx.table = emptyTable(columns);
  const conditions = ctx.argv.slice(2);
  for (const row of ctx.txn.rows(table.name)) {
    if (conditions.every((condition) => satisfies(ctx, table, row, condition))) {
      addRecord(ctx, ctx.table, columns, row);
    }
  }
}

function runWaitUntil(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const row = findRow(ctx, table, ctx.argv[2]);
  const conditions = ctx.argv.slice(3);
  ctx.tryAgain = !row || !conditions.every((arg) => satisfies(ctx, table, row, arg));
}

export const RECORD_COMMANDS: readonly CommandSyntax[] = [
  {
    name: 'comment',
    minArgs: 0,
    maxArgs: ANY,
    arguments: '[ARG]...',
    options: [],
    writes: false,
  },
  {
    name: 'get',
    minArgs: 2,
    maxArgs: ANY,
    arguments: 'TABLE RECORD [COLUMN[:KEY]]...',
    options: ['--if-exists', '--id='],
    writes: false,
    prerequisites: (command, spec) => monitorColumnArgs(command, spec, 3),
    run: runGet,
  },
  {
    name: 'list',
    minArgs: 1,
    maxArgs: ANY,
    arguments: 'TABLE [RECORD]...',
    options: ['--if-exists', '--columns='],
    writes: false,
    prerequisites: monitorListed,
    run: runList,
  },
  {
    name: 'find',
    minArgs: 1,
    maxArgs: ANY,
    arguments: 'TABLE [COLUMN[:KEY]=VALUE]...',
    options: ['--columns='],
    writes: false,
    prerequisites: (command, spec) => {
      monitorListed(command, spec);
      monitorColumnArgs(command, spec, 2);
    },
    run: runFind,
  },
  {
    name: 'wait-until',
    minArgs: 2,
    maxArgs: ANY,
    arguments: 'TABLE RECORD [COLUMN[:KEY]=VALUE]...',
    options: [],
    writes: false,
    prerequisites: (command, spec) => monitorColumnArgs(command, spec, 3),
    run: runWaitUntil,
  },
];
