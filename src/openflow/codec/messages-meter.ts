/**
 * Rows for meters: meter mod, statistics, configuration and features.
 *
 *     band:  type(16) len(16)=16 rate(32) burst_size(32) prec_level(8) pad
 *
 * Source: OpenFlow 1.3.5 sections 7.3.4.4, 7.3.5.12 to 7.3.5.14.
 */
import { fail } from '../errors.js';
import {
  METER_FLAG,
  type MeterBand,
  type MeterConfig,
  type MeterStatsEntry,
} from '../messages-groups.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageRow, row } from './message-row.js';
import { emptyRequest, listReply } from './stats-list.js';

const SINCE_13 = { min: 4, max: 6 };
const COMMANDS = ['add', 'modify', 'delete'] as const;
const BAND_TYPES = { drop: 1, dscp_remark: 2 } as const;
const BAND_BYTES = 16;

function getBands(r: Reader): MeterBand[] {
  const bands: MeterBand[] = [];
  while (r.left > 0) {
    if (r.left < BAND_BYTES) fail('OFPBRC_BAD_LEN');
    const [type, length] = [r.u16(), r.u16()];
    if (length !== BAND_BYTES) fail('OFPBRC_BAD_LEN');
    if (type !== BAND_TYPES.drop && type !== BAND_TYPES.dscp_remark) fail('OFPMMFC_BAD_BAND');
    const [rate, burstSize, level] = [r.u32(), r.u32(), r.u8()];
    r.skip(3);
    const remark = type === BAND_TYPES.dscp_remark;
    const name = remark ? 'dscp_remark' : 'drop';
    bands.push({ type: name, rate, burstSize, precLevel: remark ? level : 0 });
  }
  return bands;
}

function putBands(w: Writer, bands: readonly MeterBand[]): void {
  for (const b of bands) {
    w.u16(BAND_TYPES[b.type]).u16(BAND_BYTES).u32(b.rate).u32(b.burstSize);
    w.u8(b.precLevel).zeros(3);
  }
}

const MOD_ROW = row({
  ...{ type: 'meter_mod', cls: 'msg', number: 29, ...SINCE_13, body: 8, unit: 8 },
  decode(r) {
    const [number, flags, meter] = [r.u16(), r.u16(), r.u32()];
    const command = COMMANDS[number] ?? fail('OFPMMFC_BAD_COMMAND');
    if (command === 'delete') {
      return { type: 'meter_mod', command, meter: { meter, flags: 0, bands: [] } };
    }
    const both = METER_FLAG.KBPS | METER_FLAG.PKTPS;
    if ((flags & both) === both) fail('OFPMMFC_BAD_FLAGS');
    return { type: 'meter_mod', command, meter: { meter, flags, bands: getBands(r) } };
  },
  encode(w, { command, meter }) {
    w.u16(COMMANDS.indexOf(command));
    w.u16(command === 'delete' ? 0 : meter.flags).u32(meter.meter);
    putBands(w, meter.bands);
  },
});

function requestRow(type: 'meter_stats_request' | 'meter_config_request', number: number) {
  return row({
    ...{ type, cls: 'stats_request', number, ...SINCE_13, body: 8 },
    decode: (r) => ({ type, meter: r.u32() }),
    encode: (w, msg) => void w.u32(msg.meter).zeros(4),
  });
}

function getConfig(r: Reader): MeterConfig {
  const length = r.u16();
  if (length < 8) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const [flags, meter] = [e.u16(), e.u32()];
  return { meter, flags, bands: getBands(e) };
}

function putConfig(w: Writer, e: MeterConfig): void {
  w.u16(8 + BAND_BYTES * e.bands.length)
    .u16(e.flags)
    .u32(e.meter);
  putBands(w, e.bands);
}

function getStats(r: Reader): MeterStatsEntry {
  const meter = r.u32();
  const length = r.u16();
  if (length < 40) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 6);
  const [flows, packets, bytes] = [e.skip(6).u32(), e.u64(), e.u64()];
  const [durationSec, durationNsec] = [e.u32(), e.u32()];
  const bands: MeterStatsEntry['bands'] = [];
  while (e.left > 0) bands.push({ packets: e.u64(), bytes: e.u64() });
  return { meter, flows, packets, bytes, durationSec, durationNsec, bands };
}

function putStats(w: Writer, e: MeterStatsEntry): void {
  w.u32(e.meter)
    .u16(40 + 16 * e.bands.length)
    .zeros(6);
  w.u32(e.flows).u64(e.packets).u64(e.bytes).u32(e.durationSec).u32(e.durationNsec);
  for (const b of e.bands) w.u64(b.packets).u64(b.bytes);
}

export const METER_ROWS: readonly MessageRow[] = [
  MOD_ROW,
  requestRow('meter_stats_request', 9),
  listReply('meter_stats_reply', { number: 9, ...SINCE_13, unit: 8 }, getStats, putStats),
  requestRow('meter_config_request', 10),
  listReply('meter_config_reply', { number: 10, ...SINCE_13, unit: 8 }, getConfig, putConfig),
  emptyRequest('meter_features_request', 11, 4, 6),
  row({
    ...{ type: 'meter_features_reply', cls: 'stats_reply', number: 11, ...SINCE_13, body: 16 },
    decode: (r) => ({
      type: 'meter_features_reply',
      maxMeters: r.u32(),
      bandTypes: r.u32(),
      capabilities: r.u32(),
      maxBands: r.u8(),
      maxColor: r.u8(),
    }),
    encode(w, msg) {
      w.u32(msg.maxMeters).u32(msg.bandTypes).u32(msg.capabilities);
      w.u8(msg.maxBands).u8(msg.maxColor).zeros(2);
    },
  }),
];
