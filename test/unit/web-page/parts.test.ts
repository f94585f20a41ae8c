/** Small pure parts of the console's page. */
import { describe, expect, it } from 'vitest';
import type { Bond, FlowRow, History, LogLine, Port } from '../../../src/web/api/index.js';
import { flowText, matchText } from '../../../src/web/page/pure/flow-text.js';
import { hexDigits, hexDump } from '../../../src/web/page/pure/hex.js';
import { mergeHistory } from '../../../src/web/page/pure/history.js';
import { Keys } from '../../../src/web/page/pure/keys.js';
import { atLeast, mergeLines } from '../../../src/web/page/pure/log-lines.js';
import { EMPTY_FORM, fieldsOf, flowOf } from '../../../src/web/page/pure/packet-form.js';
import { href, parseRoute } from '../../../src/web/page/pure/routes.js';
import { filtered, sorted } from '../../../src/web/page/pure/sorting.js';
import { sparkPath } from '../../../src/web/page/pure/spark.js';
import { busiest, sumHistory, sumRates } from '../../../src/web/page/pure/totals.js';
import { troubles } from '../../../src/web/page/pure/troubles.js';
import { parseVlans } from '../../../src/web/page/pure/vlans.js';

describe('addresses', () => {
  it('come back as they were', () => {
    const text = href('flows', ['br/1 ü'], { table: 0, filter: 'a&b?', none: '', off: false });
    expect(parseRoute(text)).toEqual({
      name: 'flows',
      path: ['br/1 ü'],
      query: { table: '0', filter: 'a&b?' },
    });
  });

  it('that are nothing or wrong lead somewhere', () => {
    expect(parseRoute('')).toEqual({ name: 'overview', path: [], query: {} });
    expect(parseRoute('#/ports/%zz').path).toEqual(['%zz']);
  });
});

describe('keys', () => {
  const press = (keys: Keys, key: string, at: number, typing = false) =>
    keys.press({ key, typing, modified: false }, at);

  it('go, filter, help; not while typing', () => {
    const keys = new Keys();
    expect(press(keys, 'g', 0)).toBeNull();
    expect(press(keys, 'f', 100)).toEqual({ type: 'go', letter: 'f' });
    expect(press(keys, '/', 200)).toEqual({ type: 'filter' });
    expect(press(keys, '?', 300)).toEqual({ type: 'help' });
    expect(press(keys, '/', 400, true)).toBeNull();
    expect(press(keys, 'Escape', 500, true)).toEqual({ type: 'escape' });
  });

  it('forget a g that nothing followed', () => {
    const keys = new Keys();
    press(keys, 'g', 0);
    expect(press(keys, 'f', 5000)).toBeNull();
    press(keys, 'g', 6000);
    expect(press(keys, 't', 6100)).toEqual({ type: 'go', letter: 't' });
    expect(press(keys, 't', 6200)).toEqual({ type: 'theme' });
  });
});

describe('rows', () => {
  it('are sorted as people count, unknown ones last', () => {
    const names = ['p10', 'p2', null, 'p1'];
    expect(sorted(names, (n) => n, { desc: false })).toEqual(['p1', 'p2', 'p10', null]);
    expect(sorted(names, (n) => n, { desc: true })).toEqual(['p10', 'p2', 'p1', null]);
  });

  it('are filtered by words that must and must not occur', () => {
    const rows = ['tcp in', 'udp in', 'udp out'];
    expect(filtered(rows, (r) => r, 'UDP -out')).toEqual(['udp in']);
    expect(filtered(rows, (r) => r, ' ')).toEqual(rows);
  });
});

describe('flows', () => {
  const row = {
    table: 3,
    priority: 7,
    match: 'tcp,tp_dst=80',
    cookie: '0x1f',
    idleTimeout: 60,
    hardTimeout: 0,
    importance: 0,
    flags: ['send_flow_rem'],
    actions: 'output:2',
  } as unknown as FlowRow;

  it('are written as ofctl takes them', () => {
    expect(matchText(row)).toBe('table=3,priority=7,tcp,tp_dst=80');
    expect(matchText({ ...row, match: '' })).toBe('table=3,priority=7');
    expect(flowText(row)).toBe(
      'table=3,cookie=0x1f,idle_timeout=60,send_flow_rem,priority=7,tcp,tp_dst=80,actions=output:2',
    );
  });

  it('come from a form', () => {
    expect(flowOf(EMPTY_FORM)).toBe('icmp,icmp_type=8');
    const tcp = { ...EMPTY_FORM, kind: 'tcp6', dst: 'fd00::2', tp_dst: '80', vlan: '5' };
    expect(flowOf(tcp)).toBe('tcp6,dl_vlan=5,ipv6_dst=fd00::2,tp_dst=80');
    expect(fieldsOf(tcp).map(({ name }) => name)).toContain('tp_dst');
    const arp = { ...EMPTY_FORM, kind: 'arp', dst: '10.0.0.2', tp_dst: '80' };
    expect(flowOf(arp)).toBe('arp,arp_op=1,dl_dst=ff:ff:ff:ff:ff:ff,arp_tpa=10.0.0.2');
    expect(fieldsOf({ ...EMPTY_FORM, kind: '' }).map(({ name }) => name)).not.toContain('src');
  });
});

