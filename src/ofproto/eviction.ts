/**
 * Which entry makes room in a full table (Flow_Table's overflow_policy "evict", OpenFlow 1.4).
 *
 * Entries with equal values in the table's `groups` fields are one group; the largest group loses
 * an entry: of least importance, and of these the one that would expire first. An entry without
 * timeout is never evicted. OpenFlow 1.4, section 5.5.
 *
 *     groups by size:  A (3 entries), B (2)        group A:  least important first, then soonest
 *
 * What a heap knows of an entry's time may be old: an entry that is used lives longer. It is looked
 * at again when the entry comes up. So an eviction costs the logarithm of the table's size.
 */
import type { SubField } from '../openflow/actions.js';
import { fieldGet, fieldPrereqsOk, mustField } from '../packet/fields.js';
import { bytesToBigint, subfieldOfValue } from '../packet/fields-subfield.js';
import { type HeapItem, MaxHeap } from './max-heap.js';
import type { Rule } from './rule.js';

/** Seconds take the lower part of a priority, importance the upper. */
const SECONDS_MAX = 2 ** 33;

interface Entry extends HeapItem {
  rule: Rule;
  group: Group;
}

interface Group extends HeapItem {
  key: string;
  size: number;
  entries: MaxHeap<Entry>;
}

/** The higher, the sooner it goes. */
function priorityOf(rule: Rule): number {
  const seconds = Math.min(Math.floor(rule.expiresMs() / 1000), SECONDS_MAX - 1);
  return -(rule.importance * SECONDS_MAX + seconds);
}

/** The entries of one table that may be evicted, in groups. */
export class EvictionIndex {
  private readonly groups = new Map<string, Group>();
  private readonly entries = new Map<Rule, Entry>();
  private readonly bySize = new MaxHeap<Group>();

  /** @param fields what makes entries one group */
  constructor(
    readonly fields: readonly SubField[],
    rules: Iterable<Rule>,
  ) {
    for (const rule of rules) this.add(rule);
  }

  /** An entry came, or its timeouts became shorter. */
  add(rule: Rule): void {
    if (rule.hidden || rule.expiresMs() === Infinity) return;
    const known = this.entries.get(rule);
    if (known !== undefined) {
      known.group.entries.change(known, priorityOf(rule));
      return;
    }
    const group = this.groupOf(rule);
    const entry = { rule, group, priority: priorityOf(rule), heapIndex: 0 };
    this.entries.set(rule, entry);
    group.entries.insert(entry);
    this.resize(group, group.size + 1);
  }

  /** An entry went. */
  remove(rule: Rule): void {
    const entry = this.entries.get(rule);
    if (entry === undefined) return;
    const { group } = entry;
    this.entries.delete(rule);
    group.entries.remove(entry);
    this.resize(group, group.size - 1);
  }

  private groupOf(rule: Rule): Group {
    const key = groupKey(this.fields, rule);
    const known = this.groups.get(key);
    if (known !== undefined) return known;
    const group = { key, size: 0, entries: new MaxHeap<Entry>(), priority: 0, heapIndex: 0 };
    this.groups.set(key, group);
    this.bySize.insert(group);
    return group;
  }

  private resize(group: Group, size: number): void {
    group.size = size;
    this.bySize.change(group, size);
    if (size > 0) return;
    this.bySize.remove(group);
    this.groups.delete(group.key);
  }

  /** The entry that goes next, or null when there is none that may. */
  victim(): Rule | null {
    const group = this.bySize.max();
    if (group === null) return null;
    for (;;) {
      const entry = group.entries.max();
      if (entry === null) return null;
      const priority = priorityOf(entry.rule);
      if (priority >= entry.priority) return entry.rule;
      // Used since: it lives longer than was known.
      group.entries.change(entry, priority);
    }
  }
}

/** What an entry has in common with the others of its group. */
function groupKey(fields: readonly SubField[], { match }: Rule): string {
  return fields
    .map(({ field: name, ofs, nBits }) => {
      const field = mustField(name);
      if (!fieldPrereqsOk(field, match.flow)) return '-';
      return bytesToBigint(subfieldOfValue(fieldGet(match.flow, field), ofs, nBits)).toString(16);
    })
    .join('/');
}
