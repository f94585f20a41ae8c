/**
 * Devices: see netdev.ts for what each offers, registry.ts for how they are opened.
 */
export { deviceError, openError, strerror } from './device-error.js';
export { DummyNetdev, type DummyReceiver, dummyPortNumber } from './dummy-netdev.js';
export type { WireState } from './dummy-wires.js';
export {
  type ClassCounters,
  type ClassSockets,
  type DatapathQueue,
  hasQueues,
  type Netdev,
  type NetdevEvent,
  type NetdevFeatures,
  type NetdevStatistic,
  type NetdevStatistics,
  type QueuedNetdev,
  type TransmitQueues,
} from './netdev.js';
export { type NextHop, nextHop } from './next-hop.js';
export { PatchNetdev } from './patch-netdev.js';
export { PcapWriter } from './pcap-writer.js';
export {
  DEFAULT_QUEUE_LENGTH,
  DEFAULT_QUEUE_SETTINGS,
  type Discipline,
  type Policing,
  type PortQueueSettings,
  type Shaping,
  type ShapingClass,
  type TrafficClasses,
} from './queue-settings.js';
export { randomMac } from './random-mac.js';
export {
  type NetdevFactory,
  type NetdevOptions,
  NetdevRegistry,
  type NetdevRegistryOptions,
} from './registry.js';
export { type LinkChange, LinkMonitor } from './rtnetlink.js';
export type { Link, LinkStats } from './rtnetlink-codec.js';
export { DEFAULT_QUEUE_SIZES, type PacketQueueSizes } from './system-netdev.js';
