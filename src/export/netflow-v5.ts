/**
 * NetFlow version 5: its bytes. Pure functions; numbers are unsigned.
 *
 *     header  24 bytes: version, count, uptime, seconds, nanoseconds, sequence, engine, sampling
 *     record  48 bytes, at most 30
 *
 * Source: Cisco, NetFlow Export Datagram Format, version 5.
 */
import { Writer } from '../openflow/codec/buffer.js';

export const NETFLOW_V5_RECORDS_MAX = 30;
const VERSION = 5;
const IPPROTO_ICMP = 1;

export interface NetflowV5Header {
  /** Milliseconds since the exporter started. */
  uptimeMs: number;
  unixSec: number;
  unixNsec: number;
  /** Flows told of before this datagram. */
  sequence: number;
  engineType: number;
  engineId: number;
}

export interface NetflowV5Record {
  srcAddr: number;
  dstAddr: number;
  input: number;
  output: number;
  packets: number;
  bytes: number;
  /** Uptime at the first and last packet. */
  firstMs: number;
  lastMs: number;
  srcPort: number;
  dstPort: number;
  tcpFlags: number;
  protocol: number;
  tos: number;
}

/** Ports as NetFlow has them: ICMP's type and code are one destination port. */
export function netflowPorts(
  protocol: number,
  tpSrc: number,
  tpDst: number,
): { srcPort: number; dstPort: number } {
  if (protocol !== IPPROTO_ICMP) return { srcPort: tpSrc, dstPort: tpDst };
  return { srcPort: 0, dstPort: ((tpSrc & 0xff) << 8) | (tpDst & 0xff) };
}

/** A datagram. @param records at most NETFLOW_V5_RECORDS_MAX */
export function encodeNetflowV5(
  header: NetflowV5Header,
  records: readonly NetflowV5Record[],
): Uint8Array {
  const w = new Writer(24 + 48 * records.length);
  w.u16(VERSION).u16(records.length).u32(header.uptimeMs);
  w.u32(header.unixSec).u32(header.unixNsec).u32(header.sequence);
  w.u8(header.engineType).u8(header.engineId).u16(0);
  for (const record of records) putRecord(w, record);
  return w.finish();
}

function putRecord(w: Writer, record: NetflowV5Record): void {
  w.u32(record.srcAddr).u32(record.dstAddr).u32(0);
  w.u16(record.input).u16(record.output).u32(record.packets).u32(record.bytes);
  w.u32(record.firstMs).u32(record.lastMs).u16(record.srcPort).u16(record.dstPort);
  w.u8(0).u8(record.tcpFlags).u8(record.protocol).u8(record.tos);
  // Autonomous systems and prefix lengths: a switch knows of neither.
  w.zeros(8);
}
