/**
 * All ports with their traffic; one of them in full.
 */
import { useState } from 'preact/hooks';
import type { Port } from '../../api/index.js';
import { usePortHistories } from '../live/ports.js';
import { DataTable } from '../parts/data-table.js';
import { Filter } from '../parts/fields.js';
import { PortDialog, PortState, vlanText } from '../parts/port-dialog.js';
import { Waiting } from '../parts/signs.js';
import { Spark } from '../parts/spark.js';
import type { Column } from '../parts/virtual-table.js';
import { bitRate, packetRate, plural } from '../pure/format.js';
import { href, type Route } from '../pure/routes.js';

/** The port that is the bridge itself. */
const OFPP_LOCAL = 65534;

const RATE_WIDTHS = {
  rxBps: '6.5rem',
  txBps: '6.5rem',
  rxPps: '4.5rem',
  txPps: '5rem',
  drops: '4.75rem',
};

const COLUMNS: readonly Column<Port>[] = [
  {
    key: 'name',
    title: 'Port',
    head: true,
    value: (port) => port.name,
    cell: (port) => <a href={href('ports', [port.name])}>{port.name}</a>,
  },
  {
    key: 'bridge',
    title: 'Bridge',
    value: (port) => port.bridge,
    cell: (port) => (port.bond === null ? port.bridge : `${port.bridge} (${port.bond})`),
  },
  {
    key: 'ofport',
    title: 'No.',
    width: '4.25rem',
    number: true,
    value: (port) => port.ofport,
    cell: (port) => (port.ofport === OFPP_LOCAL ? 'LOCAL' : (port.ofport ?? '–')),
  },
  { key: 'type', title: 'Type', width: '4.75rem', value: (p) => p.type, cell: (p) => p.type },
  {
    key: 'state',
    title: 'State',
    width: '6.75rem',
    value: (port) => `${port.error === null ? 1 : 0}${port.admin}${port.link}`,
    cell: (port) => <PortState port={port} />,
  },
  {
    key: 'vlan',
    title: 'VLAN',
    width: '5rem',
    value: (p) => p.tag ?? p.trunks[0] ?? null,
    cell: vlanText,
  },
  rateColumn('rxBps', 'In', (port) => bitRate(port.rates?.rxBps)),
  rateColumn('txBps', 'Out', (port) => bitRate(port.rates?.txBps)),
  {
    key: 'bits',
    title: 'Bits',
    width: '7.5rem',
    cell: (port) => spark(port, 'rxBps', 'txBps', 'bits'),
  },
  rateColumn('rxPps', 'In pps', (port) => packetRate(port.rates?.rxPps)),
  rateColumn('txPps', 'Out pps', (port) => packetRate(port.rates?.txPps)),
  {
    key: 'packets',
    title: 'Packets',
    width: '7.5rem',
    cell: (port) => spark(port, 'rxPps', 'txPps', 'packets'),
  },
  rateColumn('drops', 'Drops/s', (port) => packetRate(port.rates?.drops)),
];

function rateColumn(
  key: 'rxBps' | 'rxPps' | 'txBps' | 'txPps' | 'drops',
  title: string,
  text: (port: Port) => string,
): Column<Port> {
  return {
    key,
    title,
    width: RATE_WIDTHS[key],
    number: true,
    value: (port) => port.rates?.[key] ?? null,
    cell: (port) => <span class={(port.rates?.[key] ?? 0) === 0 ? 'zero' : ''}>{text(port)}</span>,
  };
}

function spark({ name, history }: Port, rx: string, tx: string, what: string) {
  const label = `${what} of ${name} over two minutes`;
  return (
    <Spark rx={history.series[rx] ?? []} tx={history.series[tx] ?? []} label={label} width={100} />
  );
}

function textOf({ name, bridge, bond, type, mac, error, link, far, tag }: Port): string {
  const place = far === null ? '' : `${far.namespace ?? ''} ${far.device}`;
  return [name, bridge, bond, type, mac, error, link, place, tag].join(' ');
}

export function PortsPage({ route }: { route: Route }) {
  const [filter, setFilter] = useState(route.query.filter ?? '');
  const ports = usePortHistories();
  if (ports.data === null) return <Waiting error={ports.error} />;
  const open = ports.data.find(({ name }) => name === route.path[0]);
  return (
    <>
      <div class="bar">
        <Filter value={filter} onChange={setFilter} hint="Name, bridge, MAC, namespace" />
        <span class="soft">{plural(ports.data.length, 'port')}</span>
        <span class="grow" />
        <span class="key">in</span>
        <span class="key tx">out</span>
      </div>
      <section class="panel fill" aria-label="Ports">
        <DataTable
          label="Ports"
          columns={COLUMNS}
          rows={ports.data}
          rowKey={({ bridge, name }) => `${bridge}/${name}`}
          filter={filter}
          text={textOf}
          sort={{ key: 'name', desc: false }}
          onOpen={({ name }) => {
            location.hash = href('ports', [name]);
          }}
          minWidth="76rem"
          empty="No ports. tapswitch vsctl add-port adds one."
        />
      </section>
      {open === undefined ? null : (
        <PortDialog
          key={open.name}
          port={open}
          onClose={() => {
            location.hash = href('ports');
          }}
        />
      )}
    </>
  );
}
