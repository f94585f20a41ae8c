/**
 * What a database's rows say about remotes: a column named as `db:DB,TABLE,COLUMN` holds targets,
 * or refers to rows that have a `target` and settings beside it (the Manager table is such a one).
 *
 * Not for: opening remotes (remotes.ts), telling their state (remote-status.ts).
 */
import { TapswitchError } from '../../common/errors.js';
import type { Atom } from '../atom.js';
import type { Database } from '../database.js';
import type { ColumnSchema } from '../schema.js';
import type { Row, Table } from '../table.js';

/** Settings of a remote. */
export interface RemoteSettings {
  /** Milliseconds of silence before a peer is probed; 0: never; undefined: the usual. */
  probeIntervalMs?: number;
  /** Longest wait between attempts to connect, milliseconds. */
  maxBackoffMs?: number;
  /** Clients may look, not change. */
  readOnly?: boolean;
  /** The RBAC_Role of clients. */
  role?: string;
}

export interface ColumnPlace {
  readonly database: Database;
  readonly table: Table;
  readonly column: ColumnSchema;
}

const PREFIX = 'db:';

export function namesColumn(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * The column that `db:DB,TABLE,COLUMN` names.
 * @throws TapswitchError E_OVSDB_REMOTE
 */
export function columnPlace(databases: ReadonlyMap<string, Database>, name: string): ColumnPlace {
  const fail = (why: string): never => {
    throw new TapswitchError('E_OVSDB_REMOTE', `"${name}": ${why}`);
  };
  const [databaseName, tableName, columnName] = name
    .slice(PREFIX.length)
    .split(',')
    .filter((token) => token !== '');
  if (!databaseName || !tableName || !columnName) return fail('invalid syntax');
  const database = databases.get(databaseName);
  if (!database) return fail(`no database named ${databaseName}`);
  const table = database.tables.get(tableName);
  if (!table) return fail(`no table named ${tableName}`);
  const column = table.schema.columns.get(columnName);
  if (!column) return fail(`table "${tableName}" has no column "${columnName}"`);
  return { database, table, column };
}

/** Rows that a column of references names; none for any other column. */
export function referredRows({ table, column }: ColumnPlace): Row[] {
  if (column.type.key.refTable === null || column.type.value) return [];
  const target = table.target(column.type.key);
  const rows: Row[] = [];
  for (const row of table.rows.values()) {
    for (const key of row.fields[column.index].keys) {
      const referred = target.rows.get(String(key));
      if (referred) rows.push(referred);
    }
  }
  return rows;
}

/** The remotes that a column names, with their settings. */
export function remotesIn(place: ColumnPlace): Map<string, RemoteSettings> {
  const found = new Map<string, RemoteSettings>();
  const { table, column } = place;
  if (column.type.key.type === 'string') {
    for (const row of table.rows.values()) {
      for (const key of row.fields[column.index].keys) found.set(String(key), {});
    }
    return found;
  }
  for (const row of referredRows(place)) {
    const target = targetOf(row);
    if (target !== undefined) found.set(target, settingsOf(row));
  }
  return found;
}

/** The `target` of a row; undefined when it has none. */
export function targetOf(row: Row): string | undefined {
  const target = soleValue(row, 'target');
  return typeof target === 'string' && target !== '' ? target : undefined;
}

function settingsOf(row: Row): RemoteSettings {
  const probe = soleValue(row, 'inactivity_probe');
  const backoff = soleValue(row, 'max_backoff');
  const role = soleValue(row, 'role');
  return {
    ...(typeof role === 'string' && { role }),
    ...(typeof probe === 'number' && probe >= 0 && { probeIntervalMs: probe }),
    ...(typeof backoff === 'number' && backoff > 0 && { maxBackoffMs: backoff }),
    ...(soleValue(row, 'read_only') === true && { readOnly: true }),
  };
}

/** The only value of a column of that name; undefined when there is no such column or value. */
function soleValue(row: Row, name: string): Atom | undefined {
  const column = row.table.schema.columns.get(name);
  const datum = column && row.fields[column.index];
  return datum?.size === 1 ? datum.keys[0] : undefined;
}

/** The first string in a column that is not empty. */
export function stringIn({ table, column }: ColumnPlace): string | undefined {
  for (const row of table.rows.values()) {
    for (const key of row.fields[column.index].keys) if (key !== '') return String(key);
  }
  return undefined;
}
