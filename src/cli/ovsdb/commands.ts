/**
 * The commands of `tapswitch ovsdb`.
 *
 * Not for: options (options.ts), backup and restore (backup.ts), what monitor shows (monitor.ts).
 */
import { readFileSync } from 'node:fs';
import { type JsonValue, parseJson } from '../../common/json.js';
import { Datum } from '../../ovsdb/datum.js';
import { sortedText } from '../../ovsdb/error.js';
import { type ColumnSchema, DatabaseSchema, type TableSchema } from '../../ovsdb/schema.js';
import type { CliIo } from '../io.js';
import { type Cell, formatRecords, type RecordTable } from '../vsctl/table.js';
import { backup, readBackup, restoreOperations, schemaDifference } from './backup.js';
import { ClientError, type OvsdbClient } from './client.js';
import { planMonitor, updateTables } from './monitor.js';
import type { ClientOptions } from './options.js';

/** What a command has to work with. */
export interface Invocation {
  readonly client: OvsdbClient;
  /** Absent for commands that take none. */
  readonly database: string;
  readonly args: readonly string[];
  readonly options: ClientOptions;
  readonly io: CliIo;
  wallNow(): number;
}

export interface ClientCommand {
  readonly needsDatabase: boolean;
  readonly minArgs: number;
  readonly maxArgs: number;
  run(invocation: Invocation): Promise<void>;
}

const command = (
  needsDatabase: boolean,
  minArgs: number,
  maxArgs: number,
  run: (invocation: Invocation) => Promise<void>,
): ClientCommand => ({ needsDatabase, minArgs, maxArgs, run });

const ANY = Number.POSITIVE_INFINITY;

export const COMMANDS: ReadonlyMap<string, ClientCommand> = new Map([
  ['list-dbs', command(false, 0, 0, listDbs)],
  ['get-schema', command(true, 0, 0, getSchema)],
  ['get-schema-version', command(true, 0, 0, (i) => schemaMember(i, 'version'))],
  ['get-schema-cksum', command(true, 0, 0, (i) => schemaMember(i, 'cksum'))],
  ['list-tables', command(true, 0, 0, listTables)],
  ['list-columns', command(true, 0, 1, listColumns)],
  ['dump', command(true, 0, ANY, dump)],
  ['transact', command(false, 1, 1, (i) => transact(i, false))],
  ['query', command(false, 1, 1, (i) => transact(i, true))],
  ['monitor', command(true, 1, ANY, monitor)],
  ['wait', command(true, 1, 1, wait)],
  ['backup', command(true, 0, 0, writeBackup)],
  ['restore', command(true, 0, 0, restore)],
  ['convert', command(false, 1, 1, convert)],
  ['needs-conversion', command(false, 1, 1, needsConversion)],
]);

async function listDbs({ client, io }: Invocation): Promise<void> {
  for (const name of await client.databases()) io.stdout.write(`${name}\n`);
}

async function getSchema({ client, database, options, io }: Invocation): Promise<void> {
  const json = (await client.schema(database)).toJson();
  const text = options.style.pretty ? JSON.stringify(json, null, 2) : sortedText(json);
  io.stdout.write(`${text}\n`);
}

async function schemaMember(
  { client, database, io }: Invocation,
  member: 'version' | 'cksum',
): Promise<void> {
  io.stdout.write(`${(await client.schema(database))[member]}\n`);
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

async function listTables({ client, database, options, io }: Invocation): Promise<void> {
  const tables = [...(await client.schema(database)).tables.values()].sort(byName);
  const table = { headings: ['Table'], rows: tables.map(({ name }) => [{ text: name }]) };
  io.stdout.write(formatRecords(table, options.style, true));
}

async function listColumns(invocation: Invocation): Promise<void> {
  const { client, database, args, options, io } = invocation;
  const schema = await client.schema(database);
  const [only] = args;
  const rows: RecordTable['rows'] = [];
  for (const table of [...schema.tables.values()].sort(byName)) {
    if (only !== undefined && only !== table.name) continue;
    for (const column of [...table.columns.values()].sort(byName)) {
      const type = { text: sortedText(column.type.toJson()) };
      const cells = [{ text: column.name }, type];
      rows.push(only === undefined ? [{ text: table.name }, ...cells] : cells);
    }
  }
  const headings = only === undefined ? ['Table', 'Column', 'Type'] : ['Column', 'Type'];
  io.stdout.write(formatRecords({ headings, rows }, options.style, true));
}

async function dump({ client, database, args, options, io }: Invocation): Promise<void> {
  const schema = await client.schema(database);
  const [name, ...names] = args;
  const tables = name === undefined ? [...schema.tables.values()] : [named(schema, name)];
  tables.sort(byName);
  const columns = tables.map((table) => dumpedColumns(table, names));
  const operations = tables.map((table, i) => ({
    op: 'select',
    table: table.name,
    where: [],
    columns: columns[i].map((column) => column.name),
  }));
  const results = await client.transact(database, operations);
  tables.forEach((table, i) => {
    const { rows } = results[i] as { rows: { [column: string]: JsonValue }[] };
    const cells = rows.map((row) =>
      columns[i].map(({ name: column, type }) => ({
        datum: Datum.fromJson(type, row[column]),
        type,
      })),
    );
    cells.sort(compareRecords);
    const headings = columns[i].map((column) => column.name);
    const shown: RecordTable = { caption: `${table.name} table`, headings, rows: cells };
    io.stdout.write(formatRecords(shown, options.style, i === 0));
  });
}

function named(schema: DatabaseSchema, name: string): TableSchema {
  const table = schema.tables.get(name);
  if (!table) throw new ClientError(`No table "${name}" found.`);
  return table;
}

function dumpedColumns(table: TableSchema, names: readonly string[]): ColumnSchema[] {
  const wanted = names.map((name) => {
    const column = table.columns.get(name);
    if (!column) throw new ClientError(`Table "${table.name}" has no column ${name}.`);
    return column;
  });
  const columns = wanted.length > 0 ? wanted : [...table.columns.values()];
  return columns.filter(({ name }) => name !== '_version').sort(byName);
}

/** By values, then by UUIDs: those are different each time. */
function compareRecords(a: Cell[], b: Cell[]): number {
  for (const uuids of [false, true]) {
    for (let x = 0; x < a.length; x++) {
      if ((a[x].type.key.type === 'uuid') !== uuids) continue;
      const order = a[x].datum.compare(b[x].datum);
      if (order !== 0) return order;
    }
  }
  return 0;
}

async function transact({ client, args, io }: Invocation, readOnly: boolean): Promise<void> {
  const params = parseTransaction(args[0]);
  if (readOnly) params.push({ op: 'abort' });
  const results = (await client.ask('transact', params)) as JsonValue[];
  if (readOnly) {
    const last = results.pop() as { error?: string } | null;
    const failed = results.some(
      (result) => result && typeof result === 'object' && 'error' in result,
    );
    if (!failed && last?.error !== 'aborted') throw new ClientError('the query was not aborted');
  }
  io.stdout.write(`${sortedText(results)}\n`);
}

function parseTransaction(text: string): JsonValue[] {
  let json: JsonValue;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new ClientError(`error parsing JSON: ${(error as Error).message}`);
  }
  if (Array.isArray(json)) return json;
  throw new ClientError('the transaction is not a JSON array that begins with a database name');
}

