/**
 * What a run of changes did to a bridge's flow tables, so that it can be undone exactly.
 *
 *     begin -> every insert and remove of every table is noted, in order
 *     undo  -> the same backwards; entries whose actions changed get their old ones again
 *
 * Not for: groups and ports (bundles.ts undoes those by the opposite message).
 */
import type { Ofproto } from '../ofproto.js';
import type { Rule, RuleState } from '../rule.js';

export class TableJournal {
  /** What was inserted or removed, in order; of a million, every byte counts. */
  private readonly rules: Rule[] = [];
  /** Table of each, and whether it was removed: 2 * table + 1, else 2 * table. */
  private readonly what: number[] = [];
  /** Entries that were about to be modified, as they were. */
  private readonly saved: [rule: Rule, state: RuleState][] = [];

  constructor(private readonly ofproto: Ofproto) {
    for (const table of ofproto.tables) {
      const { cls } = table;
      const { insert, remove, clear } = cls;
      // Shadowed for as long as the journal is open: whoever changes a table is noted.
      cls.insert = (rule) => {
        this.note(rule, 2 * table.id);
        insert.call(cls, rule);
      };
      cls.remove = (rule) => {
        const done = remove.call(cls, rule);
        if (done) this.note(rule, 2 * table.id + 1);
        return done;
      };
      cls.clear = () => {
        for (const rule of cls.rules()) this.note(rule, 2 * table.id + 1);
        clear.call(cls);
      };
    }
  }

  private note(rule: Rule, what: number): void {
    this.rules.push(rule);
    this.what.push(what);
  }

  /** Keeps the state of entries that the next change may modify in place. */
  keep(rules: Iterable<Rule>): void {
    for (const rule of rules) this.saved.push([rule, rule.state()]);
  }

  /** Stops noting. */
  close(): void {
    for (const { cls } of this.ofproto.tables) {
      Reflect.deleteProperty(cls, 'insert');
      Reflect.deleteProperty(cls, 'remove');
      Reflect.deleteProperty(cls, 'clear');
    }
  }

  /** Puts everything back as it was at the beginning. The journal must be closed. */
  undo(): void {
    for (let i = this.rules.length - 1; i >= 0; i--) {
      const rule = this.rules[i];
      const { cls } = this.ofproto.tables[this.what[i] >> 1];
      if ((this.what[i] & 1) === 0) {
        cls.remove(rule);
        this.ofproto.timeouts.drop(rule);
      } else {
        rule.removed = false;
        cls.insert(rule);
        this.ofproto.ruleTimes(rule);
      }
    }
    // The first copy of each is the oldest: it is written last.
    for (const [rule, state] of this.saved.reverse()) Object.assign(rule, state);
    for (const table of this.ofproto.tables) table.forgetEviction();
    this.ofproto.tablesChanged();
  }
}
