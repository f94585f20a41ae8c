/** Bonds: members, delays, admissibility, text; and bonds as ports of a bridge. */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { Bond } from '../../../src/ofproto/bond.js';
import { bondRebalance } from '../../../src/ofproto/bond-rebalance.js';
import { bondList, bondShow } from '../../../src/ofproto/bond-show.js';
import { macParse, setDlSrc } from '../../../src/ofproto/flow-access.js';
import { hashMac } from '../../../src/ofproto/hash.js';
import { type BondSettings, defaultBondSettings } from '../../../src/ofproto/settings.js';
import { newFlow } from '../../../src/packet/flow-layout.js';
import { FakeDevice } from './support/bridge.js';

const BROADCAST = macParse('ff:ff:ff:ff:ff:ff') as number;
const UNICAST = macParse('50:54:00:00:00:02') as number;

function makeBond(settings: Partial<BondSettings> = {}) {
  const clock = stoppedClock(1000);
  const bond = new Bond('bond0', () => clock.now());
  const a = new FakeDevice('vetha', 'dummy', 0xa);
  const x = new FakeDevice('vethx', 'dummy', 0xb);
  bond.configure({ ...defaultBondSettings(), ...settings });
  bond.register(a);
  bond.register(x);
  const run = (): void => {
    for (const d of [a, x]) bond.setMayEnable(d, d.carrier());
    bond.run('off');
  };
  run();
  return { bond, clock, a, x, run };
}

