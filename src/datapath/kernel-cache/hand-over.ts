/**
 * Flows on their way from workers to the kernel (way-over.ts): what the main thread does of it.
 *
 *     put: held ─ a turn ─> awaits ─ the programs, or a turn here, find nothing waiting ─> active
 *                              └── frames, and the ring is never empty ─> sheds ─ a ringful ─┘
 *
 * Programs do it with the first frame that overtakes nobody. Where a port's workers have more than
 * they can do, there is no such frame: its ring is full, and frames are lost anyway. There the
 * flow's frames are dropped (datapath_drop_hand_over) until all that was in the ring is sent.
 */
import type { InstalledFlow } from '../flow-registry.js';
import type { KernelCache } from './kernel-cache.js';
import { ENTRY_ACTIVE, ENTRY_AWAITS, ENTRY_HELD, ENTRY_SHEDS, ENTRY_STATES } from './layout.js';
import type { OrderCounts, OrderTable } from './order-table.js';

/** Turns without an empty ring after which frames are shed; with frames from a TAP. */
const BUSY_TURNS = 2;
const BUSY_TURNS_TAP = 10;
/** Turns after which a flow with frames sheds in any case, and one without goes over. */
const AWAIT_TURNS = 50;
/** Turns of a shedding flow at most. */
const SHED_TURNS = 50;
/** Turns without any movement after which frames that never came are written off. */
const STILL_TURNS = 3;
/** Turns after which frames of a TAP that are always as many behind are not behind, but lost. */
const LEVEL_TURNS = 6;
/** Frames that a worker may have taken and not sent; what a TAP and its discipline hold. */
const BATCH_MARGIN = 256;
const TAP_FRAMES_MAX = 4096;

/** What is known of workers. */
export interface WorkerFeed {
  /** Workers say what they are done with, from now on, and look at all of their queues. */
  look(): void;
  /** They need not any more. */
  rest(): void;
  /** How often each worker has found nothing anywhere; NaN: it does not run. */
  idleSeen(): number[];
  /** Frames taken from each receive queue of a port so far, and how many each may hold. */
  consumed(portNo: number): { frames: number; slots: number }[];
}

/** The kernel's table, as far as flows go over. */
export type HandOverTable = Pick<KernelCache, 'has' | 'state' | 'setState' | 'activate'> & {
  readonly order: Pick<OrderTable, 'counts' | 'writeOff'>;
};

export interface HandOverPort {
  ifindex: number;
  tap: boolean;
}

interface Handing {
  portNo: number;
  /** ENTRY_*, and turns since. */
  stage: number;
  turns: number;
  /** Those of E_STATE, as of the turn before. */
  frames: number;
  /** Since it sheds: what its port's queues had given a turn later. */
  shedFrom: number[] | null;
}

interface PortView {
  counts: OrderCounts;
  /** Turns since a worker last found all done; in which nothing moved, and all workers looked. */
  busy: number;
  busyMax: number;
  still: number;
  /** TAP: turns in which as many frames were behind, though workers had found its queue empty. */
  level: number;
  idle: number[];
}

export class HandOver {
  private readonly flows = new Map<InstalledFlow, Handing>();
  private readonly views = new Map<number, PortView>();

  constructor(
    private readonly cache: HandOverTable,
    private readonly feed: WorkerFeed,
    private readonly portOf: (portNo: number) => HandOverPort | undefined,
  ) {}

  get size(): number {
    return this.flows.size;
  }

  /** Frames are being dropped: the next turn should come soon. */
  get sheds(): boolean {
    for (const { stage } of this.flows.values()) if (stage === ENTRY_SHEDS) return true;
    return false;
  }

  add(flow: InstalledFlow, portNo: number): void {
    this.flows.set(flow, { portNo, stage: ENTRY_HELD, turns: 0, frames: 0, shedFrom: null });
  }

  delete(flow: InstalledFlow): void {
    this.flows.delete(flow);
  }

  clear(): void {
    this.flows.clear();
    this.views.clear();
    this.feed.rest();
  }

