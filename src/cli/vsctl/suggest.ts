/**
 * Names that were probably meant: abbreviations of tables and columns, and typing errors.
 *
 * Not for: records; those are found by name or UUID (lookup.ts).
 */

/** Scores for a complete match, exact or but for case and `-` written for `_`. */
const EXACT = Number.POSITIVE_INFINITY;
const EXACT_BUT_CASE = Number.MAX_SAFE_INTEGER;

function fold(text: string): string {
  return text.toLowerCase().replaceAll('-', '_');
}

/** How well `typed` abbreviates `name`: 0 for not at all, more for longer. */
function score(name: string, typed: string): number {
  if (name === typed) return EXACT;
  if (fold(name) === fold(typed)) return EXACT_BUT_CASE;
  return fold(name).startsWith(fold(typed)) ? typed.length : 0;
}

/** The names that `typed` abbreviates best: one if it is clear, none, or several to choose from. */
export function bestMatches(names: Iterable<string>, typed: string): string[] {
  let best = 1;
  let matches: string[] = [];
  for (const name of names) {
    const points = score(name, typed);
    if (points < best) continue;
    if (points > best) matches = [];
    best = points;
    matches.push(name);
  }
  return matches.sort();
}

/** Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replace, rows[i - 1][j] + 1, row[j - 1] + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** Longest word that is worth comparing: no name is nearly as long. */
const TYPED_LENGTH_MAX = 64;

/** Fewer letters of a name say nothing. */
const BEGINNING_MIN = 4;

/** The longest name that `typed` begins with (`add-bridge`: add-br), or null. */
function beginning(names: Iterable<string>, typed: string): string | null {
  let best: string | null = null;
  for (const name of names) {
    if (name.length < BEGINNING_MIN || !fold(typed).startsWith(fold(name))) continue;
    if (best === null || name.length > best.length) best = name;
  }
  return best;
}

/**
 * The name that `typed` is at most a third of its letters away from; else one that it begins with;
 * or null.
 */
export function closest(choices: Iterable<string>, typed: string): string | null {
  const names = [...choices];
  if (typed.length > TYPED_LENGTH_MAX) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(fold(typed), fold(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best ?? beginning(names, typed);
}
