/**
 * Flow entries whose time is over: idle and hard timeouts of all tables of a bridge.
 *
 *     tick 7120 (712.0 s)   rule, rule, rule        a tick is a tenth of a second
 *     tick 7121             rule                    an entry waits at the tick of its end, were no
 *     tick 7150             rule, rule, ...         more packets to come; used since, it waits anew
 *
 * Nothing looks at entries whose tick has not come, and one turn of the main loop looks at a
 * bounded number of those whose tick has: a million that end at once go a thousand at a time.
 */
import { NEVER } from '../common/clock.js';
import { type HeapItem, MaxHeap } from './max-heap.js';
import type { Rule } from './rule.js';

/** Ten times a second is enough for timeouts that are whole seconds. */
const TICK_MS = 100;
/** Entries that one turn looks at: a few milliseconds. */
const RULES_PER_TURN = 1000;

interface Tick extends HeapItem {
  /** Multiples of TICK_MS; the heap's priority is its negative. */
  tick: number;
  rules: Rule[];
}

interface ExpiringBridge {
  readonly backer: {
    /** Something became due earlier than `nextMs` said last. */
    wake(): void;
    pushStats(): void;
  };
}

type RemoveExpired = (rules: readonly Rule[], why: 'idle' | 'hard') => void;

/** Entries with timeouts, by the time at which they may end. */
export class RuleTimeouts {
  private readonly ticks = new Map<number, Tick>();
  private readonly soonest = new MaxHeap<Tick>();
  private pushedMs = Number.NEGATIVE_INFINITY;
  /** Nothing expires while a bundle is being committed (table-draft.ts). */
  paused = false;

  /** @param remove takes entries out of their tables */
  constructor(
    private readonly bridge: ExpiringBridge,
    private readonly remove: RemoveExpired,
  ) {}

  /** An entry came, or its timeouts became shorter. */
  note(rule: Rule): void {
    const expiresMs = rule.expiresMs();
    if (expiresMs === Number.POSITIVE_INFINITY) return;
    const tick = Math.floor(expiresMs / TICK_MS) + 1;
    if (rule.dueTick !== 0) {
      if (rule.dueTick <= tick) return;
      this.drop(rule);
    }
    const nextMs = this.nextMs();
    const { rules } = this.ticks.get(tick) ?? this.addTick(tick);
    rule.dueTick = tick;
    rule.dueIndex = rules.length;
    rules.push(rule);
    if (tick * TICK_MS < nextMs && !this.paused) this.bridge.backer.wake();
  }

  private addTick(tick: number): Tick {
    const added: Tick = { tick, rules: [], priority: -tick, heapIndex: 0 };
    this.ticks.set(tick, added);
    this.soonest.insert(added);
    return added;
  }

  /** An entry went. */
  drop(rule: Rule): void {
    if (rule.dueTick === 0) return;
    const tick = this.ticks.get(rule.dueTick) as Tick;
    const last = tick.rules.pop() as Rule;
    if (last !== rule) {
      tick.rules[rule.dueIndex] = last;
      last.dueIndex = rule.dueIndex;
    }
    rule.dueTick = 0;
    if (tick.rules.length > 0) return;
    this.ticks.delete(tick.tick);
    this.soonest.remove(tick);
  }

  /** Clock milliseconds at which an entry may end, or NEVER. */
  nextMs(): number {
    if (this.paused) return NEVER;
    const tick = this.soonest.max()?.tick;
    return tick === undefined ? NEVER : tick * TICK_MS;
  }

  /** Some of the entries whose tick has come; they wait no more. */
  private take(now: number): Rule[] {
    const taken: Rule[] = [];
    while (taken.length < RULES_PER_TURN && now >= this.nextMs()) {
      const { rules } = this.soonest.max() as Tick;
      const rule = rules[rules.length - 1];
      this.drop(rule);
      taken.push(rule);
    }
    return taken;
  }

  /** Deletes some of what has expired, after the datapath's statistics were taken in. */
  run(now: number): void {
    if (now < this.nextMs()) return;
    if (now >= this.pushedMs + TICK_MS) {
      this.pushedMs = now;
      this.bridge.backer.pushStats();
    }
    const over = { idle: [] as Rule[], hard: [] as Rule[] };
    for (const rule of this.take(now)) {
      const reason = rule.removed ? null : rule.expired(now);
      if (reason !== null) over[reason].push(rule);
      else if (!rule.removed) this.note(rule);
    }
    this.remove(over.idle, 'idle');
    this.remove(over.hard, 'hard');
  }
}
