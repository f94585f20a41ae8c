/** Tables of lb_output: slots, counters, and what becomes of packets without one. */
import { describe, expect, it } from 'vitest';
import { BondBuckets, bondSlot } from '../../../src/datapath/bond-buckets.js';
import { BOND_BUCKETS, BONDS_MAX, SharedStats } from '../../../src/datapath/shared-stats.js';

function tables() {
  const limits = { maxPorts: 4, flowSlots: 4 };
  const workers = [SharedStats.create(limits), SharedStats.create(limits)];
  return { workers, bonds: new BondBuckets(() => workers) };
}

const ports = (port: number) => new Int32Array(BOND_BUCKETS).fill(port);

describe('bond tables', () => {
  it('are the same in all workers', () => {
    const { workers, bonds } = tables();
    expect(bonds.set(7, ports(3))).toBe(true);
    for (const { bondPorts } of workers) {
      expect(bondPorts[bondSlot(7) * BOND_BUCKETS + 255]).toBe(3);
    }
    expect([...bonds.all()]).toEqual([[7, ports(3)]]);
  });

  it('refuse a bond whose slot another one has, until that is gone', () => {
    const { workers, bonds } = tables();
    bonds.set(7, ports(3));
    expect(bonds.set(7 + BONDS_MAX, ports(4))).toBe(false);
    expect([...bonds.all()]).toEqual([[7, ports(3)]]);
    bonds.remove(7 + BONDS_MAX);
    bonds.remove(7);
    expect(workers[0].bondPorts[bondSlot(7) * BOND_BUCKETS]).toBe(-1);
    expect(bonds.set(7 + BONDS_MAX, ports(4))).toBe(true);
  });

  it("count a bond's own bytes, over all workers", () => {
    const { workers, bonds } = tables();
    const at = bondSlot(7) * BOND_BUCKETS + 9;
    bonds.set(7, ports(3));
    workers[0].bondBytes[at] += 100;
    workers[1].bondBytes[at] += 11;
    expect(bonds.bytes(7)[9]).toBe(111);
    bonds.remove(7);
    expect(bonds.bytes(7)[9]).toBe(0);
    bonds.set(7 + BONDS_MAX, ports(3));
    expect(bonds.bytes(7 + BONDS_MAX)[9]).toBe(0);
    workers[0].bondBytes[at] += 5;
    expect(bonds.bytes(7 + BONDS_MAX)[9]).toBe(5);
  });
});
