/** The choice of transmit queues against a model of Linux's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TxChoice, type TxRules } from '../../../src/datapath/tx-choice.js';
import { xpsQueues } from '../../../src/datapath/tx-plan.js';
import { REASON_NAMES } from '../../../src/datapath/tx-queue-info.js';
import { DEFAULT_QUEUE_SETTINGS } from '../../../src/netdev/queue-settings.js';
import { type ModelFrame, type ModelPort, TxModel } from '../../support/tx-model.js';

const PORT = 3;

function rulesOf({ queues, xps, classes }: ModelPort): TxRules {
  return { queues, xps, classOf: classes?.classOf ?? [], ranges: classes?.ranges ?? [] };
}

const classes = fc
  .array(fc.record({ count: fc.integer({ min: 1, max: 8 }), offset: fc.nat(8) }), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((ranges) =>
    fc.record({
      ranges: fc.constant(ranges),
      classOf: fc.array(fc.nat(ranges.length - 1), { minLength: 16, maxLength: 16 }),
    }),
  );

const port: fc.Arbitrary<ModelPort> = fc.record({
  queues: fc.integer({ min: 1, max: 8 }),
  xps: fc.uniqueArray(fc.nat(11), { maxLength: 5 }),
  classes: fc.option(classes),
});

const frame: fc.Arbitrary<ModelFrame> = fc.record({
  hash: fc.oneof(fc.nat(12), fc.integer({ min: 0, max: 0xffffffff })),
  priority: fc.nat(15),
  recorded: fc.option(fc.nat(40)),
});

type Step = { frame: ModelFrame } | { port: ModelPort } | 'batch';
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ frame }) },
  { weight: 1, arbitrary: fc.record({ port }) },
  { weight: 2, arbitrary: fc.constant<'batch'>('batch') },
);

describe('the choice of a transmit queue', () => {
  it('is what the model chooses, for the same reason, whatever comes', () => {
    fc.assert(
      fc.property(port, fc.array(step, { maxLength: 60 }), (first, steps) => {
        const choice = new TxChoice(8);
        const model = new TxModel(first);
        choice.setRules(PORT, rulesOf(first));
        for (const each of steps) {
          if (each === 'batch') {
            choice.batch += 1;
            model.completed();
          } else if ('port' in each) {
            choice.setRules(PORT, rulesOf(each.port));
            model.change(each.port);
          } else {
            const { hash, priority, recorded } = each.frame;
            const queue = choice.choose(PORT, hash | 0, priority, recorded ?? -1);
            const got = { queue, reason: REASON_NAMES[choice.reason] };
            expect(got).toEqual(model.send(each.frame));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('stays while frames of the flow wait, beyond a batch and through other rules', () => {
    const choice = new TxChoice(8);
    choice.setRules(PORT, { queues: 4, xps: [1], classOf: [], ranges: [] });
    expect(choice.choose(PORT, 77, 0, -1)).toBe(1);
    choice.waits(choice.flow);
    const { flow } = choice;
    choice.batch += 1;
    choice.setRules(PORT, { queues: 4, xps: [2], classOf: [], ranges: [] });
    expect(choice.choose(PORT, 77, 0, -1)).toBe(1);
    expect(choice.choose(PORT, 78, 0, -1)).toBe(2);
    choice.gone(flow);
    choice.batch += 1;
    expect(choice.choose(PORT, 77, 0, -1)).toBe(2);
  });

  it('keeps flows of one set apart, and never throws out one that is in flight', () => {
    const choice = new TxChoice(8);
    choice.setRules(PORT, { queues: 8, xps: [], classOf: [], ranges: [] });
    // Their low bits are the same: one set of four.
    const hashes = Array.from({ length: 6 }, (_, i) => ((i * 0x2aaaaaaa) & ~0x3ff) | 5);
    const first = hashes.map((hash) => choice.choose(PORT, hash, 0, -1));
    choice.setRules(PORT, { queues: 8, xps: [7], classOf: [], ranges: [] });
    const again = hashes.map((hash) => choice.choose(PORT, hash, 0, -1));
    expect(again.slice(0, 4)).toEqual(first.slice(0, 4));
    expect(again.slice(4)).toEqual([7, 7]);
  });
});

describe('the XPS map of a worker', () => {
  const settings = DEFAULT_QUEUE_SETTINGS;
  const cpus = [2, 5];

  it('shares queues out among the workers unless masks say otherwise', () => {
    expect(xpsQueues(settings, 4, 0, cpus)).toEqual([0, 2]);
    expect(xpsQueues(settings, 4, 1, cpus)).toEqual([1, 3]);
    expect(xpsQueues(settings, 1, 1, cpus)).toEqual([0]);
  });

  it('is what the masks give its CPU, queues that are not there included', () => {
    const xpsCpus = [[2], [5], [2, 5], [], [], [5]];
    expect(xpsQueues({ ...settings, xpsCpus }, 4, 0, cpus)).toEqual([0, 2]);
    expect(xpsQueues({ ...settings, xpsCpus }, 4, 1, cpus)).toEqual([1, 2, 5]);
  });
});
