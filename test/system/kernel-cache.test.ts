/**
 * What the kernel's programs find, against the megaflows that TypeScript would find: random flows,
 * random frames, sound and damaged. The programs run in the kernel itself (BPF_PROG_TEST_RUN).
 *
 * A frame that they take must match the flow that it is counted for. What they leave is a worker's,
 * so leaving is never wrong; that they do take plain frames is a test of its own.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { DropReason } from '../../src/datapath/drop-reasons.js';
import { KernelCache } from '../../src/datapath/kernel-cache/kernel-cache.js';
import {
  ENTRY_ACTIVE,
  ENTRY_AWAITS,
  ENTRY_HELD,
  ENTRY_SHEDS,
  ENTRY_STATES,
  O_DONE,
  O_LANDED,
  TABLE_BYTES,
} from '../../src/datapath/kernel-cache/layout.js';
import { orderWord } from '../../src/datapath/kernel-cache/order-table.js';
import { filterProgram, ingressProgram } from '../../src/datapath/kernel-cache/programs.js';
import { maskedKey } from '../../src/datapath/megaflow-table.js';
import { loadNative } from '../../src/native/binding.js';
import { FlowExtractor } from '../../src/packet/extract.js';
import {
  newFlow,
  W_DL_DST,
  W_DL_SRC,
  W_DL_TYPE,
  W_IN_PORT,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
  W_VLAN0,
  W_VLAN1,
} from '../../src/packet/flow-layout.js';
import { anyFrame, soundFrame } from '../property/datapath-frames.js';

/** The loopback device, where the kernel's test runs take place. */
const IFINDEX = 1;
const TC_UNSPEC = 0xffffffff;
const TC_SHOT = 2;

const native = loadNative();
let cache: KernelCache;

beforeEach(() => {
  cache = KernelCache.open(native);
  cache.portAdd(IFINDEX, { ifindex: IFINDEX, tap: false, frameMax: 9014 });
});

afterEach(() => cache.close());

/** Gives the kernel a flow that it forwards at once. */
function put(slot: number, masked: ReturnType<typeof maskedKey>, now: number): boolean {
  if (!cache.put({ slot, masked, actions: [] }, now)) return false;
  cache.setState(slot, ENTRY_ACTIVE);
  return true;
}

function keyOf(frame: Uint8Array): Int32Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const extractor = new FlowExtractor(view);
  extractor.parseL2(0, frame.length);
  extractor.parseRest();
  extractor.key[W_IN_PORT] = IFINDEX;
  return extractor.key;
}

/** Words that a flow may leave out, each with the masks that it may have. */
const MASKS: readonly [number, number, readonly number[]][] = [
  [W_DL_DST, W_DL_SRC, [0, -1, 0x0100_0000, 0xffff]],
  [W_VLAN0, W_VLAN1, [0, -1, 0x1fff]],
  [W_NW, W_NW, [0, -256, 0xff00_0000 | 0, 0x00fc_0000, 0xff00]],
  [W_NW_SRC, W_NW_DST, [0, -1, -256, 1]],
  [W_TP, W_TP, [0, -1, 0xffff, -65_536, 0x00ff_0000]],
  [W_IPV6_SRC, W_IPV6_DST + 3, [0, 0, -1, 0xff]],
];

const arbitraryMask = fc
  .tuple(
    ...MASKS.flatMap(([first, last, masks]) =>
      Array.from({ length: last - first + 1 }, (_, i) =>
        fc.constantFrom(...masks).map((mask) => [first + i, mask] as const),
      ),
    ),
  )
  .map((words) => {
    const mask = newFlow();
    mask[W_IN_PORT] = -1;
    mask[W_DL_TYPE] = 0xffff_ff00 | 0;
    for (const [word, bits] of words) mask[word] = bits;
    return mask;
  });

/** What a flow of this key's kind may ask for. */
function suited(key: Int32Array, mask: Int32Array): Int32Array {
  const type = key[W_DL_TYPE] >>> 16;
  const out = mask.slice();
  if (type !== 0x0800) out.fill(0, W_NW_SRC, W_NW_DST + 1);
  if (type !== 0x86dd) out.fill(0, W_IPV6_SRC, W_IPV6_DST + 4);
  if (type !== 0x0800 && type !== 0x86dd) for (const word of [W_NW, W_TP]) out[word] = 0;
  return out;
}

