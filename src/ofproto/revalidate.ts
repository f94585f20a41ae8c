/**
 * Revalidation: keeping installed megaflows true to tables, MACs, ports and bonds.
 *
 *     change --> mark(): seq += 1
 *     run()  --> visit some flows: push statistics; if seq moved since the flow was last visited,
 *                translate again and keep, modify or delete; delete when idle
 *     a pass that began at seq n and ended --> whoever waited for n may go on (barrier replies)
 *
 * Each run visits a bounded number of flows, so that a change does not hold the main loop up.
 */
import { NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { formatDpifFlow } from '../datapath/odp-format.js';
import { FLOW_WORDS, type FlowWords } from '../packet/flow-layout.js';
import type { OfprotoBacker } from './backer.js';
import { giveFlow } from './flow-pool.js';
import type { Udpif, Ukey } from './udpif.js';
import { odpActionsEqual } from './xlate/commit.js';
import { installed } from './xlate/slow-path.js';
import { megaflowMask } from './xlate/translate.js';

const log = getLogger('dpif');

/** Flows that one run translates again, and that one run merely looks at. */
const TRANSLATIONS_MAX = 2000;
/** Time between looks at statistics and idle times. */
const INTERVAL_MS = 500;
/** Above the flow limit flows go after this long without a packet. */
const CROWDED_IDLE_MS = 100;

interface Waiter {
  seq: number;
  resolve: () => void;
}

export class Revalidator {
  /** Grows with every change that installed flows may depend on. */
  private seq = 0;
  /** Everything is as translation at this seq would have it. */
  private doneSeq = 0;
  private pass: Iterator<Ukey> | null = null;
  private passSeq = 0;
  private nextPassMs = 0;
  private waiters: Waiter[] = [];
  /** How long the last pass took, ms. */
  dumpDurationMs = 0;
  private passStartMs = 0;
  private paused = false;

  constructor(
    private readonly backer: OfprotoBacker,
    private readonly udpif: Udpif,
  ) {}

  /** Something changed that translation reads. */
  mark(): void {
    this.seq += 1;
    // Where nothing is installed nothing can be wrong.
    const idle = this.pass === null && this.waiters.length === 0;
    if (idle && this.udpif.ukeys.size === 0) this.doneSeq = this.seq;
  }

  get pending(): boolean {
    return this.doneSeq !== this.seq;
  }

  run(now: number): void {
    if (this.paused) return;
    if (this.pass === null) {
      if (!this.pending && now < this.nextPassMs) return;
      this.startPass(now);
    }
    this.step(now, TRANSLATIONS_MAX);
  }

  nextWake(): number {
    if (this.paused) return NEVER;
    if (this.pass !== null || this.pending) return this.backer.clock.now();
    return this.udpif.ukeys.size > 0 ? this.nextPassMs : NEVER;
  }

  /** Resolves when all flows are as the state at the time of this call demands. */
  settled(): Promise<void> {
    if (!this.pending || this.paused) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ seq: this.seq, resolve }));
  }

  /** Does everything that is pending at once. */
  flush(): void {
    const now = this.backer.clock.now();
    for (let i = 0; i < 8 && (this.pass !== null || this.pending); i++) {
      if (this.pass === null) this.startPass(now);
      this.step(now, Number.POSITIVE_INFINITY);
    }
  }

  /** One whole pass, changes or not (revalidator/wait). */
  runPass(): void {
    const now = this.backer.clock.now();
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

  private startPass(now: number): void {
    this.passSeq = this.seq;
    this.passStartMs = now;
    this.pass = [...this.udpif.ukeys].values();
  }

  private step(now: number, max: number): void {
    const translateAll = this.doneSeq !== this.passSeq;
    for (let left = max; left > 0 && this.pass !== null; left--) {
      const next = this.pass.next();
      if (next.done === true) this.endPass(now);
      else if (this.udpif.ukeys.has(next.value)) this.visit(next.value, now, translateAll);
    }
  }

  private endPass(now: number): void {
    this.pass = null;
    this.doneSeq = this.passSeq;
    this.dumpDurationMs = now - this.passStartMs;
    this.nextPassMs = now + INTERVAL_MS;
    this.udpif.avgFlows = Math.round((this.udpif.avgFlows + this.udpif.ukeys.size) / 2);
    const ready = this.waiters.filter((w) => w.seq <= this.doneSeq);
    this.waiters = this.waiters.filter((w) => w.seq > this.doneSeq);
    for (const waiter of ready) waiter.resolve();
  }

  private visit(ukey: Ukey, now: number, translateAgain: boolean): void {
    this.udpif.pushFlowStats(ukey);
    if (log.enabled('dbg')) this.logFlow(ukey, now);
    const { flowLimit, maxIdleMs } = this.backer.settings;
    const crowded = this.udpif.ukeys.size > flowLimit;
    if (now - ukey.usedMs > (crowded ? Math.min(CROWDED_IDLE_MS, maxIdleMs) : maxIdleMs)) {
      this.udpif.remove(ukey);
    } else if (translateAgain) this.revalidate(ukey);
  }

  /** Each flow that a pass looks at, as Open vSwitch logs its dumps. */
  private logFlow({ dpFlow }: Ukey, now: number): void {
    const { dpif } = this.backer;
    const text = formatDpifFlow(dpFlow, dpif.flowStats(dpFlow), now, { verbose: true });
    log.dbg(`${dpif.name}: flow_dump ${text}`);
  }

  private revalidate(ukey: Ukey): void {
    const out = this.udpif.translateKey(ukey.flow, false);
    if (out === null || out.error === 'no-recirculation-context' || out.avoidCaching) {
      this.udpif.remove(ukey);
      return;
    }
    const narrower = hasExtraBits(megaflowMask(out.wc, ukey.flow), ukey.dpFlow.mask);
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
