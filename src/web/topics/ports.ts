/** Topic `ports`: every interface with its settings, state, counters and rates. */
import { type Static, Type } from '@sinclair/typebox';
import type { IdlRow } from '../../ovsdb/idl/index.js';
import { type Port, Ports } from '../api/index.js';
import type { FarEnds } from '../subject/far-ends.js';
import type { Subject } from '../subject/subject.js';
import { mapOf, optional, type PortRow, portRows } from './port-rows.js';
import { type PortSample, PortSampler } from './port-sampler.js';
import type { Resource } from './resource.js';

export const PortsQuery = Type.Object({
  bridge: Type.Optional(Type.String({ maxLength: 64 })),
  /** How many of the newest samples of each history; 120 when not given. */
  history: Type.Optional(Type.Integer({ minimum: 0, maximum: 120 })),
});

const NO_STATISTICS = {
  rxPackets: 0,
  rxBytes: 0,
  rxDropped: 0,
  rxErrors: 0,
  txPackets: 0,
  txBytes: 0,
  txDropped: 0,
  txErrors: 0,
};

export function portsResource(subject: Subject, sampler: PortSampler, far: FarEnds): Resource {
  return {
    topic: 'ports',
    path: '/ports',
    summary: 'Interfaces: settings, state, counters, rates and their last two minutes',
    query: PortsQuery,
    answer: Ports,
    intervalMs: 1000,
    tables: ['Bridge', 'Port', 'Interface'],
    async read(query) {
      subject.mustHaveDatabase();
      const { bridge, history } = query as Static<typeof PortsQuery>;
      const [samples, ends] = await Promise.all([sampler.samples.get(), far.get()]);
      return portRows(subject)
        .filter(({ bridgeName }) => bridge === undefined || bridgeName === bridge)
        .map((row) => {
          const port = portOf(row, samples.get(PortSampler.key(row)), history);
          return { ...port, far: ends.get(row.name) ?? null };
        });
    },
  };
}

/** What the database and the last sample say of one interface. */
export function portOf(row: PortRow, sample?: PortSample, history = 120): Port {
  const { iface, port } = row;
  return {
    name: row.name,
    bridge: row.bridgeName,
    ofport: positive(iface.get<number | null>('ofport')),
    type: iface.get<string>('type') || 'system',
    link: state(iface, 'link_state'),
    admin: state(iface, 'admin_state'),
    mac: iface.get<string | null>('mac_in_use'),
    mtu: iface.get<number | null>('mtu'),
    speed: optional<number>(iface, 'link_speed'),
    ifindex: positive(optional<number>(iface, 'ifindex')),
    tag: port.get<number | null>('tag'),
    trunks: port.get<number[]>('trunks'),
    vlanMode: port.get<string | null>('vlan_mode'),
    bond: row.isBond ? row.portName : null,
    peer: mapOf(iface, 'options').peer ?? null,
    far: null,
    error: optional<string>(iface, 'error'),
    statistics: sample?.statistics ?? NO_STATISTICS,
    rates: sample?.rates ?? null,
    history: sample?.history.show(history) ?? { at: 0, stepMs: 1000, series: {} },
  };
}

function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}

function state(iface: IdlRow, column: string): 'up' | 'down' | null {
  const value = iface.get<string | null>(column);
  return value === 'up' || value === 'down' ? value : null;
}
