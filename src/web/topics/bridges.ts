/** Topics `bridges`, `controllers`, `macs`: what a bridge is told by, and whom it knows. */
import { type Static, Type } from '@sinclair/typebox';
import type { IdlRow } from '../../ovsdb/idl/index.js';
import { type Bridge, Bridges, Controllers, Macs } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import { compare, mapOf, optional, portRows } from './port-rows.js';
import type { Resource } from './resource.js';

export const OfBridge = Type.Object({ bridge: Type.String({ minLength: 1, maxLength: 64 }) });
export type OfBridge = Static<typeof OfBridge>;

export function bridgesResource(subject: Subject): Resource {
  return {
    topic: 'bridges',
    path: '/bridges',
    summary: 'Bridges',
    answer: Bridges,
    intervalMs: 2000,
    tables: ['Bridge', 'Port', 'Controller'],
    async read() {
      subject.mustHaveDatabase();
      const rows = subject.rows('Bridge').sort((a, b) => compare(nameOf(a), nameOf(b)));
      return Promise.all(rows.map((row) => bridge(subject, row)));
    },
  };
}

async function bridge(subject: Subject, row: IdlRow): Promise<Bridge> {
  const name = nameOf(row);
  const [flows, macs] = await Promise.all([countFlows(subject, name), countMacs(subject, name)]);
  return {
    name,
    datapathId: row.get<string | null>('datapath_id'),
    datapathType: row.get<string>('datapath_type') || 'system',
    failMode: row.get<string | null>('fail_mode'),
    protocols: row.get<string[]>('protocols'),
    ports: row.get<IdlRow[]>('ports').map(nameOf),
    controllers: row.get<IdlRow[]>('controller').map((c) => c.get<string>('target')),
    flows,
    macs,
  };
}

function nameOf(row: IdlRow): string {
  return row.get<string>('name');
}

async function countFlows(subject: Subject, name: string): Promise<number | null> {
  try {
    const parts = await subject.openflow.request(name, { type: 'table_stats_request' });
    const entries = parts.flatMap((p) => (p.type === 'table_stats_reply' ? p.entries : []));
    return entries.reduce((sum, { active }) => sum + active, 0);
  } catch {
    return null;
  }
}

async function countMacs(subject: Subject, name: string): Promise<number | null> {
  try {
    const text = await subject.control.ask('fdb/stats-show', [name]);
    const count = /Current\/maximum MAC entries in the table: (\d+)/.exec(text)?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    return null;
  }
}

export function controllersResource(subject: Subject): Resource {
  return {
    topic: 'controllers',
    path: '/controllers',
    summary: 'OpenFlow controllers and the state of their connections',
    answer: Controllers,
    intervalMs: 1000,
    tables: ['Controller', 'Bridge'],
    async read() {
      subject.mustHaveDatabase();
      return subject.rows('Bridge').flatMap((row) =>
        row.get<IdlRow[]>('controller').map((controller) => ({
          bridge: nameOf(row),
          target: controller.get<string>('target'),
          connected: controller.get<boolean>('is_connected'),
          role: optional<string>(controller, 'role'),
          status: mapOf(controller, 'status'),
        })),
      );
    },
  };
}

/** Entries of one answer at most: a table may hold a million. */
const MACS_MAX = 10_000;

export function macsResource(subject: Subject): Resource {
  return {
    topic: 'macs',
    path: '/bridges/:bridge/macs',
    summary: 'The MAC learning table (the first 10,000 entries)',
    params: OfBridge,
    answer: Macs,
    intervalMs: 1000,
    tables: [],
    async read(query) {
      const { bridge: name } = query as OfBridge;
      subject.mustHaveBridge(name);
      const text = await subject.control.ask('fdb/show', [name]);
      const ports = new Map<string, string>();
      for (const row of portRows(subject)) {
        if (row.bridgeName !== name) continue;
        ports.set(
          `${row.iface.get<number | null>('ofport')}`,
          row.isBond ? row.portName : row.name,
        );
      }
      return parseFdb(text, ports);
    },
  };
}

/** Lines of fdb/show: ' port  VLAN  MAC                Age'. */
export function parseFdb(text: string, ports: ReadonlyMap<string, string>): Macs {
  const entries: Macs = [];
  for (const [, port, vlan, mac, age] of text.matchAll(
    /^\s*(\S+)\s+(\d+)\s+([0-9a-f:]{17})\s+(\S+)\s*$/gm,
  )) {
    if (entries.length >= MACS_MAX) break;
    const name = port === 'LOCAL' ? (ports.get('65534') ?? port) : (ports.get(port) ?? port);
    entries.push({
      mac,
      vlan: Number(vlan),
      port: name,
      age: age === 'static' ? null : Number(age),
    });
  }
  return entries;
}
