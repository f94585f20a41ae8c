/**
 * Port descriptions and port statistics in each protocol version, and the rows of messages about
 * ports: features reply, port status, port mod, port description and port statistics.
 * Source: OpenFlow 1.0 section 5.2.1; OpenFlow 1.3 section 7.2.1; OpenFlow 1.4 section 7.2.1.
 */
import { portFrom16, portTo16 } from '../../packet/fields.js';
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import type { PortDesc, PortStatsEntry } from '../messages.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageContext, type MessageRow, row } from './message-row.js';
import { getProperty, putProperty } from './props.js';

/** Bits of a port's speed and medium, as OpenFlow 1.1 and later number them. */
export const OFPPF = {
  HD_10MB: 1 << 0,
  FD_10MB: 1 << 1,
  HD_100MB: 1 << 2,
  FD_100MB: 1 << 3,
  HD_1GB: 1 << 4,
  FD_1GB: 1 << 5,
  FD_10GB: 1 << 6,
  FD_40GB: 1 << 7,
  FD_100GB: 1 << 8,
  FD_1TB: 1 << 9,
  OTHER: 1 << 10,
  COPPER: 1 << 11,
  FIBER: 1 << 12,
  AUTONEG: 1 << 13,
  PAUSE: 1 << 14,
  PAUSE_ASYM: 1 << 15,
} as const;

const CONFIG10 = 0x7f;
const STATE10 = 0x301;
const CONFIG11 = 0x65;
const STATE11 = 0x07;

/** OpenFlow 1.0 keeps speeds to 10 Gbit/s in the same bits and the medium four bits lower. */
const features10To11 = (f: number): number => (f & 0x7f) | ((f & 0xf80) << 4);
const features11To10 = (f: number): number => (f & 0x7f) | ((f & 0xf800) >> 4);

/** Highest speed among feature bits, in kbit/s; 0 when none is named. */
export function featuresToKbps(f: number): number {
  const speeds: [number, number][] = [
    [OFPPF.FD_1TB, 1e9],
    [OFPPF.FD_100GB, 1e8],
    [OFPPF.FD_40GB, 4e7],
    [OFPPF.FD_10GB, 1e7],
    [OFPPF.HD_1GB | OFPPF.FD_1GB, 1e6],
    [OFPPF.HD_100MB | OFPPF.FD_100MB, 1e5],
    [OFPPF.HD_10MB | OFPPF.FD_10MB, 1e4],
  ];
  for (const [bits, kbps] of speeds) if ((f & bits) !== 0) return kbps;
  return 0;
}

function getPort10(r: Reader): PortDesc {
  const portNo = portFrom16(r.u16());
  const hwAddr = r.take8(6);
  const name = r.text(16);
  const [config, state] = [r.u32() & CONFIG10, r.u32() & STATE10];
  const curr = features10To11(r.u32());
  const advertised = features10To11(r.u32());
  const supported = features10To11(r.u32());
  const peer = features10To11(r.u32());
  const currSpeedKbps = featuresToKbps(curr);
  const maxSpeedKbps = featuresToKbps(supported);
  return {
    ...{ portNo, hwAddr, name, config, state, curr, advertised, supported, peer },
    ...{ currSpeedKbps, maxSpeedKbps },
  };
}

function putPort10(w: Writer, p: PortDesc): void {
  w.u16(portTo16(p.portNo)).put(p.hwAddr).text(p.name, 16);
  w.u32(p.config & CONFIG10).u32(p.state & STATE10);
  for (const f of [p.curr, p.advertised, p.supported, p.peer]) w.u32(features11To10(f));
}

function getPort11(r: Reader): PortDesc {
  const portNo = r.u32();
  const hwAddr = r.skip(4).take8(6);
  const name = r.skip(2).text(16);
  const [config, state] = [r.u32() & CONFIG11, r.u32() & STATE11];
  return { portNo, hwAddr, name, config, state, ...getSpeeds(r) };
}

function getSpeeds(r: Reader) {
  const [curr, advertised, supported, peer] = [r.u32(), r.u32(), r.u32(), r.u32()].map(
    (f) => f & 0xffff,
  );
  return { curr, advertised, supported, peer, currSpeedKbps: r.u32(), maxSpeedKbps: r.u32() };
}

