/**
 * sFlow version 5: its bytes (XDR). Pure functions; numbers are unsigned.
 *
 *     datagram  version, agent's address, sub-agent, sequence, uptime, samples
 *     sample    flow sample (1): header, switch, MPLS  |  counter sample (2): blocks of counters
 *
 * Source: sflow.org, sFlow version 5 (2004), and the structures for OpenFlow, LAG and hosts that
 * followed it.
 */
import { isIPv6 } from 'node:net';
import { Writer } from '../openflow/codec/buffer.js';
import { parseIpv4, parseIpv6 } from '../packet/ip-text.js';

const VERSION = 5;
const ADDRESS_IPV4 = 1;
const ADDRESS_IPV6 = 2;
const FLOW_SAMPLE = 1;
const COUNTER_SAMPLE = 2;
const HEADER_ETHERNET = 1;
/** Structures of flow samples. */
const SAMPLED_HEADER = 1;
const EXTENDED_SWITCH = 1001;
const EXTENDED_MPLS = 1006;
/** The frame check sequence, which is counted although it is gone. */
const FCS_BYTES = 4;
/** A counter that is not kept. */
export const UNKNOWN = 0xffffffff;

/** Classes of data sources. */
export const SOURCE_IFINDEX = 0;
export const SOURCE_ENTITY = 2;

export interface SourceId {
  class: number;
  index: number;
}

export interface SflowFlowSample {
  sequence: number;
  source: SourceId;
  samplingRate: number;
  samplePool: number;
  drops: number;
  input: number;
  output: number;
  frameBytes: number;
  /** The start of the frame. */
  header: Uint8Array;
  inTci: number;
  outTci: number;
  /** Of the packet as it goes out, the outermost first. */
  labels: readonly number[];
}

/** A block of counters: its format and its bytes. */
export interface CounterBlock {
  format: number;
  bytes: Uint8Array;
}

export interface SflowCounterSample {
  sequence: number;
  source: SourceId;
  blocks: readonly CounterBlock[];
}

export interface SflowDatagram {
  /** IPv4 or IPv6, as text. */
  agent: string;
  subAgent: number;
  sequence: number;
  uptimeMs: number;
  /** As encodeFlowSample and encodeCounterSample give them. */
  samples: readonly Uint8Array[];
}

/** Bytes of a datagram's header with the longest address. */
export const SFLOW_HEADER_MAX = 40;

export function encodeSflow(datagram: SflowDatagram): Uint8Array {
  const w = new Writer(1500);
  const v6 = isIPv6(datagram.agent);
  const address = v6 ? parseIpv6(datagram.agent) : parseIpv4(datagram.agent);
  w.u32(VERSION).u32(v6 ? ADDRESS_IPV6 : ADDRESS_IPV4);
  w.put(address ?? new Uint8Array(v6 ? 16 : 4));
  w.u32(datagram.subAgent).u32(datagram.sequence).u32(datagram.uptimeMs);
  w.u32(datagram.samples.length);
  for (const sample of datagram.samples) w.put(sample);
  return w.finish();
}

export function encodeFlowSample(sample: SflowFlowSample): Uint8Array {
  const body = new Writer(256);
  body.u32(sample.sequence).u32(sourceWord(sample.source)).u32(sample.samplingRate);
  body.u32(sample.samplePool).u32(sample.drops).u32(sample.input).u32(sample.output);
  const mpls = sample.labels.length > 0;
  body.u32(mpls ? 3 : 2);
  putSwitch(body, sample);
  putHeader(body, sample);
  if (mpls) putMpls(body, sample.labels);
  return wrap(FLOW_SAMPLE, body);
}

function putHeader(w: Writer, { frameBytes, header }: SflowFlowSample): void {
  const padded = (header.length + 3) & ~3;
  w.u32(SAMPLED_HEADER).u32(16 + padded);
  w.u32(HEADER_ETHERNET)
    .u32(frameBytes + FCS_BYTES)
    .u32(FCS_BYTES);
  w.u32(header.length)
    .put(header)
    .zeros(padded - header.length);
}

function putSwitch(w: Writer, { inTci, outTci }: SflowFlowSample): void {
  w.u32(EXTENDED_SWITCH).u32(16);
  for (const tci of [inTci, outTci]) w.u32(tci & 0xfff).u32((tci >>> 13) & 7);
}

/** Labels of the packet as it goes out; the next hop and the labels it came with are not known. */
function putMpls(w: Writer, labels: readonly number[]): void {
  w.u32(EXTENDED_MPLS).u32(8 + 4 + 4 + 4 * labels.length);
  w.u32(ADDRESS_IPV4).u32(0).u32(0).u32(labels.length);
  for (const label of labels) w.u32(label >>> 0);
}

export function encodeCounterSample(sample: SflowCounterSample): Uint8Array {
  const body = new Writer(512);
  body.u32(sample.sequence).u32(sourceWord(sample.source)).u32(sample.blocks.length);
  for (const { format, bytes } of sample.blocks) body.u32(format).u32(bytes.length).put(bytes);
  return wrap(COUNTER_SAMPLE, body);
}

function sourceWord(source: SourceId): number {
  return ((source.class << 24) | (source.index & 0xffffff)) >>> 0;
}

function wrap(format: number, body: Writer): Uint8Array {
  const w = new Writer(8 + body.length);
  return w.u32(format).u32(body.length).put(body.finish()).finish();
}
