/**
 * Changes of a bridge's tables that nobody sees until all of them are made, over many turns.
 *
 *     inside(): add, modify, delete   ->  new entries are COMING, those to go are GOING
 *     publish()                       ->  one assignment: the new ones are seen, the old ones not
 *     settle(), or undo()             ->  what is not seen any more, or never was, is taken out
 *
 * While a draft is open nobody else changes the tables: requests wait (connmgr/waiting.ts), entries
 * do not expire, and what packets teach is learned afterwards. Whatever cannot wait, as a change of
 * the configuration, has the draft carried out at once: Ofproto.finishDraft.
 *
 * Not for: what the messages of a bundle are (connmgr/bundle-commit.ts).
 */
import type { FlowTable, TableChanges } from './flow-table.js';
import type { Ofproto } from './ofproto.js';
import type { RemovedReason, Rule } from './rule.js';
import { COMING, GOING } from './table-view.js';
import { type Learning, learnAgain } from './xlate/learn.js';

/** Entries that are taken out between two looks whether others should have their turn. */
const RULES_PER_STEP = 16;
/** What packets teach meanwhile is kept up to this; flows that go on teach it again. */
const LEARNINGS_MAX = 10_000;

export class TableDraft implements TableChanges {
  /** Resolves when the tables are free again. */
  readonly done: Promise<void>;
  /** Groups are changed as well: who asks for them waits. */
  groupsChange = false;
  private readonly coming: Rule[] = [];
  private readonly going: Rule[] = [];
  /** Why each of these goes; null: another takes its place. */
  private readonly reasons: (RemovedReason | null)[] = [];
  /** Entries that came and went, of which controllers are told. */
  private readonly passing: [rule: Rule, why: RemovedReason][] = [];
  private readonly vacancyEvents: number[];
  private readonly learnings: Learning[] = [];
  private published = false;
  /** Something of the bundle runs. */
  running = false;
  private resolveDone!: () => void;

  /** @param finish carries out at once what is left */
  constructor(
    private readonly ofproto: Ofproto,
    readonly finish: () => void,
  ) {
    this.done = new Promise((resolve) => {
      this.resolveDone = resolve;
    });
    this.vacancyEvents = ofproto.tables.map((table) => table.vacancyEvent);
    ofproto.draft = this;
    ofproto.timeouts.paused = true;
  }

  /** Runs what belongs to the bundle: it sees, and changes, the tables as they will be. */
  inside<T>(run: () => T): T {
    const { tables, view } = this.ofproto;
    view.shows = COMING;
    for (const table of tables) table.draft = this;
    this.running = true;
    try {
      return run();
    } finally {
      this.running = false;
      for (const table of tables) table.draft = null;
      if (!this.published) view.shows = GOING;
      // Only now: what is learned is no part of the bundle.
      if (this.ofproto.draft !== this) this.learn();
    }
  }

  /** An entry was put into a table. */
  came(table: FlowTable, rule: Rule): void {
    table.cls.mark(rule, COMING);
    this.coming.push(rule);
  }

  /** An entry is to go. */
  goes(table: FlowTable, rule: Rule, why: RemovedReason | null): void {
    if (table.cls.markOf(rule) === COMING) {
      // Nobody has seen it.
      if (why !== null && rule.flags.sendFlowRem) this.passing.push([rule, why]);
      table.drop(rule);
      return;
    }
    table.cls.mark(rule, GOING);
    this.going.push(rule);
    this.reasons.push(why);
  }

  /** An entry is to go, and another one, which is not in the table yet, takes its place. */
  gives(table: FlowTable, old: Rule, rule: Rule): void {
    if (table.cls.markOf(old) !== COMING) old.heir = rule;
    else {
      const before = this.asBefore(() => table.cls.find(rule.match, rule.priority));
      if (before?.heir === old) before.heir = rule;
    }
    this.goes(table, old, null);
  }

  /** What packets meet now. */
  private asBefore<T>(look: () => T): T {
    const { view } = this.ofproto;
    view.shows = GOING;
    try {
      return look();
    } finally {
      view.shows = COMING;
    }
  }

  /** The entry to change in place of `rule`: packets meet that one still. */
  changeable(rule: Rule): Rule {
    const table = this.ofproto.tables[rule.tableId];
    if (table.cls.markOf(rule) === COMING) return rule;
    const copy = rule.copy();
    copy.onTimes = rule.onTimes;
    table.replace(rule, copy);
    this.ofproto.ruleTimes(copy);
    return copy;
  }

  /** What packets teach has to wait. */
  learnLater(learning: Learning): void {
    if (this.learnings.length < LEARNINGS_MAX) this.learnings.push(learning);
  }

  /** From now on packets, and all others, meet the tables as they were made inside. */
  publish(): void {
    this.ofproto.backer.pushStats();
    this.published = true;
    this.ofproto.view.shows = COMING;
    this.ofproto.groups.publish();
    this.ofproto.backer.tablesChanged();
  }

  /** Takes out what is seen no more, and tells of it. The tables are free when it is over. */
  *settle(): Generator<void> {
    const { tables, connmgr } = this.ofproto;
    for (const [i, rule] of this.going.entries()) {
      const why = this.reasons[i];
      if (why !== null && rule.flags.sendFlowRem) connmgr.sendFlowRemoved(rule, why);
      tables[rule.tableId].drop(rule);
      if (i % RULES_PER_STEP === RULES_PER_STEP - 1) yield;
    }
    for (const [i, [rule, why]] of this.passing.entries()) {
      connmgr.sendFlowRemoved(rule, why);
      if (i % RULES_PER_STEP === RULES_PER_STEP - 1) yield;
    }
    this.end();
  }

  /** Makes it as if nothing had been done. The tables are free when it is over. */
  *undo(): Generator<void> {
    const { tables, learnedCookies } = this.ofproto;
    for (const [i, rule] of this.coming.entries()) {
      if (!rule.removed) {
        learnedCookies.forget(rule.actions);
        tables[rule.tableId].drop(rule);
      }
      if (i % RULES_PER_STEP === RULES_PER_STEP - 1) yield;
    }
    for (const [i, rule] of this.going.entries()) {
      rule.heir = null;
      learnedCookies.add(rule.actions);
      if (i % RULES_PER_STEP === RULES_PER_STEP - 1) yield;
    }
    for (const table of tables) {
      table.vacancyEvent = this.vacancyEvents[table.id];
      table.forgetEviction();
    }
    this.end();
  }

  /** Whatever is marked is like all others now; others may change the tables. */
  end(): void {
    const { ofproto } = this;
    for (const table of ofproto.tables) table.cls.dropMarks();
    ofproto.view.shows = GOING;
    this.published = false;
    this.giveUp();
  }

  private learn(): void {
    for (const learning of this.learnings.splice(0)) learnAgain(learning);
  }

  /** The tables are nobody's any more, whatever is in them: their bridge is closed. */
  giveUp(): void {
    const { ofproto } = this;
    ofproto.draft = null;
    ofproto.groups.forget();
    ofproto.timeouts.paused = false;
    ofproto.backer.wake();
    this.resolveDone();
  }
}
