/**
 * Writes what has become of remotes into the rows that name them: Manager.is_connected and .status.
 *
 * Columns that a schema lacks are left out, so any table with a `target` will do.
 */
import { getLogger } from '../../common/log.js';
import type { Database } from '../database.js';
import { Datum } from '../datum.js';
import type { Row, Table } from '../table.js';
import { type ColumnPlace, referredRows, targetOf } from './remote-rows.js';

const log = getLogger('ovsdb_server');

/** The state of a remote, as its row will have it. */
export interface RemoteStatus {
  readonly isConnected: boolean;
  /** `state`, `sec_since_connect`, `n_connections`, `bound_port`... */
  readonly details: Readonly<Record<string, string>>;
}

const UNKNOWN: RemoteStatus = { isConnected: false, details: {} };

/** Brings the rows that `places` refer to up to date, in one transaction per database. */
export function writeRemoteStatus(
  places: readonly ColumnPlace[],
  statusOf: (target: string) => RemoteStatus | undefined,
): void {
  const byDatabase = new Map<Database, Row[]>();
  for (const place of places) {
    const rows = byDatabase.get(place.database) ?? [];
    byDatabase.set(place.database, rows);
    for (const row of referredRows(place)) if (isStale(row, statusOf)) rows.push(row);
  }
  for (const [database, rows] of byDatabase) {
    if (rows.length === 0) continue;
    try {
      database.transact((transaction) => {
        for (const row of new Set(rows)) {
          const copy = transaction.modify(row);
          for (const [index, datum] of valuesFor(row, statusOf)) copy.fields[index] = datum;
        }
      });
    } catch (error) {
      log.err(`Failed to update remote status: ${(error as Error).message}`);
    }
  }
}

type StatusOf = (target: string) => RemoteStatus | undefined;

function isStale(row: Row, statusOf: StatusOf): boolean {
  return valuesFor(row, statusOf).some(([index, datum]) => !row.fields[index].equals(datum));
}

/** Positions and new values of the columns that tell the state. */
function valuesFor(row: Row, statusOf: StatusOf): [number, Datum][] {
  const target = targetOf(row);
  if (target === undefined) return [];
  const { isConnected, details } = statusOf(target) ?? UNKNOWN;
  const values: [number, Datum][] = [];
  const connected = columnOf(row.table, 'is_connected', 'boolean');
  if (connected !== null) values.push([connected, new Datum([isConnected])]);
  const status = columnOf(row.table, 'status', 'string');
  if (status !== null && row.table.schema.columnList[status].type.isMap) {
    values.push([status, Datum.fromMembers(Object.keys(details), Object.values(details))]);
  }
  return values;
}

function columnOf(table: Table, name: string, type: string): number | null {
  const column = table.schema.columns.get(name);
  return column?.type.key.type === type ? column.index : null;
}
