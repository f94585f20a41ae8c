/**
 * What `top` can show: for each view its columns, and its rows out of what the switch says.
 *
 * Not for: how a table looks on the screen (screen.ts).
 */
import type * as api from '../../web/api/index.js';

export const VIEW_NAMES = ['ports', 'flows', 'workers', 'bonds', 'drops'] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

/** What was read for one picture; only what the view needs. */
export interface TopData {
  ports?: api.Ports;
  /** Of all bridges. */
  flows?: { bridge: string; page: api.FlowPage }[];
  workers?: api.Workers;
  bonds?: api.Bonds;
  drops?: api.Drops;
}

export type CellValue = string | number | null;

/** How good what a row tells is: its colour. */
export type Mood = 'good' | 'bad' | 'plain';

export interface Row {
  cells: Readonly<Record<string, CellValue>>;
  mood: Mood;
}

export interface Column {
  name: string;
  title: string;
  /** Numbers stand right, and are sorted by the largest first. */
  right?: boolean;
  format?(value: number): string;
  /** Takes what room is left. */
  wide?: boolean;
}

export interface View {
  columns: readonly Column[];
  /** The column by which rows are sorted when none was chosen. */
  sort: string;
  rows(data: TopData): Row[];
}

const number = (name: string, title: string, format = count): Column => ({
  ...{ name, title, format },
  right: true,
});
const text = (name: string, title: string): Column => ({ name, title });

export const VIEWS: Readonly<Record<ViewName, View>> = {
  ports: {
    columns: [
      ...[text('port', 'PORT'), text('bridge', 'BRIDGE'), text('link', 'LINK')],
      ...[number('rxPps', 'RX pkt/s'), number('rxBps', 'RX bit/s')],
      ...[number('txPps', 'TX pkt/s'), number('txBps', 'TX bit/s'), number('drops', 'DROP/s')],
      ...[number('rxPackets', 'RX pkts'), number('txPackets', 'TX pkts')],
      { name: 'note', title: 'NOTE', wide: true },
    ],
    sort: 'rxBps',
    rows: ({ ports = [] }) => ports.map(portRow),
  },
  flows: {
    columns: [
      ...[text('bridge', 'BRIDGE'), number('table', 'TABLE', whole)],
      ...[number('priority', 'PRIO', whole), number('pps', 'pkt/s'), number('bps', 'bit/s')],
      number('packets', 'PACKETS'),
      { name: 'match', title: 'MATCH', wide: true },
      { name: 'actions', title: 'ACTIONS', wide: true },
    ],
    sort: 'pps',
    rows: ({ flows = [] }) =>
      flows.flatMap(({ bridge, page }) => page.rows.map((row) => flowRow(bridge, row))),
  },
  workers: {
    columns: [
      ...[number('cpu', 'CPU', whole), text('state', 'STATE'), number('load', 'LOAD', percent)],
      ...[number('pps', 'pkt/s'), number('cycles', 'CYCLES/pkt')],
      ...[number('cache', 'CACHE', percent), number('megaflow', 'MEGAFLOW', percent)],
      ...[number('upcall', 'UPCALL', percent), number('lost', 'LOST')],
      ...[number('batch', 'PKT/BATCH', decimal)],
      { name: 'queues', title: 'QUEUES', wide: true },
    ],
    sort: 'load',
    rows: ({ workers }) => (workers?.workers ?? []).map(workerRow),
  },
  bonds: {
    columns: [
      ...[text('bond', 'BOND'), text('member', 'MEMBER'), text('state', 'STATE')],
      ...[number('buckets', 'BUCKETS', whole), number('txBps', 'TX bit/s')],
      ...[number('rxBps', 'RX bit/s'), text('lacp', 'LACP')],
      { name: 'why', title: 'WHY', wide: true },
    ],
    sort: 'bond',
    rows: ({ bonds = [] }) =>
      bonds.flatMap((bond) => bond.members.map((member) => memberRow(bond, member))),
  },
  drops: {
    columns: [
      ...[number('rate', 'DROP/s'), number('packets', 'PACKETS'), text('reason', 'REASON')],
      { name: 'meaning', title: 'MEANING', wide: true },
    ],
    sort: 'rate',
    rows: ({ drops }) => (drops?.reasons ?? []).filter(({ packets }) => packets > 0).map(dropRow),
  },
};

function portRow({ rates, statistics, ...port }: api.Port): Row {
  const vlan = port.tag === null ? '' : `VLAN ${port.tag}`;
  const note = [port.error ?? '', port.bond ? `member of ${port.bond}` : '', vlan];
  const down = port.error !== null || port.link === 'down';
  return {
    cells: {
      port: port.name,
      bridge: port.bridge,
      link: port.error === null ? (port.link ?? '-') : 'error',
      rxPps: rates?.rxPps ?? null,
      rxBps: rates?.rxBps ?? null,
      txPps: rates?.txPps ?? null,
      txBps: rates?.txBps ?? null,
      drops: rates?.drops ?? null,
      rxPackets: statistics.rxPackets,
      txPackets: statistics.txPackets,
      note: note.filter((part) => part !== '').join(', '),
    },
    mood: down ? 'bad' : 'plain',
  };
}

function flowRow(bridge: string, row: api.FlowRow): Row {
  const { table, priority, pps, bps, packets, match, actions } = row;
  return { cells: { bridge, table, priority, pps, bps, packets, match, actions }, mood: 'plain' };
}

function workerRow(worker: api.Worker): Row {
  const { cpu, alive, load, pps, cyclesPerPacket: cycles, hits, totals, queues } = worker;
  const state = alive ? (worker.isolated ? 'isolated' : 'runs') : 'gone';
  return {
    cells: {
      ...{ cpu, state, load, pps, cycles },
      cache: hits?.cache ?? null,
      megaflow: hits?.megaflow ?? null,
      upcall: hits?.upcall ?? null,
      lost: totals.lostUpcalls,
      batch: worker.packetsPerBatch,
      queues: queues.map(({ port, queue }) => `${port}:${queue}`).join(' '),
    },
    mood: alive ? 'plain' : 'bad',
  };
}

function memberRow(bond: api.Bond, member: api.BondMember): Row {
  const state = member.enabled ? (member.active ? 'active' : 'enabled') : 'disabled';
  const { buckets, txBps, rxBps, why } = member;
  return {
    cells: {
      bond: `${bond.bridge}/${bond.name} (${bond.mode})`,
      member: member.name,
      state,
      buckets: buckets > 0 ? buckets : null,
      ...{ txBps, rxBps },
      lacp: member.lacp?.status ?? '-',
      why,
    },
    mood: member.enabled ? 'good' : 'bad',
  };
}

function dropRow({ name, meaning, packets, rate }: api.DropReason): Row {
  return { cells: { rate, packets, reason: name, meaning }, mood: rate ? 'bad' : 'plain' };
}

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'];

/** '1.23 M': three digits. */
export function count(value: number): string {
  let unit = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && unit + 1 < UNITS.length) {
    scaled /= 1000;
    unit += 1;
  }
  if (unit === 0)
    return scaled >= 100 || Number.isInteger(scaled) ? whole(scaled) : decimal(scaled);
  const digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

function whole(value: number): string {
  return `${Math.round(value)}`;
}

function decimal(value: number): string {
  return value.toFixed(1);
}

function percent(value: number): string {
  return `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
}
