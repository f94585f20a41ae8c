/** Flows on their way to the kernel, against a table and workers that the test plays. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { InstalledFlow } from '../../../src/datapath/flow-registry.js';
import { HandOver } from '../../../src/datapath/kernel-cache/hand-over.js';
import {
  ENTRY_ACTIVE,
  ENTRY_AWAITS,
  ENTRY_FRAME,
  ENTRY_HELD,
  ENTRY_SHEDS,
  ENTRY_STATES,
} from '../../../src/datapath/kernel-cache/layout.js';
import { LOAD_DOUBLES, PolledQueue } from '../../../src/datapath/polled-queue.js';
import { RingProgress } from '../../../src/datapath/ring-progress.js';
import { sharedLines } from '../../../src/datapath/shared-lines.js';
import { CTL_CALLED, CTL_HAND_OVER, N_CONTROL } from '../../../src/datapath/shared-stats.js';

const SLOT = 5;
const flow = { slot: SLOT } as InstalledFlow;

/** One port with one receive queue. */
class World {
  states = new Map<number, number>();
  counts = { passed: 0, landed: 0, done: 0 };
  frames = 0;
  rests = 0;
  looks = 0;
  writtenOff = 0;
  tap = false;
  readonly over = new HandOver(
    {
      has: (slot) => this.states.has(slot),
      state: (slot) => this.states.get(slot) ?? 0,
      setState: (slot, state) =>
        void this.states.set(slot, ((this.states.get(slot) ?? 0) & ~ENTRY_STATES) | state),
      activate: (slot) => {
        if (this.counts.passed !== this.counts.done) return false;
        this.states.set(slot, ENTRY_ACTIVE);
        return true;
      },
      order: {
        counts: () => ({ ...this.counts }),
        writeOff: (_, frames) => {
          this.writtenOff += 1;
          this.counts.passed -= frames;
        },
      },
    },
    {
      look: () => {},
      rest: () => {
        this.rests += 1;
      },
      idleSeen: () => [this.looks++],
      consumed: () => [{ frames: this.frames, slots: 1024 }],
    },
    () => ({ ifindex: 3, tap: this.tap }),
  );

  get state(): number {
    return (this.states.get(SLOT) ?? -1) & ENTRY_STATES;
  }

  put(): void {
    this.states.set(SLOT, ENTRY_HELD);
    this.over.add(flow, 1);
  }

