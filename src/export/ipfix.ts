/**
 * A bridge's IPFIX: the exporter of all its packets, and those of the collector sets that flows
 * name in sample actions.
 */
import type { Clock } from '../common/clock.js';
import type { SampleCookie } from '../datapath/odp-actions.js';
import { ODPP_NONE } from '../datapath/odp-actions.js';
import { nwProto } from '../ofproto/flow-access.js';
import type { Ofproto } from '../ofproto/ofproto.js';
import type { IpfixSampler, IpfixStats, PacketSample } from '../ofproto/sampling.js';
import { W_IN_PORT, W_TP } from '../packet/flow-layout.js';
import { IpfixExporter } from './ipfix-exporter.js';
import { encodeKey, type InterfaceInfo, templateKindOf } from './ipfix-record.js';
import { type IpfixBridgeSettings, type IpfixSettings, probabilityOf } from './settings.js';

const IPPROTO_UDP = 17;
/** Destination ports of BFD, which tunnels speak among themselves (RFC 5881). */
const BFD_PORTS = [3784, 3785];
const PROBABILITY_MAX = 0xffff;

interface Sampling {
  probability: number;
  input: boolean;
  output: boolean;
}

export class Ipfix implements IpfixSampler {
  bridge: Sampling | null = null;
  private settings: IpfixSettings = { bridge: null, flows: [] };
  private bridgeExporter: IpfixExporter | null = null;
  private readonly flowExporters = new Map<number, IpfixExporter>();

  constructor(
    private readonly ofproto: Ofproto,
    private readonly clock: Clock,
  ) {}

  configure(settings: IpfixSettings): void {
    this.settings = settings;
    this.configureBridge(settings.bridge);
    const wanted = new Map(settings.flows.map((flow) => [flow.collectorSetId, flow]));
    for (const [id, exporter] of this.flowExporters) {
      if (wanted.has(id)) continue;
      exporter.close();
      this.flowExporters.delete(id);
    }
    for (const [id, flow] of wanted) {
      const known = this.flowExporters.get(id);
      if (known === undefined) this.flowExporters.set(id, new IpfixExporter(flow, id, this.clock));
      else known.configure(flow);
    }
  }

  private configureBridge(settings: IpfixBridgeSettings | null): void {
    if (settings === null) {
      this.bridgeExporter?.close();
      this.bridgeExporter = null;
      this.bridge = null;
      return;
    }
    const { sampling, input, output } = settings;
    this.bridge = { probability: probabilityOf(sampling), input, output };
    if (this.bridgeExporter === null) {
      this.bridgeExporter = new IpfixExporter(settings, 0, this.clock);
    } else this.bridgeExporter.configure(settings);
  }

  bridgeSample(packet: PacketSample, cookie: Extract<SampleCookie, { type: 'ipfix' }>): void {
    const { bridge } = this.settings;
    const { key, frame } = packet;
    if (bridge === null || this.bridgeExporter === null) return;
    if (nwProto(key) === IPPROTO_UDP && BFD_PORTS.includes(key[W_TP] & 0xffff)) return;
    const { outputPort, dropped } = cookie;
    const kind = templateKindOf(key, outputPort !== ODPP_NONE);
    const keyBytes = this.encodeKey(packet, kind, bridge.obsPointId, outputPort);
    const sample = { kind, key, frameBytes: frame.length, packets: bridge.sampling, dropped };
    this.bridgeExporter.sample(sample, bridge.obsDomainId, keyBytes);
    this.ofproto.backer.wake();
  }

  flowSample(packet: PacketSample, cookie: Extract<SampleCookie, { type: 'flow_sample' }>): void {
    const exporter = this.flowExporters.get(cookie.collectorSetId);
    if (exporter === undefined || cookie.probability === 0) return;
    const { direction, outputPort, dropped } = cookie;
    const { key, frame } = packet;
    const egress = direction === 'default' ? outputPort !== ODPP_NONE : direction === 'egress';
    const kind = templateKindOf(key, egress);
    const keyBytes = this.encodeKey(packet, kind, cookie.obsPointId, outputPort);
    const packets = Math.floor(PROBABILITY_MAX / cookie.probability);
    const sample = { kind, key, frameBytes: frame.length, packets, dropped };
    exporter.sample(sample, cookie.obsDomainId, keyBytes);
    this.ofproto.backer.wake();
  }

  private encodeKey(
    { key }: PacketSample,
    kind: ReturnType<typeof templateKindOf>,
    observationPoint: number,
    outputPort: number,
  ): Uint8Array {
    const input = this.interfaceInfo(key[W_IN_PORT] >>> 0);
    const output = this.interfaceInfo(outputPort);
    return encodeKey(kind, key, { observationPoint, input, output });
  }

  private interfaceInfo(odpPort: number): InterfaceInfo | null {
    const port = this.ofproto.backer.portByOdp(odpPort);
    if (port === null) return null;
    return { ifindex: port.device.ifindex?.() ?? 0, name: port.name };
  }

  bridgeStats(): IpfixStats | null {
    return this.bridgeExporter?.stats ?? null;
  }

  flowStats(): IpfixStats[] {
    return [...this.flowExporters.values()].map((exporter) => exporter.stats);
  }

  private *exporters(): Generator<IpfixExporter> {
    if (this.bridgeExporter !== null) yield this.bridgeExporter;
    yield* this.flowExporters.values();
  }

  run(now: number): void {
    for (const exporter of this.exporters()) exporter.run(now);
  }

  nextWake(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const exporter of this.exporters()) next = Math.min(next, exporter.nextWake());
    return next;
  }

  close(): void {
    for (const exporter of this.exporters()) exporter.close();
  }
}
