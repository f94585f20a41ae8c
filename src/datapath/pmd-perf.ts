/**
 * What each round of a worker's loop did (other_config:pmd-perf-metrics=true): histograms, the last
 * thousand rounds and the last thousand milliseconds. The worker writes, the main thread reads.
 *
 *     head         16 doubles       PF_*
 *     histograms   5 x 32 doubles   HIST_*: how many rounds were at most so much (WALLS)
 *     rounds       1000 x 5         number | cycles | packets | batches | upcalls
 *     ms           1000 x 7         millisecond | rounds | cycles | busy cycles | packets | ...
 *
 * Walls and meanings are those of Open vSwitch, so that its users can compare. Switched off, a
 * worker does not come here at all.
 */
// hot path
import { sharedDoubles, sharedLines } from './shared-lines.js';

export const BINS = 32;
export const HISTORY = 1000;

export const HIST_CYCLES = 0;
export const HIST_PACKETS = 1;
export const HIST_CYCLES_PER_PACKET = 2;
export const HIST_PACKETS_PER_BATCH = 3;
export const HIST_UPCALLS = 4;
const N_HIST = 5;

/** Rounds so far; places of the next entry in both histories. */
const PF_ROUNDS = 0;
const PF_ROUND_AT = 1;
const PF_MS_AT = 2;
/** Sums of finished milliseconds, in the order of a millisecond's entry. */
const PF_TOTALS = 3;
/** Set by the main thread: begin anew. */
const PF_CLEAR = 10;
/** Set by the main thread: cycles of a round that are suspicious; 0: none are. */
const PF_THRESHOLD = 11;
/** Suspicious rounds so far, and the last one. */
const PF_SUSPICIOUS = 12;
const PF_SUSPICIOUS_ROUND = 13;
const PF_SUSPICIOUS_CYCLES = 14;
const HEAD = 16;

const ROUND_STRIDE = 5;
const MS_STRIDE = 7;
const HIST_AT = HEAD;
const ROUNDS_AT = HIST_AT + N_HIST * BINS;
const MS_AT = ROUNDS_AT + HISTORY * ROUND_STRIDE;
const DOUBLES = MS_AT + HISTORY * MS_STRIDE;

export interface PerfRound {
  round: number;
  cycles: number;
  packets: number;
  batches: number;
  upcalls: number;
}

/** Of a millisecond, or of all: `ms` is its number. */
export interface PerfSums {
  ms: number;
  rounds: number;
  cycles: number;
  busyCycles: number;
  packets: number;
  batches: number;
  upcalls: number;
}

const UINT32_MAX = 0xffffffff;

function linear(min: number, max: number): Float64Array {
  const walls = new Float64Array(BINS).fill(UINT32_MAX);
  for (let i = 0; i < BINS - 1; i++) {
    walls[i] = min + Math.floor((i * (max - min)) / (BINS - 2));
  }
  return walls;
}

/** @returns the most that each bin holds, growing by a factor */
export function logarithmicWalls(min: number, max: number): Float64Array {
  const walls = new Float64Array(BINS).fill(UINT32_MAX);
  const start = min > 0 ? 0 : 1;
  const steps = BINS - 1 - start;
  const low = Math.log(Math.max(min, 1));
  const step = (Math.log(max) - low) / (steps - 1);
  let wall = start;
  if (start === 1) walls[0] = 0;
  for (let i = 0; i < steps; i++) {
    // Each is above the one before it.
    wall = Math.max(wall, Math.floor(Math.exp(low + i * step)));
    walls[start + i] = wall++;
  }
  walls[BINS - 2] = Math.max(walls[BINS - 2], max);
  return walls;
}

/** The most that each bin of each histogram holds. */
export const WALLS: readonly Float64Array[] = [
  logarithmicWalls(500, 24_000_000),
  logarithmicWalls(0, 1000),
  linear(100, 30_000),
  linear(0, 32),
  linear(0, 30),
];

export class PmdPerf {
  private readonly d: Float64Array;

  constructor(readonly buffer: ArrayBufferLike) {
    this.d = sharedDoubles(buffer);
  }

  static create(): PmdPerf {
    return new PmdPerf(sharedLines(DOUBLES * 8));
  }

  /** Worker: a queue gave frames. */
  batch(packets: number): void {
    this.count(HIST_PACKETS_PER_BATCH, packets);
  }

