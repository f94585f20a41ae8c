/** Topic `flows`: the flow tables of a bridge, read over OpenFlow. */
import type { Static } from '@sinclair/typebox';
import { OFPP } from '../../openflow/actions.js';
import { matchAny } from '../../openflow/match.js';
import type { FlowStatsEntry } from '../../openflow/messages.js';
import { formatActions } from '../../openflow/syntax/action-format.js';
import { formatFlags } from '../../openflow/syntax/flow-format.js';
import { DEFAULT_PRIORITY, formatMatch } from '../../openflow/syntax/match-format.js';
import type { Names } from '../../openflow/syntax/names.js';
import { FlowPage, FlowQuery, type FlowRow } from '../api/index.js';
import { namesOf } from '../subject/names.js';
import type { Subject } from '../subject/subject.js';
import { OfBridge } from '../topics/bridges.js';
import type { Resource } from '../topics/resource.js';
import { Snapshot } from './snapshot.js';

const NUMBERS = ['table', 'priority', 'packets', 'bytes', 'pps', 'bps', 'duration'] as const;
const ALL_TABLES = 255;
/** More entries than these are counted, but not shown: what is shown stays in memory. */
const ROWS_MAX = 300_000;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

export class FlowTables {
  private readonly bridges = new Map<string, Snapshot<FlowRow>>();
  /** Entries of bridges that have more than are shown. */
  private readonly totals = new Map<string, number>();

  constructor(private readonly subject: Subject) {
    subject.listeners.add(() => this.forget());
  }

  resource(): Resource {
    return {
      topic: 'flows',
      path: '/bridges/:bridge/flows',
      summary: 'Flow entries, a page at a time, with their rates',
      params: OfBridge,
      query: FlowQuery,
      answer: FlowPage,
      intervalMs: 1000,
      tables: [],
      read: (query) => this.page(query as OfBridge & Static<typeof FlowQuery>),
    };
  }

  /** Entries were changed from here. */
  async renew(bridge: string): Promise<void> {
    await this.bridges.get(bridge)?.renew();
  }

  private async page({ bridge, table, ...query }: OfBridge & FlowQuery): Promise<FlowPage> {
    const snapshot = this.of(bridge);
    const only =
      table === undefined
        ? undefined
        : { name: `${table}`, passes: (row: FlowRow) => row.table === table };
    const page = await snapshot.page(query, only);
    const total = Math.max(page.total, this.totals.get(bridge) ?? 0);
    return { ...page, total, tables: tables(await snapshot.rows()) };
  }

  private of(bridge: string): Snapshot<FlowRow> {
    this.subject.mustHaveBridge(bridge);
    let snapshot = this.bridges.get(bridge);
    if (!snapshot) {
      snapshot = new Snapshot<FlowRow>({
        clock: this.subject.clock,
        read: () => this.read(bridge),
        text: ({ match, actions, cookie }) => `${match} ${actions} ${cookie}`,
        numbers: NUMBERS,
        texts: ['cookie', 'match', 'actions'],
        usual: (a, b) => a.table - b.table || b.priority - a.priority || (a.id < b.id ? -1 : 1),
      });
      this.bridges.set(bridge, snapshot);
    }
    return snapshot;
  }

  private async read(bridge: string): Promise<FlowRow[]> {
    const rows: FlowRow[] = [];
    let total = 0;
    const names = namesOf(this.subject, bridge);
    const request = {
      type: 'flow_stats_request',
      aggregate: false,
      match: matchAny(),
      table: ALL_TABLES,
      outPort: OFPP.NONE,
      outGroup: 0xffffffff,
      cookie: 0n,
      cookieMask: 0n,
    } as const;
    await this.subject.openflow.stream(bridge, request, ({ msg }) => {
      if (msg.type !== 'flow_stats_reply') return;
      total += msg.entries.length;
      const room = ROWS_MAX - rows.length;
      for (const entry of msg.entries.slice(0, room)) rows.push(rowOf(entry, names));
    });
    this.totals.set(bridge, total);
    return rows;
  }

  private forget(): void {
    const there = new Set(this.subject.bridgeNames());
    for (const [name, snapshot] of this.bridges) {
      if (there.has(name)) continue;
      snapshot.close();
      this.bridges.delete(name);
      this.totals.delete(name);
    }
  }
}

const counted = new WeakMap<readonly FlowRow[], FlowPage['tables']>();

/** Entries by table; counted once for a snapshot. */
function tables(rows: readonly FlowRow[]): FlowPage['tables'] {
  const known = counted.get(rows);
  if (known) return known;
  const counts = new Map<number, number>();
  for (const { table } of rows) counts.set(table, (counts.get(table) ?? 0) + 1);
  const list = [...counts].sort(([a], [b]) => a - b).map(([table, flows]) => ({ table, flows }));
  counted.set(rows, list);
  return list;
}

function rowOf(entry: FlowStatsEntry, names: Names): FlowRow {
  const match = formatMatch(entry.match, names.ports, DEFAULT_PRIORITY);
  const count = (value: bigint): number => (value === ALL_ONES ? 0 : Number(value));
  return {
    id: `${entry.table},${entry.priority},${match}`,
    table: entry.table,
    priority: entry.priority,
    cookie: `0x${entry.cookie.toString(16)}`,
    match,
    actions: formatActions(entry.actions, names),
    packets: count(entry.packets),
    bytes: count(entry.bytes),
    pps: null,
    bps: null,
    duration: entry.durationSec + Math.floor(entry.durationNsec / 1e6) / 1000,
    idleTimeout: entry.idleTimeout,
    hardTimeout: entry.hardTimeout,
    idleAge: entry.idleAge >= 0 ? entry.idleAge : null,
    importance: entry.importance,
    flags: formatFlags(entry.flags).split(' ').filter(Boolean),
  };
}
