/** Topics `database` and `database-table`: any table, as vsctl prints values, with what changed. */
import { type Static, Type } from '@sinclair/typebox';
import { TapswitchError } from '../../common/errors.js';
import type { Changes, IdlRow } from '../../ovsdb/idl/index.js';
import type { BaseType, ColumnType } from '../../ovsdb/types.js';
import { Database, DatabasePage, type DatabaseRow, PageQuery } from '../api/index.js';
import { matcher } from '../rows/filter.js';
import type { Subject } from '../subject/subject.js';
import type { Resource } from './resource.js';

export const TableQuery = PageQuery;
const OfTable = Type.Object({ table: Type.String({ minLength: 1, maxLength: 64 }) });

/** Keys of maps whose values are nobody's business. */
const SECRETS = /\b(psk|password|key_secret)=(?:"(?:[^"\\]|\\.)*"|[^,}]*)/g;
/** How long a column counts as changed. */
const CHANGED_MS = 3000;
const LIMIT = 200;

/** Remembers which columns of which rows changed lately. */
export class RecentChanges {
  private readonly times = new Map<string, Map<string, number>>();
  /** The first contents are no change. */
  private first = true;

  constructor(private readonly subject: Subject) {
    subject.listeners.add((changes) => this.note(changes));
  }

  of(uuid: string): string[] {
    const columns = this.times.get(uuid);
    if (!columns) return [];
    const now = this.subject.clock.now();
    return [...columns].filter(([, at]) => now - at < CHANGED_MS).map(([name]) => name);
  }

  private note(changes: Changes): void {
    if (this.first) {
      this.first = false;
      return;
    }
    const now = this.subject.clock.now();
    for (const { inserted, modified } of changes.values()) {
      for (const row of inserted) this.mark(row, [...row.table.schema.columns.keys()], now);
      for (const [row, columns] of modified) this.mark(row, columns, now);
    }
    for (const [uuid, columns] of this.times) {
      if ([...columns.values()].every((at) => now - at >= CHANGED_MS)) this.times.delete(uuid);
    }
  }

  private mark(row: IdlRow, columns: Iterable<string>, now: number): void {
    const times = this.times.get(row.uuid) ?? new Map<string, number>();
    for (const column of columns) times.set(column, now);
    this.times.set(row.uuid, times);
  }
}

export function databaseResource(subject: Subject): Resource {
  return {
    topic: 'database',
    path: '/database',
    summary: 'Tables of the database, their columns, and how many rows each has',
    answer: Database,
    intervalMs: 1000,
    tables: ['*'],
    async read() {
      subject.mustHaveDatabase();
      const { idl } = subject;
      return {
        name: idl.database,
        version: idl.schema?.version ?? '',
        connected: idl.live,
        seqno: idl.seqno,
        tables: [...idl.tables].map((table) => ({
          name: table.name,
          rows: table.size,
          columns: [...table.schema.columns.values()].map((column) => ({
            name: column.name,
            type: typeText(column.type),
          })),
        })),
      };
    },
  };
}

export function tableResource(subject: Subject): Resource {
  const recent = new RecentChanges(subject);
  return {
    topic: 'database-table',
    path: '/database/:table',
    summary: 'Rows of one table',
    params: OfTable,
    query: TableQuery,
    answer: DatabasePage,
    intervalMs: 1000,
    tables: ['*'],
    async read(query) {
      subject.mustHaveDatabase();
      const { table: name, ...page } = query as Static<typeof OfTable> & PageQuery;
      const table = subject.table(name);
      if (!table) throw new TapswitchError('E_WEB_NOT_FOUND', `no table named ${name}`);
      const columns = [...table.schema.columns.keys()];
      const rows = [...table].map((row) => rowOf(row, columns, recent));
      const matches = matcher(page.filter);
      const found = rows.filter(({ uuid, columns: values }) =>
        matches(`${uuid} ${Object.values(values).join(' ')}`),
      );
      sortRows(found, page);
      const offset = page.offset ?? 0;
      return {
        total: rows.length,
        matching: found.length,
        offset,
        sampledAt: subject.clock.wallNow(),
        readMs: 0,
        table: name,
        seqno: subject.idl.seqno,
        columns,
        rows: found.slice(offset, offset + (page.limit ?? LIMIT)),
      };
    },
  };
}

function rowOf(row: IdlRow, columns: readonly string[], recent: RecentChanges): DatabaseRow {
  const values = columns.map((name) => {
    const text = row.datum(name).toText(row.table.column(name).type);
    return [name, text.replace(SECRETS, '$1="***"')] as const;
  });
  return { uuid: row.uuid, columns: Object.fromEntries(values), changed: recent.of(row.uuid) };
}

function sortRows(rows: DatabaseRow[], { sort, desc }: PageQuery): void {
  const key = sort ?? 'name';
  const value = (row: DatabaseRow) => (key === 'uuid' ? row.uuid : (row.columns[key] ?? ''));
  const order = new Intl.Collator('en', { numeric: true });
  const sign = desc ? -1 : 1;
  rows.sort((a, b) => sign * order.compare(value(a), value(b)) || order.compare(a.uuid, b.uuid));
}

/** 'string', 'set of Port', 'map of string to string'. */
function typeText(type: ColumnType): string {
  const of = (base: BaseType): string => base.refTable ?? base.type;
  if (type.isMap && type.value) return `map of ${of(type.key)} to ${of(type.value)}`;
  if (type.max > 1) return `set of ${of(type.key)}`;
  return type.min === 0 ? `optional ${of(type.key)}` : of(type.key);
}
