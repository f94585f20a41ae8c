/** Why a bond sends a packet by one member: what a trace says is what the bond does. */
import { expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { hashL4 } from '../../../src/datapath/flow-hash.js';
import { Bond, type BondMember } from '../../../src/ofproto/bond.js';
import { bondChoice } from '../../../src/ofproto/bond-choice.js';
import { setDlSrc } from '../../../src/ofproto/flow-access.js';
import { type BondSettings, defaultBondSettings } from '../../../src/ofproto/settings.js';
import { newFlow, W_NW_SRC } from '../../../src/packet/flow-layout.js';
import { FakeDevice } from './support/bridge.js';

function makeBond(settings: Partial<BondSettings>, lacp: 'off' | 'negotiated' = 'off') {
  const clock = stoppedClock(1000);
  const bond = new Bond('bond0', () => clock.now());
  const links = [new FakeDevice('m1', 'dummy', 0xa), new FakeDevice('m2', 'dummy', 0xb)];
  bond.configure({ ...defaultBondSettings(), ...settings });
  for (const link of links) {
    bond.register(link);
    bond.setMayEnable(link, true);
  }
  bond.run(lacp);
  bond.fillBuckets();
  return bond;
}

it('balance-slb: the bucket of source and VLAN', () => {
  const bond = makeBond({ mode: 'balance-slb' });
  const members = new Set<string>();
  for (let host = 1; host < 50; host++) {
    const flow = newFlow();
    setDlSrc(flow, 0x020000000000 + host);
    const chosen = bond.chooseOutput(flow, null, 7) as BondMember;
    members.add(chosen.link.name);
    const text = bondChoice(bond, flow, 7, chosen, false);
    const mac = `02:00:00:00:00:${host.toString(16).padStart(2, '0')}`;
    expect(text).toMatch(
      new RegExp(
        `^bond0: balance-slb, source ${mac} in VLAN 7 is bucket \\d+, ` +
          `which leads to ${chosen.link.name}$`,
      ),
    );
    const bucket = Number(/bucket (\d+)/.exec(text)?.[1]);
    expect(bond.buckets?.[bucket].member).toBe(chosen);
  }
  expect([...members].sort()).toEqual(['m1', 'm2']);
});

it('balance-tcp: the bucket that the datapath will hash to', () => {
  const bond = makeBond({ mode: 'balance-tcp' }, 'negotiated');
  const flow = newFlow();
  flow[W_NW_SRC] = 0x0a000001;
  const chosen = bond.chooseOutput(flow, null, 0) as BondMember;
  const bucket = hashL4(flow, 0) & 255;
  const member = bond.buckets?.[bucket].member?.link.name;
  expect(bondChoice(bond, flow, 0, chosen, true)).toBe(
    `bond0: balance-tcp, addresses and ports are bucket ${bucket}, which leads to ${member}`,
  );
});

it('active-backup: the active member', () => {
  const bond = makeBond({});
  const chosen = bond.active as BondMember;
  expect(bondChoice(bond, newFlow(), 0, chosen, false)).toBe(
    `bond0: active-backup uses its active member, ${chosen.link.name}`,
  );
});
