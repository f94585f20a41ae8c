/** Queueing behind transmit queues: full devices, bands, classes with rates. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Egress, PORT_PACKET, PORT_QUEUED, TX_BATCH } from '../../../src/datapath/egress.js';
import { EgressQueues } from '../../../src/datapath/egress-queues.js';
import { FrameMemory, HEADROOM } from '../../../src/datapath/frame-memory.js';
import { POOL_BYTES } from '../../../src/datapath/frame-pool.js';
import { MemoryIo } from '../../../src/datapath/memory-io.js';
import { EXTRA_QUEUES, SharedStats, TQ_DROPPED } from '../../../src/datapath/shared-stats.js';
import type { TxClass, TxPort } from '../../../src/datapath/tx-port.js';
import { ShaperTable } from '../../../src/datapath/tx-shaper.js';
import { W_SKB_PRIORITY } from '../../../src/packet/flow-layout.js';

const MAX_PORTS = 4;
const PORT = 1;
const EAGAIN = 11;
const SLAB = { rxBytes: 1 << 20, copyHalfBytes: 1 << 17 };
const SLAB_END = SLAB.rxBytes + 2 * SLAB.copyHalfBytes;

class Bench {
  readonly arena = new ArrayBuffer(SLAB_END + POOL_BYTES);
  readonly memory = new FrameMemory(this.arena, SLAB);
  readonly stats = SharedStats.create({ maxPorts: MAX_PORTS, flowSlots: 1 });
  readonly shaper = ShaperTable.create(MAX_PORTS + EXTRA_QUEUES);
  readonly key = new Int32Array(64);
  readonly egress: Egress;
  readonly queues: EgressQueues;
  /** What left: the frame's number, its length. */
  readonly left: { fd: number; number: number; length: number }[] = [];
  /** Frames that the device takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  nowUs = 1000;
  watched = new Set<number>();

  constructor() {
    const maxQueues = MAX_PORTS + EXTRA_QUEUES;
    const offsets = new Int32Array((maxQueues + 1) * TX_BATCH);
    const lengths = new Int32Array(offsets.length);
    const io = new MemoryIo(offsets, lengths, (fd, off, length) => {
      if (this.room <= 0) return -EAGAIN;
      this.room -= 1;
      this.left.push({ fd, number: this.memory.view.getUint32(off + 20), length });
      return 0;
    });
    this.egress = new Egress(io, offsets, lengths, this.stats, MAX_PORTS);
    this.queues = new EgressQueues({
      egress: this.egress,
      memory: this.memory,
      offsets,
      lengths,
      key: this.key,
      stats: this.stats,
      shaper: this.shaper,
      native: {
        clockUsLow: () => this.nowUs,
        writableWatch: (_set, fd) => this.watched.add(fd),
        writableUnwatch: (_set, fd) => this.watched.delete(fd),
      },
      writable: 99,
      maxPorts: MAX_PORTS,
      maxQueues,
      takePool: () => SLAB_END,
    });
    this.egress.decider = this.queues;
  }

  addPort(change: Partial<TxPort> = {}): void {
    this.queues.portAdd({
      portNo: PORT,
      kind: PORT_PACKET,
      queues: [{ slot: PORT, fd: 7 }],
      rules: { queues: 1, xps: [], classOf: [], ranges: [] },
      limit: 100,
      noqueue: false,
      shaper: null,
      kernelClasses: [],
      policed: false,
      ...change,
    });
  }

  /** Outputs a frame with a number; the tag's priority says its band. */
  output(number: number, priority = 0, length = 100): void {
    const off = this.memory.rxOffset;
    this.memory.rxCommit(length);
    this.memory.u8.fill(0, off - HEADROOM, off + length);
    this.memory.view.setUint32(off + 12, 0x81000000 | (priority << 13));
    this.memory.view.setUint16(off + 16, 0x88b5);
    this.memory.view.setUint32(off + 20, number);
    this.egress.output(PORT, off, length);
  }

  endBatch(): void {
    this.egress.flush();
    this.memory.rxReset();
  }

  get numbers(): number[] {
    return this.left.map(({ number }) => number);
  }
}

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe('a device that is full', () => {
  it('keeps what it did not take, in order, and goes on when there is room', () => {
    bench.addPort();
    bench.room = 2;
    for (let n = 0; n < 5; n++) bench.output(n);
    bench.endBatch();
    expect(bench.numbers).toEqual([0, 1]);
    expect(bench.egress.kind[PORT]).toBe(PORT_QUEUED);
    expect([...bench.watched]).toEqual([7]);
    // Behind those that wait, although the device takes frames again.
    bench.room = 2;
    bench.output(5);
    bench.endBatch();
    bench.queues.resume();
    expect(bench.numbers).toEqual([0, 1, 2, 3]);
    bench.room = Number.POSITIVE_INFINITY;
    bench.queues.resume();
    expect(bench.numbers).toEqual([0, 1, 2, 3, 4, 5]);
    expect(bench.egress.kind[PORT]).toBe(PORT_PACKET);
    expect(bench.watched.size).toBe(0);
  });

  it('is given the highest band first', () => {
    bench.addPort();
    bench.room = 0;
    // 1: background; 0: best effort; 7: control.
    const offered = [
      [10, 1],
      [20, 0],
      [30, 7],
      [11, 1],
      [21, 0],
      [31, 7],
    ];
    for (const [number, priority] of offered) {
      bench.output(number, priority);
    }
    bench.endBatch();
    bench.room = Number.POSITIVE_INFINITY;
    bench.queues.resume();
    expect(bench.numbers).toEqual([30, 31, 20, 21, 10, 11]);
  });

  it('makes no more wait than the limit; the rest is counted', () => {
    bench.addPort({ limit: 3 });
    bench.room = 0;
    for (let n = 0; n < 8; n++) bench.output(n);
    bench.endBatch();
    bench.room = Number.POSITIVE_INFINITY;
    bench.queues.resume();
    expect(bench.numbers).toEqual([0, 1, 2]);
    expect(bench.stats.txqs[PORT * 16 + TQ_DROPPED]).toBe(5);
  });

  it('drops at once when nothing is to wait', () => {
    bench.addPort({ noqueue: true });
    bench.room = 1;
    for (let n = 0; n < 3; n++) bench.output(n);
    bench.endBatch();
    expect(bench.numbers).toEqual([0]);
    expect(bench.watched.size).toBe(0);
    expect(bench.egress.kind[PORT]).toBe(PORT_PACKET);
  });

  it('forgets what waits with its port', () => {
    bench.addPort();
    bench.room = 0;
    bench.output(1);
    bench.endBatch();
    bench.queues.portDel(PORT);
    bench.addPort();
    bench.room = Number.POSITIVE_INFINITY;
    bench.queues.resume();
    expect(bench.numbers).toEqual([]);
    expect(bench.watched.size).toBe(0);
  });

  it('gives up what waits when other workers go on with its flows', () => {
    bench.addPort();
    bench.room = 1;
    for (let n = 0; n < 4; n++) bench.output(n);
    bench.endBatch();
    bench.queues.giveUp();
    expect(bench.stats.txqs[PORT * 16 + TQ_DROPPED]).toBe(3);
    bench.room = Number.POSITIVE_INFINITY;
    bench.queues.resume();
    bench.output(9);
    bench.endBatch();
    expect(bench.numbers).toEqual([0, 9]);
    expect(bench.egress.kind[PORT]).toBe(PORT_PACKET);
  });
});

