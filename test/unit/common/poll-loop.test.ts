/** The main loop: order, coalescing, timers, a stopped clock, and modules that fail. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NEVER, stoppedClock, WarpClock } from '../../../src/common/clock.js';
import { PollLoop, type PollModule } from '../../../src/common/poll-loop.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Recorder implements PollModule {
  readonly runs: number[] = [];
  wakeAt = NEVER;
  onRun: () => void = () => {};

  run(now: number): void {
    this.runs.push(now);
    if (now >= this.wakeAt) this.wakeAt = NEVER;
    this.onRun();
  }
  nextWake(): number {
    return this.wakeAt;
  }
}

describe('PollLoop with a stopped clock', () => {
  it('runs every module once for any number of wake() before a turn', async () => {
    const loop = new PollLoop(stoppedClock(5));
    const module = new Recorder();
    loop.add(module);
    loop.start();
    loop.wake();
    loop.wake();
    await turn();
    await turn();
    expect(module.runs).toEqual([5]);
    loop.stop();
  });

  it('runs modules in the order in which they were added', () => {
    const loop = new PollLoop(stoppedClock());
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      loop.add({ run: () => order.push(name), nextWake: () => NEVER });
    }
    loop.runNow();
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('gives another turn at once to a module whose time has come', async () => {
    const clock = stoppedClock();
    const loop = new PollLoop(clock);
    const module = new Recorder();
    loop.add(module);
    loop.runNow();
    loop.start();
    await turn();
    module.wakeAt = 10;
    clock.advance(10);
    loop.runNow();
    expect(module.runs).toEqual([0, 0, 10]);
    loop.stop();
  });

  it('arms no timer, so that time passes by advance() alone', () => {
    vi.useFakeTimers();
    const loop = new PollLoop(stoppedClock());
    const module = new Recorder();
    module.wakeAt = 1000;
    loop.add(module);
    loop.start();
    vi.advanceTimersByTime(60_000);
    expect(module.runs).toEqual([0]);
    loop.stop();
    vi.useRealTimers();
  });

  it('keeps a wake() from within a turn for the next one', async () => {
    const loop = new PollLoop(stoppedClock());
    const module = new Recorder();
    module.onRun = () => {
      if (module.runs.length < 3) loop.wake();
    };
    loop.add(module);
    loop.start();
    for (let i = 0; i < 6; i++) await turn();
    expect(module.runs.length).toBe(3);
    loop.stop();
  });

  it('ignores runNow() from within a turn', () => {
    const loop = new PollLoop(stoppedClock());
    const module = new Recorder();
    module.onRun = () => loop.runNow();
    loop.add(module);
    loop.runNow();
    expect(module.runs.length).toBe(1);
  });

  it('no longer runs a module that was removed, even in the turn that removes it', () => {
    const loop = new PollLoop(stoppedClock());
    const second = new Recorder();
    let remove = (): void => {};
    loop.add({ run: () => remove(), nextWake: () => NEVER });
    remove = loop.add(second);
    loop.runNow();
    loop.runNow();
    expect(second.runs).toEqual([]);
  });

  it('leaves a module that throws alone for a second, and runs the others', () => {
    const clock = stoppedClock();
    const loop = new PollLoop(clock);
    let calls = 0;
    const other = new Recorder();
    loop.add({
      run: () => {
        calls += 1;
        throw new Error('broken');
      },
      nextWake: () => 0,
    });
    loop.add(other);
    loop.runNow();
    expect(loop.nextWake()).toBe(1000);
    loop.runNow();
    expect([calls, other.runs.length]).toEqual([1, 2]);
    clock.advance(1000);
    loop.runNow();
    expect(calls).toBe(2);
  });

  it('gives no turn after stop()', async () => {
    const loop = new PollLoop(stoppedClock());
    const module = new Recorder();
    loop.add(module);
    loop.start();
    loop.stop();
    await turn();
    expect(module.runs).toEqual([]);
  });
});

describe('PollLoop with a clock that goes', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('wakes at the earliest time that a module asked for', () => {
    let now = 0;
    const loop = new PollLoop(new WarpClock(() => now));
    const [early, late] = [new Recorder(), new Recorder()];
    early.wakeAt = 100;
    late.wakeAt = 300;
    loop.add(early);
    loop.add(late);
    loop.runNow();
    loop.start();
    vi.advanceTimersByTime(0);
    const before = early.runs.length;
    now = 100;
    vi.advanceTimersByTime(100);
    expect(early.runs.slice(before)).toEqual([100]);
    now = 300;
    vi.advanceTimersByTime(200);
    expect(late.runs.at(-1)).toBe(300);
    loop.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
