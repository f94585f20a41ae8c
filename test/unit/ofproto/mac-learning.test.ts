/** The MAC table by itself: ageing, limits, fairness, locks. */
import { describe, expect, it } from 'vitest';
import { MacLearning } from '../../../src/ofproto/mac-learning.js';

const MAC = 0x505400000001;

function table() {
  const time = { sec: 100 };
  const macs = new MacLearning<{ name: string }>(() => time.sec);
  const see = (
    bundle: { name: string },
    mac = MAC,
    vlan = 0,
    arp?: { isGratuitousArp: boolean; isBond: boolean },
  ): boolean =>
    macs.update({
      mac,
      vlan,
      bundle,
      isGratuitousArp: false,
      isBond: false,
      ...arp,
      seenMs: time.sec * 1000,
    });
  return { macs, time, see };
}

const A = { name: 'a' };
const B = { name: 'b' };

describe('MAC table', () => {
  it('tells news from refreshes, and VLANs apart', () => {
    const { macs, see } = table();
    expect(see(A)).toBe(true);
    expect(see(A)).toBe(false);
    expect(see(B, MAC, 7)).toBe(true);
    expect(macs.lookup(MAC, 0)?.bundle).toBe(A);
    expect(macs.lookup(MAC, 7)?.bundle).toBe(B);
    expect(macs.lookup(MAC, 16 + 7)).toBeNull();
    expect(see(B)).toBe(true);
    expect(macs.statistics.moved).toBe(1);
  });

  it('never learns a group address, nor in a flood VLAN', () => {
    const { macs, see } = table();
    expect(see(A, 0x01005e000001)).toBe(false);
    expect(macs.setFloodVlans(new Set([5]))).toBe(true);
    expect(macs.setFloodVlans(new Set([5]))).toBe(false);
    expect(see(A, MAC, 5)).toBe(false);
    expect(macs.size).toBe(0);
  });

  it('forgets after the idle time, and follows changes of it', () => {
    const { macs, time, see } = table();
    see(A);
    time.sec += 299;
    expect(macs.run()).toBe(false);
    time.sec += 1;
    expect(macs.run()).toBe(true);
    expect(macs.size).toBe(0);
    see(A);
    macs.setIdleTime(1);
    expect(macs.nextExpiry()).toBe(time.sec + 15);
  });

  it('takes from the bundle that has most when it is full', () => {
    const { macs, see } = table();
    macs.setMaxEntries(10);
    see(B, 999);
    for (let i = 0; i < 50; i++) see(A, 1000 + i * 2);
    expect(macs.size).toBe(10);
    expect(macs.lookup(999, 0)?.bundle).toBe(B);
    expect(macs.lookup(1098, 0)?.bundle).toBe(A);
    expect(macs.statistics.evicted).toBe(41);
  });

  it('takes what was seen least recently, whatever came twice in a row or moved', () => {
    const { macs, see } = table();
    macs.setMaxEntries(10);
    for (let i = 0; i < 10; i++) see(A, 1000 + i * 2);
    see(A, 1018);
    see(A, 1000);
    see(A, 1000);
    see(A, 1002);
    see(B, 1000);
    macs.forget(1000, 0);
    see(B, 1000);
    see(A, 1004);
    see(A, 2000);
    see(A, 2002);
    const order = [...macs.entries()].map(({ mac }) => mac);
    expect(order).toEqual([1010, 1012, 1014, 1016, 1018, 1002, 1000, 1004, 2000, 2002]);
    expect(macs.entriesOf(A).map(({ mac }) => mac)).toEqual(order.filter((mac) => mac !== 1000));
  });

  it('does not believe gratuitous ARP from a bond while locked', () => {
    const { macs, time, see } = table();
    see(A, MAC, 0, { isGratuitousArp: true, isBond: false });
    expect(see(B, MAC, 0, { isGratuitousArp: true, isBond: true })).toBe(false);
    expect(macs.lookup(MAC, 0)?.bundle).toBe(A);
    time.sec += 5;
    expect(macs.run()).toBe(true);
    expect(see(B, MAC, 0, { isGratuitousArp: true, isBond: true })).toBe(true);
  });

  it('keeps static entries through flushes, ages and moves', () => {
    const { macs, time, see } = table();
    macs.addStatic(MAC, 0, A);
    expect(see(B)).toBe(false);
    time.sec += 10_000;
    macs.run();
    macs.flush();
    macs.flushBundle(A);
    expect(macs.lookup(MAC, 0)?.bundle).toBe(A);
    expect(macs.flushBundle(A, true)).toBe(true);
    expect([macs.size, macs.staticEntries]).toEqual([0, 0]);
  });
});
