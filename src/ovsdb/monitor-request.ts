/**
 * Reads what monitor requests ask for: tables, columns, kinds of change, conditions.
 *
 * Not for: composing updates (monitor.ts).
 */
import type { JsonValue } from '../common/json.js';
import { Condition } from './condition.js';
import { syntaxError } from './error.js';
import { ObjectParser } from './object-parser.js';
import { COLUMN_UUID, type ColumnSchema } from './schema.js';
import type { Table } from './table.js';

/** Kinds of change, as bits. */
export const SELECT = { initial: 1, insert: 2, delete: 4, modify: 8 } as const;
const SELECT_ALL = 15;

export interface MonitoredColumn {
  readonly column: ColumnSchema;
  /** For which kinds of change this column is sent. */
  readonly select: number;
}

export interface MonitoredTable {
  readonly table: Table;
  /** Kinds of change that any column is sent for. */
  select: number;
  readonly columns: MonitoredColumn[];
  condition: Condition;
}

/**
 * Reads `<monitor-requests>`, or `<monitor-cond-requests>` if they may have conditions. Throws
 * OvsdbError.
 */
export function parseMonitorRequests(
  tables: ReadonlyMap<string, Table>,
  json: JsonValue,
  withConditions: boolean,
): Map<string, MonitoredTable> {
  const monitored = new Map<string, MonitoredTable>();
  for (const [name, requests] of entriesOf(json, 'monitor-requests must be object')) {
    const table = tables.get(name);
    if (!table) throw syntaxError(undefined, `no table named ${name}`);
    const entry: MonitoredTable = { table, select: 0, columns: [], condition: new Condition([]) };
    const list = Array.isArray(requests) ? requests : [requests];
    list.forEach((request, i) => {
      const condition = addRequest(entry, request, withConditions);
      entry.condition = i === 0 ? condition : entry.condition.or(condition);
    });
    monitored.set(name, entry);
  }
  return monitored;
}

function entriesOf(json: JsonValue, complaint: string): [string, JsonValue][] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw syntaxError(json, complaint);
  }
  return Object.entries(json);
}

function addRequest(entry: MonitoredTable, json: JsonValue, withCondition: boolean): Condition {
  const { table } = entry;
  const parser = new ObjectParser(json, `table ${table.name}`);
  const where = withCondition ? parser.optionalArray('where') : undefined;
  const columns = parser.optionalArray('columns');
  const selectJson = parser.optional('select', 'object');
  parser.finish();
  const select = selectJson === undefined ? SELECT_ALL : parseSelect(table, selectJson);
  entry.select |= select;
  for (const column of columnsOf(table, columns)) {
    if (entry.columns.some((other) => other.column === column)) {
      throw syntaxError(columns, `column ${column.name} mentioned more than once`);
    }
    entry.columns.push({ column, select });
  }
  return Condition.fromJson(table.schema, where ?? []);
}

function parseSelect(table: Table, json: JsonValue): number {
  const parser = new ObjectParser(json, `table ${table.name} select`);
  let select = 0;
  for (const [kind, bit] of Object.entries(SELECT)) {
    if (parser.optionalBoolean(kind, true)) select |= bit;
  }
  parser.finish();
  return select;
}

function columnsOf(table: Table, json: JsonValue[] | undefined): ColumnSchema[] {
  if (json === undefined) {
    return table.schema.columnList.filter((column) => column.index !== COLUMN_UUID);
  }
  return json.map((name) => {
    if (typeof name !== 'string') throw syntaxError(json, 'array of column names expected');
    const column = table.schema.columns.get(name);
    if (!column) throw syntaxError(json, `${name} is not a valid column name`);
    return column;
  });
}

/** Reads `<monitor-cond-update-requests>`: new conditions by table. Throws OvsdbError. */
export function parseNewConditions(
  monitored: ReadonlyMap<string, MonitoredTable>,
  json: JsonValue,
): Map<string, Condition> {
  const conditions = new Map<string, Condition>();
  const complaint = 'monitor-cond-change-requests must be object';
  for (const [name, requests] of entriesOf(json, complaint)) {
    const entry = monitored.get(name);
    if (!entry) throw syntaxError(undefined, `no table named ${name} in monitor session`);
    if (!Array.isArray(requests)) {
      throw syntaxError(undefined, `table ${name} no monitor-cond-change JSON array`);
    }
    for (const request of requests) {
      const parser = new ObjectParser(request, `table ${name}`);
      const columns = parser.optionalArray('columns');
      const where = parser.optionalArray('where');
      parser.finish();
      if (columns) throw syntaxError(request, 'changing columns is unsupported');
      const condition = Condition.fromJson(entry.table.schema, where ?? []);
      conditions.set(name, conditions.get(name)?.or(condition) ?? condition);
    }
  }
  return conditions;
}
