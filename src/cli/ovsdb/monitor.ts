/**
 * `monitor`: a database's contents and then its changes, as tables.
 *
 * Not for: other commands (commands.ts).
 */
import type { JsonValue } from '../../common/json.js';
import { Datum } from '../../ovsdb/datum.js';
import type { ColumnSchema, DatabaseSchema, TableSchema } from '../../ovsdb/schema.js';
import type { Cell, RecordTable, TextCell } from '../vsctl/table.js';
import { ClientError } from './client.js';

type JsonObject = { [key: string]: JsonValue };

const KINDS = ['initial', 'insert', 'delete', 'modify'];

export interface MonitorPlan {
  readonly requests: JsonObject;
  /** By table: the columns to be shown. */
  readonly columns: Map<string, ColumnSchema[]>;
}

/** What `TABLE [COLUMN,...]...` or `ALL` asks for. Throws ClientError. */
export function planMonitor(schema: DatabaseSchema, args: readonly string[]): MonitorPlan {
  const requests: JsonObject = {};
  const columns = new Map<string, ColumnSchema[]>();
  const [name, ...lists] = args;
  const tables =
    name === 'ALL' && lists.length === 0 ? [...schema.tables.values()] : [findTable(schema, name)];
  for (const table of tables) {
    const entries = (lists.length > 0 ? lists : ['']).map((list) => planColumns(table, list));
    requests[table.name] = entries.map(({ request }) => request);
    columns.set(table.name, [...new Set(entries.flatMap(({ shown }) => shown))]);
  }
  return { requests, columns };
}

function findTable(schema: DatabaseSchema, name: string): TableSchema {
  const table = schema.tables.get(name);
  if (!table) throw new ClientError(`${schema.name} does not have a table named "${name}"`);
  return table;
}

/** One request: names of columns, and `!KIND` for kinds of change that are not wanted. */
function planColumns(
  table: TableSchema,
  list: string,
): { request: JsonObject; shown: ColumnSchema[] } {
  const words = list.split(',').filter((word) => word !== '');
  const select: JsonObject = {};
  const shown: ColumnSchema[] = [];
  for (const word of words) {
    const kind = word.startsWith('!') ? word.slice(1) : null;
    if (kind !== null && KINDS.includes(kind)) {
      select[kind] = false;
      continue;
    }
    const column = table.columns.get(word);
    if (!column) {
      throw new ClientError(`table "${table.name}" does not have a column named "${word}"`);
    }
    if (shown.includes(column)) throw new ClientError(`column "${word}" mentioned more than once`);
    shown.push(column);
  }
  if (shown.length === 0) {
    const sorted = [...table.columns.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    shown.push(...sorted.filter(({ name }) => name !== '_uuid'));
  }
  const request: JsonObject = { columns: shown.map((column) => column.name) };
  if (Object.keys(select).length > 0) request.select = select;
  return { request, shown };
}

/** Tables that show `<table-updates>`. */
export function updateTables(
  plan: MonitorPlan,
  updates: JsonValue,
  initial: boolean,
): RecordTable[] {
  const out: RecordTable[] = [];
  for (const [name, rows] of Object.entries(updates as JsonObject)) {
    const columns = plan.columns.get(name);
    if (!columns) continue;
    const lines: (Cell | TextCell)[][] = [];
    for (const [uuid, update] of Object.entries(rows as JsonObject)) {
      const { old, new: current } = update as { old?: JsonObject; new?: JsonObject };
      const add = (row: JsonObject, kind: string, shownUuid: string): void => {
        const cells = columns.map((column) => cellOf(column, row[column.name]));
        lines.push([{ text: shownUuid }, { text: kind }, ...cells]);
      };
      if (current && !old) add(current, initial ? 'initial' : 'insert', uuid);
      else if (old && !current) add(old, 'delete', uuid);
      else if (old && current) {
        add(old, 'old', uuid);
        add(current, 'new', '');
      }
    }
    const headings = ['row', 'action', ...columns.map((column) => column.name)];
    const caption = plan.columns.size > 1 ? name : undefined;
    out.push({ ...(caption !== undefined && { caption }), headings, rows: lines });
  }
  return out;
}

function cellOf({ type }: ColumnSchema, json: JsonValue | undefined): Cell | TextCell {
  return json === undefined ? { text: '' } : { datum: Datum.fromJson(type, json), type };
}
