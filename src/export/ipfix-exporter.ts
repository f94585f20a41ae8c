/**
 * An IPFIX exporter: a cache of flows, and messages to its collectors.
 *
 *     sample ──> flow in the cache ──(active timeout, too many flows, end)──> record ──> message
 *
 * Without a timeout and a size of the cache, as is the default, each sample is a record. Messages
 * are filled up in one turn of the main loop and sent at its end. Templates go before the first
 * record of a domain and again and again, since collectors may come and go unseen.
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { IpfixStats } from '../ofproto/sampling.js';
import { Collectors } from './collectors.js';
import {
  dataSet,
  encodeMessage,
  exporterStatsSet,
  MESSAGE_BYTES_MAX,
  optionsTemplateSet,
  templateSets,
} from './ipfix-message.js';
import { IpfixFlow, IpfixTotals, type SampleCounts } from './ipfix-record.js';
import { templateId, templateKinds } from './ipfix-templates.js';
import { IPFIX_PORT, type IpfixExporterSettings } from './settings.js';

const log = getLogger('ipfix');

const MESSAGE_HEADER_BYTES = 16;
/** Domains whose templates we remember to have sent; sample actions choose them. */
const DOMAINS_MAX = 1024;
/** Whatever the settings say. */
const FLOWS_MAX = 1_000_000;
const VIRTUAL_OBS_ID_BYTES_MAX = 254;
/** flowEndReason of RFC 5102. */
const END_ACTIVE_TIMEOUT = 2;
const END_FORCED = 4;
const END_NO_RESOURCES = 5;

/** Data records of one domain that wait for the end of the turn. */
interface Batch {
  domain: number;
  exportSec: number;
  sets: Uint8Array[];
  bytes: number;
}

/** Exporting processes since the start: each has a number of its own. */
let exporters = 0;

export class IpfixExporter {
  private readonly id: number;
  private collectors: Collectors;
  private readonly totals = new IpfixTotals();
  /** The oldest first. */
  private readonly flows = new Map<string, IpfixFlow>();
  /** When templates were sent, clock ms, by domain. */
  private readonly templatesMs = new Map<number, number>();
  private batch: Batch | null = null;
  private sequence = 0;
  private statsMs = Number.NEGATIVE_INFINITY;
  private virtualObsId: Uint8Array | null = null;
  private readonly counts: Omit<IpfixStats, 'txPackets' | 'txErrors' | 'currentFlows'>;

  constructor(
    private settings: IpfixExporterSettings,
    collectorSetId: number,
    private readonly clock: Clock,
  ) {
    exporters += 1;
    this.id = exporters;
    this.collectors = new Collectors(settings.targets, IPFIX_PORT, clock, log);
    this.counts = { ...zeroCounts(), collectorSet: collectorSetId };
    this.setVirtualObsId();
  }

  configure(settings: IpfixExporterSettings): void {
    const old = this.settings;
    this.settings = settings;
    this.setVirtualObsId();
    if (old.targets.join() !== settings.targets.join()) {
      this.flush();
      this.collectors.close();
      this.collectors = new Collectors(settings.targets, IPFIX_PORT, this.clock, log);
      this.templatesMs.clear();
    }
    if (old.virtualObsId !== settings.virtualObsId) this.templatesMs.clear();
    this.expire(this.clock.now());
  }

  private setVirtualObsId(): void {
    const { virtualObsId } = this.settings;
    const bytes = virtualObsId === null ? null : Buffer.from(virtualObsId, 'utf8');
    if (bytes !== null && bytes.length > VIRTUAL_OBS_ID_BYTES_MAX) {
      log.warn(
        `Virtual obsevation ID too long (${bytes.length} bytes), ` +
          `should not be longer than ${VIRTUAL_OBS_ID_BYTES_MAX} bytes.`,
      );
      this.virtualObsId = null;
    } else this.virtualObsId = bytes;
  }

  get stats(): IpfixStats {
    const { txPackets, txErrors } = this.collectors;
    return { ...this.counts, currentFlows: this.flows.size, txPackets, txErrors };
  }

  /** Counts a sample. @param keyBytes as ipfix-record's encodeKey gives them */
  sample(sample: SampleCounts, domain: number, keyBytes: Uint8Array): void {
    const nowUsec = Math.floor(this.clock.wallNow() * 1000);
    const template = templateId(sample.kind);
    const id = `${domain} ${template} ${Buffer.from(keyBytes).toString('latin1')}`;
    let flow = this.flows.get(id);
    if (flow === undefined) {
      flow = new IpfixFlow(sample.kind, domain, keyBytes, nowUsec, this.clock.now());
      this.flows.set(id, flow);
      this.counts.totalFlows += 1;
    }
    flow.count(sample, this.totals, nowUsec);
    this.countKind(sample);
    if (this.flows.size > this.flowsMax) this.expire(this.clock.now());
  }

