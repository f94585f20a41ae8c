/**
 * ethtool's link settings as OpenFlow port features.
 *
 * The classic SUPPORTED_ and ADVERTISED_ bits (linux/ethtool.h) name the same things as OpenFlow's
 * (ofp_port_features, OpenFlow 1.3.5 section 7.2.1) at other places.
 */
import type { EthtoolInfo } from '../native/binding.js';
import type { NetdevFeatures } from './netdev.js';

/** ofp_port_features by name of bit. */
const OFPPF_COPPER = 1 << 11;
const OFPPF_FIBER = 1 << 12;
const OFPPF_AUTONEG = 1 << 13;
const OFPPF_PAUSE = 1 << 14;
const OFPPF_PAUSE_ASYM = 1 << 15;

/** [bit of ethtool, bit of OpenFlow] */
const MODES: ReadonlyArray<[number, number]> = [
  [0, 1 << 0], // 10 Mb/s half
  [1, 1 << 1],
  [2, 1 << 2], // 100 Mb/s half
  [3, 1 << 3],
  [4, 1 << 4], // 1 Gb/s half
  [5, 1 << 5],
  [12, 1 << 6], // 10 Gb/s
  [7, OFPPF_COPPER], // TP
  [10, OFPPF_FIBER],
  [6, OFPPF_AUTONEG],
  [13, OFPPF_PAUSE],
  [14, OFPPF_PAUSE_ASYM],
];

/** [Mb/s, bit for half duplex (0: none), bit for full] */
const SPEEDS: ReadonlyArray<[number, number, number]> = [
  [10, 1 << 0, 1 << 1],
  [100, 1 << 2, 1 << 3],
  [1000, 1 << 4, 1 << 5],
  [10000, 0, 1 << 6],
  [40000, 0, 1 << 7],
  [100000, 0, 1 << 8],
  [1000000, 0, 1 << 9],
];

const PORT_TP = 0;
const PORT_FIBRE = 3;

function modes(bits: number): number {
  let features = 0;
  for (const [from, to] of MODES) if (bits & (1 << from)) features |= to;
  return features;
}

function currentSpeed(info: EthtoolInfo): number {
  const speed = info.speedMbps ?? 0;
  if (speed === 0) return 0;
  const known = SPEEDS.find(([mbps]) => mbps === speed);
  if (!known) return 0;
  return info.fullDuplex === false ? known[1] : known[2];
}

/** All zero where the driver tells nothing. */
export function portFeatures(info: EthtoolInfo): NetdevFeatures {
  if (info.speedMbps === undefined) return { current: 0, advertised: 0, supported: 0, peer: 0 };
  let current = currentSpeed(info);
  if (info.port === PORT_TP) current |= OFPPF_COPPER;
  else if (info.port === PORT_FIBRE) current |= OFPPF_FIBER;
  if (info.autoneg) current |= OFPPF_AUTONEG;
  return {
    current,
    advertised: modes(info.advertising ?? 0),
    supported: modes(info.supported ?? 0),
    peer: 0,
  };
}
