/** The picture of `tapswitch bond watch`. */
import { describe, expect, it } from 'vitest';
import { bondTable, type Sample } from '../../../src/cli/bond/bond-table.js';
import type { MemberReport } from '../../../src/ofproto/bond-status.js';

const member = (name: string, set: Partial<MemberReport> = {}): MemberReport => ({
  name,
  enabled: true,
  active: false,
  carrier: true,
  why: 'carries its buckets',
  buckets: 128,
  load: 0,
  txBytes: 0,
  rxBytes: 0,
  lacp: null,
  ...set,
});

const sample = (atMs: number, txBytes: number): Sample => ({
  atMs,
  bonds: [
    {
      bridge: 'br1',
      name: 'bond1',
      mode: 'balance-slb',
      lacp: 'off',
      active: 'vetha',
      rebalanceMs: 3200,
      events: [],
      members: [
        member('vetha', { active: true, load: 3000, txBytes }),
        member('vethx', { enabled: false, load: 1000, why: 'no carrier' }),
      ],
    },
  ],
});

describe('bond watch', () => {
  it('shows members, load, rates and reasons as plain text', () => {
    const text = bondTable(sample(3000, 2_000_000), sample(1000, 1_000_000), { color: false });
    expect(text).toBe(
      `bond1 on br1: balance-slb, LACP off, active member vetha, next rebalance in 4 s
  member  state     buckets  load               tx Mbit/s  rx Mbit/s  LACP  why
  vetha   active        128  #########    75 %        4.0        0.0  -     carries its buckets
  vethx   disabled      128  ###          25 %        0.0        0.0  -     no carrier

`,
    );
  });

  it('has no rates at the first look, and colours on a terminal alone', () => {
    expect(bondTable(sample(1, 0), null, { color: false })).not.toContain('\x1b');
    const text = bondTable(sample(1, 0), null, { color: true });
    expect(text).toContain('\x1b[31mdisabled\x1b[0m');
    expect(text).toMatch(/vetha.* - +- +- /);
  });

  const withEvents = (...seqs: number[]): Sample => {
    const now = sample(2000, 0);
    now.bonds[0].events = seqs.map((seq) => ({
      seq,
      atMs: new Date(2026, 0, 2, 3, 4, 5, seq).getTime(),
      member: seq % 2 === 0 ? null : 'vethx',
      text: seq % 2 === 0 ? 'LACP has no partner' : 'disabled: no carrier',
    }));
    return now;
  };

  it('shows each event once on paper, and the latest again on a terminal', () => {
    const before = withEvents(1, 2);
    const now = withEvents(1, 2, 3, 4);
    const lines = (text: string) => text.split('\n').filter((line) => line.includes('03:04:05'));
    expect(lines(bondTable(now, before, { color: false }))).toEqual([
      '  03:04:05.003  vethx: disabled: no carrier',
      '  03:04:05.004  LACP has no partner',
    ]);
    expect(lines(bondTable(now, before, { color: true, repeatEvents: true }))).toHaveLength(4);
    expect(lines(bondTable(before, null, { color: false }))).toHaveLength(2);
  });

  it('cuts what is wider than the terminal, and never inside a colour', () => {
    const text = bondTable(withEvents(1), null, { color: true, columns: 24 });
    for (const line of text.split('\n')) {
      const plain = line.replace(/\x1b\[\d+m/g, '');
      expect(plain.length).toBeLessThanOrEqual(24);
      expect(plain).not.toContain('\x1b');
    }
  });

  it('leaves the reasons in place on a narrow terminal, and the tables on a low one', () => {
    const narrow = bondTable(withEvents(1), null, { color: false, columns: 60 });
    expect(narrow).toContain('no carrier');
    expect(narrow).not.toContain('rx Mbit/s');
    const low = bondTable(withEvents(1, 2, 3, 4), null, { color: false, rows: 7 });
    expect(low.trimEnd().split('\n')).toHaveLength(6);
    expect(low).toContain('03:04:05.004');
    expect(low).not.toContain('03:04:05.002');
    expect(bondTable(withEvents(1), null, { color: false, rows: 3 }).split('\n')).toHaveLength(3);
  });

  it('says that there are none', () => {
    expect(bondTable({ atMs: 0, bonds: [] }, null, { color: false })).toBe('no bonds\n');
  });
});
