/** Receive queues among workers: the orders that Open vSwitch's own tests show. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignRxQueues, type RxAssignQueue } from '../../../src/datapath/rx-assign.js';

function queues(n: number, cycles: number[] = [], pinned: Record<number, number> = {}) {
  return Array.from({ length: n }, (_, rxq): RxAssignQueue => {
    return { portNo: 1, rxq, cycles: cycles[rxq] ?? 0, pinnedCpu: pinned[rxq] ?? null };
  });
}

const workers = [{ cpu: 0 }, { cpu: 1 }];

function dealt(list: RxAssignQueue[], how: 'roundrobin' | 'cycles' | 'group', isolate = true) {
  const { worker } = assignRxQueues(list, workers, how, isolate);
  const of = (w: number) => list.filter((q) => worker.get(q) === w).map(({ rxq }) => rxq);
  return [of(0), of(1)];
}

describe('receive queues are assigned', () => {
  it('round robin, up and down by cycles, or by group', () => {
    const even = [
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ];
    expect(dealt(queues(8), 'roundrobin')).toEqual(even);
    expect(dealt(queues(8), 'group')).toEqual(even);
    expect(dealt(queues(8), 'cycles')).toEqual([
      [0, 3, 4, 7],
      [1, 2, 5, 6],
    ]);
  });

  it('the busiest first', () => {
    const busy = queues(4, [1, 100, 10, 60]);
    expect(dealt(busy, 'cycles')).toEqual([
      [0, 1],
      [2, 3],
    ]);
    // 100 alone against 60 + 10 + 1.
    expect(dealt(busy, 'group')).toEqual([[1], [0, 2, 3]]);
  });

  it('to the CPU they are pinned to, which then gets no others', () => {
    const pinned = queues(4, [], { 3: 0 });
    expect(dealt(pinned, 'roundrobin')).toEqual([[3], [0, 1, 2]]);
    expect(dealt(pinned, 'group', false)).toEqual([
      [1, 3],
      [0, 2],
    ]);
    expect(assignRxQueues(pinned, workers, 'cycles').isolated).toEqual([true, false]);
  });

  it('elsewhere when there is no worker on that CPU, and nowhere when all are isolated', () => {
    const list = queues(3, [], { 0: 9 });
    const { unpinnable, worker } = assignRxQueues(list, workers, 'cycles');
    expect(unpinnable).toEqual([list[0]]);
    expect(worker.get(list[0])).toBe(0);
    const isolated = queues(3, [], { 0: 0, 1: 1 });
    expect(assignRxQueues(isolated, workers, 'cycles').worker.get(isolated[2])).toBe(-1);
  });

  it('each to one worker that is there, the counts one apart at most', () => {
    const how = fc.constantFrom('roundrobin' as const, 'cycles' as const, 'group' as const);
    fc.assert(
      fc.property(fc.nat(40), fc.integer({ min: 1, max: 8 }), how, (n, w, algorithm) => {
        const cpus = Array.from({ length: w }, (_, cpu) => ({ cpu }));
        const { worker } = assignRxQueues(queues(n), cpus, algorithm);
        const counts = cpus.map((_, i) => [...worker.values()].filter((at) => at === i).length);
        expect(worker.size).toBe(n);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
