/**
 * The datapath text syntax: megaflow keys, actions and statistics as dpctl/dump-flows prints them.
 */
import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDpFlow, formatOdpActions, formatOdpKey } from '../../../src/datapath/odp-format.js';
import { formatIpv6, formatMac } from '../../../src/datapath/odp-text.js';
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  newFlow,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_DL_TYPE,
  W_IN_PORT,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_PACKET_TYPE,
  W_RECIRC_ID,
  W_TP,
  W_VLAN0,
} from '../../../src/packet/flow-layout.js';

/** What NORMAL consults: port, addresses, type, fragments; here for 02:..:01 -> 02:..:02. */
function normalFlow(dlType: number) {
  const key = newFlow();
  const mask = newFlow();
  for (const word of [W_RECIRC_ID, W_IN_PORT, W_PACKET_TYPE, W_DL_DST, W_DL_DST_SRC, W_DL_SRC]) {
    mask[word] = -1;
  }
  key[W_IN_PORT] = 2;
  key[W_DL_DST] = 0x02000000;
  key[W_DL_DST_SRC] = 0x00020200;
  key[W_DL_SRC] = 0x00000001;
  key[W_DL_TYPE] = dlType << 16;
  mask[W_DL_TYPE] = 0xffff0000 | 0;
  return { key, mask };
}

describe('keys', () => {
  it('prints what NORMAL consults of an IPv4 packet', () => {
    const { key, mask } = normalFlow(ETH_TYPE_IP);
    mask[W_DL_TYPE] |= 3 << 8;
    expect(formatOdpKey(key, mask)).toBe(
      'recirc_id(0),in_port(2),packet_type(ns=0,id=0),' +
        'eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),ipv4(frag=no)',
    );
  });

  it('names the port and puts what follows a VLAN tag into encap()', () => {
    const { key, mask } = normalFlow(ETH_TYPE_ARP);
    key[W_VLAN0] = (0x8100 << 16) | 0x1000 | 10;
    mask[W_VLAN0] = -1;
    const text = formatOdpKey(key, mask, { portName: (n) => (n === 2 ? 'vethn' : undefined) });
    expect(text).toContain('in_port(vethn)');
    expect(text).toMatch(/eth_type\(0x8100\),vlan\(vid=10,pcp=0\),encap\(eth_type\(0x0806\)\)$/);
  });

  it('prints masks only where they are not exact', () => {
    const { key, mask } = normalFlow(ETH_TYPE_IP);
    key[W_NW_SRC] = 0x0a000000;
    mask[W_NW_SRC] = 0xff000000 | 0;
    key[W_NW_DST] = 0x0a000002;
    mask[W_NW_DST] = -1;
    key[W_NW] = 17 << 24;
    mask[W_NW] = 0xff000000 | 0;
    key[W_TP] = (53 << 16) | 99;
    mask[W_TP] = 0xffff0000 | 0;
    mask[W_DL_DST] = 0x01000000;
    mask[W_DL_DST_SRC] = 0xffff;
    expect(formatOdpKey(key, mask)).toBe(
      'recirc_id(0),in_port(2),packet_type(ns=0,id=0),' +
        'eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02/01:00:00:00:00:00),eth_type(0x0800),' +
        'ipv4(src=10.0.0.0/255.0.0.0,dst=10.0.0.2,proto=17),udp(src=53)',
    );
  });

  it('prints IPv6 addresses and wildcarded fields in verbose text', () => {
    const { key, mask } = normalFlow(ETH_TYPE_IPV6);
    key[W_IPV6_SRC] = 0xfe800000 | 0;
    key[W_IPV6_SRC + 3] = 1;
    for (let i = 0; i < 4; i++) mask[W_IPV6_SRC + i] = -1;
    expect(formatOdpKey(key, mask)).toContain('ipv6(src=fe80::1)');
    expect(formatOdpKey(key, mask, { verbose: true })).toContain('proto=0/0,tclass=0/0,hlimit=0/0');
  });
});

describe('values', () => {
  it('writes IPv6 addresses as the C library does', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const words = [0, 1, 2, 3].map((i) => (groups[2 * i] << 16) | groups[2 * i + 1]);
        const plain = groups.map((g) => g.toString(16)).join(':');
        const model = new SocketAddress({ address: plain, family: 'ipv6' }).address;
        expect(formatIpv6(words)).toBe(model);
      }),
    );
  });

  it('writes MACs with leading zeros', () => {
    expect(formatMac(0x0001, 0x02030405)).toBe('00:01:02:03:04:05');
  });
});

describe('actions', () => {
  it('says drop for nothing', () => {
    expect(formatOdpActions([])).toBe('drop');
  });

  it('prints header changes, tags and outputs in order', () => {
    const value = newFlow();
    const mask = newFlow();
    value[W_NW] = 63 << 8;
    mask[W_NW] = 0xff00;
    expect(
      formatOdpActions([
        { type: 'set', attr: 'ipv4', value, mask },
        { type: 'push_vlan', tpid: 0x8100, tci: 0x1000 | 20 },
        { type: 'output', port: 3 },
        { type: 'push_vlan', tpid: 0x88a8, tci: 0x3000 | 7 },
        { type: 'output', port: 4 },
        { type: 'pop_vlan' },
        { type: 'recirc', id: 1 },
      ]),
    ).toBe(
      'set(ipv4(ttl=63)),push_vlan(vid=20,pcp=0),3,' +
        'push_vlan(tpid=0x88a8,vid=7,pcp=1),4,pop_vlan,recirc(0x1)',
    );
  });

  it('prints a whole line with statistics', () => {
    const { key, mask } = normalFlow(ETH_TYPE_ARP);
    const flow = { id: 1, key, mask, actions: [{ type: 'output' as const, port: 3 }] };
    const never = { packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 };
    expect(formatDpFlow(flow, never, 500)).toMatch(/packets:0, bytes:0, used:never, actions:3$/);
    const seen = { packets: 3, bytes: 294, usedMs: 380, tcpFlags: 0x12 };
    expect(formatDpFlow(flow, seen, 500)).toMatch(
      /packets:3, bytes:294, used:0\.120s, flags:S\., actions:3$/,
    );
  });
});
