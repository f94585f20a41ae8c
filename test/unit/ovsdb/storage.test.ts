/** Database files: what was committed is there again, whatever happened to the end of the file. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LogSink, logHub } from '../../../src/common/log.js';
import { type Database, DatabaseSchema, openDatabaseFile } from '../../../src/ovsdb/index.js';
import { readRecord } from '../../../src/ovsdb/log-record.js';
import { HOUSE, houseSchema, rows, run } from './harness.js';

let directory: string;
let file: string;
const warnings: string[] = [];
const sink: LogSink = {
  destination: 'console',
  write: (_sequence, _module, _level, message) => warnings.push(message),
};

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-file-'));
  file = path.join(directory, 'conf.db');
  warnings.length = 0;
  logHub.sinks.push(sink);
});
afterEach(() => {
  logHub.sinks.splice(logHub.sinks.indexOf(sink), 1);
  fs.rmSync(directory, { recursive: true });
});

const open = (name = file) => openDatabaseFile(name, { schema: houseSchema() });
const names = (database: Database) => rows(database, 'Room', ['name']).map((row) => row.name);
const insert = (name: string) => ({
  op: 'insert',
  table: 'Room',
  row: { name, visitors: 5, tags: ['set', ['a', 'b']] },
});

/** Commits a transaction per name and closes the file. */
function write(...rooms: string[]): void {
  const database = open();
  for (const room of rooms) run(database, insert(room), { op: 'comment', comment: room });
  database.close();
}

test('commits are there after a restart; ephemeral columns are not', () => {
  write('hall', 'attic');
  const database = open();
  run(database, { op: 'mutate', table: 'Room', where: [], mutations: [['tags', 'insert', 'c']] });
  run(database, { op: 'mutate', table: 'Room', where: [], mutations: [['tags', 'delete', 'a']] });
  run(database, { op: 'delete', table: 'Room', where: [['name', '==', 'attic']] });
  run(database, { op: 'update', table: 'Room', where: [], row: { visitors: 9 } });
  const before = rows(database, 'Room', ['_uuid', 'name', 'tags']);
  database.close();
  const again = open();
  expect(rows(again, 'Room', ['_uuid', 'name', 'tags'])).toEqual(before);
  expect(before[0].tags).toEqual(['set', ['b', 'c']]);
  expect(rows(again, 'Room', ['visitors'])).toEqual([{ visitors: 0 }]);
  again.close();
});

test('a change of ephemeral columns alone writes nothing', () => {
  write('hall');
  const size = fs.statSync(file).size;
  const database = open();
  run(database, { op: 'update', table: 'Room', where: [], row: { visitors: 9 } });
  database.close();
  expect(fs.statSync(file).size).toBe(size);
});

test('a file cut anywhere opens with every transaction that is whole in it', () => {
  write('hall', 'attic', 'cellar');
  const whole = fs.readFileSync(file);
  const ends: number[] = [];
  for (let at = 0; at < whole.length; ) {
    const result = readRecord(whole, at);
    if (!result || !('end' in result)) throw new Error('the file is damaged');
    at = result.end;
    ends.push(at);
  }
  expect(ends).toHaveLength(4);
  for (let length = ends[0]; length <= whole.length; length++) {
    const cut = path.join(directory, 'cut.db');
    fs.writeFileSync(cut, whole.subarray(0, length));
    warnings.length = 0;
    const database = open(cut);
    const records = ends.filter((end) => end <= length).length;
    expect(names(database)).toEqual(['hall', 'attic', 'cellar'].slice(0, records - 1).sort());
    expect(warnings.length > 0).toBe(!ends.includes(length));
    expect(fs.statSync(cut).size).toBe(ends[records - 1]);
    run(database, insert('yard'));
    database.close();
    const again = open(cut);
    expect(names(again)).toContain('yard');
    again.close();
  }
  expect(fs.readdirSync(directory).filter((name) => name.includes('damaged'))).toEqual([]);
});

test('whole records after damage are kept aside', () => {
  write('hall', 'attic', 'cellar');
  const bytes = fs.readFileSync(file);
  bytes[bytes.indexOf('attic')] ^= 1;
  fs.writeFileSync(file, bytes);
  const database = open();
  expect(names(database)).toEqual(['hall']);
  database.close();
  expect(fs.readFileSync(`${file}.damaged.1`, 'utf8')).toContain('cellar');
  expect(warnings.join('\n')).toContain('should have hash');
});

test('a record that does not fit the database is cut off too', () => {
  write('hall');
  const other = path.join(directory, 'other.db');
  const database = open(other);
  run(database, insert('hall'));
  run(database, { op: 'delete', table: 'Room', where: [] });
  database.close();
  const whole = fs.readFileSync(other);
  const schema = readRecord(whole, 0) as { end: number };
  const second = readRecord(whole, schema.end) as { end: number };
  fs.appendFileSync(file, whole.subarray(second.end));
  const reopened = open();
  expect(names(reopened)).toEqual(['hall']);
  expect(warnings[0]).toContain('that does not exist');
  reopened.close();
});

