/**
 * sFlow's blocks of counters: interface, Ethernet, LACP, port name, OpenFlow port, datapath and
 * process. Pure functions from numbers to bytes; what is not counted is UNKNOWN.
 *
 * Source: sFlow version 5, section 5.3; sFlow LAG Counters Structure; sFlow OpenFlow Structures;
 * sFlow Host Structures.
 */
import { Writer } from '../openflow/codec/buffer.js';
import { type CounterBlock, UNKNOWN } from './sflow-v5.js';

const IF_COUNTERS = 1;
const ETHERNET_COUNTERS = 2;
const LACP_COUNTERS = 7;
const OPENFLOW_PORT = 1004;
const PORT_NAME = 1005;
const APP_RESOURCES = 2203;
const OVS_DATAPATH = 2207;
const IF_TYPE_ETHERNET = 6;
const TWO_32 = 2 ** 32;

/** A counter of an interface; undefined: not kept. */
type Count = number | undefined;

export interface InterfaceCounters {
  ifindex: number;
  /** Bits per second. */
  speedBps: number;
  /** Null: unknown. */
  fullDuplex: boolean | null;
  adminUp: boolean;
  carrier: boolean;
  /** Under the names of Interface.statistics. */
  statistics: Readonly<Record<string, Count>>;
}

function put64(w: Writer, value: number): void {
  w.u32(Math.floor(value / TWO_32)).u32(value % TWO_32);
}

/** The low 32 bits of a counter: receivers know that it turns over. */
function put32(w: Writer, value: Count): void {
  w.u32(value === undefined ? UNKNOWN : value % TWO_32);
}

function block(format: number, w: Writer): CounterBlock {
  return { format, bytes: w.finish() };
}

export function interfaceBlock(counters: InterfaceCounters): CounterBlock {
  const { statistics: s, fullDuplex } = counters;
  const w = new Writer(88);
  w.u32(counters.ifindex).u32(IF_TYPE_ETHERNET);
  put64(w, counters.speedBps);
  w.u32(fullDuplex === null ? 0 : fullDuplex ? 1 : 2);
  w.u32(counters.adminUp ? (counters.carrier ? 3 : 1) : 0);
  put64(w, s.rx_bytes ?? 0);
  const received = [s.rx_packets, s.rx_multicast_packets, s.rx_broadcast_packets];
  for (const count of [...received, s.rx_dropped, s.rx_errors, undefined]) put32(w, count);
  put64(w, s.tx_bytes ?? 0);
  const sent = [s.tx_packets, s.tx_multicast_packets, s.tx_broadcast_packets];
  for (const count of [...sent, s.tx_dropped, s.tx_errors]) put32(w, count);
  w.u32(0);
  return block(IF_COUNTERS, w);
}

/** Counters of RFC 3635: of thirteen, three are known of a Linux interface. */
export function ethernetBlock(s: Readonly<Record<string, Count>>): CounterBlock {
  const w = new Writer(52);
  put32(w, s.rx_frame_err);
  put32(w, s.rx_crc_err);
  for (let i = 0; i < 8; i++) w.u32(UNKNOWN);
  put32(w, s.rx_over_err);
  for (let i = 0; i < 2; i++) w.u32(UNKNOWN);
  return block(ETHERNET_COUNTERS, w);
}

export interface LacpBlock {
  /** 6 bytes. */
  actorSystem: Uint8Array;
  partnerSystem: Uint8Array;
  aggregator: number;
  /** Bits of LACP's state: administrative and operational, actor and partner. */
  actorAdmin: number;
  actorOper: number;
  partnerAdmin: number;
  partnerOper: number;
  rxPdus: number;
  rxIllegal: number;
  txPdus: number;
}

export function lacpBlock(lacp: LacpBlock): CounterBlock {
  const w = new Writer(56);
  w.put(lacp.actorSystem).zeros(2).put(lacp.partnerSystem).zeros(2);
  w.u32(lacp.aggregator);
  w.u8(lacp.actorAdmin).u8(lacp.actorOper).u8(lacp.partnerAdmin).u8(lacp.partnerOper);
  put32(w, lacp.rxPdus);
  w.u32(UNKNOWN).u32(UNKNOWN).u32(UNKNOWN);
  put32(w, lacp.rxIllegal);
  put32(w, lacp.txPdus);
  w.u32(UNKNOWN).u32(UNKNOWN);
  return block(LACP_COUNTERS, w);
}

export function portNameBlock(name: string): CounterBlock {
  const bytes = Buffer.from(name, 'utf8').subarray(0, 255);
  const w = new Writer(64);
  w.u32(bytes.length).put(bytes).align(0, 4);
  return block(PORT_NAME, w);
}

export function openflowPortBlock(datapathId: bigint, port: number): CounterBlock {
  return block(OPENFLOW_PORT, new Writer(12).u64(datapathId).u32(port));
}

export interface DatapathCounters {
  hit: number;
  missed: number;
  lost: number;
  maskHits: number;
  flows: number;
  masks: number;
}

export function datapathBlock(d: DatapathCounters): CounterBlock {
  const w = new Writer(24);
  for (const n of [d.hit, d.missed, d.lost, d.maskHits, d.flows, d.masks]) put32(w, n);
  return block(OVS_DATAPATH, w);
}

export interface ProcessCounters {
  userMs: number;
  systemMs: number;
  memoryBytes: number;
}

export function processBlock(p: ProcessCounters): CounterBlock {
  const w = new Writer(40);
  put32(w, p.userMs);
  put32(w, p.systemMs);
  put64(w, p.memoryBytes);
  // What is not known of a gauge is 0.
  w.zeros(8 + 16);
  return block(APP_RESOURCES, w);
}
