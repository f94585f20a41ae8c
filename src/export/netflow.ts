/**
 * A bridge's NetFlow exporter: counts of flows, gathered until a flow ends, changes its output, or
 * has gone on for the active timeout.
 *
 *     update(key, output, packets, bytes) ──> flows ──expire──> records ──(30, or a turn)──> send
 *
 * The datapath keeps the counts: every megaflow of the bridge tells NetFlow's fields apart, so its
 * statistics are those of one flow. Bounded: beyond FLOWS_MAX the oldest flow is told of early.
 */
import { type Clock, NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { FlowAccounting, NetflowKey } from '../ofproto/sampling.js';
import { Collectors } from './collectors.js';
import {
  encodeNetflowV5,
  NETFLOW_V5_RECORDS_MAX,
  type NetflowV5Record,
  netflowPorts,
} from './netflow-v5.js';
import type { NetflowSettings } from './settings.js';

const log = getLogger('netflow');

/** Flows that are counted at one time. */
const FLOWS_MAX = 262_144;
/** Between looks for flows that have gone on for long. */
const SCAN_MS = 1000;
const UINT32_MAX = 0xffffffff;
/** Of IPv4's type of service: without the bits of congestion notification. */
const DSCP_BITS = 0xfc;

interface Flow {
  readonly key: NetflowKey;
  output: number;
  packets: number;
  bytes: number;
  tcpFlags: number;
  /** Clock ms. */
  createdMs: number;
  usedMs: number;
  expiredMs: number;
}

export class Netflow implements FlowAccounting {
  private readonly flows = new Map<string, Flow>();
  private records: NetflowV5Record[] = [];
  private sequence = 0;
  private readonly startMs: number;
  private nextScanMs: number;
  private collectors: Collectors;

  constructor(
    private settings: NetflowSettings,
    private readonly clock: Clock,
  ) {
    this.startMs = clock.now();
    this.nextScanMs = this.startMs;
    this.collectors = this.connect();
  }

  private connect(): Collectors {
    return new Collectors(this.settings.targets, null, this.clock, log);
  }

  configure(settings: NetflowSettings): void {
    const old = this.settings;
    this.settings = settings;
    if (old.targets.join() !== settings.targets.join()) {
      this.flush();
      this.collectors.close();
      this.collectors = this.connect();
    }
    if (old.activeTimeoutMs === settings.activeTimeoutMs) return;
    const now = this.clock.now();
    this.nextScanMs = now;
    for (const flow of this.flows.values()) flow.expiredMs = now;
  }

  get stats(): { flows: number; records: number; txPackets: number; txErrors: number } {
    const { txPackets, txErrors } = this.collectors;
    return { flows: this.flows.size, records: this.sequence, txPackets, txErrors };
  }

  update(
    key: NetflowKey,
    output: number,
    delta: { packets: number; bytes: number; usedMs: number; tcpFlags?: number },
  ): void {
    const id = keyText(key);
    let flow = this.flows.get(id);
    if (flow === undefined) {
      flow = this.newFlow(key, output, delta.usedMs);
      this.flows.set(id, flow);
      if (this.flows.size > FLOWS_MAX) this.dropOldest();
    } else if (flow.output !== output) {
      this.expire(flow);
      flow.createdMs = delta.usedMs;
      flow.output = output;
    }
    flow.packets += delta.packets;
    flow.bytes += delta.bytes;
    flow.tcpFlags |= delta.tcpFlags ?? 0;
    flow.usedMs = Math.max(flow.usedMs, delta.usedMs);
  }

  private newFlow(key: NetflowKey, output: number, usedMs: number): Flow {
    const zero = { packets: 0, bytes: 0, tcpFlags: 0 };
    const times = { createdMs: usedMs, usedMs, expiredMs: this.clock.now() };
    return { key, output, ...zero, ...times };
  }

  private dropOldest(): void {
    for (const [id, flow] of this.flows) {
      this.expire(flow);
      this.flows.delete(id);
      return;
    }
  }

  clear(key: NetflowKey): void {
    const id = keyText(key);
    const flow = this.flows.get(id);
    if (flow === undefined) return;
    this.expire(flow);
    this.flows.delete(id);
  }

  /** Makes records of what was counted since the last time. */
  private expire(flow: Flow): void {
    flow.expiredMs += this.settings.activeTimeoutMs;
    if (flow.packets === 0) return;
    let { packets, bytes } = flow;
    // Counters have 32 bits: several records share what is more, evenly.
    for (
      let left = Math.max(1, Math.ceil(Math.max(packets, bytes) / UINT32_MAX));
      left > 0;
      left--
    ) {
      const part = { packets: Math.floor(packets / left), bytes: Math.floor(bytes / left) };
      this.addRecord(flow, part.packets, part.bytes);
      packets -= part.packets;
      bytes -= part.bytes;
    }
    flow.packets = 0;
    flow.bytes = 0;
    flow.tcpFlags = 0;
  }

  private addRecord(flow: Flow, packets: number, bytes: number): void {
    const { key } = flow;
    const since = (ms: number): number => Math.max(0, Math.floor(ms - this.startMs));
    this.records.push({
      srcAddr: key.nwSrc,
      dstAddr: key.nwDst,
      input: this.interfaceNumber(key.inPort),
      output: this.interfaceNumber(flow.output),
      packets,
      bytes,
      firstMs: since(flow.createdMs),
      lastMs: since(Math.max(flow.createdMs, flow.usedMs)),
      ...netflowPorts(key.nwProto, key.tpSrc, key.tpDst),
      tcpFlags: flow.tcpFlags & 0xff,
      protocol: key.nwProto,
      tos: key.nwTos & DSCP_BITS,
    });
    if (this.records.length >= NETFLOW_V5_RECORDS_MAX) this.flush();
  }

  private interfaceNumber(port: number): number {
    const { addIdToInterface, engineId } = this.settings;
    return addIdToInterface ? ((engineId & 0x7f) << 9) | (port & 0x1ff) : port;
  }

  private flush(): void {
    if (this.records.length === 0) return;
    const wallMs = this.clock.wallNow();
    const header = {
      uptimeMs: Math.floor(this.clock.now() - this.startMs),
      unixSec: Math.floor(wallMs / 1000),
      unixNsec: Math.floor(wallMs % 1000) * 1_000_000,
      sequence: this.sequence,
      engineType: this.settings.engineType,
      engineId: this.settings.engineId,
    };
    this.collectors.send(encodeNetflowV5(header, this.records));
    this.sequence = (this.sequence + this.records.length) >>> 0;
    this.records = [];
  }

  run(now: number): void {
    this.collectors.run(now);
    const { activeTimeoutMs } = this.settings;
    if (activeTimeoutMs > 0 && now >= this.nextScanMs) {
      this.nextScanMs = now + SCAN_MS;
      this.scan(now, activeTimeoutMs);
    }
    this.flush();
  }

  private scan(now: number, activeTimeoutMs: number): void {
    for (const [id, flow] of this.flows) {
      if (now <= flow.expiredMs + activeTimeoutMs) continue;
      // Without packets for that long, nobody may know of it any more.
      const idle = flow.usedMs < flow.expiredMs;
      this.expire(flow);
      if (idle) this.flows.delete(id);
    }
  }

  nextWake(): number {
    if (this.records.length > 0) return this.clock.now();
    const scanning = this.settings.activeTimeoutMs > 0 && this.flows.size > 0;
    return Math.min(scanning ? this.nextScanMs : NEVER, this.collectors.nextWake());
  }

  /** Tells of everything that was counted. */
  close(): void {
    for (const flow of this.flows.values()) this.expire(flow);
    this.flows.clear();
    this.flush();
    this.collectors.close();
  }
}

function keyText({ inPort, nwSrc, nwDst, nwTos, nwProto, tpSrc, tpDst }: NetflowKey): string {
  return `${inPort} ${nwSrc} ${nwDst} ${nwTos} ${nwProto} ${tpSrc} ${tpDst}`;
}
