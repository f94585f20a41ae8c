/**
 * The database, table by table; what has just changed stands out.
 */
import { useState } from 'preact/hooks';
import type { Database, DatabaseRow, DatabasePage as Page } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { usePaged } from '../live/paged.js';
import { nextSort } from '../parts/data-table.js';
import { Filter } from '../parts/fields.js';
import { Dialog } from '../parts/panel.js';
import { Facts, Fault, Waiting } from '../parts/signs.js';
import { type Column, VirtualTable } from '../parts/virtual-table.js';
import { count, plural } from '../pure/format.js';
import { href, type Route } from '../pure/routes.js';
import type { Sort } from '../pure/sorting.js';

/** Width of a column at least. */
const COLUMN_REM = 9;

export function DatabasePage({ route }: { route: Route }) {
  const database = useTopic<Database>('database');
  if (database.data === null) return <Waiting error={database.error} />;
  const tables = [...database.data.tables].sort(
    (a, b) => Number(b.rows > 0) - Number(a.rows > 0) || (a.name < b.name ? -1 : 1),
  );
  const table = route.path[0] ?? tables[0]?.name ?? '';
  return (
    <div class="browser">
      <nav class="panel tables" aria-label="Tables">
        <ul>
          {tables.map(({ name, rows }) => (
            <li key={name}>
              <a
                href={href('database', [name])}
                aria-current={name === table ? 'true' : undefined}
                class={rows === 0 ? 'faint' : ''}
              >
                {name} <span class="faint">{count(rows)}</span>
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <Rows key={table} table={table} database={database.data} />
    </div>
  );
}

function Rows({ table, database }: { table: string; database: Database }) {
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState<Sort | null>(null);
  const [open, setOpen] = useState<DatabaseRow | null>(null);
  const { page, error, rowAt, onWindow } = usePaged<DatabaseRow, Page>(
    'database-table',
    { table },
    filter,
    sort,
  );
  if (page === null) return <Waiting error={error} />;
  const fresh = page.rows.find(({ uuid }) => uuid === open?.uuid) ?? open;
  const columns = columnsOf(page);
  return (
    <div class="beside">
      <div class="bar">
        <Filter value={filter} onChange={setFilter} hint="Any value" />
        <span class="soft">
          {plural(page.total, 'row')} in {table}; {database.name} {database.version}, change{' '}
          {count(database.seqno)}
        </span>
      </div>
      <Fault error={error} />
      <section class="panel fill" aria-label={table}>
        <VirtualTable
          label={`Table ${table}`}
          columns={columns}
          minWidth={`${columns.length * COLUMN_REM}rem`}
          total={page.matching}
          rowAt={rowAt}
          rowKey={({ uuid }) => uuid}
          sort={sort}
          onSort={(key) => setSort(nextSort(sort, key, false))}
          onWindow={onWindow}
          onOpen={setOpen}
          empty={<p class="empty">{filter === '' ? 'No rows.' : 'No row matches.'}</p>}
        />
      </section>
      {fresh === null ? null : (
        <Dialog
          title={`${table} ${fresh.columns.name ?? fresh.uuid}`}
          onClose={() => setOpen(null)}
          wide
        >
          <Facts facts={[['_uuid', fresh.uuid], ...factsOf(fresh)]} />
        </Dialog>
      )}
    </div>
  );
}

function factsOf({ columns, changed }: DatabaseRow) {
  return Object.entries(columns).map(
    ([name, value]) =>
      [
        name,
        <code key={value} class={changed.includes(name) ? 'flash' : ''}>
          {value}
        </code>,
      ] as const,
  );
}

/** Columns that say something in some row first; those that are empty everywhere are left out. */
function columnsOf(page: Page): Column<DatabaseRow>[] {
  const empty = new Set(['', '[]', '{}', '""']);
  const names = page.columns.filter(
    (name) => !name.startsWith('_') && page.rows.some((row) => !empty.has(row.columns[name] ?? '')),
  );
  const first = (name: string): number => (name === 'name' || name === 'target' ? 0 : 1);
  const ordered = names.sort((a, b) => first(a) - first(b));
  return ordered.map((name, index) => ({
    key: name,
    title: name,
    mono: true,
    sortable: true,
    head: index === 0,
    cell: (row) => {
      const text = row.columns[name] ?? '';
      return row.changed.includes(name) ? (
        <span key={text} class="flash changed" title={text}>
          {text}
        </span>
      ) : (
        text
      );
    },
  }));
}
