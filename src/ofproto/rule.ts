/**
 * A flow entry: what it matches, what it does, how long it lives and what it has counted.
 *
 * Not for: finding entries (classifier.ts) or changing tables (flow-mod.ts).
 */
import type { OfAction } from '../openflow/actions.js';
import type { Match } from '../openflow/match.js';
import type { FlowMod } from '../openflow/messages.js';
import { sharedActions, sharedCookie, sharedFlags } from './rule-shared.js';
import type { ClassifierRule, Conjunction, MatchStore } from './rule-store.js';
import type { StatsDelta } from './stats-delta.js';

/** Priorities above OpenFlow's 16 bits belong to entries that the switch made for itself. */
export const PRIORITY_MAX = 0xffff;

export interface RuleSpec {
  match: Match;
  priority: number;
  tableId: number;
  cookie: bigint;
  /** Seconds; 0: never. */
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  flags: FlowMod['flags'];
  actions: readonly OfAction[];
}

export const NO_FLAGS: FlowMod['flags'] = {
  sendFlowRem: false,
  checkOverlap: false,
  resetCounts: false,
  noPktCounts: false,
  noByteCounts: false,
};

/** Where an entry's life ended. */
export type RemovedReason =
  | 'idle'
  | 'hard'
  | 'delete'
  | 'group_delete'
  | 'meter_delete'
  | 'eviction';

/**
 * There may be a million: every field counts. Times are whole milliseconds, which lie in the object
 * itself; cookies, flags and actions are shared among entries that have the same; inside a table
 * the match is the table's (rule-store.ts).
 */
export class Rule implements ClassifierRule {
  home: MatchStore | null = null;
  slot = 0;
  /** Its match while it is in no table. */
  private own: Match | null;
  readonly priority: number;
  readonly tableId: number;
  cookie: bigint;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  flags: FlowMod['flags'];
  /** The conjunction actions, when it has any: it only takes part in a conjunctive match. */
  conjunctions: readonly Conjunction[] | null = null;
  actions: readonly OfAction[] = [];
  /** Clock milliseconds. */
  createdMs = 0;
  modifiedMs = 0;
  usedMs = 0;
  packets = 0;
  bytes = 0;
  /** Called when its timeouts became shorter. */
  onTimes: ((rule: Rule) => void) | null = null;
  removed = false;
  /** The entry that a bundle puts in its place: what this one counts from then on is that one's. */
  heir: Rule | null = null;
  /** When it was added and changed last, in the order of all changes (connmgr/flow-monitors.ts). */
  addSeqno = 0;
  modifySeqno = 0;
  /** Where it waits for its end, and at which place there (expiry.ts); 0: nowhere. */
  dueTick = 0;
  dueIndex = 0;

  constructor(spec: RuleSpec, nowMs: number) {
    this.own = spec.match;
    this.priority = spec.priority;
    this.tableId = spec.tableId;
    this.cookie = sharedCookie(spec.cookie);
    this.idleTimeout = spec.idleTimeout;
    this.hardTimeout = spec.hardTimeout;
    this.importance = spec.importance;
    this.flags = sharedFlags(spec.flags);
    this.setActions(spec.actions);
    this.begin(nowMs);
  }

  /** Its time begins. */
  begin(nowMs: number): void {
    this.createdMs = Math.floor(nowMs);
    this.modifiedMs = this.createdMs;
    this.usedMs = this.createdMs;
  }

  /** While it is in no table, its match may be kept elsewhere (connmgr/bundle-log.ts). */
  hold(match: Match | null): void {
    this.own = match;
  }

  /** What it matches. Inside a table it is made anew each time: ask once. */
  get match(): Match {
    return this.own ?? (this.home as MatchStore).matchAt(this.slot);
  }

  moved(home: MatchStore | null, slot: number): void {
    this.own = home === null ? this.match : null;
    this.home = home;
    this.slot = slot;
  }

  /** False: it is in no table, or a bundle that is being committed hides it (table-view.ts). */
  get seen(): boolean {
    return this.home?.sees(this.slot) ?? false;
  }

