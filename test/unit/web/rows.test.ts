/** Long lists: filters, sorting, pages, rates, and how often they are read. */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { parseDatapathFlows } from '../../../src/web/rows/datapath-flows.js';
import { matcher, parseFilter } from '../../../src/web/rows/filter.js';
import { Snapshot, type SnapshotRow } from '../../../src/web/rows/snapshot.js';

interface TestRow extends SnapshotRow {
  name: string;
}

function row(name: string, packets: number): TestRow {
  return { id: name, name, packets, bytes: packets * 100, pps: null, bps: null };
}

function snapshotOf(read: () => Promise<TestRow[]>, clock = stoppedClock()) {
  const usual = (a: TestRow, b: TestRow) => (a.name < b.name ? -1 : 1);
  const text = ({ name }: TestRow) => name;
  return new Snapshot<TestRow>({
    ...{ clock, read, text, usual },
    numbers: ['packets', 'pps'],
    texts: ['name'],
  });
}

describe('a filter', () => {
  it.each(['TCP 10.0 !drop', 'TCP 10.0 -drop'])('%s: all words, but the last', (text) => {
    const matches = matcher(text);
    expect(matches('tcp,nw_src=10.0.0.1 actions=NORMAL')).toBe(true);
    expect(matches('tcp,nw_src=10.0.0.1 actions=drop')).toBe(false);
    expect(matches('udp,nw_src=10.0.0.1')).toBe(false);
    expect(matcher('')('anything')).toBe(true);
  });

  it('compares columns that it knows, and seeks the rest as words', () => {
    const { comparisons, matches } = parseFilter('packets>=10 reg0=5', new Set(['packets']));
    expect(comparisons.map(({ column }) => column)).toEqual(['packets']);
    expect(comparisons[0].test(10)).toBe(true);
    expect(comparisons[0].test(9)).toBe(false);
    expect(matches('x reg0=5')).toBe(true);
  });
});

describe('a snapshot', () => {
  const names = ['b', 'a', 'c'];

  it('is filtered, sorted and cut', async () => {
    const snapshot = snapshotOf(async () => names.map((name, i) => row(name, i)));
    const all = await snapshot.page({});
    expect(all.rows.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    const page = await snapshot.page({ sort: 'packets', desc: true, limit: 1, offset: 1 });
    expect(page).toMatchObject({ total: 3, matching: 3, offset: 1 });
    expect(page.rows.map(({ name }) => name)).toEqual(['a']);
    const few = await snapshot.page({ filter: 'packets>0' });
    expect(few).toMatchObject({ total: 3, matching: 2 });
    snapshot.close();
  });

  it('is read once for all who ask at the same time, and not again while it is young', async () => {
    let reads = 0;
    const snapshot = snapshotOf(async () => {
      reads += 1;
      return [row('a', 1)];
    });
    await Promise.all([snapshot.page({}), snapshot.page({}), snapshot.page({ filter: 'x' })]);
    await snapshot.page({});
    expect(reads).toBe(1);
    snapshot.close();
  });

  it('is shown as it is while a new one is read, which has rates', async () => {
    const clock = stoppedClock();
    let packets = 0;
    const snapshot = snapshotOf(async () => {
      clock.advance(packets === 0 ? 100 : 0);
      return [row('a', packets)];
    }, clock);
    await snapshot.page({});
    packets = 50;
    clock.advance(2000);
    expect((await snapshot.page({})).rows[0]).toMatchObject({ packets: 0, pps: null });
    await snapshot.rows();
    expect((await snapshot.page({})).rows[0]).toMatchObject({ packets: 50, pps: 25, bps: 20_000 });
    snapshot.close();
  });

  it('that is read at once is waited for: what is shown is never a second old', async () => {
    const clock = stoppedClock();
    let packets = 0;
    const snapshot = snapshotOf(async () => [row('a', packets)], clock);
    await snapshot.page({});
    packets = 50;
    clock.advance(1000);
    expect((await snapshot.page({})).rows[0]).toMatchObject({ packets: 50, pps: 50 });
    snapshot.close();
  });

  it('of what takes long to read is read less often', async () => {
    const clock = stoppedClock();
    let reads = 0;
    const snapshot = snapshotOf(async () => {
      reads += 1;
      clock.advance(500);
      return [];
    }, clock);
    await snapshot.page({});
    clock.advance(4000);
    await snapshot.page({});
    expect(reads).toBe(1);
    clock.advance(2000);
    await snapshot.page({});
    expect(reads).toBe(2);
    snapshot.close();
  });
});

describe('datapath flows', () => {
  it('are read from dump-flows -m, without what matches anything', () => {
    const text =
      'ufid:00000000-0000-0000-0000-000000000002, recirc_id(0),dp_hash(0/0),skb_priority(0/0),' +
      'in_port(p1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),' +
      'ipv4(src=10.0.0.1/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,frag=no), packets:3, ' +
      'bytes:294, used:0.512s, offloaded:yes, dp:ovs, actions:push_vlan(vid=7,pcp=0),p2, ' +
      'dp-extra-info:miniflow_bits(4,1)\n\nnonsense\n';
    expect(parseDatapathFlows(text)).toEqual([
      {
        id: '00000000-0000-0000-0000-000000000002',
        match:
          'recirc_id(0),in_port(p1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),' +
          'eth_type(0x0800),ipv4(frag=no)',
        actions: 'push_vlan(vid=7,pcp=0),p2',
        packets: 3,
        bytes: 294,
        pps: null,
        bps: null,
        used: 0.512,
        offloaded: true,
      },
    ]);
  });
});
