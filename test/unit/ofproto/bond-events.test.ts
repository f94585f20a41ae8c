/** What a bond tells of its recent past. */
import { expect, it } from 'vitest';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { defaultBondSettings, defaultBundleSettings } from '../../../src/ofproto/settings.js';
import { frame, TestSwitch } from './support/bridge.js';

let sw: TestSwitch;
let br: Ofproto;

function build(mode: 'active-backup' | 'balance-slb'): void {
  sw = new TestSwitch();
  br = sw.bridge('br1');
  const members = ['vetha', 'vethx'].map((name) => sw.device(br, name));
  const bond = { ...defaultBondSettings(), mode };
  br.bundleSet('bond1', { ...defaultBundleSettings('bond1', members), bond });
  sw.port(br, 'vethn');
  sw.settle();
}

/** Events as text since the last call. */
function news(): string[] {
  const events = br.bundleByKey('bond1')?.bondEvents?.recent() ?? [];
  const fresh = events.filter(({ seq }) => seq > last);
  last = events.at(-1)?.seq ?? last;
  return fresh.map(({ member, text }) => (member === null ? text : `${member}: ${text}`));
}
let last = 0;

it('tells what happened and why, in order, and forgets what is old', () => {
  last = 0;
  build('active-backup');
  expect(news()).toEqual([
    'vetha: joined the bond, enabled',
    'vethx: joined the bond, enabled',
    'active member is vetha',
  ]);
  sw.send(3, frame({ src: '50:54:00:00:00:07' }));
  sw.devices.get('vetha')?.setLink(false);
  sw.settle();
  expect(news()).toEqual([
    'vetha: disabled: no carrier',
    'active member is vethx (was vetha)',
    'told the peer of 1 address',
  ]);
  sw.devices.get('vethx')?.setLink(false);
  sw.settle();
  expect(news()).toEqual(['vethx: disabled: no carrier', 'no member is active (was vethx)']);
  for (let i = 0; i < 40; i++) {
    sw.devices.get('vetha')?.setLink(i % 2 === 0);
    sw.settle();
  }
  expect(br.bundleByKey('bond1')?.bondEvents?.recent()).toHaveLength(32);
});

it('tells of buckets that moved', () => {
  last = 0;
  build('balance-slb');
  const bond = br.bundleByKey('bond1')?.bond;
  bond?.fillBuckets();
  bond?.buckets?.forEach((bucket) => {
    bucket.txBytes = bucket.member?.link.name === 'vetha' ? 50_000 : 10_000;
  });
  news();
  sw.advance(10_000);
  expect(news()).toEqual([expect.stringMatching(/^moved \d+ buckets from vetha to vethx$/)]);
});