  /** The same entry, in no table, with the same past. */
  copy(): Rule {
    const copy = new Rule(this, this.createdMs);
    copy.modifiedMs = this.modifiedMs;
    copy.usedMs = this.usedMs;
    copy.packets = this.packets;
    copy.bytes = this.bytes;
    copy.addSeqno = this.addSeqno;
    copy.modifySeqno = this.modifySeqno;
    return copy;
  }

  setActions(actions: readonly OfAction[]): void {
    this.actions = sharedActions(actions);
    this.conjunctions = null;
    for (const action of actions) {
      if (action.type !== 'conjunction') continue;
      this.conjunctions = actions.filter((each) => each.type === 'conjunction');
      break;
    }
  }

  /** Shortens the timeouts; one that is shorter already, or 0 as the new one, stays. */
  reduceTimeouts(idle: number, hard: number): void {
    const shorter = (now: number, then: number): number =>
      then > 0 && (now === 0 || now > then) ? then : now;
    this.idleTimeout = shorter(this.idleTimeout, idle);
    this.hardTimeout = shorter(this.hardTimeout, hard);
    this.onTimes?.(this);
  }

  /** Made by the switch itself: not shown to controllers, not changed by them. */
  get hidden(): boolean {
    return this.priority > PRIORITY_MAX || this.tableId === 254;
  }

  /** Priority 0, matching everything: OpenFlow 1.3's table-miss entry. */
  get isTableMiss(): boolean {
    const { mask } = this.home ?? this.match;
    return this.priority === 0 && mask.every((word) => word === 0);
  }

  credit(delta: StatsDelta): void {
    const usedMs = Math.floor(delta.usedMs);
    for (let rule: Rule | null = this; rule !== null; rule = rule.heir) {
      rule.packets += delta.packets;
      rule.bytes += delta.bytes;
      rule.usedMs = Math.max(rule.usedMs, usedMs);
    }
  }

  /** Takes the place of another entry: what that one counted goes on, unless it is to be reset. */
  succeed(old: Rule): void {
    this.usedMs = old.usedMs;
    if (this.flags.resetCounts) return;
    this.packets = old.packets;
    this.bytes = old.bytes;
  }

  resetCounts(): void {
    this.packets = 0;
    this.bytes = 0;
  }

  /** Why the entry's time is over at `nowMs`, or null. */
  expired(nowMs: number): 'idle' | 'hard' | null {
    if (this.hardTimeout > 0 && nowMs > this.modifiedMs + this.hardTimeout * 1000) return 'hard';
    if (this.idleTimeout > 0 && nowMs > this.usedMs + this.idleTimeout * 1000) return 'idle';
    return null;
  }

  /** Clock milliseconds at which it may have expired, were no more packets to come. */
  expiresMs(): number {
    const hard = this.hardTimeout > 0 ? this.modifiedMs + this.hardTimeout * 1000 : Infinity;
    const idle = this.idleTimeout > 0 ? this.usedMs + this.idleTimeout * 1000 : Infinity;
    return Math.min(hard, idle);
  }

  /** Some action of it, nested ones included, is the group. */
  usesGroup(group: number): boolean {
    const uses = (actions: readonly OfAction[]): boolean =>
      actions.some((a) => {
        if (a.type === 'group') return a.group === group;
        return (a.type === 'write_actions' || a.type === 'clone') && uses(a.actions);
      });
    return uses(this.actions);
  }

  /** Its packets pass the meter. */
  usesMeter(meter: number): boolean {
    return this.actions.some((a) => a.type === 'meter' && a.meter === meter);
  }

  /** Some action of it, nested ones included, outputs to `port`. */
  outputsTo(port: number): boolean {
    return actionsOutputTo(this.actions, port);
  }
}

/** Some action, nested ones included, outputs to `port`. */
export function actionsOutputTo(actions: readonly OfAction[], port: number): boolean {
  return actions.some((a) => {
    switch (a.type) {
      case 'output':
      case 'output_trunc':
      case 'enqueue':
        return a.port === port;
      case 'controller':
        return port === 0xfffffffd;
      case 'write_actions':
      case 'clone':
        return actionsOutputTo(a.actions, port);
      default:
        return false;
    }
  });
}
