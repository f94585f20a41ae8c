/** A bridge with a bond under a stopped clock: failover, loops, learning packets, load. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ofproto } from '../../src/ofproto/ofproto.js';
import {
  type BondSettings,
  defaultBondSettings,
  defaultBundleSettings,
} from '../../src/ofproto/settings.js';
import { arp, type FakeDevice, frame, TestSwitch } from '../unit/ofproto/support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

describe('a bridge with a bond', () => {
  let sw: TestSwitch;
  let br: Ofproto;
  let a: FakeDevice;
  let x: FakeDevice;

  /** Ports: 1 vetha and 2 vethx in bond1, 3 vethn. */
  function build(settings: Partial<BondSettings> = {}): void {
    sw = new TestSwitch();
    br = sw.bridge('br1');
    const members = [sw.device(br, 'vetha'), sw.device(br, 'vethx')];
    a = sw.devices.get('vetha') as FakeDevice;
    x = sw.devices.get('vethx') as FakeDevice;
    br.bundleSet('bond1', {
      ...defaultBundleSettings('bond1', members),
      bond: { ...defaultBondSettings(), ...settings },
    });
    sw.port(br, 'vethn');
    sw.settle();
  }

  beforeEach(() => build());

  it('sends by the active member only, and drops what comes by the other', () => {
    expect(sw.send(3, frame({ src: H1 }))).toBe('1');
    expect(sw.send(1, frame({ src: H2, dst: H1 }))).toBe('3');
    expect(sw.send(2, frame({ src: H2, dst: H1 }))).toBe('drop');
    expect(sw.send(2, frame({ src: H2 }))).toBe('drop');
  });

  it('fails over within the downdelay, not before', () => {
    build({ downdelayMs: 100 });
    expect(sw.send(3, frame({ src: H1, dst: H2 }))).toBe('1');
    a.setLink(false);
    sw.settle();
    sw.advance(99);
    expect(sw.send(3, frame({ src: H1, dst: H2 }))).toBe('1');
    sw.advance(1);
    expect(sw.send(3, frame({ src: H1, dst: H2 }))).toBe('2');
  });

  it('drops when all members are down, and floods nothing elsewhere', () => {
    a.setLink(false);
    x.setLink(false);
    sw.settle();
    expect(sw.send(3, frame({ src: H1 }))).toBe('drop');
    expect(br.bondStatus('bond1')?.activeMemberMac).toBeNull();
    x.setLink(true);
    sw.settle();
    expect(sw.send(3, frame({ src: H1 }))).toBe('2');
  });

  it('tells the peer switch by the new member which MACs are here', () => {
    sw.send(3, frame({ src: H1 }));
    sw.send(1, frame({ src: H2, dst: H1 }));
    sw.dpif.executed.length = 0;
    a.setLink(false);
    sw.settle();
    const frames = sw.dpif.executed.map((e) => ({
      out: e.actions,
      head: Buffer.from(e.data.subarray(0, 14)).toString('hex'),
    }));
    expect(frames).toEqual([
      { out: [{ type: 'output', port: 2 }], head: 'ffffffffffff5054000000018035' },
    ]);
  });

  it('does not take its own reflected broadcasts for moves in balance-slb', () => {
    build({ mode: 'balance-slb' });
    sw.send(3, arp(1, H1, 1, 2));
    const active = br.bondStatus('bond1')?.activeMemberMac?.[5] === 1 ? 1 : 2;
    expect(sw.send(active, arp(1, H1, 1, 2))).toBe('drop');
    // A gratuitous ARP by the bond says that the host moved...
    expect(sw.send(active, arp(1, H1, 1, 1))).toBe('3');
    // ... except shortly after one that came from here.
    sw.send(3, arp(1, H1, 1, 1));
    expect(sw.send(active, arp(1, H1, 1, 1))).toBe('drop');
    sw.advance(6000);
    expect(sw.send(active, arp(1, H1, 1, 1))).toBe('3');
  });

  it('outputs to a member by its OpenFlow port whatever the bond thinks', () => {
    br.flowMod({
      type: 'flow_mod',
      command: 'add',
      table: 0,
      match: { flow: new Int32Array(92).fill(3, 1, 2), mask: new Int32Array(92).fill(-1, 1, 2) },
      priority: 10,
      cookie: 0n,
      cookieMask: 0n,
      newCookie: 0n,
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      bufferId: 0xffffffff,
      outPort: 0xffffffff,
      outGroup: 0xffffffff,
      flags: {
        sendFlowRem: false,
        checkOverlap: false,
        resetCounts: false,
        noPktCounts: false,
        noByteCounts: false,
      },
      actions: [{ type: 'output', port: 2, maxLen: 0 }],
    });
    sw.settle();
    expect(sw.send(3, arp(1, H1, 1, 2))).toBe('2');
  });

  it('moves load between members by what the datapath counted', () => {
    build({ mode: 'balance-slb' });
    const hosts = Array.from({ length: 64 }, (_, i) => `50:54:00:00:01:${i.toString(16)}`);
    const outs = (): string[] => hosts.map((src) => sw.send(3, frame({ src, dst: H2 })));
    const first = outs();
    expect(new Set(first)).toEqual(new Set(['1', '2']));
    for (let round = 0; round < 3000; round++) {
      hosts.forEach((src, i) => {
        if (first[i] === '1') sw.dpif.receive(3, frame({ src, dst: H2 }));
      });
    }
    sw.advance(9_000);
    outs();
    sw.advance(1_000);
    const moved = outs().filter((out, i) => first[i] === '1' && out === '2').length;
    const heavy = first.filter((out) => out === '1').length;
    expect(moved).toBeGreaterThan(heavy * 0.3);
    expect(moved).toBeLessThan(heavy * 0.7);
  });
});
