/**
 * What a bridge has learned: which address is behind which port.
 */
import { useState } from 'preact/hooks';
import type { MacEntry } from '../../api/index.js';
import { useSteadyTopic } from '../live/hooks.js';
import { BridgeChoice, useBridge } from '../parts/bridge-choice.js';
import { DataTable } from '../parts/data-table.js';
import { Filter } from '../parts/fields.js';
import { Waiting } from '../parts/signs.js';
import type { Column } from '../parts/virtual-table.js';
import { duration, plural } from '../pure/format.js';
import type { Route } from '../pure/routes.js';

const COLUMNS: readonly Column<MacEntry>[] = [
  { key: 'mac', title: 'MAC', head: true, mono: true, value: (m) => m.mac, cell: (m) => m.mac },
  { key: 'vlan', title: 'VLAN', number: true, value: (m) => m.vlan, cell: (m) => m.vlan },
  { key: 'port', title: 'Port or bond', value: (m) => m.port, cell: (m) => m.port },
  {
    key: 'age',
    title: 'Last seen',
    number: true,
    value: (m) => m.age,
    cell: (m) => (m.age === null ? 'stays' : `${duration(m.age)} ago`),
  },
];

export function MacsPage({ route }: { route: Route }) {
  const { bridge, bridges } = useBridge(route);
  const [filter, setFilter] = useState('');
  const macs = useSteadyTopic<MacEntry[]>(bridge === '' ? null : 'macs', { bridge });
  return (
    <>
      <div class="bar">
        <BridgeChoice route={route} bridge={bridge} bridges={bridges} />
        <Filter value={filter} onChange={setFilter} hint="MAC, VLAN, port" />
        {macs.data === null ? null : (
          <span class="soft">{plural(macs.data.length, 'address', 'addresses')}</span>
        )}
      </div>
      {macs.data === null ? (
        <Waiting error={macs.error} />
      ) : (
        <section class="panel fill" aria-label="MAC table">
          <DataTable
            label={`MAC table of ${bridge}`}
            columns={COLUMNS}
            rows={macs.data}
            rowKey={({ mac, vlan }) => `${mac}/${vlan}`}
            filter={filter}
            text={({ mac, vlan, port }) => `${mac} ${vlan} ${port}`}
            sort={{ key: 'mac', desc: false }}
            empty="Nothing learned yet."
          />
        </section>
      )}
    </>
  );
}