describe('frames', () => {
  it('are dumped and read back', () => {
    const hex = '000102030405060708090a0b0c0d0e0f414243';
    const dump = hexDump(hex);
    expect(dump.split('\n')[1]).toMatch(/^0010 {2}41 42 43 +ABC$/);
    expect(hexDigits(dump)).toBe(hex);
    expect(hexDigits('FF:ff 0x01')).toBe('ffff01');
  });
});

describe('VLANs', () => {
  it('are numbers, lists and ranges', () => {
    expect(parseVlans('10, 20 100-102,20')).toEqual([10, 20, 100, 101, 102]);
    expect(parseVlans('')).toEqual([]);
    for (const text of ['x', '4096', '5-', '9-8', '-1'])
      expect(() => parseVlans(text)).toThrow(text);
  });
});

describe('lines of the log', () => {
  const line = (seq: number, level: LogLine['level'] = 'info'): LogLine => ({
    ...{ seq, level, at: 0, module: 'bond', text: '' },
  });

  it('are each there once, also when parts overlap or the log begins anew', () => {
    const seqs = (lines: LogLine[]) => lines.map(({ seq }) => seq);
    expect(seqs(mergeLines([line(1), line(2)], [line(2), line(3)]))).toEqual([1, 2, 3]);
    expect(seqs(mergeLines([line(8), line(9)], [line(1)]))).toEqual([1]);
    expect(seqs(mergeLines([line(1)], []))).toEqual([1]);
  });

  it('are those of a level and worse', () => {
    expect(atLeast([line(1, 'dbg'), line(2, 'warn'), line(3, 'err')], 'warn')).toHaveLength(2);
  });
});

describe('a sparkline', () => {
  it('stands at the right while it is young, and never above its box', () => {
    const box = { width: 100, height: 20, slots: 11 };
    expect(sparkPath([], box)).toBe('');
    expect(sparkPath([0, 5], box)).toBe('M90,19L100,1');
    expect(sparkPath([5, 50], { ...box, max: 5 }, true)).toBe('M90,1L100,1L100,20L90,20Z');
  });
});

describe('a history', () => {
  const history = (at: number, ...a: (number | null)[]): History => ({
    ...{ at, stepMs: 1000, series: { a } },
  });

  it('grows by what is new, with gaps where nothing came', () => {
    const grown = (kept: History, fresh: History) => mergeHistory(kept, fresh, 5).series.a;
    expect(grown(history(9000, 1, 2, 3), history(11_000, 3, 4, 5))).toEqual([1, 2, 3, 4, 5]);
    expect(grown(history(9000, 1, 2, 3), history(9010, 2, 3))).toEqual([1, 2, 3]);
    expect(grown(history(9000, 1, 2), history(13_000, 8, 9))).toEqual([2, null, null, 8, 9]);
    expect(grown(history(0), history(9000, 1))).toEqual([1]);
    expect(grown(history(9000, 1), history(8000, 7))).toEqual([1]);
    expect(grown(history(900_000, 1), history(8000, 7))).toEqual([7]);
    expect(grown(history(9000, 1), history(900_000, 7))).toEqual([null, null, null, null, 7]);
  });
});

describe('ports together', () => {
  const port = (name: string, rxBps: number, series: (number | null)[], more = {}): Port =>
    ({
      ...{ name, bridge: 'br0', type: 'system', link: 'up', admin: 'up', error: null },
      rates: { rxPps: 1, rxBps, txPps: 1, txBps: 0, drops: 0 },
      history: { at: 1000, stepMs: 1000, series: { rxBps: series } },
      ...more,
    }) as unknown as Port;

  it('are summed, their histories aligned at the newest value', () => {
    const ports = [port('a', 5, [1, 2, 3]), port('b', 7, [10]), port('c', 0, [null])];
    expect(sumRates(ports)).toMatchObject({ rxBps: 12, rxPps: 3 });
    expect(sumHistory(ports).rx).toEqual([1, 2, 13]);
    expect(busiest(ports, 2).map(({ name }) => name)).toEqual(['b', 'a']);
    expect(sumRates([])).toBeNull();
  });

  it('tell what somebody should look at, the worst first', () => {
    const ports = [
      port('p1', 0, [], { link: 'down' }),
      port('p2', 0, [], { error: 'no such device' }),
      port('br0', 0, [], { type: 'internal', link: 'down', admin: 'down' }),
    ];
    const member = { name: 'm1', enabled: false, why: 'no carrier' };
    const bond = { bridge: 'br0', name: 'bond0', members: [member, { ...member, enabled: true }] };
    const controllers = [
      { bridge: 'br0', target: 'tcp:1', connected: false, role: null, status: {} },
    ];
    const list = troubles({ ports, bonds: [bond as Bond], controllers, workers: [] });
    expect(list.map(({ tone, what }) => `${tone} ${what}`)).toEqual([
      ...['bad p2', 'bad tcp:1', 'warn bond0', 'warn p1'],
    ]);
  });
});
