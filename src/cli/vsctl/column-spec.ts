/**
 * Arguments that name columns: `column`, `column:key`, `column[:key]=value` and conditions.
 *
 * Not for: the values (value.ts) or finding records (lookup.ts).
 */

import type { ColumnSchema, DbSchema, TableSchema } from '../../ovsdb/idl/index.js';
import { CtlError } from './errors.js';
import { bestMatches, closest } from './suggest.js';
import { parseToken } from './value.js';

/** Finds the table that `typed` names or abbreviates. Throws CtlError. */
export function findTable(schema: DbSchema, typed: string): TableSchema {
  const matches = bestMatches(schema.tables.keys(), typed);
  if (matches.length === 0) {
    throw new CtlError(`unknown table "${typed}"`, closest(schema.tables.keys(), typed));
  }
  if (matches.length > 1) {
    throw new CtlError(`"${typed}" matches multiple table names: ${matches.join(', ')}`);
  }
  return schema.tables.get(matches[0]) as TableSchema;
}

/** Finds the column that `typed` names or abbreviates. Throws CtlError. */
export function findColumn(table: TableSchema, typed: string): ColumnSchema {
  const matches = bestMatches(table.columns.keys(), typed);
  if (matches.length === 0) {
    const message = `${table.name} does not contain a column whose name matches "${typed}"`;
    throw new CtlError(message, closest(table.columns.keys(), typed));
  }
  if (matches.length > 1) {
    const list = matches.join(', ');
    throw new CtlError(
      `${table.name} contains more than one column whose name matches "${typed}": ${list}`,
    );
  }
  return table.columns.get(matches[0]) as ColumnSchema;
}

export interface ColumnSpec {
  readonly column: ColumnSchema;
  /** As typed, unparsed; null when none was given. */
  readonly key: string | null;
}

export interface ColumnSpecValue extends ColumnSpec {
  readonly operator: string;
  readonly value: string;
}

function parseColumnAndKey(arg: string, table: TableSchema): ColumnSpec & { end: number } {
  const { token, end } = parseToken(arg, 0);
  if (token === '') throw new CtlError(`${arg}: missing column name`);
  const column = findColumn(table, token);
  if (arg[end] !== ':') return { column, key: null, end };
  const key = parseToken(arg, end + 1);
  return { column, key: key.token, end: key.end };
}

/** Only the column of `column...`: enough to know what to replicate. */
export function parseColumnOnly(arg: string, table: TableSchema): ColumnSchema {
  const { token } = parseToken(arg, 0);
  if (token === '') throw new CtlError(`${arg}: missing column name`);
  return findColumn(table, token);
}

/** `column[:key]`, to be read. Throws CtlError. */
export function parseColumnSpec(arg: string, table: TableSchema): ColumnSpec {
  const { column, key, end } = parseColumnAndKey(arg, table);
  if (end < arg.length) {
    throw new CtlError(`${arg}: trailing garbage "${arg.slice(end)}" in argument`);
  }
  return { column, key };
}

function missingOperator(arg: string, operators: readonly string[]): CtlError {
  const quoted = operators.map((operator) => `"${operator}"`);
  const last = quoted.pop();
  let list = last;
  if (quoted.length === 1) list = `${quoted[0]} or ${last}`;
  else if (quoted.length > 1) list = `${quoted.join(', ')}, or ${last}`;
  return new CtlError(`${arg}: argument does not end in ${list} followed by a value.`);
}

/** `column[:key]OPERATOR value`; of operators that fit the longest counts. Throws CtlError. */
export function parseColumnSpecValue(
  arg: string,
  table: TableSchema,
  operators: readonly string[] = ['='],
): ColumnSpecValue {
  const { column, key, end } = parseColumnAndKey(arg, table);
  let best = '';
  for (const operator of operators) {
    const fits = arg.startsWith(operator, end) && arg.length > end + operator.length;
    if (fits && operator.length > best.length) best = operator;
  }
  if (best === '') throw missingOperator(arg, operators);
  return { column, key, operator: best, value: arg.slice(end + best.length) };
}

/** The columns that `--columns=a,b` names; null in the list stands for `_uuid`. */
export function parseColumnList(
  table: TableSchema,
  list: string | undefined,
): (ColumnSchema | null)[] {
  if (list === undefined) return [null, ...table.columns.values()];
  const names = list.split(/[, ]+/).filter((name) => name !== '');
  if (names.length === 0) throw new CtlError('must specify at least one column name');
  return names.map((name) => (name.toLowerCase() === '_uuid' ? null : findColumn(table, name)));
}
