/** Timeouts of many entries: none early, none forgotten, a bounded number a turn. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../../src/ofproto/rule.js';
import { matchAny } from '../../../src/openflow/match.js';
import { W_REG0 } from '../../../src/packet/flow-layout.js';
import { TestSwitch } from './support/bridge.js';

const SECOND_MS = 1000;

describe('entries with timeouts', () => {
  let sw: TestSwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new TestSwitch();
    br = sw.bridge('br0');
    br.setFailMode('secure');
  });

  function add(n: number, times: { idleTimeout?: number; hardTimeout?: number }): void {
    const match = matchAny();
    match.flow[W_REG0] = n;
    match.mask[W_REG0] = -1;
    br.flowMod({
      type: 'flow_mod',
      command: 'add',
      table: 0,
      match,
      priority: 1,
      cookie: 0n,
      cookieMask: 0n,
      newCookie: BigInt(n),
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      bufferId: 0xffffffff,
      outPort: 0xffffffff,
      outGroup: 0xffffffff,
      flags: NO_FLAGS,
      actions: [],
      ...times,
    });
  }

  const cookies = (): number[] =>
    [...br.tables[0].cls.rules()].map((rule) => Number(rule.cookie)).sort((a, b) => a - b);

  /** Time goes on, and all turns are given that are asked for. */
  function pass(ms: number): number {
    sw.clock.advance(ms);
    let turns = 0;
    for (const now = sw.clock.now(); br.timeouts.nextMs() <= now; turns++) {
      br.timeouts.run(now);
    }
    return turns;
  }

  it('go when their time is over, not before', () => {
    add(1, { hardTimeout: 2 });
    add(2, { idleTimeout: 3 });
    add(3, { idleTimeout: 1, hardTimeout: 10 });
    add(4, {});
    pass(SECOND_MS);
    expect(cookies()).toEqual([1, 2, 3, 4]);
    pass(SECOND_MS / 2);
    expect(cookies()).toEqual([1, 2, 4]);
    pass(SECOND_MS);
    expect(cookies()).toEqual([2, 4]);
    pass(3600 * SECOND_MS);
    expect(cookies()).toEqual([4]);
  });

  it('stay while they are used', () => {
    add(1, { idleTimeout: 2 });
    const [rule] = br.tables[0].cls.rules();
    for (let i = 0; i < 5; i++) {
      rule.credit({ packets: 1, bytes: 60, usedMs: sw.clock.now() });
      pass(1.5 * SECOND_MS);
    }
    expect(cookies()).toEqual([1]);
    pass(SECOND_MS);
    expect(cookies()).toEqual([]);
  });

  it('go earlier when their timeouts become shorter', () => {
    add(1, { idleTimeout: 100 });
    const [rule] = br.tables[0].cls.rules();
    rule.reduceTimeouts(1, 0);
    pass(1.2 * SECOND_MS);
    expect(cookies()).toEqual([]);
  });

  it('leave nothing behind when they are deleted, replaced or cleared', () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) add(i, { hardTimeout: 60 + round });
    }
    const rules = [...br.tables[0].cls.rules()];
    expect(rules.length).toBe(50);
    br.tables[0].clear();
    expect(rules.every((rule) => rule.dueTick === 0)).toBe(true);
    expect(br.timeouts.nextMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('go a bounded number at a time when all end at once', () => {
    for (let i = 0; i < 5000; i++) add(i, { hardTimeout: 1 });
    sw.clock.advance(2 * SECOND_MS);
    br.timeouts.run(sw.clock.now());
    expect(br.tables[0].cls.size).toBe(4000);
    // The rest is due at once.
    expect(br.timeouts.nextMs()).toBeLessThanOrEqual(sw.clock.now());
    expect(pass(0)).toBe(4);
    expect(br.tables[0].cls.size).toBe(0);
  });
});