describe('classes with rates', () => {
  const LENGTH = 1000;
  const class_ = (slot: number, queueId: number, priority = 0): TxClass => ({
    slot,
    queueId,
    priority,
    quantum: 10_000,
  });

  /** Bytes in a second that leave by class, when `each` frames of all come in a millisecond. */
  function run(classes: TxClass[], ms: number, each: number): Map<number, number> {
    bench.addPort({ shaper: { policer: false, classes }, limit: 200 });
    for (let t = 0; t < ms; t++) {
      bench.nowUs += 1000;
      for (let n = 0; n < each; n++) {
        for (const { queueId } of classes) {
          bench.key[W_SKB_PRIORITY] = queueId;
          bench.output(queueId, 0, LENGTH);
        }
      }
      bench.endBatch();
      bench.queues.serve();
    }
    const bytes = new Map<number, number>();
    for (const { number, length } of bench.left) {
      bytes.set(number, (bytes.get(number) ?? 0) + (length * 1000) / ms);
    }
    return bytes;
  }

  it('keep to their rate within 5 %', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 1500);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 1e6, 1500);
    const rate = run([class_(MAX_PORTS, 0)], 2000, 5).get(0) ?? 0;
    expect(rate).toBeGreaterThan(0.95e6);
    expect(rate).toBeLessThan(1.05e6);
  });

  it('get what they are entitled to, and share the rest', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 1500);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 0.6e6, 1500);
    bench.shaper.set(PORT, MAX_PORTS + 1, 1e6, 0.2e6, 1500);
    const rates = run([class_(MAX_PORTS, 0), class_(MAX_PORTS + 1, 1)], 3000, 5);
    const [a, b] = [rates.get(0) ?? 0, rates.get(1) ?? 0];
    expect(a + b).toBeGreaterThan(0.95e6);
    expect(a + b).toBeLessThan(1.05e6);
    expect(a).toBeGreaterThan(0.6e6 * 0.95);
    expect(b).toBeGreaterThan(0.2e6 * 0.95);
  });

  it('lend what is left to the class of the highest priority', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 1500);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 0.1e6, 1500);
    bench.shaper.set(PORT, MAX_PORTS + 1, 1e6, 0.1e6, 1500);
    const rates = run([class_(MAX_PORTS, 0, 5), class_(MAX_PORTS + 1, 1, 1)], 3000, 5);
    expect(rates.get(1) ?? 0).toBeGreaterThan(0.85e6);
    expect(rates.get(0) ?? 0).toBeLessThan(0.15e6);
  });

  it('that are not named are the default', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 1500);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 1e6, 1500);
    bench.addPort({ shaper: { policer: false, classes: [class_(MAX_PORTS, 0)] } });
    bench.key[W_SKB_PRIORITY] = 4711;
    bench.output(1);
    bench.endBatch();
    expect(bench.numbers).toEqual([1]);
  });

  it('are given up, too', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 1500);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 1e6, 1500);
    run([class_(MAX_PORTS, 0)], 2, 20);
    const sent = bench.left.length;
    expect(bench.queues.nShaped).toBe(1);
    bench.queues.giveUp();
    bench.nowUs += 1e7;
    bench.queues.serve();
    bench.endBatch();
    expect([bench.left.length, bench.queues.nShaped]).toEqual([sent, 0]);
  });

  it('of a policer drop what is over the rate', () => {
    bench.shaper.set(PORT, PORT, 1e6, 0, 3000);
    bench.shaper.set(PORT, MAX_PORTS, 1e6, 1e6, 3000);
    bench.addPort({ shaper: { policer: true, classes: [class_(MAX_PORTS, 0)] } });
    for (let n = 0; n < 100; n++) bench.output(n, 0, LENGTH);
    bench.endBatch();
    expect(bench.left.length).toBeGreaterThan(1);
    expect(bench.left.length).toBeLessThan(40);
    expect(bench.queues.nShaped).toBe(0);
  });
});

describe('policing', () => {
  it('lets a burst pass, then the rate', () => {
    const buckets = ShaperTable.create(2);
    buckets.setPolicing(1, { rate: 1e6, burst: 10_000, packetRate: 0, packetBurst: 0 });
    let passed = 0;
    for (let us = 0; us < 1_000_000; us += 100) if (buckets.police(1, 1000, us)) passed += 1;
    expect(passed).toBeGreaterThan(1005);
    expect(passed).toBeLessThan(1015);
  });

  it('counts packets, too', () => {
    const buckets = ShaperTable.create(2);
    buckets.setPolicing(1, { rate: 0, burst: 0, packetRate: 500, packetBurst: 10 });
    let passed = 0;
    for (let us = 0; us < 1_000_000; us += 100) if (buckets.police(1, 60_000, us)) passed += 1;
    expect(passed).toBeGreaterThanOrEqual(508);
    expect(passed).toBeLessThanOrEqual(512);
  });
});