describe('bond', () => {
  it('prints what users of Open vSwitch 3.1 know', () => {
    const { bond, clock } = makeBond();
    expect(bondShow(bond, clock.now())).toBe(`---- bond0 ----
bond_mode: active-backup
bond may use recirculation: no, Recirc-ID : -1
bond-hash-basis: 0
lb_output action: disabled, bond-id: -1
updelay: 0 ms
downdelay: 0 ms
lacp_status: off
lacp_fallback_ab: false
active-backup primary: <none>
active member mac: aa:55:00:00:00:0a(vetha)

member vetha: enabled
  active member
  may_enable: true

member vethx: enabled
  may_enable: true

`);
    expect(bondList([bond])).toBe(
      'bond\ttype\trecircID\tmembers\nbond0\tactive-backup\t0\tvetha, vethx\n',
    );
  });

  it('fails over on carrier loss and says that no member is left', () => {
    const { bond, clock, a, x, run } = makeBond();
    a.setLink(false);
    run();
    expect(bond.active?.link.name).toBe('vethx');
    x.setLink(false);
    run();
    expect(bond.active).toBeNull();
    const text = bondShow(bond, clock.now());
    expect(text).toContain('active member mac: 00:00:00:00:00:00(none)');
    expect(text).toContain('member vetha: disabled\n  may_enable: false');
    a.setLink(true);
    run();
    expect(bond.active?.link.name).toBe('vetha');
  });

  it('waits for updelay and downdelay', () => {
    const { bond, clock, a, run } = makeBond({ updelayMs: 300, downdelayMs: 200 });
    a.setLink(false);
    run();
    expect(bondShow(bond, clock.now())).toContain('downdelay expires in 200 ms');
    expect(bond.nextWake()).toBeLessThanOrEqual(1200);
    clock.advance(199);
    run();
    expect(bond.active?.link.name).toBe('vetha');
    clock.advance(1);
    run();
    expect(bond.active?.link.name).toBe('vethx');
    a.setLink(true);
    run();
    clock.advance(299);
    run();
    expect(bond.memberByName('vetha')?.enabled).toBe(false);
    clock.advance(1);
    run();
    expect(bond.memberByName('vetha')?.enabled).toBe(true);
    expect(bond.active?.link.name).toBe('vethx');
  });

  it('skips the updelay when no member is enabled', () => {
    const { bond, a, x, run } = makeBond({ updelayMs: 60_000 });
    a.setLink(false);
    x.setLink(false);
    run();
    a.setLink(true);
    run();
    expect(bond.active?.link.name).toBe('vetha');
    expect(bond.memberByName('vetha')?.enabled).toBe(true);
  });

  it('prefers the primary, and goes back to it', () => {
    const { bond, x, run } = makeBond({ primary: 'vethx' });
    expect(bond.active?.link.name).toBe('vethx');
    x.setLink(false);
    run();
    expect(bond.active?.link.name).toBe('vetha');
    x.setLink(true);
    run();
    expect(bond.active?.link.name).toBe('vethx');
  });

  it('refuses multicast on an inactive member, and all traffic there in active-backup', () => {
    const { bond, a, x } = makeBond();
    expect(bond.checkAdmissibility(a, BROADCAST)).toBe('accept');
    expect(bond.checkAdmissibility(x, BROADCAST)).toBe('drop');
    expect(bond.checkAdmissibility(x, UNICAST)).toBe('drop');
    const slb = makeBond({ mode: 'balance-slb' });
    expect(slb.bond.checkAdmissibility(slb.x, BROADCAST)).toBe('drop');
    expect(slb.bond.checkAdmissibility(slb.x, UNICAST)).toBe('drop-if-moved');
    const all = makeBond({ mode: 'balance-slb', allMembersActive: true });
    expect(all.bond.checkAdmissibility(all.x, BROADCAST)).toBe('drop-if-moved');
    expect(bond.checkAdmissibility(new FakeDevice('other'), UNICAST)).toBe('drop');
  });

  it('spreads source MACs over members and moves load when it is skewed', () => {
    const { bond, clock } = makeBond({ mode: 'balance-slb' });
    const flows = Array.from({ length: 200 }, (_, i) => {
      const flow = newFlow();
      setDlSrc(flow, 0x505400000000 + i);
      return flow;
    });
    const shares = (): Map<string, number> => {
      const load = new Map<string, number>();
      for (const flow of flows) {
        const name = bond.chooseOutput(flow, null, 0)?.link.name ?? 'none';
        load.set(name, (load.get(name) ?? 0) + 1);
      }
      return load;
    };
    expect([...shares().keys()].sort()).toEqual(['vetha', 'vethx']);
    const heavy = flows.filter((f) => bond.chooseOutput(f, null, 0)?.link.name === 'vetha');
    for (const flow of heavy) bond.account(flow, 0, 1_000_000);
    expect(bondRebalance(bond, clock.now())).toBe(false);
    clock.advance(10_000);
    expect(bondRebalance(bond, clock.now())).toBe(true);
    const left = heavy.filter((f) => bond.chooseOutput(f, null, 0)?.link.name === 'vetha').length;
    expect(Math.abs(left - heavy.length / 2)).toBeLessThanOrEqual(heavy.length * 0.06);
  });

  it('hashes a MAC as bond/hash does', () => {
    const mac = macParse('50:54:00:00:00:01') as number;
    expect(hashMac(mac, 0, 0)).not.toBe(hashMac(mac, 1, 0));
    expect(hashMac(mac, 0, 0)).not.toBe(hashMac(mac, 0, 1));
    expect(hashMac(0, 0, 0)).toBe(hashMac(0, 0, 0));
  });

  it('keeps a failed member out of its buckets', () => {
    const { bond, a, x, run } = makeBond({ mode: 'balance-slb' });
    const flow = newFlow();
    for (let i = 0; i < 50; i++) {
      setDlSrc(flow, 0x505400000000 + i);
      expect(bond.chooseOutput(flow, null, 0)?.enabled).toBe(true);
    }
    a.setLink(false);
    run();
    for (let i = 0; i < 50; i++) {
      setDlSrc(flow, 0x505400000000 + i);
      expect(bond.chooseOutput(flow, null, 0)?.link.name).toBe('vethx');
    }
    x.setLink(false);
    run();
    expect(bond.chooseOutput(flow, null, 0)).toBeNull();
  });
});