  /** Once workers have done what the last turn asked of them. */
  turn(): void {
    this.viewPorts();
    for (const [flow, handing] of this.flows) {
      if (this.done(flow, handing)) this.flows.delete(flow);
    }
    if (this.flows.size > 0) return;
    this.views.clear();
    this.feed.rest();
  }

  /** Moves a flow on; true when there is no more to do. */
  private done({ slot }: InstalledFlow, handing: Handing): boolean {
    const { cache } = this;
    const state = cache.state(slot);
    if (!cache.has(slot) || (state & ENTRY_STATES) === ENTRY_ACTIVE) return true;
    const framesCame = (state & ~ENTRY_STATES) !== handing.frames;
    handing.frames = state & ~ENTRY_STATES;
    handing.turns += 1;
    if (handing.stage === ENTRY_HELD) {
      this.move(slot, handing, ENTRY_AWAITS);
      return false;
    }
    if (cache.activate(slot)) return true;
    if (handing.stage === ENTRY_SHEDS) {
      const sent = this.sentSince(handing);
      if (sent) this.move(slot, handing, ENTRY_ACTIVE);
      return sent;
    }
    const { busy = 0, busyMax = BUSY_TURNS } = this.views.get(handing.portNo) ?? {};
    if (!framesCame && busy === 0) handing.turns = 0;
    const late = handing.turns > AWAIT_TURNS;
    const sheds = framesCame ? busy >= busyMax || late : busy > 0 && late;
    if (sheds) this.move(slot, handing, ENTRY_SHEDS);
    return false;
  }

  private move(slot: number, handing: Handing, stage: number): void {
    this.cache.setState(slot, stage);
    handing.stage = stage;
    handing.turns = 0;
  }

  /** Whether all that was in the port's queues when the flow began to shed has been sent. */
  private sentSince(handing: Handing): boolean {
    const queues = this.feed.consumed(handing.portNo);
    // From a turn after the beginning: what was between program and ring then is in the ring now.
    handing.shedFrom ??= queues.map(({ frames }) => frames);
    const from = handing.shedFrom;
    const one = ({ frames, slots }: { frames: number; slots: number }, i: number) =>
      frames - (from[i] ?? 0) >= (slots > 0 ? slots + BATCH_MARGIN : TAP_FRAMES_MAX);
    return queues.every(one) || handing.turns >= SHED_TURNS;
  }

  private viewPorts(): void {
    const idle = this.feed.idleSeen();
    const ports = new Set([...this.flows.values()].map(({ portNo }) => portNo));
    for (const portNo of ports) {
      const port = this.portOf(portNo);
      if (!port) continue;
      const counts = this.cache.order.counts(port.ifindex);
      const busyMax = port.tap ? BUSY_TURNS_TAP : BUSY_TURNS;
      const first = { counts, busy: 0, busyMax, still: 0, level: 0, idle };
      const view = this.views.get(portNo) ?? first;
      const moved = (name: keyof OrderCounts) => counts[name] !== view.counts[name];
      const looked = idle.every((n, i) => n !== view.idle[i]);
      view.busy = moved('done') && !port.tap ? 0 : view.busy + 1;
      if (moved('done') || moved('passed') || moved('landed')) view.still = 0;
      else if (looked) view.still += 1;
      const lost = underway(port, counts);
      const level = port.tap && looked && lost === underway(port, view.counts);
      view.level = level ? view.level + 1 : 0;
      // Where nothing moves, or all that is behind stays as much behind, it never came.
      if (lost !== 0 && (view.still >= STILL_TURNS || view.level >= LEVEL_TURNS)) {
        this.cache.order.writeOff(port.ifindex, lost);
        view.level = 0;
      }
      view.idle = idle;
      view.counts = counts;
      this.views.set(portNo, view);
    }
  }
}

/** Frames that went to a port's workers and are not known to be there; of a TAP, to be sent. */
function underway({ tap }: HandOverPort, { passed, landed, done }: OrderCounts): number {
  return (passed - (tap ? done : landed)) | 0;
}