function putPortHead(w: Writer, p: PortDesc): void {
  w.put(p.hwAddr).zeros(2).text(p.name, 16);
  w.u32(p.config & CONFIG11).u32(p.state & STATE11);
}

function putSpeeds(w: Writer, p: PortDesc): void {
  w.u32(p.curr).u32(p.advertised).u32(p.supported).u32(p.peer);
  w.u32(p.currSpeedKbps).u32(p.maxSpeedKbps);
}

function getPort14(r: Reader): PortDesc {
  const portNo = r.u32();
  const length = r.u16();
  if (length < 40) fail('OFPBRC_BAD_LEN');
  const body = r.sub(length - 6);
  const hwAddr = body.skip(2).take8(6);
  const name = body.skip(2).text(16);
  const [config, state] = [body.u32() & CONFIG11, body.u32() & STATE11];
  const none = { curr: 0, advertised: 0, supported: 0, peer: 0, currSpeedKbps: 0, maxSpeedKbps: 0 };
  const port: PortDesc = { portNo, hwAddr, name, config, state, ...none };
  while (body.left > 0) {
    const { type, payload } = getProperty(body);
    if (type === 0) Object.assign(port, getSpeeds(payload.skip(4)));
  }
  return port;
}

/** Reads a port in the form of a protocol version. */
export function getPort(r: Reader, version: number): PortDesc {
  if (version === 1) return getPort10(r);
  return version < 5 ? getPort11(r) : getPort14(r);
}

/** Writes a port in the form of a protocol version. */
export function putPort(w: Writer, p: PortDesc, version: number): void {
  if (version === 1) putPort10(w, p);
  else if (version < 5) {
    w.u32(p.portNo).zeros(4);
    putPortHead(w, p);
    putSpeeds(w, p);
  } else {
    w.u32(p.portNo).u16(72).zeros(2);
    putPortHead(w, p);
    w.u16(0).u16(32).zeros(4);
    putSpeeds(w, p);
  }
}

function getPorts(r: Reader, version: number): PortDesc[] {
  const ports: PortDesc[] = [];
  while (r.left > 0) ports.push(getPort(r, version));
  return ports;
}

const COUNTERS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxDropped',
  'txDropped',
  'rxErrors',
  'txErrors',
  'rxFrameErr',
  'rxOverErr',
  'rxCrcErr',
  'collisions',
] as const;
const ETHERNET_COUNTERS = 8;

function emptyStats(portNo: number): PortStatsEntry {
  const stats = { portNo, durationSec: 0xffffffff, durationNsec: 0xffffffff } as PortStatsEntry;
  for (const name of COUNTERS) stats[name] = 0n;
  return stats;
}

function getPortStats(r: Reader, version: number): PortStatsEntry {
  if (version >= 5) return getPortStats14(r);
  const stats = emptyStats(version === 1 ? portFrom16(r.u16()) : r.u32());
  r.skip(version === 1 ? 6 : 4);
  for (const name of COUNTERS) stats[name] = r.u64();
  if (version >= 4) {
    stats.durationSec = r.u32();
    stats.durationNsec = r.u32();
  }
  return stats;
}

const EXPERIMENTER = 0xffff;
const INTEL_VENDOR = 0x0000aa01;
const INTEL_CUSTOM = 2;
const NAME_MAX = 255;

/** Intel's property: vendor(32) type(32) zeros(16) count(16), each length(8) name value(64). */
function getCustomStats(r: Reader, stats: PortStatsEntry): void {
  if (r.u32() !== INTEL_VENDOR || r.u32() !== INTEL_CUSTOM) return;
  const count = r.skip(2).u16();
  const custom: { name: string; value: bigint }[] = [];
  for (let i = 0; i < count; i++) custom.push({ name: r.text(r.u8()), value: r.u64() });
  stats.custom = custom;
}