test('a file that is something else is refused and left alone', () => {
  fs.writeFileSync(file, 'important text\n');
  expect(() => open()).toThrow(expect.objectContaining({ code: 'E_OVSDB_FILE' }));
  expect(fs.readFileSync(file, 'utf8')).toBe('important text\n');
  expect(() => openDatabaseFile(path.join(directory, 'none.db'), {})).toThrow(/no such database/);
  expect(() => open(path.join(directory, 'no', 'where.db'))).toThrow(
    expect.objectContaining({ code: 'E_OVSDB_FILE' }),
  );
});

test('compaction keeps the rows and drops their history', async () => {
  const database = open();
  run(database, insert('hall'));
  for (let i = 0; i < 100; i++) {
    run(database, { op: 'update', table: 'Room', where: [], row: { area: i } });
  }
  const size = fs.statSync(file).size;
  database.compact();
  expect(fs.statSync(file).size).toBeLessThan(size / 3);
  run(database, insert('attic'));
  const outcome = database.execute([insert('yard'), { op: 'commit', durable: true }]);
  if (outcome.kind === 'done') await outcome.durable;
  database.close();
  const again = open();
  expect(rows(again, 'Room', ['name', 'area'])).toEqual([
    { name: 'attic', area: 0 },
    { name: 'hall', area: 99 },
    { name: 'yard', area: 0 },
  ]);
  again.close();
});

test('durable commits are acknowledged later than they are made', async () => {
  const database = open();
  const commit = { op: 'commit', durable: true };
  const outcomes = Array.from({ length: 20 }, (_, i) =>
    database.execute([insert(`r${i}`), commit]),
  );
  let durable = 0;
  const all = outcomes.map(async (outcome) => {
    if (outcome.kind === 'done') await outcome.durable;
    durable += 1;
  });
  await Promise.resolve();
  expect(durable).toBe(0);
  await Promise.all(all);
  expect(durable).toBe(20);
  database.close();
});

test('a second server is refused, also by another process; a dead one is not in the way', () => {
  const database = open();
  expect(() => open()).toThrow(expect.objectContaining({ code: 'E_OVSDB_LOCKED' }));
  const lock = path.join(directory, '.conf.db.~pid~');
  expect(fs.readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+$`));
  database.close();
  expect(fs.existsSync(lock)).toBe(false);
  const dead = execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' });
  fs.writeFileSync(lock, `${dead.trim()} 12345`);
  open().close();
  const refusing = () => {
    throw new Error('held by a native lock');
  };
  expect(() => openDatabaseFile(file, { lockFile: refusing })).toThrow('held by a native lock');
});

test('a failed write aborts the transaction and leaves the file as it was', () => {
  const database = open();
  run(database, insert('hall'));
  const full = vi.spyOn(fs, 'writeSync').mockImplementation(() => {
    throw new Error('no space left on device');
  });
  syncBuiltinESMExports();
  const results = run(database, insert('attic'));
  full.mockRestore();
  syncBuiltinESMExports();
  expect(results.at(-1)).toEqual({
    error: 'I/O error',
    details: `${file}: write failed (no space left on device)`,
  });
  expect(names(database)).toEqual(['hall']);
  run(database, insert('cellar'));
  database.close();
  const again = open();
  expect(names(again)).toEqual(['cellar', 'hall']);
  again.close();
});

test('a file with another version of the schema is converted when asked to', () => {
  write('hall');
  const tables = { ...(HOUSE.tables as object) } as Record<string, { columns: object }>;
  delete tables.Cellar;
  const { height: _height, ...columns } = tables.Room.columns as { height: unknown };
  tables.Room = { ...tables.Room, columns: { ...columns, width: { type: 'integer' } } };
  const schema = DatabaseSchema.fromJson({ ...HOUSE, version: '1.1.0', tables } as never);
  const kept = openDatabaseFile(file, { schema });
  expect(kept.schema.version).toBe('1.0.0');
  kept.close();
  const converted = openDatabaseFile(file, { schema, convert: true });
  expect(rows(converted, 'Room', ['name', 'width'])).toEqual([{ name: 'hall', width: 0 }]);
  run(converted, insert('attic'));
  converted.close();
  const again = openDatabaseFile(file, {});
  expect(again.schema.version).toBe('1.1.0');
  expect(names(again)).toEqual(['attic', 'hall']);
  again.close();
});

test('a set that may not be empty is there again as it was, from its default on', () => {
  const names = { type: { key: 'string', min: 1, max: 3 } };
  const schema = DatabaseSchema.fromJson({
    name: 'Names',
    tables: { Name: { columns: { names }, isRoot: true } },
  });
  const openNames = () => openDatabaseFile(file, { schema });
  const database = openNames();
  run(database, { op: 'insert', table: 'Name', row: {} });
  run(database, { op: 'update', table: 'Name', where: [], row: { names: 'a' } });
  database.close();
  const again = openNames();
  expect(rows(again, 'Name', ['names'])).toEqual([{ names: 'a' }]);
  again.close();
});
