/**
 * What a bridge tells its exporters of traffic: NetFlow, sFlow and IPFIX.
 *
 *     translation ──> sample actions with cookies ──> datapath ──> upcall ──> PacketSample
 *                 └─> cache entry 'netflow' ──> statistics of the megaflow ──> FlowAccounting
 *
 * These are the interfaces alone; src/export has what is behind them. Not for: what is sampled
 * (xlate/sampling.ts decides that).
 */
import { NEVER } from '../common/clock.js';
import type { SampleCookie } from '../datapath/odp-actions.js';
import type { IpfixStatsEntry } from '../openflow/messages-stats.js';
import {
  ETH_TYPE_IP,
  type FlowWords,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../packet/flow-layout.js';
import { dlType, nwProto } from './flow-access.js';
import type { StatsDelta } from './stats-delta.js';

/** What NetFlow calls a flow. Numbers are unsigned. */
export interface NetflowKey {
  /** OpenFlow port, 16 bits. */
  inPort: number;
  nwSrc: number;
  nwDst: number;
  nwTos: number;
  nwProto: number;
  tpSrc: number;
  tpDst: number;
}

/** Where NetFlow's packets go, in the place of an OpenFlow port. */
export const NF_OUT = { FLOOD: 0xffff, MULTI: 0xfffe, DROP: 0xfffd } as const;

/** NetFlow's flow of a key with the OpenFlow port `inPort`; null: it is no IPv4 packet. */
export function netflowKey(flow: FlowWords, inPort: number): NetflowKey | null {
  if (dlType(flow) !== ETH_TYPE_IP) return null;
  return {
    inPort: inPort & 0xffff,
    nwSrc: flow[W_NW_SRC] >>> 0,
    nwDst: flow[W_NW_DST] >>> 0,
    nwTos: (flow[W_NW] >>> 16) & 0xff,
    nwProto: nwProto(flow),
    tpSrc: flow[W_TP] >>> 16,
    tpDst: flow[W_TP] & 0xffff,
  };
}

/** Where counts of flows go. */
export interface FlowAccounting {
  /** Counts packets of a flow that went out by `output`: an OpenFlow port or NF_OUT. */
  update(key: NetflowKey, output: number, delta: StatsDelta): void;
  /** The datapath knows nothing of the flow any more: tell of it now. */
  clear(key: NetflowKey): void;
}

/** A packet that the datapath sampled. */
export interface PacketSample {
  /** The whole Ethernet frame, as it was when it was sampled. */
  frame: Uint8Array;
  /** Its key; the datapath's port is in W_IN_PORT. */
  key: FlowWords;
}

export interface SflowSampler {
  /** Of a packet, times 2^32 - 1. */
  readonly probability: number;
  sample(packet: PacketSample, cookie: Extract<SampleCookie, { type: 'sflow' }>): void;
}

/** Counts of an exporter, as OpenFlow statistics tell them; `collectorSet` 0: the bridge's. */
export type IpfixStats = Record<keyof IpfixStatsEntry, number>;

export interface IpfixSampler {
  /** Sampling of all of the bridge's packets; null: of those that flows say alone. */
  readonly bridge: { readonly probability: number; input: boolean; output: boolean } | null;
  bridgeSample(packet: PacketSample, cookie: Extract<SampleCookie, { type: 'ipfix' }>): void;
  flowSample(packet: PacketSample, cookie: Extract<SampleCookie, { type: 'flow_sample' }>): void;
  /** Null: not configured. */
  bridgeStats(): IpfixStats | null;
  /** One for each collector set. */
  flowStats(): IpfixStats[];
}

/** A bridge's exporters; null is one that is not configured. */
export interface BridgeExporters {
  readonly netflow: FlowAccounting | null;
  readonly sflow: SflowSampler | null;
  readonly ipfix: IpfixSampler | null;
  /** What they have counted and sent, a line for each. */
  show(): string[];
  run(now: number): void;
  nextWake(): number;
}

/** Of a bridge that exports nothing. */
export const NO_EXPORTERS: BridgeExporters = {
  netflow: null,
  sflow: null,
  ipfix: null,
  show: () => [],
  run: () => {},
  nextWake: () => NEVER,
};

/** Gives a sampled packet to the exporter that its cookie names; what nobody wants is dropped. */
export function deliverSample(
  exporters: BridgeExporters,
  packet: PacketSample,
  cookie: SampleCookie,
): void {
  switch (cookie.type) {
    case 'sflow':
      exporters.sflow?.sample(packet, cookie);
      break;
    case 'ipfix':
      exporters.ipfix?.bridgeSample(packet, cookie);
      break;
    case 'flow_sample':
      exporters.ipfix?.flowSample(packet, cookie);
      break;
  }
}

/** The exporters' counts as a reply has them; null: nothing is configured. */
export function ipfixEntries(
  ipfix: IpfixSampler | null,
  bridge: boolean,
): IpfixStatsEntry[] | null {
  const own = ipfix?.bridgeStats() ?? null;
  const all = bridge ? (own === null ? [] : [own]) : (ipfix?.flowStats() ?? []);
  if (all.length === 0) return null;
  return all.map(({ collectorSet, ...counts }) => {
    const wide = Object.entries(counts).map(([name, count]) => [name, BigInt(count)]);
    return { ...(Object.fromEntries(wide) as Omit<IpfixStatsEntry, 'collectorSet'>), collectorSet };
  });
}