  private get flowsMax(): number {
    return Math.min(this.settings.flowsMax, FLOWS_MAX);
  }

  private countKind({ kind }: SampleCounts): void {
    const { counts } = this;
    counts.packets += 1;
    const known = kind.l4 !== 'other';
    if (kind.l3 === 'none') return;
    if (!known) counts.errorPackets += 1;
    if (kind.l3 === 'ipv4') {
      if (known) counts.ipv4Packets += 1;
      else counts.ipv4ErrorPackets += 1;
    } else if (known) counts.ipv6Packets += 1;
    else counts.ipv6ErrorPackets += 1;
  }

  /** Sends records of flows that are due. */
  private expire(now: number): void {
    const timeoutMs = this.settings.activeTimeoutSec * 1000;
    for (const [id, flow] of this.flows) {
      const timedOut = now >= flow.startMs + timeoutMs;
      if (!timedOut && this.flows.size <= this.flowsMax) return;
      this.flows.delete(id);
      this.record(flow, timedOut ? END_ACTIVE_TIMEOUT : END_NO_RESOURCES);
    }
  }

  private record(flow: IpfixFlow, endReason: number): void {
    const now = this.clock.now();
    // Times are told as what is left of the next whole second.
    const exportSec = Math.ceil(this.clock.wallNow() / 1000);
    this.announce(flow.domain, exportSec, now);
    const { virtualObsId } = this;
    const record = flow.encode(this.totals, { exportSec, endReason, virtualObsId });
    const set = dataSet(templateId(flow.kind), record);
    const batch = this.batchFor(flow.domain, exportSec, set.length);
    batch.sets.push(set);
    batch.bytes += set.length;
  }

  private batchFor(domain: number, exportSec: number, bytes: number): Batch {
    let { batch } = this;
    const fits =
      batch !== null &&
      batch.domain === domain &&
      batch.exportSec === exportSec &&
      batch.bytes + bytes <= MESSAGE_BYTES_MAX;
    if (batch === null || !fits) {
      this.flush();
      batch = { domain, exportSec, sets: [], bytes: MESSAGE_HEADER_BYTES };
      this.batch = batch;
    }
    return batch;
  }

  private flush(): void {
    const { batch } = this;
    this.batch = null;
    if (batch === null) return;
    this.send(batch.domain, batch.exportSec, batch.sets);
    this.sequence = (this.sequence + batch.sets.length) >>> 0;
  }

  private send(domain: number, exportSec: number, sets: readonly Uint8Array[]): void {
    this.collectors.send(encodeMessage({ exportSec, sequence: this.sequence, domain }, sets));
  }

  /** Templates and the exporter's own statistics, when they are due. */
  private announce(domain: number, exportSec: number, now: number): void {
    const { statsIntervalSec, templateIntervalSec } = this.settings;
    const sentMs = this.templatesMs.get(domain) ?? Number.NEGATIVE_INFINITY;
    if (now >= sentMs + templateIntervalSec * 1000) {
      this.flush();
      if (this.templatesMs.size >= DOMAINS_MAX) this.templatesMs.clear();
      this.templatesMs.set(domain, now);
      for (const set of templateSets(templateKinds(), this.virtualObsId !== null)) {
        this.send(domain, exportSec, [set]);
      }
    }
    if (now < this.statsMs + statsIntervalSec * 1000) return;
    this.flush();
    this.statsMs = now;
    // What the exporter tells of itself belongs to no domain.
    this.send(0, exportSec, [optionsTemplateSet()]);
    this.send(0, exportSec, [exporterStatsSet(this.id, this.collectors.txErrors)]);
    this.sequence = (this.sequence + 1) >>> 0;
  }

  run(now: number): void {
    this.collectors.run(now);
    this.expire(now);
    this.flush();
  }

  nextWake(): number {
    if (this.batch !== null) return this.clock.now();
    let next = this.collectors.nextWake();
    for (const flow of this.flows.values()) {
      next = Math.min(next, flow.startMs + this.settings.activeTimeoutSec * 1000);
      break;
    }
    return next;
  }

  /** Sends what was gathered. */
  close(): void {
    for (const flow of this.flows.values()) this.record(flow, END_FORCED);
    this.flows.clear();
    this.flush();
    this.collectors.close();
  }
}

function zeroCounts(): Omit<
  IpfixStats,
  'txPackets' | 'txErrors' | 'currentFlows' | 'collectorSet'
> {
  return {
    totalFlows: 0,
    packets: 0,
    ipv4Packets: 0,
    ipv6Packets: 0,
    errorPackets: 0,
    ipv4ErrorPackets: 0,
    ipv6ErrorPackets: 0,
  };
}
