/** What the benchmark tells vsctl to make. */
import { describe, expect, it } from 'vitest';
import { bridges } from '../../../../src/cli/bench/subjects.js';

describe('the bond of the benchmark', () => {
  it('takes broadcasts from every member, so that ARP passes between any two addresses', () => {
    const argv = bridges({ network: { topology: 'bond' } }, []);
    const bonds = argv
      .join(' ')
      .split(' -- ')
      .filter((part) => part.startsWith('add-bond'));
    expect(bonds).toEqual(
      ['br1 bond1 a0 a1', 'br2 bond2 b0 b1'].map(
        (bond) => `add-bond ${bond} bond_mode=balance-slb other_config:all-members-active=true`,
      ),
    );
  });

  it('is not in the other topologies', () => {
    expect(bridges({ network: { topology: 'veth' } }, [])).not.toContain('add-bond');
  });
});
