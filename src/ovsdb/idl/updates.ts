/**
 * Applying what a server says about monitored tables to the replica.
 *
 *     update   (RFC 7047)     { table: { uuid: { old, new } } }       whole columns
 *     update2, update3        { table: { uuid: { initial | insert | modify | delete } } }
 *                             differences; columns that hold their default are left out
 *
 * Not for: asking for them (session.ts).
 */

import { TapswitchError } from '../../common/errors.js';
import type { JsonValue } from '../../common/json.js';
import { Datum } from '../datum.js';
import { UNLIMITED } from '../types.js';
import { type IdlRow, type IdlTable, parseRow, type Replica } from './replica.js';

/** Which of the two notations a monitor uses. */
export type UpdateFormat = 'update' | 'update2';

type Json = { [key: string]: JsonValue };

function object(json: JsonValue | undefined, what: string): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new TapswitchError('E_OVSDB_UPDATE', `the server sent an update whose ${what} is wrong`);
}

/** Every row update in `updates` of a table that the schema has. */
function* rowUpdates(replica: Replica, updates: JsonValue): Generator<[IdlTable, string, Json]> {
  for (const [name, rows] of Object.entries(object(updates, 'table updates'))) {
    const table = replica.tables.get(name);
    if (!table) continue;
    for (const [uuid, update] of Object.entries(object(rows, 'row updates'))) {
      yield [table, uuid.toLowerCase(), object(update, 'row update')];
    }
  }
}

/** Stores `data`; columns that it lacks return to their default if `whole`. */
function overwrite(replica: Replica, row: IdlRow, data: Map<string, Datum>, whole: boolean): void {
  if (whole) {
    for (const name of row.data.keys()) {
      if (!data.has(name)) data.set(name, Datum.defaultOf(row.table.column(name).type));
    }
  }
  for (const [name, datum] of data) {
    if (!row.datum(name).equals(datum)) replica.modify(row, name, datum);
  }
}

function put(
  replica: Replica,
  table: IdlTable,
  uuid: string,
  json: JsonValue | undefined,
  whole: boolean,
): void {
  const data = parseRow(table, json);
  const row = table.row(uuid);
  if (row) overwrite(replica, row, data, whole);
  else replica.insert(table, uuid, data);
}

function remove(replica: Replica, table: IdlTable, uuid: string): void {
  const row = table.row(uuid);
  if (row) replica.delete(row);
}

/** Differences have as many members as changed, whatever the column's own limits. */
function* parseDiffs(table: IdlTable, json: JsonValue): Generator<[string, Datum]> {
  for (const [name, value] of Object.entries(object(json, 'modify'))) {
    const type = table.schema.columns.get(name)?.type;
    if (!type) continue;
    const diffType = type.isComposite ? type.withCounts(0, UNLIMITED) : type;
    yield [name, Datum.fromJson(diffType, value)];
  }
}

function modifyByDiff(replica: Replica, table: IdlTable, uuid: string, json: JsonValue): void {
  const row = table.row(uuid);
  if (!row) throw new TapswitchError('E_OVSDB_UPDATE', `the server modified unknown row ${uuid}`);
  for (const [name, diff] of parseDiffs(table, json)) {
    const datum = row.datum(name).applyDiff(diff, table.column(name).type);
    if (!row.datum(name).equals(datum)) replica.modify(row, name, datum);
  }
}

/**
 * Applies `updates` to the replica.
 *
 * Throws E_OVSDB_UPDATE, or OvsdbError, where it makes no sense: the replica can then no longer be
 * trusted, and the caller reconnects.
 */
export function applyUpdates(replica: Replica, format: UpdateFormat, updates: JsonValue): void {
  for (const [table, uuid, update] of rowUpdates(replica, updates)) {
    if (format === 'update') {
      if (update.new === undefined || update.new === null) remove(replica, table, uuid);
      else put(replica, table, uuid, update.new, false);
    } else if ('initial' in update) put(replica, table, uuid, update.initial, true);
    else if ('insert' in update) put(replica, table, uuid, update.insert, true);
    else if ('modify' in update) modifyByDiff(replica, table, uuid, update.modify);
    else if ('delete' in update) remove(replica, table, uuid);
  }
}

/**
 * Makes the replica equal to a complete dump: rows that the dump lacks go, others are compared
 * column by column, so a reconnection reports only what really changed.
 */
export function replaceContents(replica: Replica, format: UpdateFormat, dump: JsonValue): void {
  const seen = new Map<IdlTable, Set<string>>();
  for (const [table, uuid] of rowUpdates(replica, dump)) {
    const uuids = seen.get(table);
    if (uuids) uuids.add(uuid);
    else seen.set(table, new Set([uuid]));
  }
  for (const table of replica.tables.values()) {
    const uuids = seen.get(table);
    for (const row of table.rows.values()) {
      if (!uuids?.has(row.uuid)) replica.delete(row);
    }
  }
  applyUpdates(replica, format, dump);
}