function putCustomStats(w: Writer, custom: PortStatsEntry['custom'] = []): void {
  if (custom.length === 0) return;
  putProperty(w, EXPERIMENTER, (p) => {
    p.u32(INTEL_VENDOR).u32(INTEL_CUSTOM).zeros(2).u16(custom.length);
    for (const { name, value } of custom) {
      const bytes = Buffer.from(name, 'latin1').subarray(0, NAME_MAX);
      p.u8(bytes.length).put(bytes).u64(value);
    }
  });
}

function getPortStats14(r: Reader): PortStatsEntry {
  const length = r.u16();
  if (length < 80) fail('OFPBRC_BAD_LEN');
  const body = r.sub(length - 2);
  const stats = emptyStats(body.skip(2).u32());
  stats.durationSec = body.u32();
  stats.durationNsec = body.u32();
  for (const name of COUNTERS.slice(0, ETHERNET_COUNTERS)) stats[name] = body.u64();
  for (const name of COUNTERS.slice(ETHERNET_COUNTERS)) stats[name] = 0xffffffffffffffffn;
  while (body.left > 0) {
    const { type, payload } = getProperty(body);
    if (type === EXPERIMENTER) getCustomStats(payload, stats);
    if (type !== 0) continue;
    payload.skip(4);
    for (const name of COUNTERS.slice(ETHERNET_COUNTERS)) stats[name] = payload.u64();
  }
  return stats;
}

function putPortStats(w: Writer, s: PortStatsEntry, version: number): void {
  if (version >= 5) {
    const start = w.length;
    w.u16(0).zeros(2).u32(s.portNo).u32(s.durationSec).u32(s.durationNsec);
    for (const name of COUNTERS.slice(0, ETHERNET_COUNTERS)) w.u64(s[name]);
    w.u16(0).u16(40).zeros(4);
    for (const name of COUNTERS.slice(ETHERNET_COUNTERS)) w.u64(s[name]);
    putCustomStats(w, s.custom);
    w.setU16(start, w.length - start);
    return;
  }
  if (version === 1) w.u16(portTo16(s.portNo)).zeros(6);
  else w.u32(s.portNo).zeros(4);
  for (const name of COUNTERS) w.u64(s[name]);
  if (version >= 4) w.u32(s.durationSec).u32(s.durationNsec);
}

function featuresRow(min: number, max: number, unit: number | undefined): MessageRow {
  return row({
    type: 'features_reply',
    cls: 'msg',
    number: 6,
    min,
    max,
    body: 24,
    unit,
    decode(r, ctx) {
      const datapathId = r.u64();
      const [nBuffers, nTables, auxiliaryId] = [r.u32(), r.u8(), r.u8()];
      const capabilities = r.skip(2).u32();
      const actions = r.u32();
      return {
        ...{ type: 'features_reply', datapathId, nBuffers, nTables, auxiliaryId, capabilities },
        actions: ctx.version === 1 ? actions : 0,
        ports: getPorts(r, ctx.version),
      };
    },
    encode(w, msg, ctx) {
      w.u64(msg.datapathId).u32(msg.nBuffers).u8(msg.nTables);
      w.u8(ctx.version >= 4 ? msg.auxiliaryId : 0).zeros(2);
      w.u32(msg.capabilities).u32(ctx.version === 1 ? msg.actions : 0);
      if (ctx.version < 4) for (const p of msg.ports) putPort(w, p, ctx.version);
    },
  });
}

function statusRow(min: number, max: number, body: number, unit?: number): MessageRow {
  return row({
    type: 'port_status',
    cls: 'msg',
    number: 12,
    min,
    max,
    body,
    unit,
    decode(r, ctx) {
      const reason = r.u8();
      if (reason > 2) fail('NXBRC_BAD_REASON');
      return { type: 'port_status', reason, desc: getPort(r.skip(7), ctx.version) };
    },
    encode(w, msg, ctx) {
      w.u8(msg.reason).zeros(7);
      putPort(w, msg.desc, ctx.version);
    },
  });
}

