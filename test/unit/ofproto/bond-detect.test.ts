/** How a bond knows its links (carrier, miimon), its text, and what it says of its members. */
import { beforeEach, describe, expect, it } from 'vitest';
import { bondReport } from '../../../src/ofproto/bond-status.js';
import { ofprotoCommands } from '../../../src/ofproto/index.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import {
  type BondSettings,
  defaultBondSettings,
  defaultBundleSettings,
  type LacpSettings,
} from '../../../src/ofproto/settings.js';
import { type FakeDevice, frame, TestSwitch } from './support/bridge.js';

let sw: TestSwitch;
let br: Ofproto;
let a: FakeDevice;
let x: FakeDevice;

const LACP: LacpSettings = {
  active: true,
  fast: true,
  systemId: Uint8Array.of(2, 0, 0, 0, 0, 9),
  systemPriority: 65534,
  fallbackAb: false,
};

function build(settings: Partial<BondSettings>, lacp: LacpSettings | null = null): void {
  sw = new TestSwitch();
  br = sw.bridge('br1');
  const members = [sw.device(br, 'vetha'), sw.device(br, 'vethx')];
  a = sw.devices.get('vetha') as FakeDevice;
  x = sw.devices.get('vethx') as FakeDevice;
  br.bundleSet('bond1', {
    ...defaultBundleSettings('bond1', members),
    bond: { ...defaultBondSettings(), ...settings },
    lacp,
  });
  sw.port(br, 'vethn');
  sw.settle();
}

function why(name: string): string {
  const bundle = br.bundleByKey('bond1');
  if (!bundle?.bond) throw new Error('no bond');
  const report = bondReport(br, bundle, bundle.bond, sw.clock.now());
  return report.members.find((member) => member.name === name)?.why ?? '';
}

const out = () => sw.send(3, frame({ src: '50:54:00:00:00:01' }));

describe('bond-detect-mode', () => {
  it('carrier: sees a change at once', () => {
    build({});
    a.setLink(false);
    sw.settle();
    expect(out()).toBe('2');
  });

  it('miimon: looks once an interval', () => {
    build({ detect: 'miimon', miimonIntervalMs: 500 });
    expect(out()).toBe('1');
    a.setLink(false);
    sw.advance(499);
    expect(out()).toBe('1');
    sw.advance(1);
    expect(out()).toBe('2');
  });

  it('miimon: believes the MII registers where they can be read', () => {
    build({ detect: 'miimon' });
    Object.assign(a, { miiLink: () => false });
    Object.assign(x, { miiLink: () => null });
    sw.advance(200);
    expect(out()).toBe('2');
    expect(why('vetha')).toBe('link is down (miimon)');
  });
});

describe('a member says why', () => {
  beforeEach(() => build({ updelayMs: 1000, downdelayMs: 300 }));

  it('it is used, or in reserve', () => {
    expect(why('vetha')).toBe('active');
    expect(why('vethx')).toBe('in reserve');
  });

  it('it waits', () => {
    x.setLink(false);
    sw.settle();
    sw.advance(100);
    expect(why('vethx')).toBe('link is down, given up in 200 ms (bond_downdelay)');
    sw.advance(200);
    expect(why('vethx')).toBe('no carrier');
    x.setLink(true);
    sw.settle();
    sw.advance(400);
    expect(why('vethx')).toBe('link is up, used in 600 ms (bond_updelay)');
  });

  it('LACP does not let it', () => {
    build({ mode: 'balance-tcp' }, LACP);
    expect(why('vetha')).toBe('LACP: the partner has not been heard lately (expired)');
    sw.advance(3000);
    expect(why('vetha')).toBe('LACP: the partner is silent (defaulted)');
    expect(out()).toBe('drop');
  });

  it('there is no LACP at all where the mode needs it', () => {
    build({ mode: 'balance-tcp' });
    expect(why('vetha')).toBe('not used: LACP is not negotiated');
    expect(out()).toBe('drop');
  });
});

describe('bridge/dump-flows', () => {
  it("shows the entries behind a balance-tcp bond's recirculation", () => {
    build({ mode: 'balance-tcp' });
    const dump = ofprotoCommands(sw.registry).find(({ name }) => name === 'bridge/dump-flows');
    const text = String(dump?.run(['br1']));
    const counts = 'duration=0s, n_packets=0, n_bytes=0';
    const match = 'priority=20,recirc_id=0x1,dp_hash=0xff/0xff';
    expect(text).toMatch(
      new RegExp(`^table_id=254, ${counts}, ${match},actions=output:[12]$`, 'm'),
    );
    expect(text.match(/dp_hash/g)).toHaveLength(256);
    expect(text).toMatch(/^duration=0s, n_packets=0, n_bytes=0, priority=0,actions=NORMAL$/m);
    expect(() => dump?.run(['nosuch'])).toThrow('no such bridge');
  });
});
