/**
 * OXS, the flow statistics of OpenFlow 1.5: a header and a list of numbered values.
 * Source: OpenFlow 1.5 section 7.2.4.
 */
import { fail } from '../errors.js';
import type { Reader, Writer } from './buffer.js';

const BASIC_CLASS = 0x8002;
const HEADER_LENGTH = 4;
const NO_COUNT32 = 0xffffffff;
const NO_COUNT64 = 0xffffffffffffffffn;

const FIELD = { duration: 0, idle: 1, flows: 3, packets: 4, bytes: 5 } as const;

/** Statistics of flows; what a switch does not say has all bits set, or age -1. */
export interface OxsStats {
  durationSec: number;
  durationNsec: number;
  idleAge: number;
  packets: bigint;
  bytes: bigint;
  flows: number;
}

export function noStats(): OxsStats {
  return {
    durationSec: NO_COUNT32,
    durationNsec: NO_COUNT32,
    idleAge: -1,
    packets: NO_COUNT64,
    bytes: NO_COUNT64,
    flows: NO_COUNT32,
  };
}

function getStat(r: Reader, field: number, length: number, out: OxsStats): void {
  const value = r.sub(length);
  if (field === FIELD.duration && length === 8) {
    out.durationSec = value.u32();
    out.durationNsec = value.u32();
  } else if (field === FIELD.idle && length === 8) out.idleAge = value.u32();
  else if (field === FIELD.flows && length === 4) out.flows = value.u32();
  else if (field === FIELD.packets && length === 8) out.packets = value.u64();
  else if (field === FIELD.bytes && length === 8) out.bytes = value.u64();
}

/** Statistics that are unknown are skipped. */
export function getOxs(r: Reader): OxsStats {
  if (r.left < HEADER_LENGTH) fail('OFPBMC_BAD_LEN');
  const length = r.skip(2).u16();
  if (length < HEADER_LENGTH) fail('OFPBMC_BAD_LEN');
  const padded = ((length + 7) & ~7) - HEADER_LENGTH;
  if (padded > r.left) fail('OFPBMC_BAD_LEN');
  const entries = r.sub(length - HEADER_LENGTH, 'OFPBMC_BAD_LEN');
  r.skip(padded - (length - HEADER_LENGTH));
  const out = noStats();
  while (entries.left > 0) {
    const cls = entries.u16();
    const field = entries.u8() >> 1;
    const size = entries.u8();
    if (cls === BASIC_CLASS) getStat(entries, field, size, out);
    else entries.skip(size);
  }
  return out;
}

/** Writes the statistics that are known, in Open vSwitch's order. */
export function putOxs(w: Writer, stats: Partial<OxsStats>): void {
  const start = w.length;
  const { durationSec, idleAge, packets, bytes, flows } = { ...noStats(), ...stats };
  const head = (field: number, size: number): Writer =>
    w
      .u16(BASIC_CLASS)
      .u8(field << 1)
      .u8(size);
  w.zeros(HEADER_LENGTH);
  if (durationSec !== NO_COUNT32) {
    head(FIELD.duration, 8)
      .u32(durationSec)
      .u32(stats.durationNsec ?? 0);
  }
  if (idleAge >= 0) head(FIELD.idle, 8).u32(idleAge).u32(0);
  if (packets !== NO_COUNT64) head(FIELD.packets, 8).u64(packets);
  if (bytes !== NO_COUNT64) head(FIELD.bytes, 8).u64(bytes);
  if (flows !== NO_COUNT32) head(FIELD.flows, 4).u32(flows);
  w.setU16(start + 2, w.length - start);
  w.align(start);
}
