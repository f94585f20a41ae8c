/**
 * Which entry makes room in a full table (Flow_Table's overflow_policy "evict").
 *
 * Entries with equal values in the table's `groups` fields are one group; the largest group loses
 * an entry: of least importance, and of these the one that would expire first. An entry without
 * timeout is never evicted. OpenFlow 1.4, section 5.5.
 */
import { fieldGet, fieldPrereqsOk, mustField } from '../packet/fields.js';
import { bytesToBigint, subfieldOfValue } from '../packet/fields-subfield.js';
import type { FlowTable } from './flow-table.js';
import type { Rule } from './rule.js';

/** The entry that goes next, or null when there is none that may. */
export function chooseVictim(table: FlowTable): Rule | null {
  const groups = new Map<string, Rule[]>();
  for (const rule of table.cls.rules()) {
    if (rule.hidden || rule.expiresMs() === Infinity) continue;
    const key = groupOf(table, rule);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [rule]);
    else group.push(rule);
  }
  let largest: Rule[] = [];
  for (const group of groups.values()) if (group.length > largest.length) largest = group;
  let victim: Rule | null = null;
  for (const rule of largest) if (victim === null || goesBefore(rule, victim)) victim = rule;
  return victim;
}

function goesBefore(a: Rule, b: Rule): boolean {
  if (a.importance !== b.importance) return a.importance < b.importance;
  return a.expiresMs() < b.expiresMs();
}

function groupOf(table: FlowTable, { match }: Rule): string {
  return table.groups
    .map(({ field: name, ofs, nBits }) => {
      const field = mustField(name);
      if (!fieldPrereqsOk(field, match.flow)) return '-';
      return bytesToBigint(subfieldOfValue(fieldGet(match.flow, field), ofs, nBits)).toString(16);
    })
    .join('/');
}
