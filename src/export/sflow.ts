/**
 * A bridge's sFlow agent: samples of packets, and of counters every so often.
 *
 *     sample(packet, cookie) ──> flow sample ──┐
 *     every pollingSec       ──> counters ─────┴─> datagram ──(full, or a second old)──> collectors
 *
 * The datapath decides which packets are sampled (xlate/sampling.ts). Nothing is sent before the
 * agent's address is known: that of the settings, or ours towards a collector.
 */

import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { SampleCookie } from '../datapath/odp-actions.js';
import { vlanTci } from '../ofproto/flow-access.js';
import { LACP_STATE } from '../ofproto/lacp-pdu.js';
import type { Ofproto } from '../ofproto/ofproto.js';
import type { OfPort } from '../ofproto/port.js';
import type { PacketSample, SflowSampler } from '../ofproto/sampling.js';
import { W_IN_PORT } from '../packet/flow-layout.js';
import { Collectors } from './collectors.js';
import { probabilityOf, SFLOW_PORT, type SflowSettings } from './settings.js';
import * as counters from './sflow-counters.js';
import {
  type CounterBlock,
  encodeCounterSample,
  encodeFlowSample,
  encodeSflow,
  SFLOW_HEADER_MAX,
  SOURCE_ENTITY,
  SOURCE_IFINDEX,
  type SourceId,
} from './sflow-v5.js';

const log = getLogger('sflow');

/** A datagram is sent before it is longer: it must not be fragmented. */
const DATAGRAM_BYTES_MAX = 1400;
const TICK_MS = 1000;
/** Index of the bridge as a data source, to which its sub-agent's number is added. */
const BRIDGE_SOURCE = 1000;
/** Of an interface whose speed is not known, as in Open vSwitch. */
const SPEED_UNKNOWN_BPS = 100_000_000;

interface Poller {
  sequence: number;
  /** Seconds until the next counter sample. */
  countdown: number;
}

export class Sflow implements SflowSampler {
  probability: number;
  private collectors: Collectors;
  private readonly startMs: number;
  private nextTickMs: number;
  private samples: Uint8Array[] = [];
  private sampleBytes = 0;
  private datagrams = 0;
  private flowSequence = 0;
  private samplePool = 0;
  /** By interface index; -1: the datapath. */
  private readonly pollers = new Map<number, Poller>();
  private agentMissing = false;
  private agentUnknown = false;

