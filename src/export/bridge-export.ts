/**
 * All exporters of one bridge: made, changed and taken away as its configuration says.
 */
import { type Clock, NEVER } from '../common/clock.js';
import type { Ofproto } from '../ofproto/ofproto.js';
import { type BridgeExporters, NO_EXPORTERS } from '../ofproto/sampling.js';
import { Ipfix } from './ipfix.js';
import { Netflow } from './netflow.js';
import type { ExportSettings, IpfixSettings, NetflowSettings, SflowSettings } from './settings.js';
import { Sflow } from './sflow.js';

export class BridgeExport implements BridgeExporters {
  netflow: Netflow | null = null;
  sflow: Sflow | null = null;
  ipfix: Ipfix | null = null;
  private applied = '';

  constructor(
    private readonly ofproto: Ofproto,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  /** Makes what runs equal to the settings; flows are looked at again when these changed. */
  configure(settings: ExportSettings): void {
    const text = JSON.stringify(settings);
    if (text === this.applied) return;
    const first = this.applied === '';
    this.applied = text;
    // What the datapath counted so far belongs to the exporter that was there so far.
    if (this.netflow !== null) this.ofproto.backer.pushStats();
    this.setNetflow(settings.netflow);
    this.setSflow(settings.sflow);
    this.setIpfix(settings.ipfix);
    const none = this.netflow === null && this.sflow === null && this.ipfix === null;
    if (!first || !none) this.ofproto.setExporters(none ? NO_EXPORTERS : this);
  }

  private setNetflow(settings: NetflowSettings | null): void {
    if (settings === null) {
      this.netflow?.close();
      this.netflow = null;
    } else if (this.netflow === null) this.netflow = new Netflow(settings, this.clock);
    else this.netflow.configure(settings);
  }

  private setSflow(settings: SflowSettings | null): void {
    if (settings === null || settings.sampling <= 0) {
      this.sflow?.close();
      this.sflow = null;
    } else if (this.sflow === null) {
      this.sflow = new Sflow(settings, this.ofproto, this.clock, this.random);
    } else this.sflow.configure(settings);
  }

  private setIpfix(settings: IpfixSettings | null): void {
    if (settings === null) {
      this.ipfix?.close();
      this.ipfix = null;
      return;
    }
    this.ipfix ??= new Ipfix(this.ofproto, this.clock);
    this.ipfix.configure(settings);
  }

  show(): string[] {
    const lines: string[] = [];
    if (this.netflow !== null) lines.push(`netflow: ${countsText(this.netflow.stats)}`);
    if (this.sflow !== null) lines.push(`sflow: ${countsText(this.sflow.stats)}`);
    const bridge = this.ipfix?.bridgeStats() ?? null;
    for (const stats of [...(bridge ? [bridge] : []), ...(this.ipfix?.flowStats() ?? [])]) {
      const { collectorSet, totalFlows, currentFlows, packets, txPackets, txErrors } = stats;
      const who = stats === bridge ? 'ipfix' : `ipfix, collector set ${collectorSet}`;
      const counts = { flows: totalFlows, currentFlows, samples: packets, txPackets, txErrors };
      lines.push(`${who}: ${countsText(counts)}`);
    }
    return lines;
  }

  run(now: number): void {
    this.netflow?.run(now);
    this.sflow?.run(now);
    this.ipfix?.run(now);
  }

  nextWake(): number {
    return Math.min(
      this.netflow?.nextWake() ?? NEVER,
      this.sflow?.nextWake() ?? NEVER,
      this.ipfix?.nextWake() ?? NEVER,
    );
  }

  /** Sends what was gathered and ends. */
  close(): void {
    this.configure({ netflow: null, sflow: null, ipfix: null });
  }
}

/** 'flows=3, tx pkts=12, tx errs=0', in the words of OpenFlow's statistics. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const words: Readonly<Record<string, string>> = {
    currentFlows: 'current flows',
    txPackets: 'tx pkts',
    txErrors: 'tx errs',
  };
  return Object.entries(counts)
    .map(([name, count]) => `${words[name] ?? name}=${count}`)
    .join(', ');
}