/** A frame of at least the 60 bytes that Ethernet demands. */
function padded(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(60, frame.length));
  bytes.set(frame);
  return bytes;
}

it('counts a frame only for a flow that it matches', () => {
  let now = 0;
  let taken = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(soundFrame, arbitraryMask), { minLength: 1, maxLength: 6 }),
      fc.array(anyFrame, { minLength: 1, maxLength: 8 }),
      (drawn, others) => {
        const flows = drawn.map(([frame, mask]) => {
          const key = keyOf(frame);
          return { frame, key, mask: suited(key, mask) };
        });
        now += 1000;
        const slots: number[] = [];
        flows.forEach(({ key, mask }, slot) => {
          const masked = maskedKey(key, mask);
          cache.clearFlow(slot);
          if (put(slot, masked, now)) slots.push(slot);
        });
        for (const raw of [...flows.map(({ frame }) => frame), ...others]) {
          const frame = padded(raw);
          const before = slots.map((slot) => cache.flowStats(slot));
          const result = native.bpfTestRun(cache.programs.tapEgress, frame);
          const counted = slots.filter((slot, i) => {
            const after = cache.flowStats(slot);
            if (after.packets === before[i].packets) return false;
            expect(after.packets).toBe(before[i].packets + 1);
            expect(after.bytes).toBe(before[i].bytes + frame.length);
            return true;
          });
          expect(counted.length).toBe(result === TC_SHOT ? 1 : 0);
          if (result !== TC_SHOT) {
            expect(result).toBe(TC_UNSPEC);
            continue;
          }
          taken += 1;
          const { key, mask } = flows[counted[0]];
          expect(maskedKey(keyOf(frame), mask).values).toEqual(maskedKey(key, mask).values);
        }
        for (const slot of slots) cache.remove(slot, now);
      },
    ),
    { numRuns: Number(process.env.KERNEL_CACHE_RUNS ?? 400) },
  );
  expect(taken).toBeGreaterThan(50);
});

function plainFrame(): Uint8Array {
  const frame = padded(Uint8Array.from(Buffer.from('02000000000202000000000108004500', 'hex')));
  frame.set([0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 0, 54], 16);
  return frame;
}

it('takes plain frames, and no longer once the flow is gone', () => {
  const frame = plainFrame();
  const mask = newFlow();
  for (const word of [W_IN_PORT, W_DL_TYPE, W_DL_DST, W_NW_DST, W_TP]) mask[word] = -1;
  const masked = maskedKey(keyOf(frame), mask);
  expect(put(7, masked, 0)).toBe(true);
  expect(native.bpfTestRun(cache.programs.tapEgress, frame)).toBe(TC_SHOT);
  cache.remove(7, 0);
  expect(native.bpfTestRun(cache.programs.tapEgress, frame)).toBe(TC_UNSPEC);
  // Its place is not taken again at once: a program may still look at it.
  expect(put(7, masked, 5)).toBe(true);
  cache.remove(7, 5);
  expect(put(7, masked, 1000)).toBe(true);
  expect(cache.flowStats(7).packets).toBe(1);
});

it('holds ten thousand flows', () => {
  const mask = newFlow();
  for (const word of [W_IN_PORT, W_DL_TYPE, W_NW_SRC, W_NW_DST]) mask[word] = -1;
  let put = 0;
  for (let slot = 0; slot < 10_000; slot++) {
    const key = newFlow();
    key[W_IN_PORT] = IFINDEX;
    key[W_DL_TYPE] = 0x0800_0000;
    key[W_NW_SRC] = 0x0a00_0000 + slot;
    key[W_NW_DST] = 0x0a01_0000 - slot;
    if (cache.put({ slot, masked: maskedKey(key, mask), actions: [] }, 0)) put += 1;
  }
  // Four places each: some find theirs taken, and stay with workers.
  expect(put).toBeGreaterThan(9900);
  expect(cache.size).toBe(put);
});

