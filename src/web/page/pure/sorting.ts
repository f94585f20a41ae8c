/**
 * Sorting and filtering of rows that are all in the page. Flows are sorted by the server instead.
 */

/** Names with numbers in them as people count: p2 before p10. */
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

export type Sortable = string | number | boolean | null | undefined;

/** What is not known goes last, whichever way is sorted. */
export function compare(a: Sortable, b: Sortable): number {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return Number(noA) - Number(noB);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return collator.compare(String(a), String(b));
}

export interface Sort {
  key: string;
  desc: boolean;
}

/** A sorted copy; equal rows keep their order. */
export function sorted<T>(
  rows: readonly T[],
  value: (row: T) => Sortable,
  { desc }: { desc: boolean },
): T[] {
  const known = (row: T): boolean => value(row) !== null && value(row) !== undefined;
  return [...rows].sort((a, b) => {
    const order = compare(value(a), value(b));
    return desc && known(a) && known(b) ? -order : order;
  });
}

/** The rows in which every word of the filter occurs; `-word` must not occur. */
export function filtered<T>(rows: readonly T[], text: (row: T) => string, filter: string): T[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...rows];
  return rows.filter((row) => {
    const all = text(row).toLowerCase();
    return words.every((word) =>
      word.startsWith('-') && word.length > 1 ? !all.includes(word.slice(1)) : all.includes(word),
    );
  });
}
