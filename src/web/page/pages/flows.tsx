/**
 * The flow tables of a bridge, live: filtered, sorted and cut by the server, however long.
 */
import { useState } from 'preact/hooks';
import type { FlowPage, FlowRow, System } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { usePaged } from '../live/paged.js';
import { BridgeChoice, useBridge } from '../parts/bridge-choice.js';
import { nextSort } from '../parts/data-table.js';
import { Choice, Filter } from '../parts/fields.js';
import { FlowDialog } from '../parts/flow-dialog.js';
import { FlowEditor } from '../parts/flow-editor.js';
import { Fault, Waiting } from '../parts/signs.js';
import { type Column, VirtualTable } from '../parts/virtual-table.js';
import { bitRate, bytes, count, duration, packetRate, plural } from '../pure/format.js';
import { href, type Route } from '../pure/routes.js';
import type { Sort } from '../pure/sorting.js';

const quietZero = (value: number | null, text: string) => (
  <span class={value === null || value === 0 ? 'zero' : ''}>{text}</span>
);

const COLUMNS: readonly Column<FlowRow>[] = [
  {
    key: 'table',
    title: 'Table',
    width: '4.25rem',
    number: true,
    sortable: true,
    cell: (f) => f.table,
  },
  {
    key: 'priority',
    title: 'Priority',
    width: '5rem',
    number: true,
    sortable: true,
    cell: (f) => f.priority,
  },
  {
    key: 'match',
    title: 'Match',
    mono: true,
    head: true,
    sortable: true,
    cell: (f) => (f.match === '' ? 'everything' : f.match),
  },
  { key: 'actions', title: 'Actions', mono: true, sortable: true, cell: (f) => f.actions },
  {
    key: 'pps',
    title: 'Packets/s',
    width: '6.25rem',
    number: true,
    sortable: true,
    cell: (f) => quietZero(f.pps, packetRate(f.pps)),
  },
  {
    key: 'bps',
    title: 'Rate',
    width: '7rem',
    number: true,
    sortable: true,
    cell: (f) => quietZero(f.bps, bitRate(f.bps)),
  },
  {
    key: 'packets',
    title: 'Packets',
    width: '7rem',
    number: true,
    sortable: true,
    cell: (f) => quietZero(f.packets, count(f.packets)),
  },
  {
    key: 'bytes',
    title: 'Bytes',
    width: '5.75rem',
    number: true,
    sortable: true,
    cell: (f) => quietZero(f.bytes, bytes(f.bytes)),
  },
  {
    key: 'duration',
    title: 'Age',
    width: '6rem',
    number: true,
    sortable: true,
    cell: (f) => duration(f.duration),
  },
  {
    key: 'cookie',
    title: 'Cookie',
    width: '6.5rem',
    mono: true,
    sortable: true,
    cell: (f) => f.cookie,
  },
];

type Editing = { flow: string; old: FlowRow | null } | null;

export function FlowsPage({ route }: { route: Route }) {
  const { bridge, bridges } = useBridge(route);
  const system = useTopic<System>('system').data;
  const [filter, setFilter] = useState(route.query.filter ?? '');
  const [sort, setSort] = useState<Sort | null>(null);
  const [open, setOpen] = useState<FlowRow | null>(null);
  const [editing, setEditing] = useState<Editing>(null);
  const table = route.query.table;
  const topic = bridge === '' ? null : 'flows';
  const params = { bridge, table: table === undefined ? undefined : Number(table) };
  const { page, error, rowAt, onWindow } = usePaged<FlowRow, FlowPage>(topic, params, filter, sort);
  const fresh = page?.rows.find(({ id }) => id === open?.id) ?? open;
  return (
    <>
      <div class="bar">
        <BridgeChoice route={route} bridge={bridge} bridges={bridges} />
        <TableChoice bridge={bridge} table={table} page={page} />
        <Filter value={filter} onChange={setFilter} hint="Match, actions, cookie" />
        <Count page={page} filter={filter} />
        <span class="grow" />
        {system?.write ? (
          <button type="button" class="primary" onClick={() => setEditing({ flow: '', old: null })}>
            Add a flow
          </button>
        ) : null}
      </div>
      {page === null ? (
        <Waiting error={error} />
      ) : (
        <section class="panel fill" aria-label={`Flows of ${bridge}`}>
          <Fault error={error} />
          <VirtualTable
            label={`Flows of ${bridge}`}
            columns={COLUMNS}
            total={page.matching}
            rowAt={rowAt}
            rowKey={(row) => row.id}
            sort={sort}
            onSort={(key) => setSort(nextSort(sort, key, key !== 'match' && key !== 'actions'))}
            onWindow={onWindow}
            onOpen={setOpen}
            minWidth="74rem"
            empty={<p class="empty">{filter === '' ? 'No flows.' : 'No flow matches.'}</p>}
          />
        </section>
      )}
      {fresh === null || editing !== null ? null : (
        <FlowDialog
          flow={fresh}
          bridge={bridge}
          writable={system?.write ?? false}
          onEdit={(flow) => setEditing({ flow, old: fresh })}
          onClose={() => setOpen(null)}
        />
      )}
      {editing === null ? null : (
        <FlowEditor
          bridge={bridge}
          flow={editing.flow}
          old={editing.old}
          onClose={() => {
            setEditing(null);
            setOpen(null);
          }}
        />
      )}
    </>
  );
}

function TableChoice({
  bridge,
  table,
  page,
}: {
  bridge: string;
  table: string | undefined;
  page: FlowPage | null;
}) {
  const tables = page?.tables ?? [];
  const choices = tables.map(
    (t) => [`${t.table}`, `table ${t.table} (${count(t.flows)})`] as const,
  );
  return (
    <Choice
      bare
      label="Table"
      value={table ?? ''}
      onChange={(chosen) => {
        location.hash = href('flows', [bridge], { table: chosen });
      }}
      choices={[['', 'all tables'], ...choices]}
    />
  );
}

function Count({ page, filter }: { page: FlowPage | null; filter: string }) {
  if (page === null) return null;
  const all = plural(page.total, 'flow');
  const text =
    filter === '' && page.matching === page.total ? all : `${count(page.matching)} of ${all}`;
  return (
    <span class="soft" role="status" data-count={page.matching}>
      {text}
    </span>
  );
}
