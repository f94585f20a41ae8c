/**
 * Devices of the switch: what there is to open, and what an open one offers (netdev.ts).
 */
export { DummyNetdev } from './dummy-netdev.js';
export {
  type DatapathQueue,
  hasQueues,
  type Netdev,
  type NetdevEvent,
  type NetdevStatistics,
  type QueuedNetdev,
} from './netdev.js';
export { NetdevRegistry, type NetdevRegistryOptions } from './registry.js';
export { type LinkChange, LinkMonitor } from './rtnetlink.js';
export type { Link } from './rtnetlink-codec.js';
