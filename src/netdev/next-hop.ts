/**
 * Which machine gets a packet for an IPv4 address first, and its MAC address: what in-band control
 * must let through. The kernel's route and neighbour tables as /proc/net has them.
 *
 * Not for: IPv6; changing routes; any but the process's own network namespace.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** The next hop's MAC, null while the kernel does not know it; or why there is no next hop. */
export type NextHop = { mac: Uint8Array | null } | { error: string };

/** A machine may have a million routes: who asks every few seconds reads no more than this. */
const READ_BYTES_MAX = 1 << 20;
const RTF_UP = 0x1;
/** Columns of /proc/net/route: numbers are of the machine's byte order, little endian here. */
const ROUTE = { device: 0, destination: 1, gateway: 2, flags: 3, metric: 6, mask: 7 } as const;
/** Columns of /proc/net/arp. */
const ARP = { address: 0, flags: 2, mac: 3, device: 5 } as const;
const ATF_COM = 0x2;

interface Route {
  device: string;
  /** Dotted; '0.0.0.0': the destination is on the link. */
  gateway: string;
}

function readTable(path: string): string[][] {
  const buffer = Buffer.allocUnsafe(READ_BYTES_MAX);
  const fd = openSync(path, 'r');
  try {
    let length = 0;
    for (let n = -1; n !== 0 && length < READ_BYTES_MAX; length += n) {
      n = readSync(fd, buffer, length, READ_BYTES_MAX - length, null);
    }
    const [, ...lines] = buffer.toString('latin1', 0, length).split('\n');
    return lines.map((line) => line.trim().split(/\s+/));
  } finally {
    closeSync(fd);
  }
}

/** The number that a little-endian machine writes for an address's four bytes. */
function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE(0);
}

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

function addressOf(ip: string): number {
  return ip.split('.').reduce((address, byte) => ((address << 8) | Number(byte)) >>> 0, 0);
}

/** The route with the longest prefix, of several the one with the lowest metric. */
export function chooseRoute(rows: readonly string[][], ip: string): Route | null {
  const host = addressOf(ip);
  let best: { mask: number; metric: number; route: Route } | null = null;
  for (const row of rows) {
    if (row.length <= ROUTE.mask) continue;
    if ((Number.parseInt(row[ROUTE.flags], 16) & RTF_UP) === 0) continue;
    const mask = swapped(row[ROUTE.mask]);
    if ((host & mask) >>> 0 !== (swapped(row[ROUTE.destination]) & mask) >>> 0) continue;
    const metric = Number(row[ROUTE.metric]);
    if (best !== null && (mask < best.mask || (mask === best.mask && metric >= best.metric))) {
      continue;
    }
    const gateway = dotted(swapped(row[ROUTE.gateway]));
    best = { mask, metric, route: { device: row[ROUTE.device], gateway } };
  }
  return best?.route ?? null;
}

/** The MAC of a neighbour, or null while it is not known. */
export function chooseNeighbour(
  rows: readonly string[][],
  ip: string,
  device: string,
): Uint8Array | null {
  for (const row of rows) {
    if (row[ARP.address] !== ip || row[ARP.device] !== device) continue;
    if ((Number(row[ARP.flags]) & ATF_COM) === 0) return null;
    const mac = Uint8Array.from(row[ARP.mac].split(':'), (byte) => Number.parseInt(byte, 16));
    return mac.length === 6 && mac.some((byte) => byte !== 0) ? mac : null;
  }
  return null;
}

/** @param ip a dotted IPv4 address */
export function nextHop(ip: string): NextHop {
  try {
    const route = chooseRoute(readTable('/proc/net/route'), ip);
    if (route === null) return { error: 'No such device or address' };
    const neighbour = route.gateway === '0.0.0.0' ? ip : route.gateway;
    return { mac: chooseNeighbour(readTable('/proc/net/arp'), neighbour, route.device) };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
