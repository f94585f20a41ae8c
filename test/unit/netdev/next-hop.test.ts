/** Which route the kernel's table gives an address, and the neighbour's MAC. */
import { describe, expect, it } from 'vitest';
import { chooseNeighbour, chooseRoute } from '../../../src/netdev/next-hop.js';

const rows = (text: string): string[][] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));

// Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
const ROUTES = rows(`
  eth0 00000000 FE02000A 0003 0 0 100 00000000 0 0 0
  eth1 00000000 FE03000A 0003 0 0 50 00000000 0 0 0
  br0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
  br1 0101A8C0 0901A8C0 0007 0 0 0 FFFFFFFF 0 0 0
  off 0002A8C0 00000000 0000 0 0 0 00FFFFFF 0 0 0
`);
// IP address, HW type, Flags, HW address, Mask, Device
const NEIGHBOURS = rows(`
  192.168.1.2 0x1 0x2 52:54:00:12:34:56 * br0
  192.168.1.3 0x1 0x0 00:00:00:00:00:00 * br0
`);

describe('routes', () => {
  it('are chosen by the longest prefix, then by metric, among those that are up', () => {
    expect(chooseRoute(ROUTES, '192.168.1.7')).toEqual({ device: 'br0', gateway: '0.0.0.0' });
    expect(chooseRoute(ROUTES, '192.168.1.1')).toEqual({ device: 'br1', gateway: '192.168.1.9' });
    expect(chooseRoute(ROUTES, '192.168.2.1')).toEqual({ device: 'eth1', gateway: '10.0.3.254' });
    expect(chooseRoute(ROUTES.slice(2), '8.8.8.8')).toBeNull();
  });

  it('pass over lines that are cut off', () => {
    expect(chooseRoute([['br0', '0001A8C0'], ['']], '192.168.1.7')).toBeNull();
  });
});

describe('neighbours', () => {
  it('have a MAC once it is resolved, on their device', () => {
    const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
    expect(chooseNeighbour(NEIGHBOURS, '192.168.1.2', 'br0')).toEqual(mac);
    expect(chooseNeighbour(NEIGHBOURS, '192.168.1.2', 'br1')).toBeNull();
    expect(chooseNeighbour(NEIGHBOURS, '192.168.1.3', 'br0')).toBeNull();
    expect(chooseNeighbour(NEIGHBOURS, '192.168.1.4', 'br0')).toBeNull();
  });
});
