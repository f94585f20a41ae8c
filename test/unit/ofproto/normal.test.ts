/** NORMAL through translation and a fake datapath: learning, VLANs, patch ports, reserved MACs. */
import { beforeEach, describe, expect, it } from 'vitest';
import { formatOdpKey } from '../../../src/datapath/odp-format.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { arp, frame, TestSwitch } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

describe('NORMAL', () => {
  let sw: TestSwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new TestSwitch();
    br = sw.bridge('br0');
    sw.settle();
  });

  it('floods an unknown destination, learns, then forwards to the learned port', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2,3');
    expect(sw.send(2, frame({ src: H2, dst: H1 }))).toBe('1');
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2');
    const flows = [...sw.dpif.installed];
    expect(flows.map((f) => formatOdpKey(f.key, f.mask)).sort()).toEqual([
      `recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=${H1},dst=${H2}),eth_type(0x1234)`,
      `recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth(src=${H2},dst=${H1}),eth_type(0x1234)`,
    ]);
  });

  it('corrects installed flows when a MAC moves', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.send(2, frame({ src: H2, dst: H1 }));
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2');
    sw.send(3, frame({ src: H2, dst: H1 }));
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3');
    expect(br.macs.statistics).toEqual({ learned: 2, expired: 0, evicted: 0, moved: 1 });
  });

  it('does not take late statistics of the old place for a move back', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.send(1, frame({ src: H1 }));
    sw.send(2, frame({ src: H2, dst: H1 }));
    // Forwarded by the datapath alone: not yet counted when the host has moved.
    for (let i = 0; i < 5; i++) sw.dpif.receive(2, frame({ src: H2, dst: H1 }));
    sw.clock.advance(5);
    sw.send(3, frame({ src: H2, dst: H1 }));
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3');
    expect(br.macs.statistics.moved).toBe(1);
  });

  it('drops what should go back where it came from', () => {
    for (const name of ['p1', 'p2']) sw.port(br, name);
    sw.send(1, frame({ src: H1 }));
    sw.send(1, frame({ src: H2 }));
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('drop');
  });

  it('ages MACs out, but not those that the datapath still sees', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.send(1, frame({ src: H1 }));
    sw.send(2, frame({ src: H2, dst: H1 }));
    for (let i = 0; i < 40; i++) {
      sw.advance(8000);
      expect(sw.send(2, frame({ src: H2, dst: H1 }))).toBe(i * 8 < 292 ? '1' : '1,3');
    }
    expect([...br.macs.entries()].length).toBe(1);
  });

  it('never forwards link-local addresses unless forward-bpdu is on', () => {
    for (const name of ['p1', 'p2']) sw.port(br, name);
    const bpdu = frame({ src: H1, dst: '01:80:c2:00:00:00' });
    expect(sw.send(1, bpdu)).toBe('drop');
    br.setForwardBpdu(true);
    sw.settle();
    expect(sw.send(1, bpdu)).toBe('2');
  });

  it('keeps access, trunk and native VLANs apart', () => {
    sw.port(br, 'a10', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'b10', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'c20', { vlanMode: 'access', tag: 20 });
    sw.port(br, 'trunk');
    sw.port(br, 'part', { trunks: new Set([20]) });
    sw.port(br, 'natt', { vlanMode: 'native-tagged', tag: 10 });
    sw.port(br, 'natu', { vlanMode: 'native-untagged', tag: 10 });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,push_vlan(vid=10,pcp=0),4,6,pop_vlan,7');
    expect(sw.send(3, frame({ src: H1 }))).toBe('push_vlan(vid=20,pcp=0),4,5,6,7');
    expect(sw.send(4, frame({ src: H2, vlan: 10 }))).toBe(
      'pop_vlan,1,2,push_vlan(vid=10,pcp=0),6,pop_vlan,7',
    );
    expect(sw.send(1, frame({ src: H1, vlan: 10 }))).toBe('drop');
    expect(sw.send(5, frame({ src: H1, vlan: 10 }))).toBe('drop');
    expect(sw.send(7, frame({ src: '50:54:00:00:00:09', vlan: 20 }))).toBe(
      'pop_vlan,3,push_vlan(vid=20,pcp=0),4,5,6',
    );
  });

  it('keeps untagged traffic of trunks out of ports with a native VLAN', () => {
    sw.port(br, 'trunk');
    sw.port(br, 'natt', { vlanMode: 'native-tagged', tag: 10 });
    sw.port(br, 'natu', { vlanMode: 'native-untagged', tag: 10, trunks: new Set([0, 10]) });
    sw.port(br, 'other');
    expect(sw.send(1, frame({ src: H1 }))).toBe('4');
    expect(sw.send(3, frame({ src: H2 }))).toBe('push_vlan(vid=10,pcp=0),1,2,4');
  });

  it('matches a tag by its id, whatever the priority', () => {
    sw.port(br, 'p1');
    sw.port(br, 'p2');
    sw.send(1, frame({ src: H1, vlan: 10, pcp: 3 }));
    const [flow] = sw.dpif.installed;
    expect(formatOdpKey(flow.key, flow.mask)).toContain('eth_type(0x8100),vlan(vid=10,pcp=3/0x0)');
    expect(sw.send(1, frame({ src: H1, vlan: 10, pcp: 5 }))).toBe('2');
    expect(sw.dpif.installed.size).toBe(1);
  });

  it('crosses patch ports into the peer bridge, and learns there', () => {
    const br2 = sw.bridge('br1');
    sw.port(br, 'p1');
    sw.patch(br, 'to1', 'to0');
    sw.patch(br2, 'to0', 'to1');
    sw.port(br2, 'q1');
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2');
    expect(sw.send(2, frame({ src: H2, dst: H1 }))).toBe('1');
    expect([...br2.macs.entries()].map((e) => e.bundle.name)).toEqual(['to0', 'q1']);
  });

  it('stops at a loop of patch ports', () => {
    const br2 = sw.bridge('br1');
    sw.port(br, 'p1');
    sw.patch(br, 'a0', 'a1');
    sw.patch(br, 'b0', 'b1');
    sw.patch(br2, 'a1', 'a0');
    sw.patch(br2, 'b1', 'b0');
    expect(sw.send(1, frame({ src: H1 })).length).toBeGreaterThan(0);
  });

  it('flushes what a removed port had learned', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.send(2, frame({ src: H2, dst: H1 }));
    br.bundleSet('p2', null);
    br.portDel(2);
    sw.settle();
    expect([...br.macs.entries()]).toEqual([]);
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3');
  });

  it('un-wildcards for ARP what tells a gratuitous one', () => {
    for (const name of ['p1', 'p2']) sw.port(br, name);
    sw.send(1, arp(1, H1, 1, 2));
    const [flow] = sw.dpif.installed;
    expect(formatOdpKey(flow.key, flow.mask)).toMatch(
      /eth_type\(0x0806\),arp\(sip=10\.0\.0\.1,tip=10\.0\.0\.2,op=1\)$/,
    );
  });
});
