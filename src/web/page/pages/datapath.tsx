/**
 * Datapath flows: what the packet path has installed, a megaflow a row.
 */
import { useState } from 'preact/hooks';
import type { DatapathFlowPage, DatapathFlowRow } from '../../api/index.js';
import { usePaged } from '../live/paged.js';
import { nextSort } from '../parts/data-table.js';
import { Filter } from '../parts/fields.js';
import { Dialog } from '../parts/panel.js';
import { Facts, Sign, Waiting } from '../parts/signs.js';
import { type Column, VirtualTable } from '../parts/virtual-table.js';
import { bitRate, bytes, count, duration, packetRate, plural } from '../pure/format.js';
import type { Sort } from '../pure/sorting.js';

const age = (used: number | null): string => (used === null ? 'never' : `${duration(used)} ago`);

/** Without what stands in every match, and a type that its header says again; the whole is a click
 * away. */
const shortMatch = (match: string): string =>
  match
    .replace(/^recirc_id\(0\),|packet_type\(ns=0,id=0\),/g, '')
    .replace(/eth_type\(0x(?:0800|86dd|0806)\),(?=ipv[46]\(|arp\()/, '')
    .replace(/,?frag=no/, '');

const number = (
  key: string,
  title: string,
  width: string,
  text: (row: DatapathFlowRow) => string,
): Column<DatapathFlowRow> => ({ key, title, width, number: true, sortable: true, cell: text });

const COLUMNS: readonly Column<DatapathFlowRow>[] = [
  {
    key: 'match',
    title: 'Match',
    mono: true,
    head: true,
    sortable: true,
    cell: (f) => shortMatch(f.match),
  },
  {
    key: 'actions',
    title: 'Actions',
    mono: true,
    width: '14%',
    sortable: true,
    cell: (f) => f.actions,
  },
  number('pps', 'Packets/s', '5.5rem', (f) => packetRate(f.pps)),
  number('bps', 'Rate', '6.5rem', (f) => bitRate(f.bps)),
  number('packets', 'Packets', '6rem', (f) => count(f.packets)),
  number('bytes', 'Bytes', '5.25rem', (f) => bytes(f.bytes)),
  number('used', 'Last used', '5.75rem', (f) => age(f.used)),
  {
    key: 'offloaded',
    title: 'By',
    width: '4.5rem',
    sortable: true,
    cell: (f) => (f.offloaded ? 'kernel' : 'worker'),
  },
];

export function DatapathPage() {
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState<Sort | null>({ key: 'packets', desc: true });
  const [open, setOpen] = useState<DatapathFlowRow | null>(null);
  const { page, error, rowAt, onWindow } = usePaged<DatapathFlowRow, DatapathFlowPage>(
    'datapath-flows',
    {},
    filter,
    sort,
  );
  if (page === null) return <Waiting error={error} />;
  return (
    <>
      <div class="bar">
        <Filter value={filter} onChange={setFilter} hint="Match, actions" />
        <span class="soft" role="status">
          {filter === '' ? '' : `${count(page.matching)} of `}
          {plural(page.total, 'datapath flow')}
        </span>
      </div>
      <section class="panel fill" aria-label="Datapath flows">
        <VirtualTable
          label="Datapath flows"
          columns={COLUMNS}
          total={page.matching}
          rowAt={rowAt}
          rowKey={(row) => row.id}
          sort={sort}
          onSort={(key) => setSort(nextSort(sort, key, key !== 'match' && key !== 'actions'))}
          onWindow={onWindow}
          onOpen={setOpen}
          empty={<p class="empty">{filter === '' ? 'No traffic.' : 'No flow matches.'}</p>}
        />
      </section>
      {open === null ? null : <FlowDialog flow={open} onClose={() => setOpen(null)} />}
    </>
  );
}

function FlowDialog({ flow, onClose }: { flow: DatapathFlowRow; onClose: () => void }) {
  return (
    <Dialog title="Datapath flow" onClose={onClose} wide>
      {flow.offloaded ? <Sign tone="accent">forwarded in the kernel</Sign> : null}
      <pre class="code-block">{flow.match}</pre>
      <pre class="code-block">{flow.actions}</pre>
      <Facts
        facts={[
          ['Packets', `${count(flow.packets)} (${packetRate(flow.pps)}/s)`],
          ['Bytes', `${bytes(flow.bytes)} (${bitRate(flow.bps)})`],
          ['Last used', age(flow.used)],
        ]}
      />
    </Dialog>
  );
}
