/**
 * OpenFlow's description and counters of a port.
 */
import type { PortDesc, PortStatsEntry } from '../../openflow/messages.js';
import type { OfPort } from '../port.js';
import { durationBetween } from './duration.js';

/** OpenFlow counts what is unknown as all ones. */
const UNKNOWN = 0xffffffffffffffffn;

/** Counters that OpenFlow has no place for: those of queues, and a device's own. */
const CUSTOM = /^[rt]x_(q\d+|custom)_/;

/** Speeds of OpenFlow's feature bits, kbit/s, by bit. */
const SPEEDS_KBPS = [
  10_000, 10_000, 100_000, 100_000, 1_000_000, 1_000_000, 10_000_000, 40_000_000, 100_000_000,
  1_000_000_000,
];

function speedOf(features: number): number {
  let best = 0;
  for (const [bit, speed] of SPEEDS_KBPS.entries()) if (features & (1 << bit)) best = speed;
  return best;
}

export function portDesc(port: OfPort): PortDesc {
  const { device } = port;
  const features = device.features?.() ?? { current: 0, advertised: 0, supported: 0, peer: 0 };
  const max = features.supported || features.current;
  return {
    portNo: port.ofPort,
    hwAddr: device.etherAddr(),
    name: port.name,
    config: port.config,
    state: port.state,
    curr: features.current,
    advertised: features.advertised,
    supported: features.supported,
    peer: features.peer,
    currSpeedKbps: speedOf(features.current),
    maxSpeedKbps: speedOf(max),
  };
}

export function portStats(port: OfPort, nowMs: number): PortStatsEntry {
  const counters = port.device.statistics?.() ?? {};
  const get = (name: string): bigint => {
    const value = counters[name];
    return value === undefined ? UNKNOWN : BigInt(Math.trunc(value));
  };
  const names = Object.keys(counters).filter((name) => CUSTOM.test(name));
  const custom = names.map((name) => ({ name, value: get(name) }));
  return {
    portNo: port.ofPort,
    rxPackets: get('rx_packets'),
    txPackets: get('tx_packets'),
    rxBytes: get('rx_bytes'),
    txBytes: get('tx_bytes'),
    rxDropped: get('rx_dropped'),
    txDropped: get('tx_dropped'),
    rxErrors: get('rx_errors'),
    txErrors: get('tx_errors'),
    rxFrameErr: get('rx_frame_err'),
    rxOverErr: get('rx_over_err'),
    rxCrcErr: get('rx_crc_err'),
    collisions: get('collisions'),
    ...durationBetween(port.createdMs, nowMs),
    ...(custom.length > 0 && { custom }),
  };
}
