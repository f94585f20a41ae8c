/**
 * Counters of all ports, once a second over OpenFlow, and what they come to per second.
 *
 * Where a bridge does not answer over OpenFlow, what the database has of its interfaces stands in:
 * that is written every few seconds only.
 */
import { OFPP } from '../../openflow/actions.js';
import type { PortStatsEntry } from '../../openflow/messages.js';
import type { PortRates, PortStatistics } from '../api/index.js';
import { RingHistory } from '../ring-history.js';
import { Sampled } from '../sampled.js';
import type { Subject } from '../subject/subject.js';
import { type PortRow, portRows } from './port-rows.js';

export interface PortSample {
  statistics: PortStatistics;
  rates: PortRates | null;
  history: RingHistory;
}

export type PortSamples = ReadonlyMap<string, PortSample>;

const INTERVAL_MS = 1000;
const LINGER_MS = 5000;

interface Before {
  statistics: PortStatistics;
  atMs: number;
}

export class PortSampler {
  readonly samples: Sampled<PortSamples>;
  private readonly before = new Map<string, Before>();
  private readonly histories = new Map<string, RingHistory>();

  constructor(private readonly subject: Subject) {
    const take = () => this.take();
    const { clock } = subject;
    this.samples = new Sampled({ clock, intervalMs: INTERVAL_MS, lingerMs: LINGER_MS, take });
  }

  /** By bridge and name: two bridges never share a name, but two subjects' rows may be stale. */
  static key(row: PortRow): string {
    return `${row.bridgeName}\n${row.name}`;
  }

  private async take(): Promise<PortSamples> {
    const rows = portRows(this.subject);
    const bridges = [...new Set(rows.map(({ bridgeName }) => bridgeName))];
    const byBridge = new Map<string, Map<number, PortStatsEntry>>();
    await Promise.all(
      bridges.map(async (bridge) => {
        const counters = await this.overOpenFlow(bridge);
        if (counters) byBridge.set(bridge, counters);
      }),
    );
    return this.samplesOf(rows, byBridge);
  }

  private async overOpenFlow(bridge: string): Promise<Map<number, PortStatsEntry> | null> {
    try {
      const request = { type: 'port_stats_request', port: OFPP.NONE } as const;
      const parts = await this.subject.openflow.request(bridge, request);
      const entries = parts.flatMap((p) => (p.type === 'port_stats_reply' ? p.entries : []));
      return new Map(entries.map((entry) => [entry.portNo, entry]));
    } catch {
      return null;
    }
  }

  private samplesOf(
    rows: readonly PortRow[],
    byBridge: ReadonlyMap<string, ReadonlyMap<number, PortStatsEntry>>,
  ): PortSamples {
    const { clock } = this.subject;
    const [now, wall] = [clock.now(), clock.wallNow()];
    const samples = new Map<string, PortSample>();
    for (const row of rows) {
      const key = PortSampler.key(row);
      const ofport = row.iface.get<number | null>('ofport');
      const entry = byBridge.get(row.bridgeName)?.get(wirePort(ofport));
      const statistics = entry ? fromOpenFlow(entry) : fromDatabase(row);
      const rates = this.rates(key, statistics, now);
      const history = this.histories.get(key) ?? new RingHistory(INTERVAL_MS);
      if (rates) history.push(wall, rates);
      this.histories.set(key, history);
      samples.set(key, { statistics, rates, history });
    }
    for (const key of this.histories.keys()) {
      if (samples.has(key)) continue;
      this.histories.delete(key);
      this.before.delete(key);
    }
    return samples;
  }

  private rates(key: string, statistics: PortStatistics, atMs: number): PortRates | null {
    const before = this.before.get(key);
    this.before.set(key, { statistics, atMs });
    if (!before) return null;
    const seconds = (atMs - before.atMs) / 1000;
    if (seconds <= 0 || seconds > 30) return null;
    return ratesOf(before.statistics, statistics, seconds);
  }
}

/** Per second; a counter that went back started anew and counts from 0. */
export function ratesOf(old: PortStatistics, now: PortStatistics, seconds: number): PortRates {
  const per = (counter: keyof PortStatistics): number => {
    const grown = now[counter] >= old[counter] ? now[counter] - old[counter] : now[counter];
    return Math.round((grown / seconds) * 10) / 10;
  };
  return {
    rxPps: per('rxPackets'),
    rxBps: per('rxBytes') * 8,
    txPps: per('txPackets'),
    txBps: per('txBytes') * 8,
    drops: per('rxDropped') + per('txDropped'),
  };
}

/** The local port's number as messages carry it. */
function wirePort(ofport: number | null): number {
  return ofport === 65534 ? OFPP.LOCAL : (ofport ?? -1);
}

/** All ones stand for 'not known'. */
function count(value: bigint): number {
  return value === 0xffff_ffff_ffff_ffffn ? 0 : Number(value);
}

function fromOpenFlow(entry: PortStatsEntry): PortStatistics {
  return {
    rxPackets: count(entry.rxPackets),
    rxBytes: count(entry.rxBytes),
    rxDropped: count(entry.rxDropped),
    rxErrors: count(entry.rxErrors),
    txPackets: count(entry.txPackets),
    txBytes: count(entry.txBytes),
    txDropped: count(entry.txDropped),
    txErrors: count(entry.txErrors),
  };
}

function fromDatabase({ iface }: PortRow): PortStatistics {
  const statistics = iface.get<Map<string, number>>('statistics');
  const of = (name: string): number => statistics.get(name) ?? 0;
  return {
    rxPackets: of('rx_packets'),
    rxBytes: of('rx_bytes'),
    rxDropped: of('rx_dropped'),
    rxErrors: of('rx_errors'),
    txPackets: of('tx_packets'),
    txBytes: of('tx_bytes'),
    txDropped: of('tx_dropped'),
    txErrors: of('tx_errors'),
  };
}