describe('a flow on its way to the kernel', () => {
  const frame = plainFrame();
  const mask = newFlow();
  for (const word of [W_IN_PORT, W_DL_TYPE, W_NW_DST]) mask[word] = -1;
  const QUEUE = 3;
  const place = orderWord(IFINDEX);
  let words: Int32Array;
  const state = () => cache.state(7) & ENTRY_STATES;

  beforeEach(() => {
    words = new Int32Array(native.bpfMapMemory(cache.mapFd, TABLE_BYTES));
    expect(cache.order.claim(IFINDEX, false, 8)).toBe(true);
    expect(cache.put({ slot: 7, masked: maskedKey(keyOf(frame), mask), actions: [] }, 0)).toBe(
      true,
    );
  });

  it('begins when a frame finds that workers have sent all before it', () => {
    const run = () => native.bpfTestRun(cache.programs.tapEgress, frame);
    expect([run(), state(), words[place]]).toEqual([TC_UNSPEC, ENTRY_HELD, 1]);
    words[place + (O_DONE >> 2)] = 1;
    expect([run(), state()]).toEqual([TC_UNSPEC, ENTRY_HELD]);
    cache.setState(7, ENTRY_AWAITS);
    expect([run(), state(), words[place]]).toEqual([TC_UNSPEC, ENTRY_AWAITS, 3]);
    // Two workers.
    words[place + (O_DONE >> 2) + 1] = 2;
    expect([run(), state(), words[place]]).toEqual([TC_SHOT, ENTRY_ACTIVE, 3]);
    expect(run()).toBe(TC_SHOT);
    expect(cache.flowStats(7).packets).toBe(2);
  });

  it('begins with a ring when that was found empty, and nothing is about to be put there', () => {
    // What the filter notes is for the same CPU.
    const cpus = native.getAffinity();
    native.setAffinity(cpus.slice(0, 1));
    onTestFinished(() => native.setAffinity(cpus));
    const filter = native.bpfProgLoad('socket_filter', filterProgram(cache.mapFd, QUEUE));
    const ingress = native.bpfProgLoad('sched_cls', ingressProgram(cache.mapFd));
    onTestFinished(() => {
      for (const fd of [filter, ingress]) native.close(fd);
    });
    const WHOLE = 0xffffffff;
    // A socket's filter is run without the frame's first 14 bytes.
    const run = () =>
      native.bpfTestRun(filter, Uint8Array.from([...frame.subarray(0, 14), ...frame]));
    const landed = place + (O_LANDED >> 2) + QUEUE;
    const done = place + (O_DONE >> 2) + QUEUE;
    expect([run(), words[place], words[landed]]).toEqual([WHOLE, 1, 0]);
    cache.setState(7, ENTRY_AWAITS);
    expect(cache.order.settled(IFINDEX, false)).toBe(false);
    expect(native.bpfTestRun(ingress, frame)).toBe(TC_SHOT);
    expect(words[landed]).toBe(1);
    expect([run(), state()]).toEqual([WHOLE, ENTRY_AWAITS]);
    words[place] = 1;
    words[done] = 1;
    expect(cache.order.settled(IFINDEX, false)).toBe(true);
    expect([run(), state()]).toEqual([0, ENTRY_ACTIVE]);
  });

  it('drops what nobody may have, until it begins', () => {
    const run = () => native.bpfTestRun(cache.programs.tapEgress, frame);
    expect(run()).toBe(TC_UNSPEC);
    cache.setState(7, ENTRY_SHEDS);
    expect([run(), run(), words[place]]).toEqual([TC_SHOT, TC_SHOT, 1]);
    expect(cache.drops(DropReason.handOver)).toBe(2);
    words[place + (O_DONE >> 2)] = 1;
    expect(cache.activate(7)).toBe(false);
    cache.setState(7, ENTRY_ACTIVE);
    run();
    expect([cache.flowStats(7).packets, cache.drops(DropReason.handOver)]).toEqual([1, 2]);
  });

  it('begins by itself where no frame comes', () => {
    cache.setState(7, ENTRY_AWAITS);
    words[place] = 5;
    expect(cache.activate(7)).toBe(false);
    words[place + (O_DONE >> 2)] = 5;
    words[place + (O_LANDED >> 2)] = 5;
    expect([cache.activate(7), state(), cache.active(7)]).toEqual([true, ENTRY_ACTIVE, true]);
  });

  it('leaves an interface out whose index falls on another one', () => {
    expect(cache.order.claim(IFINDEX + 4096, false, 8)).toBe(false);
    cache.order.release(IFINDEX);
    expect(cache.order.claim(IFINDEX + 4096, false, 8)).toBe(true);
  });
});
