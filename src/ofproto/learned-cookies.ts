/**
 * Which learned entries go with the entries that learn them (learn's delete_learned).
 *
 *     (table, cookie) --> how many entries have a learn action that names them
 *
 * When the last one of these is gone, so are the table's entries with the cookie. That may take
 * further learn actions away: the rest follows in turn.
 */
import type { OfAction } from '../openflow/actions.js';
import type { FlowTable } from './flow-table.js';
import type { Rule } from './rule.js';

export class LearnedCookies {
  private readonly counts = new Map<string, number>();

  /** @param deleteRules takes entries out of their tables */
  constructor(
    private readonly tables: readonly FlowTable[],
    private readonly deleteRules: (rules: Rule[]) => void,
  ) {}

  /** An entry with these actions came. */
  add(actions: readonly OfAction[]): void {
    if (!mayLearn(actions)) return;
    for (const { table, cookie } of owned(actions)) {
      const key = `${table}/${cookie}`;
      this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    }
  }

  /** What came with these actions did not happen. */
  forget(actions: readonly OfAction[]): void {
    if (!mayLearn(actions)) return;
    for (const { table, cookie } of owned(actions)) {
      const key = `${table}/${cookie}`;
      const left = (this.counts.get(key) ?? 0) - 1;
      if (left > 0) this.counts.set(key, left);
      else this.counts.delete(key);
    }
  }

  /** An entry with these actions went. */
  remove(actions: readonly OfAction[]): void {
    if (!mayLearn(actions)) return;
    for (const { table, cookie } of owned(actions)) {
      const key = `${table}/${cookie}`;
      const left = (this.counts.get(key) ?? 0) - 1;
      if (left > 0) this.counts.set(key, left);
      else if (this.counts.delete(key)) this.deleteLearned(table, cookie);
    }
  }

  private deleteLearned(table: number, cookie: bigint): void {
    const rules = [...this.tables[table].cls.rules()];
    this.deleteRules(rules.filter((rule) => rule.cookie === cookie && !rule.hidden));
  }
}

/** False: nothing is learned by these actions. Most have none that may. */
export function mayLearn(actions: readonly OfAction[]): boolean {
  for (const { type } of actions) {
    if (type === 'learn' || type === 'clone' || type === 'write_actions') return true;
  }
  return false;
}

function* owned(actions: readonly OfAction[]): Generator<{ table: number; cookie: bigint }> {
  for (const action of actions) {
    if (action.type === 'learn' && action.learn.deleteLearned) yield action.learn;
    else if (action.type === 'clone' || action.type === 'write_actions')
      yield* owned(action.actions);
  }
}
