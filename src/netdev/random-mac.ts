/** Addresses for devices and bridges that have none of their own. */
import { randomBytes } from 'node:crypto';

/** A random locally administered unicast MAC, 6 bytes. */
export function randomMac(): Uint8Array {
  const mac = Uint8Array.from(randomBytes(6));
  mac[0] = (mac[0] & 0xfc) | 0x02;
  return mac;
}
