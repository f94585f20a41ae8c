/** Work in pieces: what a turn does, and what it leaves. */
import { describe, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { Turns } from '../../../src/vswitchd/turns.js';

describe('turns', () => {
  function pieces(clock: WarpClock, done: number[], count: number, ms: number): (() => void)[] {
    return Array.from({ length: count }, (_unused, n) => () => {
      done.push(n);
      clock.advance(ms);
    });
  }

  it('end after some time, and go on where they were', () => {
    const clock = new WarpClock(() => 0);
    const turns = new Turns(clock);
    const done: number[] = [];
    turns.begin(pieces(clock, done, 5, 9));
    turns.run();
    expect([done, turns.done]).toEqual([[0, 1, 2], false]);
    turns.run();
    expect([done, turns.done]).toEqual([[0, 1, 2, 3, 4], true]);
    turns.run();
    expect(done).toHaveLength(5);
  });

  it('do a piece even if it takes long', () => {
    const clock = new WarpClock(() => 0);
    const turns = new Turns(clock);
    const done: number[] = [];
    turns.begin(pieces(clock, done, 2, 5000));
    turns.run();
    expect(done).toEqual([0]);
  });

  it('forget what was left when they begin anew, and go on behind a piece that fails', () => {
    const clock = new WarpClock(() => 0);
    const turns = new Turns(clock);
    const done: number[] = [];
    turns.begin(pieces(clock, done, 3, 30));
    turns.run();
    const fails = () => {
      throw new Error('it was told to');
    };
    turns.begin([fails, () => done.push(7)]);
    expect(() => turns.run()).toThrow('told to');
    turns.run();
    expect([done, turns.done]).toEqual([[0, 7], true]);
  });
});
