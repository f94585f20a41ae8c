/**
 * The database commands that change records: set, add, remove, clear, create, destroy.
 *
 * Not for: those that only read (record-commands.ts).
 */

import { isUuid } from '../../ovsdb/atom.js';
import { Datum } from '../../ovsdb/datum.js';
import type { ColumnSchema, IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import { ColumnType, UNLIMITED } from '../../ovsdb/types.js';
import { findColumn, findTable, parseColumnSpecValue } from './column-spec.js';
import type { CommandContext, CommandSyntax, ParsedCommand } from './context.js';
import { CtlError } from './errors.js';
import { getRow, monitorRowIds } from './lookup.js';
import { monitorColumnArgs } from './record-commands.js';
import { parseAtom, parseDatum } from './value.js';

const ANY = Number.POSITIVE_INFINITY;
const LOG_MODULE = 'db_ctl_base';

function checkMutable(ctx: CommandContext, row: IdlRow, column: ColumnSchema): void {
  if (column.mutable || ctx.txn.inserts(row)) return;
  const { name } = row.table;
  throw new CtlError(`cannot modify read-only column ${column.name} in table ${name}`);
}

/** Carries out `column[:key]=value` on `row`. Throws CtlError. */
export function setColumn(ctx: CommandContext, row: IdlRow, arg: string): void {
  const { column, key, value } = parseColumnSpecValue(arg, row.table.schema);
  const { type, name } = column;
  const { symbols } = ctx.run;
  checkMutable(ctx, row, column);
  if (key === null) {
    ctx.txn.setDatum(row, name, parseDatum(value, type, symbols));
    return;
  }
  if (!type.value) throw new CtlError(`cannot specify key to set for non-map column ${name}`);
  const pair = new Datum(
    [parseAtom(key, type.key, symbols)],
    [parseAtom(value, type.value, symbols)],
  );
  const present = ctx.txn.datum(row, name);
  ctx.txn.verify(row, name);
  ctx.txn.setDatum(row, name, pair.union(present));
}

function runSet(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const row = getRow(ctx, table, ctx.argv[2]);
  if (!row) return;
  for (const arg of ctx.argv.slice(3)) setColumn(ctx, row, arg);
  ctx.invalidateCache();
}

/** The record and column of `add` and `remove`, checked; null if the record need not exist. */
function editTarget(ctx: CommandContext): { row: IdlRow; column: ColumnSchema } | null {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const column = findColumn(table, ctx.argv[3]);
  const row = getRow(ctx, table, ctx.argv[2]);
  if (!row) return null;
  checkMutable(ctx, row, column);
  return { row, column };
}

function writeChecked(ctx: CommandContext, row: IdlRow, column: ColumnSchema, datum: Datum): void {
  const { type } = column;
  const tooMany = datum.size > type.max;
  if (tooMany || datum.size < type.min) {
    const limit = tooMany ? `maximum number is ${type.max}` : `minimum number is ${type.min}`;
    throw new CtlError(
      `"${ctx.argv[0]}" operation would put ${datum.size} ${type.value ? 'pairs' : 'values'} ` +
        `in column ${column.name} of table ${row.table.name} but the ${limit}`,
    );
  }
  ctx.txn.verify(row, column.name);
  ctx.txn.setDatum(row, column.name, datum);
  ctx.invalidateCache();
}

function runAdd(ctx: CommandContext): void {
  const target = editTarget(ctx);
  if (!target) return;
  const { row, column } = target;
  const type = column.type.withCounts(1, UNLIMITED);
  let datum = ctx.txn.datum(row, column.name);
  for (const arg of ctx.argv.slice(4)) {
    datum = datum.union(parseDatum(arg, type, ctx.run.symbols));
  }
  writeChecked(ctx, row, column, datum);
}

/** What `remove` is to take out: pairs of a map, or only keys where the text is no pair. */
function parseRemoved(ctx: CommandContext, arg: string, type: ColumnType): Datum {
  const { symbols } = ctx.run;
  try {
    return parseDatum(arg, type.withCounts(1, UNLIMITED), symbols);
  } catch (error) {
    if (!(error instanceof CtlError) || !type.value) throw error;
    return parseDatum(arg, new ColumnType(type.key, null, 1, UNLIMITED), symbols);
  }
}

function runRemove(ctx: CommandContext): void {
  const target = editTarget(ctx);
  if (!target) return;
  const { row, column } = target;
  let datum = ctx.txn.datum(row, column.name);
  for (const arg of ctx.argv.slice(4)) {
    datum = datum.subtract(parseRemoved(ctx, arg, column.type));
  }
  writeChecked(ctx, row, column, datum);
}

function runClear(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const row = getRow(ctx, table, ctx.argv[2]);
  if (!row) return;
  for (const arg of ctx.argv.slice(3)) {
    const column = findColumn(table, arg);
    checkMutable(ctx, row, column);
    if (column.type.min > 0) {
      throw new CtlError(
        `"clear" operation cannot be applied to column ${column.name} of table ${table.name}, ` +
          'which is not allowed to be empty',
      );
    }
    ctx.txn.setDatum(row, column.name, Datum.defaultOf(column.type));
  }
  ctx.invalidateCache();
}

function runCreate(ctx: CommandContext): void {
  const id = ctx.option('--id');
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  let identity: { uuid?: string; persist?: boolean } = {};
  if (id !== undefined && isUuid(id)) identity = { uuid: id.toLowerCase(), persist: true };
  else if (id !== undefined) {
    const symbol = ctx.run.symbols.create(id);
    // Rows of root tables stay without a reference: do not warn that there is none.
    if (table.isRoot) symbol.strongRef = true;
    identity = { uuid: symbol.uuid };
  }
  const row = ctx.txn.insert(table.name, {}, identity);
  for (const arg of ctx.argv.slice(2)) setColumn(ctx, row, arg);
  ctx.output = row.uuid;
}

/** In place of the UUID that the transaction used: the one that the server gave. */
function printCreated(ctx: CommandContext): void {
  ctx.output = `${ctx.txn.insertedUuid(ctx.output) ?? ctx.output}\n`;
}

function runDestroy(ctx: CommandContext): void {
  const table = findTable(ctx.run.schema, ctx.argv[1]);
  const records = ctx.argv.slice(2);
  const all = ctx.has('--all');
  if (all && records.length > 0) {
    throw new CtlError('--all and records argument should not be specified together');
  }
  if (all && ctx.has('--if-exists')) {
    throw new CtlError('--all and --if-exists should not be specified together');
  }
  if (!all && records.length === 0) {
    ctx.run.warn('either --all or records argument should be specified', LOG_MODULE);
    return;
  }
  const rows = all ? ctx.txn.rows(table.name) : records.map((name) => getRow(ctx, table, name));
  for (const row of rows) if (row) ctx.txn.delete(row);
  ctx.invalidateCache();
}

function monitorNamedColumn(command: ParsedCommand, spec: MonitorSpec): void {
  const table = findTable(spec.schema, command.argv[1]);
  monitorRowIds(spec, table.name);
  spec.columns(table.name, findColumn(table, command.argv[3]).name);
}

export const RECORD_EDIT_COMMANDS: readonly CommandSyntax[] = [
  {
    name: 'set',
    minArgs: 3,
    maxArgs: ANY,
    arguments: 'TABLE RECORD COLUMN[:KEY]=VALUE...',
    options: ['--if-exists'],
    writes: true,
    prerequisites: (command, spec) => monitorColumnArgs(command, spec, 3),
    run: runSet,
  },
  {
    name: 'add',
    minArgs: 4,
    maxArgs: ANY,
    arguments: 'TABLE RECORD COLUMN [KEY=]VALUE...',
    options: ['--if-exists'],
    writes: true,
    prerequisites: monitorNamedColumn,
    run: runAdd,
  },
  {
    name: 'remove',
    minArgs: 4,
    maxArgs: ANY,
    arguments: 'TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE...',
    options: ['--if-exists'],
    writes: true,
    prerequisites: monitorNamedColumn,
    run: runRemove,
  },
  {
    name: 'clear',
    minArgs: 3,
    maxArgs: ANY,
    arguments: 'TABLE RECORD COLUMN...',
    options: ['--if-exists'],
    writes: true,
    prerequisites: (command, spec) => {
      const table = findTable(spec.schema, command.argv[1]);
      monitorRowIds(spec, table.name);
      for (const arg of command.argv.slice(3))
        spec.columns(table.name, findColumn(table, arg).name);
    },
    run: runClear,
  },
  {
    name: 'create',
    minArgs: 2,
    maxArgs: ANY,
    arguments: 'TABLE COLUMN[:KEY]=VALUE...',
    options: ['--id='],
    writes: true,
    prerequisites: (command, spec, warn) => {
      const { name, isRoot } = findTable(spec.schema, command.argv[1]);
      if (!command.options.has('--id') && !isRoot) {
        const effect = 'without --id option will have no effect';
        warn(`applying "create" command to table ${name} ${effect}`, LOG_MODULE);
      }
    },
    run: runCreate,
    postprocess: printCreated,
  },
  {
    name: 'destroy',
    minArgs: 1,
    maxArgs: ANY,
    arguments: 'TABLE [RECORD]...',
    options: ['--if-exists', '--all'],
    writes: true,
    prerequisites: (command, spec) =>
      monitorRowIds(spec, findTable(spec.schema, command.argv[1]).name),
    run: runDestroy,
  },
];
