/** `tapswitch top`: what keys do, and how the picture fits its terminal. */
import { describe, expect, it } from 'vitest';
import { picture, plainRows } from '../../../src/cli/top/screen.js';
import { initialState, press, sortColumn, type TopState } from '../../../src/cli/top/state.js';
import { count, type TopData } from '../../../src/cli/top/views.js';
import { parseListen } from '../../../src/cli/web/options.js';
import type { FlowRow } from '../../../src/web/api/index.js';

function keys(state: TopState, ...pressed: string[]): TopState {
  return pressed.reduce((now, key) => press(now, key, 10), state);
}

const flow = (match: string, pps: number): FlowRow => ({
  ...{ id: match, table: 0, priority: 1, cookie: '0x0', match, actions: 'drop', packets: 0 },
  ...{ bytes: 0, pps, bps: 0, duration: 1, idleTimeout: 0, hardTimeout: 0, idleAge: null },
  ...{ importance: 0, flags: [] },
});

function flows(rows: FlowRow[]): TopData {
  const page = { total: rows.length, matching: rows.length, offset: 0, sampledAt: 0, readMs: 0 };
  return { flows: [{ bridge: 'br0', page: { ...page, rows, tables: [] } }] };
}

const HEADING = { name: 'host', subject: 'tapswitch', time: '12:00:00', error: null };

describe('keys', () => {
  const start = initialState('ports', null, '');

  it('switch views', () => {
    expect(keys(start, '2').view).toBe('flows');
    expect(keys(start, '\t', '\t').view).toBe('workers');
    expect(keys(start, '\x1b[Z').view).toBe('drops');
  });

  it('choose the column to sort by', () => {
    expect(sortColumn(start)).toBe('rxBps');
    expect(sortColumn(keys(start, '>'))).toBe('txPps');
    expect(sortColumn(keys(start, '\x1b[D'))).toBe('rxPps');
    expect(keys(start, 'r').reversed).toBe(true);
  });

  it('type a filter', () => {
    const typing = keys(start, '/', ...'tcq', '\x7f', 'p');
    expect(typing).toMatchObject({ typing: 'tcp', filter: '' });
    expect(keys(typing, '\r')).toMatchObject({ typing: null, filter: 'tcp' });
    expect(keys(typing, '\x1b')).toMatchObject({ typing: null, filter: '' });
    expect(keys(typing, 'q').ended).toBe(false);
  });

  it('scroll, pause and end', () => {
    expect(keys(start, 'j', 'j', 'k', '\x1b[6~').scroll).toBe(11);
    expect(keys(start, 'k').scroll).toBe(0);
    expect(keys(start, 'p').paused).toBe(true);
    expect(keys(start, 'q').ended).toBe(true);
    expect(keys(start, '/', '\x03').ended).toBe(true);
  });
});

describe('the picture', () => {
  const many = Array.from({ length: 50 }, (_, i) => flow(`nw_src=10.0.0.${i}`, i));

  it('has the busiest first, as many as fit, and is never wider than the terminal', () => {
    const state = initialState('flows', null, '');
    const look = { color: false, columns: 40, rows: 12 };
    const lines = picture(state, flows(many), HEADING, look).split('\n');
    expect(lines).toHaveLength(13);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(lines[3]).toContain('49');
    expect(lines.join('\n')).toContain('1-8 of 50');
  });

  it('is filtered', () => {
    const state = initialState('flows', null, '10.0.0.7');
    expect(plainRows(state, flows(many)).map(({ match }) => match)).toEqual(['nw_src=10.0.0.7']);
  });

  it('has no colours and no control characters but its own', () => {
    const state = initialState('flows', null, '');
    const evil = flows([flow('\x1b[2Jevil', 1)]);
    expect(picture(state, evil, HEADING, { color: false })).not.toContain('\x1b');
    expect(picture(state, evil, HEADING, { color: true })).toContain('\x1b[1m');
  });

  it('says what went wrong', () => {
    const heading = { ...HEADING, error: 'the database does not answer' };
    const text = picture(initialState('ports', null, ''), {}, heading, { color: false });
    expect(text).toContain('the database does not answer');
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [7.25, '7.3'],
    [999, '999'],
    [1000, '1.00 k'],
    [12_345, '12.3 k'],
    [999_900, '1.00 M'],
    [5e9, '5.00 G'],
  ])('%s is %s', (value, text) => {
    expect(count(value)).toBe(text);
  });
});

describe('where to listen', () => {
  it.each([
    ['8480', '127.0.0.1', 8480],
    [':80', '127.0.0.1', 80],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['[::1]:80', '::1', 80],
    ['192.0.2.1', '192.0.2.1', 8480],
  ])('%s', (text, address, port) => {
    expect(parseListen(text)).toEqual({ address, port });
  });

  it.each(['1:2:3', 'x:99999', '[::1', 'a:b'])('%s is refused', (text) => {
    expect(() => parseListen(text)).toThrow();
  });
});
