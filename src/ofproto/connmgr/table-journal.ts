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

interface Step {
  what: 'insert' | 'remove';
  tableId: number;
  rule: Rule;
}

export class TableJournal {
  private readonly steps: Step[] = [];
  /** Entries that were about to be modified, as they were. */
  private readonly saved: [rule: Rule, state: RuleState][] = [];

  constructor(private readonly ofproto: Ofproto) {
    for (const table of ofproto.tables) {
      const { cls } = table;
      const { insert, remove, clear } = cls;
      // Shadowed for as long as the journal is open: whoever changes a table is noted.
      cls.insert = (rule) => {
        this.steps.push({ what: 'insert', tableId: table.id, rule });
        insert.call(cls, rule);
      };
      cls.remove = (rule) => {
        const done = remove.call(cls, rule);
        if (done) this.steps.push({ what: 'remove', tableId: table.id, rule });
        return done;
      };
      cls.clear = () => {
        for (const rule of cls.rules()) {
          this.steps.push({ what: 'remove', tableId: table.id, rule });
        }
        clear.call(cls);
      };
    }
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
    for (const { what, tableId, rule } of this.steps.reverse()) {
      const { cls } = this.ofproto.tables[tableId];
      if (what === 'insert') {
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