  /** Frames of the flow go to the ring. */
  pass(n: number): void {
    this.counts.passed += n;
    this.counts.landed += n;
    this.states.set(SLOT, (this.states.get(SLOT) ?? 0) + n * ENTRY_FRAME);
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('a flow', () => {
  it('is held for a turn, and goes over when nothing waits', () => {
    world.put();
    world.over.turn();
    expect([world.state, world.over.size]).toEqual([ENTRY_AWAITS, 1]);
    world.over.turn();
    expect([world.state, world.over.size, world.rests]).toEqual([ENTRY_ACTIVE, 0, 1]);
  });

  it('waits while workers keep up, without losing a frame', () => {
    world.put();
    for (let turn = 0; turn < 40; turn++) {
      world.pass(10);
      world.counts.done += 9;
      world.over.turn();
    }
    expect(world.state).toBe(ENTRY_AWAITS);
    world.counts.done = world.counts.passed;
    world.over.turn();
    expect(world.state).toBe(ENTRY_ACTIVE);
  });

  it('sheds where the ring is never empty, until a ringful was sent', () => {
    world.put();
    for (let turn = 0; turn < 6 && !world.over.sheds; turn++) {
      world.pass(5000);
      world.frames += 2000;
      world.over.turn();
    }
    expect(world.state).toBe(ENTRY_SHEDS);
    // What was between program and ring when it began is counted from a turn later on.
    world.frames += 2000;
    world.over.turn();
    expect(world.state).toBe(ENTRY_SHEDS);
    world.frames += 1000;
    world.over.turn();
    expect(world.state).toBe(ENTRY_SHEDS);
    world.frames += 1000;
    world.over.turn();
    expect([world.state, world.over.size]).toEqual([ENTRY_ACTIVE, 0]);
  });

  it('does not shed for ever behind a worker that sends nothing', () => {
    world.put();
    world.pass(1);
    for (let turn = 0; turn < 200 && world.over.size > 0; turn++) {
      world.counts.passed += 1;
      world.over.turn();
    }
    expect([world.state, world.over.size]).toEqual([ENTRY_ACTIVE, 0]);
  });

  it('does not wait for frames that were counted and never came', () => {
    world.put();
    world.counts = { passed: 7, landed: 6, done: 6 };
    for (let turn = 0; turn < 6; turn++) world.over.turn();
    expect([world.writtenOff > 0, world.state]).toEqual([true, ENTRY_ACTIVE]);
  });

  it('goes over without a loss behind a TAP that answers pings, whatever was lost before', () => {
    world.tap = true;
    world.put();
    world.counts.passed = 4096;
    for (let turn = 0; turn < 12 && world.over.size > 0; turn++) {
      world.pass(1);
      world.counts.done += 1;
      world.over.turn();
      expect(world.over.sheds).toBe(false);
    }
    expect([world.writtenOff, world.state]).toEqual([1, ENTRY_ACTIVE]);
    expect(world.counts.passed).toBe(world.counts.done);
  });

  it.each<[string, (turn: number) => void]>([
    ['whose frames come faster than they are sent', (turn) => world.pass(turn % 3)],
    ['whose worker never looks at an empty queue', () => (world.looks -= 1)],
  ])('is not thought level behind a TAP %s', (_, disturb) => {
    world.tap = true;
    world.put();
    world.counts.passed = 4096;
    for (let turn = 0; turn < 9; turn++) {
      world.pass(1);
      world.counts.done += 1;
      disturb(turn);
      world.over.turn();
    }
    expect([world.writtenOff, world.state]).toEqual([0, ENTRY_AWAITS]);
  });

  it('is forgotten with its entry', () => {
    world.put();
    world.states.delete(SLOT);
    world.over.turn();
    expect([world.over.size, world.rests]).toEqual([0, 1]);
  });
});

describe('a worker', () => {
  const told = { portNo: 1, rxq: 0, fd: 3, ifindex: 9, ringBytes: 0, slots: 8, slotBytes: 2048 };
  const load = sharedLines(LOAD_DOUBLES * 8);
  const queueOf = (kind: 'packet' | 'tap') =>
    new PolledQueue(kind === 'packet' ? 1 : 2, { ...told, kind, head: 0, load }, 0);
  const control = new Int32Array(N_CONTROL);
  const held = { nStopped: 0 };
  const upcalls = { empty: true };
  const words: Int32Array = new Int32Array(queueOf('packet').doneWord + 8);
  const progress = new RingProgress(words, control, held, upcalls);

  beforeEach(() => {
    control.fill(0);
    words.fill(0);
    held.nStopped = 0;
    upcalls.empty = true;
  });

  it('tells of its rings only when asked', () => {
    expect(progress.wanted).toBe(false);
    control[CTL_HAND_OVER] = 1;
    expect(progress.wanted).toBe(true);
  });

  it.each<[string, () => void]>([
    ['frames wait for a device', () => (held.nStopped = 1)],
    ['packets wait for the main thread', () => (upcalls.empty = false)],
    ['its answers wait', () => (control[CTL_CALLED] = 1)],
  ])('is not done with an empty ring while %s', (_, disturb) => {
    const queue = queueOf('packet');
    words[queue.landedWord] = 12;
    disturb();
    progress.empty(queue, progress.landed(queue));
    expect(words[queue.doneWord]).toBe(0);
    held.nStopped = 0;
    upcalls.empty = true;
    control[CTL_CALLED] = 0;
    progress.empty(queue, progress.landed(queue));
    expect(words[queue.doneWord]).toBe(12);
  });

  it('counts the frames of a TAP when they are sent', () => {
    const queue = queueOf('tap');
    progress.sent(queue, 4);
    held.nStopped = 1;
    progress.sent(queue, 3);
    expect(words[queue.doneWord]).toBe(4);
    held.nStopped = 0;
    progress.empty(queue, 0);
    expect(words[queue.doneWord]).toBe(7);
  });
});
