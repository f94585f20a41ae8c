/** How evenly hashes spread 10,000 flows, and that rebalancing ends within its thresholds. */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { hashL4 } from '../../../src/datapath/flow-hash.js';
import { BOND_BUCKETS } from '../../../src/datapath/shared-stats.js';
import { Bond } from '../../../src/ofproto/bond.js';
import { bondRebalance } from '../../../src/ofproto/bond-rebalance.js';
import { hash5Tuple, hashMac } from '../../../src/ofproto/hash.js';
import { defaultBondSettings } from '../../../src/ofproto/settings.js';
import {
  ETH_TYPE_IP,
  newFlow,
  W_DL_TYPE,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
} from '../../../src/packet/flow-layout.js';
import { FakeDevice } from './support/bridge.js';

const FLOWS = 10_000;
/** Chi-square with 255 degrees of freedom exceeds this once in a million times. */
const CHI_SQUARE_MAX = 373;

/** TCP connections of a hundred clients to one server. */
function connection(i: number) {
  const flow = newFlow();
  flow[W_DL_TYPE] = ETH_TYPE_IP << 16;
  flow[W_NW] = 6 << 24;
  flow[W_NW_SRC] = 0x0a000000 + (i % 100);
  flow[W_NW_DST] = 0x0a000100;
  flow[W_TP] = ((32_768 + Math.floor(i / 100)) << 16) | 443;
  return flow;
}

const HASHES: Record<string, (i: number) => number> = {
  'balance-slb (MAC and VLAN)': (i) => hashMac(0x505400000000 + i, 0, 0),
  'balance-tcp (5-tuple)': (i) => hash5Tuple(connection(i), 0),
  "balance-tcp after recirculation (the datapath's)": (i) => hashL4(connection(i), 0),
};

describe('a hash over 10,000 flows', () => {
  it.each(Object.entries(HASHES))('%s spreads them over 256 buckets', (name, hash) => {
    const counts = new Array<number>(BOND_BUCKETS).fill(0);
    for (let i = 0; i < FLOWS; i++) counts[hash(i) & (BOND_BUCKETS - 1)] += 1;
    const expected = FLOWS / BOND_BUCKETS;
    const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    const members = [2, 3, 4].map((n) => {
      const share = new Array<number>(n).fill(0);
      counts.forEach((count, bucket) => {
        share[bucket % n] += count;
      });
      return share.join('/');
    });
    console.log(
      `${name}: chi-square ${chiSquare.toFixed(1)} (255 degrees of freedom), ` +
        `over members: ${members.join(', ')}`,
    );
    expect(chiSquare).toBeLessThan(CHI_SQUARE_MAX);
  });
});

describe('rebalancing', () => {
  it.each([1, 2, 3, 4, 5])('brings skewed load within the thresholds (skew %i)', (skew) => {
    const clock = stoppedClock(1000);
    const bond = new Bond('bond0', () => clock.now());
    const links = [new FakeDevice('a', 'dummy', 1), new FakeDevice('b', 'dummy', 2)];
    bond.configure({ ...defaultBondSettings(), mode: 'balance-slb' });
    for (const link of links) bond.register(link);
    const run = (): void => {
      for (const link of links) bond.setMayEnable(link, true);
      bond.run('off');
    };
    run();
    bond.fillBuckets();
    // The first member's buckets carry some times what the others do.
    const first = bond.memberByName('a');
    const rates = (bond.buckets ?? []).map(
      (bucket, i) => (bucket.member === first ? skew + 1 : 1) * (20_000 + ((i * 7919) % 40_000)),
    );
    const load = (name: string): number =>
      (bond.buckets ?? []).reduce(
        (sum, bucket, i) => sum + (bucket.member?.link.name === name ? rates[i] : 0),
        0,
      );
    const before = [load('a'), load('b')];
    let rounds = 0;
    for (let moved = true; moved && rounds < 10; rounds++) {
      bond.buckets?.forEach((bucket, i) => {
        bucket.txBytes += rates[i];
      });
      clock.advance(10_000);
      run();
      moved = bondRebalance(bond, clock.now());
    }
    const after = [load('a'), load('b')];
    const difference = Math.abs(after[0] - after[1]);
    console.log(`load ${before.join('/')} -> ${after.join('/')} bytes in ${rounds} rounds`);
    expect(difference).toBeLessThan(Math.max(100_000, Math.min(...after) / 32));
  });
});

describe('members that come and go at run time', () => {
  it('take and leave only their own share of the buckets', () => {
    const clock = stoppedClock(1000);
    const bond = new Bond('bond0', () => clock.now());
    const links = ['a', 'b', 'c'].map((name, i) => new FakeDevice(name, 'dummy', i + 1));
    const settings = { ...defaultBondSettings(), mode: 'balance-slb' as const };
    const owners = () => (bond.buckets ?? []).map((bucket) => bucket.member?.link.name);
    const run = (): void => {
      for (const link of links) bond.setMayEnable(link, true);
      bond.run('off');
      bond.fillBuckets();
    };
    bond.configure(settings);
    for (const link of links.slice(0, 2)) bond.register(link);
    run();
    const two = owners();
    bond.configure(settings);
    bond.register(links[2]);
    run();
    // A new member waits for the next rebalance.
    expect(owners()).toEqual(two);
    clock.advance(10_000);
    bond.buckets?.forEach((bucket) => {
      bucket.txBytes = 50_000;
    });
    bondRebalance(bond, clock.now());
    const three = owners();
    expect(three.filter((name) => name === 'c').length).toBeGreaterThan(60);
    bond.unregister(links[2]);
    run();
    expect(owners().every((name, i) => three[i] === 'c' || name === three[i])).toBe(true);
    expect(owners()).not.toContain('c');
  });
});