async function monitor({
  client,
  database,
  args,
  options,
  io,
  ...rest
}: Invocation): Promise<void> {
  const schema = await client.schema(database);
  const plan = planMonitor(schema, args);
  let first = true;
  const show = (updates: JsonValue, initial: boolean): void => {
    for (const table of updateTables(plan, updates, initial)) {
      if (options.timestamp) io.stdout.write(`${new Date(rest.wallNow()).toISOString()}\n`);
      io.stdout.write(formatRecords(table, options.style, first));
      first = false;
    }
  };
  let removed = false;
  client.onNotify = (method, params) => {
    if (method === 'update') show(params[1], false);
    if (method !== 'monitor_canceled') return;
    removed = true;
    client.close();
  };
  if (options.changeAware ?? true) await client.ask('set_db_change_aware', [true]).catch(() => {});
  show(await client.ask('monitor', [database, null, plan.requests]), true);
  await client.end;
  if (removed) throw new ClientError(`${database} database was removed`);
  throw new ClientError(`${client.server}: receive failed (End of file)`);
}

async function wait({ client, database, args }: Invocation): Promise<void> {
  const [state] = args;
  if (!['added', 'connected', 'removed'].includes(state)) {
    throw new ClientError(`${state}: unknown state`);
  }
  const where = [['name', '==', database]];
  if (state === 'connected') where.push(['connected', '==', true as unknown as string]);
  const rows = state === 'removed' ? [] : [{ name: database }];
  const until = { op: 'wait', table: 'Database', where, columns: ['name'], until: '==', rows };
  await client.ask('set_db_change_aware', [true]).catch(() => {});
  await client.transact('_Server', [until as unknown as JsonValue]);
}

async function writeBackup({ client, database, io, wallNow }: Invocation): Promise<void> {
  if ((io.stdout as { isTTY?: boolean }).isTTY) {
    throw new ClientError('not writing backup to a terminal; please redirect stdout to a file');
  }
  io.stdout.write(await backup(client, database, wallNow()));
}

async function restore({ client, database, options, io }: Invocation): Promise<void> {
  if ((io.stdin as { isTTY?: boolean }).isTTY) {
    throw new ClientError('not reading backup from a terminal; please redirect stdin from a file');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(chunk as Buffer);
  const from = readBackup(Buffer.concat(chunks));
  const difference = schemaDifference(from.schema, await client.schema(database));
  if (difference !== null && !options.force) {
    throw new ClientError(
      `${difference} (use --force to override differences, or "ovsdb-client convert" to change ` +
        'the schema)',
    );
  }
  await client.transact(from.schema.name, restoreOperations(from));
}

function schemaIn(file: string): DatabaseSchema {
  return DatabaseSchema.fromJson(parseJson(readFileSync(file, 'utf8')));
}

async function convert({ client, args }: Invocation): Promise<void> {
  const schema = schemaIn(args[0]);
  await client.ask('set_db_change_aware', [true]).catch(() => {});
  await client.ask('convert', [schema.name, schema.toJson()]);
}

async function needsConversion({ client, args, io }: Invocation): Promise<void> {
  const schema = schemaIn(args[0]);
  const online = await client.schema(schema.name);
  const same = sortedText(schema.toJson()) === sortedText(online.toJson());
  io.stdout.write(same ? 'no\n' : 'yes\n');
}
