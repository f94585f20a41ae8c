/**
 * Packets of a capture or examples of drops: a row each, one of them in full, with a way to its
 * trace.
 */
import { useState } from 'preact/hooks';
import type { PacketRow } from '../../api/index.js';
import { usePorts } from '../live/ports.js';
import { timeOfDay } from '../pure/format.js';
import { hexDump } from '../pure/hex.js';
import { href } from '../pure/routes.js';
import { DataTable } from './data-table.js';
import type { Column } from './virtual-table.js';

const COLUMNS: readonly Column<PacketRow>[] = [
  { key: 'at', title: 'Time', width: '7rem', value: (p) => p.at, cell: (p) => timeOfDay(p.at) },
  {
    key: 'port',
    title: 'Port',
    width: '7rem',
    value: (p) => p.port,
    cell: (p) => `${p.port ?? ''} ${p.direction}`,
  },
  {
    key: 'source',
    title: 'From',
    mono: true,
    head: true,
    value: (p) => p.source,
    cell: (p) => p.source,
  },
  {
    key: 'destination',
    title: 'To',
    mono: true,
    value: (p) => p.destination,
    cell: (p) => p.destination,
  },
  {
    key: 'protocol',
    title: 'Protocol',
    width: '6rem',
    value: (p) => p.protocol,
    cell: (p) => p.protocol,
  },
  {
    key: 'length',
    title: 'Bytes',
    width: '4.5rem',
    number: true,
    value: (p) => p.length,
    cell: (p) => p.length,
  },
  { key: 'summary', title: 'What it is', value: (p) => p.summary, cell: (p) => p.summary },
];

/** @param port where the packets were caught, when a row does not say */
export function PacketTable({
  rows,
  port,
  filter,
}: {
  rows: PacketRow[];
  port?: string;
  filter?: string;
}) {
  const [open, setOpen] = useState<PacketRow | null>(null);
  return (
    <>
      <section class="panel packets" aria-label="Packets">
        <DataTable
          label="Packets"
          columns={COLUMNS}
          rows={rows}
          rowKey={({ index }) => `${index}`}
          filter={filter}
          text={(p) => `${p.source} ${p.destination} ${p.protocol} ${p.summary}`}
          onOpen={setOpen}
          empty="No packets."
        />
      </section>
      {open === null ? null : <Packet packet={open} port={open.port ?? port ?? ''} />}
    </>
  );
}

function Packet({ packet, port }: { packet: PacketRow; port: string }) {
  const ports = usePorts().data ?? [];
  const bridge = ports.find(({ name }) => name === port)?.bridge ?? '';
  return (
    <section class="one-packet" aria-label={`Packet ${packet.index}`}>
      <div class="bar">
        <strong>{packet.summary}</strong>
        <span class="grow" />
        {packet.direction === 'out' ? (
          <span class="soft">on its way out by {port}; where it came in is not known</span>
        ) : (
          <a
            class="button"
            href={href('trace', [], { bridge, in_port: port, flow: packet.flow, run: true })}
          >
            Trace it
          </a>
        )}
      </div>
      <pre class="code-block">{hexDump(packet.hex)}</pre>
    </section>
  );
}
