/** When receive queues are assigned anew without being told to. */
import { beforeEach, describe, expect, it } from 'vitest';
import { AutoLoadBalance, DEFAULT_AUTO_LB, variance } from '../../../src/datapath/pmd-auto-lb.js';
import type { RxQueue } from '../../../src/datapath/port-queues.js';
import type { RxAssignment } from '../../../src/datapath/rx-assign.js';
import { SharedStats } from '../../../src/datapath/shared-stats.js';
import { WorkerSlot } from '../../../src/datapath/worker-slots.js';

const STEP_MS = 5000;

let slots: WorkerSlot[];
let assigned: number;
let assignment: RxAssignment;
let cycles: number[];
let balance: AutoLoadBalance;
let now: number;

/** Queues of port 1, all read by the first worker. */
function queues(): RxQueue[] {
  return cycles.map((each, rxq) => ({
    ...{ portNo: 1, rxq, cycles: each, pinnedCpu: null },
    worker: slots[0],
  })) as unknown as RxQueue[];
}

beforeEach(() => {
  const stats = SharedStats.create({ maxPorts: 2, flowSlots: 2 });
  slots = [0, 1].map((cpu) => Object.assign(new WorkerSlot(cpu, stats), { cpu }));
  assigned = 0;
  assignment = 'cycles';
  cycles = [100, 90];
  now = 0;
  balance = new AutoLoadBalance({
    get all() {
      return queues();
    },
    get assignment() {
      return assignment;
    },
    isolate: true,
    assign: () => {
      assigned += 1;
    },
  });
  balance.configure({ ...DEFAULT_AUTO_LB, enabled: true });
});

/** Lets time pass with the first worker busy for `load` percent of it. */
function pass(intervals: number, load: number): void {
  for (let i = 0; i < intervals; i++) {
    now += STEP_MS;
    balance.intervalOver(now, slots, (slot) => (slot === slots[0] ? load : 0));
  }
}

describe('AutoLoadBalance', () => {
  it('assigns anew once a worker has had too much for a minute, and it would help', () => {
    pass(12, 96);
    expect(assigned).toBe(0);
    pass(2, 96);
    expect(assigned).toBe(1);
  });

  it.each<[string, () => void, number]>([
    ['no worker has too much', () => {}, 94],
    [
      'nothing would change',
      () => {
        cycles = [100, 0];
      },
      99,
    ],
    [
      'queues are dealt out in turn',
      () => {
        assignment = 'roundrobin';
      },
      99,
    ],
    [
      'there is one queue',
      () => {
        cycles = [100];
      },
      99,
    ],
    [
      'the other worker is isolated',
      () => {
        slots[1].isolated = true;
      },
      99,
    ],
    ['it is switched off', () => balance.configure(DEFAULT_AUTO_LB), 99],
  ])('leaves queues where they are while %s', (_why, change, load) => {
    change();
    pass(40, load);
    expect(assigned).toBe(0);
  });

  it('leaves them when it was less in between', () => {
    for (let i = 0; i < 4; i++) {
      pass(11, 99);
      pass(1, 10);
    }
    expect(assigned).toBe(0);
  });

  it('knows the variance', () => {
    expect(variance([])).toBe(0);
    expect(variance([190, 0])).toBe(9025);
    expect(variance([100, 90])).toBe(25);
  });
});