function portModRow(number: number, min: number, max: number, body: number): MessageRow {
  return row({
    type: 'port_mod',
    cls: 'msg',
    number,
    min,
    max,
    body,
    unit: min >= 5 ? 8 : undefined,
    decode(r, ctx) {
      const v1 = ctx.version === 1;
      const portNo = v1 ? portFrom16(r.u16()) : r.u32();
      const hwAddr = (v1 ? r : r.skip(4)).take8(6);
      if (!v1) r.skip(2);
      const bits = v1 ? CONFIG10 : CONFIG11;
      const [config, mask] = [r.u32() & bits, r.u32() & bits];
      let advertise = 0;
      if (v1) advertise = features10To11(r.u32());
      else if (ctx.version < 5) advertise = r.u32();
      else while (r.left > 0) advertise = getProperty(r).payload.u32();
      return { type: 'port_mod', portNo, hwAddr, config, mask, advertise };
    },
    encode(w, msg, ctx) {
      const v1 = ctx.version === 1;
      if (v1) w.u16(portTo16(msg.portNo)).put(msg.hwAddr);
      else w.u32(msg.portNo).zeros(4).put(msg.hwAddr).zeros(2);
      const bits = v1 ? CONFIG10 : CONFIG11;
      w.u32(msg.config & bits).u32(msg.mask & bits);
      if (v1) w.u32(features11To10(msg.advertise)).zeros(4);
      else if (ctx.version < 5) w.u32(msg.advertise).zeros(4);
      else if (msg.advertise !== 0) w.u16(0).u16(8).u32(msg.advertise);
    },
  });
}

function portRequest(
  type: 'port_stats_request' | 'port_desc_request',
  number: number,
  min: number,
  max: number,
  body: number,
): MessageRow {
  return row({
    type,
    cls: 'stats_request',
    number,
    min,
    max,
    body,
    decode(r, ctx) {
      if (r.left === 0) return { type, port: OFPP.NONE };
      return { type, port: ctx.version === 1 ? portFrom16(r.u16()) : r.u32() };
    },
    encode(w, msg, ctx) {
      if (body === 0) return;
      if (ctx.version === 1) w.u16(portTo16(msg.port)).zeros(6);
      else w.u32(msg.port).zeros(4);
    },
  });
}

type Reply = 'port_stats_reply' | 'port_desc_reply';

function portReply<T extends Reply>(
  type: T,
  number: number,
  min: number,
  max: number,
  unit: number,
): MessageRow {
  const stats = type === 'port_stats_reply';
  return {
    type,
    cls: 'stats_reply',
    number,
    min,
    max,
    body: 0,
    unit,
    decode(r: Reader, ctx: MessageContext) {
      if (!stats) {
        return { type: 'port_desc_reply', more: ctx.more, entries: getPorts(r, ctx.version) };
      }
      const entries: PortStatsEntry[] = [];
      while (r.left > 0) entries.push(getPortStats(r, ctx.version));
      return { type: 'port_stats_reply', more: ctx.more, entries };
    },
    encode: () => {},
    encodeEntry(w: Writer, entry: PortStatsEntry | PortDesc, ctx: MessageContext) {
      if (stats) putPortStats(w, entry as PortStatsEntry, ctx.version);
      else putPort(w, entry as PortDesc, ctx.version);
    },
  } as unknown as MessageRow;
}

export const PORT_ROWS: readonly MessageRow[] = [
  featuresRow(1, 1, 48),
  featuresRow(2, 3, 64),
  featuresRow(4, 6, undefined),
  statusRow(1, 1, 56),
  statusRow(2, 4, 72),
  statusRow(5, 6, 48, 8),
  portModRow(15, 1, 1, 24),
  portModRow(16, 2, 4, 32),
  portModRow(16, 5, 6, 24),
  portRequest('port_stats_request', 4, 1, 1, 8),
  portRequest('port_stats_request', 4, 2, 6, 8),
  portReply('port_stats_reply', 4, 1, 1, 104),
  portReply('port_stats_reply', 4, 2, 3, 104),
  portReply('port_stats_reply', 4, 4, 4, 112),
  portReply('port_stats_reply', 4, 5, 6, 8),
  portRequest('port_desc_request', 13, 1, 5, 0),
  portRequest('port_desc_request', 13, 6, 6, 8),
  portReply('port_desc_reply', 13, 1, 1, 48),
  portReply('port_desc_reply', 13, 2, 4, 64),
  portReply('port_desc_reply', 13, 5, 6, 8),
];