  /** Worker: a round is over. @param nowMs PacketIo.clockMs() */
  round(cycles: number, packets: number, batches: number, upcalls: number, nowMs: number): void {
    const { d } = this;
    if (d[PF_CLEAR] !== 0) this.reset();
    d[PF_ROUNDS] += 1;
    this.count(HIST_CYCLES, cycles);
    this.count(HIST_PACKETS, packets);
    if (packets > 0) this.count(HIST_CYCLES_PER_PACKET, cycles / packets);
    this.count(HIST_UPCALLS, upcalls);
    if (d[PF_THRESHOLD] > 0 && cycles > d[PF_THRESHOLD]) {
      d[PF_SUSPICIOUS_ROUND] = d[PF_ROUNDS];
      d[PF_SUSPICIOUS_CYCLES] = cycles;
      d[PF_SUSPICIOUS] += 1;
    }
    const at = ROUNDS_AT + d[PF_ROUND_AT] * ROUND_STRIDE;
    d[at] = d[PF_ROUNDS];
    d[at + 1] = cycles;
    d[at + 2] = packets;
    d[at + 3] = batches;
    d[at + 4] = upcalls;
    d[PF_ROUND_AT] = (d[PF_ROUND_AT] + 1) % HISTORY;
    let ms = MS_AT + d[PF_MS_AT] * MS_STRIDE;
    if (d[ms] !== nowMs) ms = this.nextMs(ms, nowMs);
    d[ms + 1] += 1;
    d[ms + 2] += cycles;
    if (packets > 0) d[ms + 3] += cycles;
    d[ms + 4] += packets;
    d[ms + 5] += batches;
    d[ms + 6] += upcalls;
  }

  /** Main thread: what is there is not to be looked at any more. */
  clear(): void {
    this.d[PF_CLEAR] = 1;
  }

  /** Main thread. @param cycles of a round that is suspicious; 0: none */
  setThreshold(cycles: number): void {
    this.d[PF_THRESHOLD] = cycles;
  }

  /** Main thread: suspicious rounds so far, and the last one. */
  get suspicious(): { count: number; round: number; cycles: number } {
    const { d } = this;
    const round = d[PF_SUSPICIOUS_ROUND];
    return { count: d[PF_SUSPICIOUS], round, cycles: d[PF_SUSPICIOUS_CYCLES] };
  }

  /** Main thread: a histogram's counts, by bin. */
  bins(histogram: number): Float64Array {
    if (this.d[PF_CLEAR] !== 0) return new Float64Array(BINS);
    return this.d.slice(HIST_AT + histogram * BINS, HIST_AT + (histogram + 1) * BINS);
  }

  /** Main thread: sums over all milliseconds that are over. */
  totals(): PerfSums {
    if (this.d[PF_CLEAR] !== 0) return sums(new Float64Array(MS_STRIDE), 0);
    return sums(this.d, PF_TOTALS - 1);
  }

  /** Main thread: the last `n` rounds, the last one first. */
  rounds(n: number): PerfRound[] {
    const { d } = this;
    const found: PerfRound[] = [];
    for (let i = 1; i <= Math.min(n, HISTORY); i++) {
      const at = ROUNDS_AT + ((d[PF_ROUND_AT] - i + HISTORY) % HISTORY) * ROUND_STRIDE;
      const [round, cycles, packets, batches, upcalls] = d.subarray(at, at + ROUND_STRIDE);
      if (d[PF_CLEAR] === 0 && round > 0) found.push({ round, cycles, packets, batches, upcalls });
    }
    return found;
  }

  /** Main thread: the last `n` milliseconds in which there were rounds, the last one first. */
  milliseconds(n: number): PerfSums[] {
    const { d } = this;
    const found: PerfSums[] = [];
    for (let i = 1; i <= Math.min(n, HISTORY); i++) {
      const at = MS_AT + ((d[PF_MS_AT] - i + HISTORY) % HISTORY) * MS_STRIDE;
      if (d[PF_CLEAR] === 0 && d[at + 1] > 0) found.push(sums(d, at));
    }
    return found;
  }

  private count(histogram: number, value: number): void {
    const walls = WALLS[histogram];
    let bin = 0;
    while (bin < BINS - 1 && value > walls[bin]) bin++;
    this.d[HIST_AT + histogram * BINS + bin] += 1;
  }

  /** Adds the millisecond at hand to the totals, and begins another; returns where. */
  private nextMs(ms: number, nowMs: number): number {
    const { d } = this;
    for (let i = 1; i < MS_STRIDE; i++) d[PF_TOTALS - 1 + i] += d[ms + i];
    if (d[ms + 1] > 0) d[PF_MS_AT] = (d[PF_MS_AT] + 1) % HISTORY;
    const at = MS_AT + d[PF_MS_AT] * MS_STRIDE;
    for (let i = 1; i < MS_STRIDE; i++) d[at + i] = 0;
    d[at] = nowMs;
    return at;
  }

  private reset(): void {
    const threshold = this.d[PF_THRESHOLD];
    const suspicious = this.d[PF_SUSPICIOUS];
    this.d.fill(0);
    this.d[PF_THRESHOLD] = threshold;
    this.d[PF_SUSPICIOUS] = suspicious;
  }
}

function sums(d: Float64Array, at: number): PerfSums {
  const [ms, rounds, cycles, busyCycles, packets, batches, upcalls] = d.subarray(
    at,
    at + MS_STRIDE,
  );
  return { ms, rounds, cycles, busyCycles, packets, batches, upcalls };
}
