/**
 * Which MAC a bridge's local port gets: other_config:hwaddr, else the lowest unicast MAC of its
 * ports, else a random one kept for the bridge's life. The choice of Open vSwitch, so that datapath
 * ids stay what users expect.
 */
import type { Netdev } from '../netdev/index.js';
import type { BridgeConfig } from './config.js';
import { isUnicastMac } from './row-values.js';

export function pickBridgeMac(
  config: BridgeConfig,
  ifaces: ReadonlyMap<string, { device: Netdev | null }>,
  fallback: Uint8Array,
): Uint8Array {
  if (config.hwaddr) return config.hwaddr;
  let lowest: Uint8Array | null = null;
  for (const port of config.ports) {
    for (const { name, type } of port.ifaces) {
      const device = ifaces.get(name)?.device;
      if (!device || name === config.name || type === 'internal' || type === 'patch') continue;
      const mac = device.etherAddr();
      if (isUnicastMac(mac) && (!lowest || compareBytes(mac, lowest) < 0)) lowest = mac;
    }
  }
  return lowest ?? fallback;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}