  constructor(
    private settings: SflowSettings,
    private readonly ofproto: Ofproto,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {
    log.info(`creating sFlow agent ${settings.subId}`);
    this.startMs = clock.now();
    this.nextTickMs = nextSecond(this.startMs);
    this.probability = probabilityOf(settings.sampling);
    this.collectors = new Collectors(settings.targets, SFLOW_PORT, clock, log);
  }

  configure(settings: SflowSettings): void {
    const old = this.settings;
    this.settings = settings;
    this.probability = probabilityOf(settings.sampling);
    if (old.pollingSec !== settings.pollingSec) this.pollers.clear();
    if (old.agent !== settings.agent) this.agentUnknown = false;
    if (old.targets.join() === settings.targets.join()) return;
    this.collectors.close();
    this.collectors = new Collectors(settings.targets, SFLOW_PORT, this.clock, log);
  }

  get stats(): { samples: number; datagrams: number; txPackets: number; txErrors: number } {
    const { txPackets, txErrors } = this.collectors;
    return { samples: this.flowSequence, datagrams: this.datagrams, txPackets, txErrors };
  }

  private get source(): SourceId {
    return { class: SOURCE_ENTITY, index: BRIDGE_SOURCE + this.settings.subId };
  }

  sample(
    { frame, key }: PacketSample,
    { vlanTci: outTci, output, labels }: Extract<SampleCookie, { type: 'sflow' }>,
  ): void {
    const { sampling, headerBytes } = this.settings;
    this.flowSequence = (this.flowSequence + 1) >>> 0;
    // The datapath's choice converges to the rate: how many packets passed is taken from it.
    this.samplePool = (this.samplePool + sampling) >>> 0;
    const port = this.ofproto.backer.portByOdp(key[W_IN_PORT]);
    this.add(
      encodeFlowSample({
        sequence: this.flowSequence,
        source: this.source,
        samplingRate: sampling,
        samplePool: this.samplePool,
        drops: 0,
        input: port?.device.ifindex?.() ?? 0,
        output,
        frameBytes: frame.length,
        header: frame.subarray(0, headerBytes),
        inTci: vlanTci(key),
        outTci,
        labels,
      }),
    );
  }

  private add(sample: Uint8Array): void {
    if (SFLOW_HEADER_MAX + this.sampleBytes + sample.length > DATAGRAM_BYTES_MAX) this.flush();
    this.samples.push(sample);
    this.sampleBytes += sample.length;
  }

  private flush(): void {
    if (this.samples.length === 0) return;
    const { samples } = this;
    this.samples = [];
    this.sampleBytes = 0;
    const agent = this.agentAddress();
    if (agent === null) {
      if (!this.agentMissing) log.err('could not determine IP address for sFlow agent');
      this.agentMissing = true;
      return;
    }
    this.agentMissing = false;
    this.datagrams = (this.datagrams + 1) >>> 0;
    this.collectors.send(
      encodeSflow({
        agent,
        subAgent: this.settings.subId,
        sequence: this.datagrams,
        uptimeMs: Math.floor(this.clock.now() - this.startMs),
        samples,
      }),
    );
  }

  private agentAddress(): string | null {
    const { agent, controlIp } = this.settings;
    if (agent !== null) {
      const addresses = networkInterfaces()[agent];
      const address = addresses?.find(({ family }) => family === 'IPv4') ?? addresses?.[0];
      if (address !== undefined) return address.address;
      if (isIP(agent) !== 0) return agent;
      if (!this.agentUnknown) {
        log.warn(`sFlow agent '${agent}' is no address, and no device that has one`);
      }
      this.agentUnknown = true;
    }
    return this.collectors.localAddress ?? controlIp;
  }

  run(now: number): void {
    this.collectors.run(now);
    if (now < this.nextTickMs) return;
    this.nextTickMs = nextSecond(now);
    if (this.settings.pollingSec > 0) this.poll();
    this.flush();
  }

  nextWake(): number {
    return Math.min(this.nextTickMs, this.collectors.nextWake());
  }

  private poll(): void {
    const present = new Set<number>([-1]);
    const ports = new Map<number, OfPort>();
    for (const port of this.ofproto.ports()) {
      const ifindex = port.device.ifindex?.() ?? 0;
      if (ifindex <= 0 || port.odpPort === null) continue;
      present.add(ifindex);
      ports.set(ifindex, port);
    }
    for (const index of this.pollers.keys()) if (!present.has(index)) this.pollers.delete(index);
    for (const index of present) this.pollOne(index, ports.get(index) ?? null);
  }

  /** @param port null: the datapath's own counters */
  private pollOne(index: number, port: OfPort | null): void {
    const poller = this.pollers.get(index) ?? this.newPoller(index);
    poller.countdown -= 1;
    if (poller.countdown > 0) return;
    poller.countdown = this.settings.pollingSec;
    poller.sequence += 1;
    const source = port === null ? this.source : { class: SOURCE_IFINDEX, index };
    const blocks = port === null ? this.globalBlocks() : this.portBlocks(port, index);
    this.add(encodeCounterSample({ sequence: poller.sequence, source, blocks }));
  }

  /** The first sample is due at a random time: a switch's ports are not all polled at once. */
  private newPoller(index: number): Poller {
    const countdown = 1 + Math.floor(this.random() * this.settings.pollingSec);
    const poller = { sequence: 0, countdown };
    this.pollers.set(index, poller);
    return poller;
  }

  private globalBlocks(): CounterBlock[] {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    return [
      counters.datapathBlock(this.ofproto.backer.dpif.stats()),
      counters.processBlock({
        userMs: Math.floor(userCPUTime / 1000),
        systemMs: Math.floor(systemCPUTime / 1000),
        memoryBytes: maxRSS * 1024,
      }),
    ];
  }

  private portBlocks(port: OfPort, ifindex: number): CounterBlock[] {
    const { device } = port;
    const statistics = device.statistics?.() ?? {};
    const mbps = device.speedMbps?.() ?? 0;
    const blocks = [
      counters.interfaceBlock({
        ifindex,
        speedBps: mbps > 0 ? mbps * 1_000_000 : SPEED_UNKNOWN_BPS,
        fullDuplex: mbps > 0 ? (device.fullDuplex?.() ?? null) : null,
        adminUp: device.adminUp(),
        carrier: device.carrier(),
        statistics,
      }),
      counters.ethernetBlock(statistics),
    ];
    const lacp = lacpOf(port);
    if (lacp !== null) blocks.push(lacp);
    // Last those that programs know least: some stop at the first that they do not know.
    blocks.push(
      counters.portNameBlock(port.name),
      counters.openflowPortBlock(this.ofproto.datapathId, port.ofPort & 0xffff),
    );
    return blocks;
  }

  close(): void {
    this.flush();
    this.collectors.close();
  }
}

/** Agents act at whole seconds of the clock. */
function nextSecond(ms: number): number {
  return (Math.floor(ms / TICK_MS) + 1) * TICK_MS;
}

function lacpOf(port: OfPort): CounterBlock | null {
  const lacp = port.bundle?.lacp ?? null;
  const member = lacp?.members.get(port.device);
  if (!lacp || member === undefined) return null;
  const { settings } = lacp;
  const admin =
    LACP_STATE.AGGREGATION |
    (settings.active ? LACP_STATE.ACTIVITY : 0) |
    (settings.fast ? LACP_STATE.TIMEOUT : 0);
  return counters.lacpBlock({
    actorSystem: settings.systemId,
    partnerSystem: member.partner.sysId,
    aggregator: lacp.aggregationKey ?? 0,
    actorAdmin: admin,
    actorOper: lacp.actorOf(member).state,
    partnerAdmin: 0,
    partnerOper: member.partner.state,
    rxPdus: member.counters.rxPdus,
    rxIllegal: member.counters.rxBadPdus,
    txPdus: member.counters.txPdus,
  });
}
