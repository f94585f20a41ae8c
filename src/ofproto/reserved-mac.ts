/**
 * Destination addresses that a switch consumes and never forwards: link-local protocols.
 *
 * Sources: IEEE 802.1D table 7-10 (01:80:c2:00:00:0x); the same vendors' addresses as Open vSwitch.
 */
import type { MacNumber } from './flow-access.js';

const VENDOR: ReadonlySet<MacNumber> = new Set([
  // Extreme Networks: EDP, EAPS.
  0x00e02b000000, 0x00e02b000004, 0x00e02b000006,
  // Cisco: ISL; PAgP, UDLD, CDP, DTP and VTP; PVST+; STP Uplink Fast.
  0x01000c000000, 0x01000ccccccc, 0x01000ccccccd, 0x01000ccdcdcd,
  // Cisco CFM.
  0x01000cccccc0, 0x01000cccccc1, 0x01000cccccc2, 0x01000cccccc3, 0x01000cccccc4, 0x01000cccccc5,
  0x01000cccccc6, 0x01000cccccc7,
]);

export function isReservedMac(mac: MacNumber): boolean {
  return (mac >= 0x0180c2000000 && mac <= 0x0180c200000f) || VENDOR.has(mac);
}
