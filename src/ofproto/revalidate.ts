/**
 * Revalidation: keeping installed megaflows true to tables, MACs, ports and bonds.
 *
 *     change of tables, ports... --> mark(): seq += 1        every flow is to be translated again
 *     a MAC is new or moved ------> markFlows(): dirty       those that looked it up are
 *
 *     run()  --> dirty flows first; then some flows of the pass: push statistics; if seq moved
 *                since the flow was last visited, translate again and keep, modify or delete;
 *                delete when idle
 *     a pass that began at seq n and ended --> whoever waited for n may go on (barrier replies)
 *
 * A run does a bounded amount of work, so that no change holds the main loop up. Passes that take
 * long make the number of flows go down that may be installed.
 */
import { NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { odpActionsEqual } from '../datapath/odp-equal.js';
import { formatDpifFlow } from '../datapath/odp-format.js';
import { FLOW_WORDS, type FlowWords } from '../packet/flow-layout.js';
import type { OfprotoBacker } from './backer.js';
import { giveFlow } from './flow-pool.js';
import type { Udpif, Ukey } from './udpif.js';
import { installed } from './xlate/slow-path.js';
import { megaflowMask } from './xlate/translate.js';

const log = getLogger('dpif');

/** What one run may spend, at most and in time. */
const RUN_BUDGET = 16_000;
const RUN_MS = 5;
/** Of the budget, for a flow that is merely looked at, and for one that is translated again. */
const LOOK_COST = 1;
const TRANSLATION_COST = 8;
/** What is spent between two looks at the clock: 16 translations. */
const CLOCK_COST = 128;
/** Above the flow limit flows go after this long without a packet. */
const CROWDED_IDLE_MS = 100;
/** Bounds of what a pass may take before fewer, or more, flows are allowed. */
const PASS_SLOW_MS = 1300;
const PASS_TOO_SLOW_MS = 2000;
const PASS_QUICK_MS = 1000;
const AFFORDABLE_MIN = 1000;
/** A pass is followed by this many times its length without one. */
const REST_FACTOR = 2;

interface Waiter {
  seq: number;
  mark: number;
  resolve: () => void;
}

export class Revalidator {
  /** Grows with every change that all installed flows may depend on. */
  private seq = 0;
  /** Everything is as translation at this seq would have it. */
  private doneSeq = 0;
  /** Flows that depend on something that changed, oldest first, with the number of the mark. */
  private readonly dirty = new Map<Ukey, number>();
  private marks = 0;
  private pass: Iterator<Ukey> | null = null;
  private passSeq = 0;
  /** Flows from this serial number on do not belong to the pass. */
  private passEnd = 0;
  private nextPassMs = 0;
  private waiters: Waiter[] = [];
  /** How long the last pass took, ms. */
  dumpDurationMs = 0;
  private passStartMs = 0;
  private paused = false;
  /** When the run at hand is to end, and what it may spend before it looks at the clock. */
  private deadlineMs = 0;
  private untilClock = CLOCK_COST;

  constructor(
    private readonly backer: OfprotoBacker,
    private readonly udpif: Udpif,
  ) {}

  /** Something changed that any translation may read. */
  mark(): void {
    this.seq += 1;
    // Where nothing is installed nothing can be wrong.
    const idle = this.pass === null && this.waiters.length === 0;
    if (idle && this.udpif.ukeys.size === 0) this.doneSeq = this.seq;
  }

  /** Something changed that these flows depend on. @returns true when there are any */
  markFlows(ukeys: Iterable<Ukey>): boolean {
    const before = this.marks;
    for (const ukey of ukeys) {
      this.marks += 1;
      if (!this.dirty.has(ukey)) this.dirty.set(ukey, this.marks);
    }
    return this.marks !== before;
  }

  get pending(): boolean {
    return this.doneSeq !== this.seq || this.dirty.size > 0;
  }

  /** Grows when something changes that any translation may read. */
  get changes(): number {
    return this.seq;
  }

  /** The flow does what translating it now would give. */
  isCurrent(ukey: Ukey): boolean {
    return this.doneSeq === this.seq && !this.dirty.has(ukey);
  }

  run(now: number): void {
    if (this.paused) return;
    this.deadlineMs = this.backer.clock.now() + RUN_MS;
    const left = this.visitDirty(now, RUN_BUDGET);
    if (left <= 0) return;
    if (this.pass === null) {
      if (this.doneSeq === this.seq && now < this.nextPassMs) return;
      this.startPass(now);
    }
    this.step(now, left);
  }

  nextWake(): number {
    if (this.paused) return NEVER;
    if (this.pass !== null || this.pending) return this.backer.clock.now();
    return this.udpif.ukeys.size > 0 ? this.nextPassMs : NEVER;
  }

  /** Resolves when all flows are as the state at the time of this call demands. */
  settled(): Promise<void> {
    if (!this.pending || this.paused) return Promise.resolve();
    const { seq, marks: mark } = this;
    return new Promise((resolve) => this.waiters.push({ seq, mark, resolve }));
  }

  /** Does everything that is pending at once. */
  flush(): void {
    const now = this.backer.clock.now();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 8 && (this.pass !== null || this.pending); i++) {
      this.visitDirty(now, Number.POSITIVE_INFINITY);
      if (this.pass === null && this.doneSeq !== this.seq) this.startPass(now);
      this.step(now, Number.POSITIVE_INFINITY);
    }
  }

  /** One whole pass, changes or not (revalidator/wait). */
  runPass(): void {
    const now = this.backer.clock.now();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.startPass(now);
    this.step(now, Number.POSITIVE_INFINITY);
    this.flush();
  }

  /** While paused nothing is revalidated, and nobody waits for it (revalidator/pause). */
  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) return;
    for (const waiter of this.waiters.splice(0)) waiter.resolve();
  }

  /** The flow is gone. */
  forget(ukey: Ukey): void {
    if (this.dirty.delete(ukey) && this.dirty.size === 0) this.wakeWaiters();
  }

  /** @returns what is left of the budget */
  private visitDirty(now: number, budget: number): number {
    if (this.dirty.size === 0) return budget;
    let left = budget;
    for (const ukey of this.dirty.keys()) {
      if (left <= 0) break;
      this.dirty.delete(ukey);
      left = this.spend(left, TRANSLATION_COST);
      if (this.udpif.ukeys.has(ukey)) this.visit(ukey, now, true);
    }
    this.wakeWaiters();
    return left;
  }

  /** @returns what is left of a budget after `cost`: nothing once the time is over */
  private spend(budget: number, cost: number): number {
    this.untilClock -= cost;
    if (this.untilClock > 0) return budget - cost;
    this.untilClock = CLOCK_COST;
    return this.backer.clock.now() >= this.deadlineMs ? 0 : budget - cost;
  }

  private startPass(now: number): void {
    this.passSeq = this.seq;
    this.passStartMs = now;
    this.pass = this.udpif.ukeys.values();
    this.passEnd = this.udpif.nextSerial;
  }

  private step(now: number, budget: number): void {
    const translateAll = this.doneSeq !== this.passSeq;
    const cost = translateAll ? TRANSLATION_COST : LOOK_COST;
    for (let left = budget; left > 0 && this.pass !== null; left = this.spend(left, cost)) {
      const next = this.pass.next();
      // A set's iterator sees what is added meanwhile: such flows are as they should be.
      if (next.done === true || next.value.serial >= this.passEnd) this.endPass(now);
      else this.visit(next.value, now, translateAll);
    }
  }

  private endPass(now: number): void {
    const { settings } = this.backer;
    this.pass = null;
    this.doneSeq = this.passSeq;
    const duration = now - this.passStartMs;
    this.dumpDurationMs = duration;
    this.nextPassMs = now + Math.max(settings.maxRevalidatorMs, REST_FACTOR * duration);
    this.udpif.avgFlows = Math.round((this.udpif.avgFlows + this.udpif.ukeys.size) / 2);
    this.adaptLimit(duration);
    this.wakeWaiters();
  }

  /** Allows fewer flows when a pass took too long, and more when it did not. */
  private adaptLimit(durationMs: number): void {
    const { udpif } = this;
    const { flowLimit } = this.backer.settings;
    const now = udpif.flowLimit;
    let next = now;
    if (durationMs > PASS_TOO_SLOW_MS) next = (now * 1000) / durationMs;
    else if (durationMs > PASS_SLOW_MS) next = (now * 3) / 4;
    else if (durationMs < PASS_QUICK_MS) next = now + AFFORDABLE_MIN;
    next = Math.max(AFFORDABLE_MIN, Math.trunc(next));
    udpif.affordableFlows = next >= flowLimit ? Number.POSITIVE_INFINITY : next;
  }

  private wakeWaiters(): void {
    if (this.waiters.length === 0) return;
    const oldest = this.dirty.values().next().value ?? Number.POSITIVE_INFINITY;
    const ready = (w: Waiter): boolean => w.seq <= this.doneSeq && w.mark < oldest;
    const go = this.waiters.filter(ready);
    this.waiters = this.waiters.filter((w) => !ready(w));
    for (const waiter of go) waiter.resolve();
  }

  private visit(ukey: Ukey, now: number, translateAgain: boolean): void {
    const { udpif } = this;
    const { usedMs } = ukey;
    const packets = udpif.pushFlowStats(ukey);
    if (log.enabled('dbg')) this.logFlow(ukey, now);
    const { maxIdleMs } = this.backer.settings;
    const limit = udpif.flowLimit;
    const flows = udpif.ukeys.size;
    const idleMs = flows > limit ? Math.min(CROWDED_IDLE_MS, maxIdleMs) : maxIdleMs;
    if (now - ukey.usedMs > idleMs || flows > 2 * limit) udpif.remove(ukey);
    else if (!translateAgain) return;
    else if (this.isWorthIt(ukey, now - usedMs, packets)) this.revalidate(ukey);
    else udpif.remove(ukey);
  }

  /**
   * While passes are slow, flows with few packets rather go than that they are translated again
   * (other_config:min-revalidate-pps). Those that never had one but the first may: it is theirs to
   * show.
   * @param idleMs since the packet before the last `packets` ones
   */
  private isWorthIt(ukey: Ukey, idleMs: number, packets: number): boolean {
    const { maxRevalidatorMs, minRevalidatePps } = this.backer.settings;
    if (this.dumpDurationMs < maxRevalidatorMs / 2 || minRevalidatePps === 0) return true;
    if (ukey.packets === 0) return true;
    return idleMs / Math.max(packets, 1) < 1000 / minRevalidatePps;
  }

  /** Each flow that a pass looks at, as Open vSwitch logs its dumps. */
  private logFlow({ dpFlow }: Ukey, now: number): void {
    const { dpif } = this.backer;
    const text = formatDpifFlow(dpFlow, dpif.flowStats(dpFlow), now, { verbose: true });
    log.dbg(`${dpif.name}: flow_dump ${text}`);
  }

  private revalidate(ukey: Ukey): void {
    const { flow } = ukey;
    const out = this.udpif.translateKey(flow, false);
    if (out === null || out.error === 'no-recirculation-context' || out.avoidCaching) {
      this.udpif.remove(ukey);
      return;
    }
    const narrower = hasExtraBits(megaflowMask(out.wc, flow), ukey.dpFlow.mask);
    giveFlow(out.wc);
    if (narrower) {
      this.udpif.remove(ukey);
      return;
    }
    if (!odpActionsEqual(installed(out), ukey.dpFlow.actions)) this.udpif.modify(ukey, out);
    this.udpif.adoptCache(ukey, out);
  }
}

/** True when `wanted` looks at a bit that the installed mask leaves open. */
function hasExtraBits(wanted: FlowWords, installedMask: FlowWords): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) if ((wanted[i] & ~installedMask[i]) !== 0) return true;
  return false;
}
