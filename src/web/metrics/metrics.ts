/**
 * GET /metrics: what Prometheus collects. Read from the same samples as the page; names carry their
 * units, counters end in _total.
 *
 * The registry's values are set anew at each scrape: what is gone (a port, a bond) is gone from the
 * answer, too.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Bonds, Drops, PortStatistics, Workers } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import type { BondWatch } from '../topics/bonds.js';
import type { DropWatch } from '../topics/drops.js';
import { portRows } from '../topics/port-rows.js';
import { PortSampler } from '../topics/port-sampler.js';
import { portOf } from '../topics/ports.js';
import type { WorkerWatch } from '../topics/workers.js';

export interface MetricSources {
  subject: Subject;
  ports: PortSampler;
  bonds: BondWatch;
  workers: WorkerWatch;
  drops: DropWatch;
}

type Labels = Record<string, string>;

const PORT_COUNTERS: readonly [keyof PortStatistics, string, string][] = [
  ['rxPackets', 'receive_packets', 'Packets received'],
  ['rxBytes', 'receive_bytes', 'Bytes received'],
  ['rxDropped', 'receive_drop', 'Packets dropped on receiving'],
  ['rxErrors', 'receive_errs', 'Packets received with errors'],
  ['txPackets', 'transmit_packets', 'Packets sent'],
  ['txBytes', 'transmit_bytes', 'Bytes sent'],
  ['txDropped', 'transmit_drop', 'Packets dropped on sending'],
  ['txErrors', 'transmit_errs', 'Packets that could not be sent'],
];

export class Metrics {
  constructor(
    private readonly sources: MetricSources,
    private readonly version: string,
  ) {}

  async render(): Promise<{ text: string; type: string }> {
    const scrape = new Scrape();
    const { subject } = this.sources;
    const kind = await subject.kind();
    scrape.gauge('info', 'The console and the switch that it watches', 1, {
      version: this.version,
      subject: kind,
    });
    scrape.gauge('up', 'Whether the switch answers on its control socket', kind === 'none' ? 0 : 1);
    scrape.gauge('database_up', 'Whether the database answers', subject.idl.live ? 1 : 0);
    const parts = [() => this.addPorts(scrape), () => this.addBonds(scrape)];
    if (kind !== 'none') {
      parts.push(
        () => this.addWorkers(scrape),
        () => this.addDrops(scrape),
      );
      parts.push(() => this.addFlows(scrape));
    }
    // One part that cannot be read leaves the others.
    await Promise.allSettled(parts.map((add) => add()));
    return { text: await scrape.text(), type: scrape.type };
  }

  private async addPorts(scrape: Scrape): Promise<void> {
    const { subject, ports } = this.sources;
    const samples = await ports.samples.get();
    for (const row of portRows(subject)) {
      const port = portOf(row, samples.get(PortSampler.key(row)), 0);
      const labels = { bridge: port.bridge, port: port.name };
      scrape.gauge('port_up', 'Whether the link is up', port.link === 'up' ? 1 : 0, labels);
      if (port.mtu !== null) scrape.gauge('port_mtu_bytes', 'Largest packet', port.mtu, labels);
      if (port.speed !== null) {
        const name = 'port_speed_bytes';
        scrape.gauge(name, 'Speed of the link, bytes per second', port.speed / 8, labels);
      }
      scrape.gauge('port_error', 'Whether the port has an error', port.error ? 1 : 0, labels);
      for (const [counter, name, help] of PORT_COUNTERS) {
        scrape.counter(`port_${name}_total`, help, port.statistics[counter], labels);
      }
    }
  }

  private async addBonds(scrape: Scrape): Promise<void> {
    const bonds: Bonds = await this.sources.bonds.get();
    for (const { name: bond, bridge, active, members, lacp } of bonds) {
      const labels = { bridge, bond };
      const negotiated = lacp === 'negotiated' ? 1 : 0;
      scrape.gauge('bond_lacp_negotiated', 'Whether LACP has a partner', negotiated, labels);
      for (const each of members) {
        const of = { ...labels, member: each.name };
        const isActive = each.name === active ? 1 : 0;
        scrape.gauge('bond_member_enabled', 'The member may be used', each.enabled ? 1 : 0, of);
        scrape.gauge('bond_member_active', 'The member is the active one', isActive, of);
        scrape.gauge('bond_member_buckets', 'Hash buckets on the member', each.buckets, of);
      }
    }
  }

  private async addWorkers(scrape: Scrape): Promise<void> {
    const { workers, flows }: Workers = await this.sources.workers.sampled.get();
    if (flows) {
      scrape.gauge('datapath_flows', 'Flows of the datapath', flows.current);
      scrape.gauge('datapath_flows_limit', 'Most flows that it may have', flows.limit);
    }
    for (const { cpu, numa, alive, totals } of workers) {
      const labels = { cpu: `${cpu}`, numa: `${numa}` };
      scrape.gauge('worker_up', 'Whether the worker runs', alive ? 1 : 0, labels);
      const count = (name: string, help: string, value: number, more: Labels = {}) =>
        scrape.counter(`worker_${name}_total`, help, value, { ...labels, ...more });
      count('receive_packets', 'Packets received', totals.received);
      const hits = 'Lookups by where they were answered';
      count('lookups', hits, totals.cacheHits, { answered_by: 'cache' });
      count('lookups', hits, totals.megaflowHits, { answered_by: 'megaflow' });
      count('lookups', hits, totals.upcalls, { answered_by: 'upcall' });
      count(
        'lost_upcalls',
        'Packets lost as the way to the main thread was full',
        totals.lostUpcalls,
      );
      count('busy_cycles', 'CPU cycles spent on packets', totals.busyCycles);
      count('cycles', 'CPU cycles that went by', totals.totalCycles);
    }
  }

  private async addDrops(scrape: Scrape): Promise<void> {
    const { reasons }: Drops = await this.sources.drops.sampled.get();
    for (const { name, packets } of reasons) {
      scrape.counter('dropped_packets_total', 'Packets dropped', packets, { reason: name });
    }
  }

  private async addFlows(scrape: Scrape): Promise<void> {
    const { subject } = this.sources;
    await Promise.all(
      subject.bridgeNames().map(async (bridge) => {
        const parts = await subject.openflow.request(bridge, { type: 'table_stats_request' });
        for (const part of parts) {
          if (part.type !== 'table_stats_reply') continue;
          for (const { table, active, lookups, matched } of part.entries) {
            if (active === 0 && lookups === 0n) continue;
            const labels = { bridge, table: `${table}` };
            scrape.gauge('flow_entries', 'Entries of a flow table', active, labels);
            scrape.counter('flow_lookups_total', 'Lookups in a table', Number(lookups), labels);
            scrape.counter('flow_matches_total', 'Lookups that matched', Number(matched), labels);
          }
        }
      }),
    );
  }
}

/** One answer in the making. */
class Scrape {
  private readonly registry = new Registry();
  private readonly gauges = new Map<string, Gauge>();
  private readonly counters = new Map<string, Counter>();

  get type(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    let gauge = this.gauges.get(name);
    if (!gauge) {
      gauge = new Gauge(this.settings(name, help, labels));
      this.gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): void {
    let counter = this.counters.get(name);
    if (!counter) {
      counter = new Counter(this.settings(name, help, labels));
      this.counters.set(name, counter);
    }
    counter.inc(labels, Math.max(0, value));
  }

  private settings(name: string, help: string, labels: Labels) {
    const labelNames = Object.keys(labels);
    return { name: `tapswitch_${name}`, help, labelNames, registers: [this.registry] };
  }
}
