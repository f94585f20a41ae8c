/**
 * The filter of a long list: words that must all be there, and comparisons of columns.
 *
 *     tcp 10.0.0.1 table=0 packets>1000 -drop
 *
 * A word is sought in the row's text without regard to case; '-' or '!' turns it around.
 */

/** Whether a text passes. */
export type Matches = (text: string) => boolean;

const WORDS_MAX = 16;

export interface Comparison {
  column: string;
  test(value: number): boolean;
}

export interface Filter {
  matches: Matches;
  comparisons: Comparison[];
}

const TESTS: Readonly<Record<string, (value: number, than: number) => boolean>> = {
  '=': (value, than) => value === than,
  '>': (value, than) => value > than,
  '<': (value, than) => value < than,
  '>=': (value, than) => value >= than,
  '<=': (value, than) => value <= than,
};

/** @param columns that can be compared; other words are sought as they stand */
export function parseFilter(text: string | undefined, columns: ReadonlySet<string>): Filter {
  const words = (text ?? '').trim().split(/\s+/).filter(Boolean).slice(0, WORDS_MAX);
  const comparisons: Comparison[] = [];
  const sought = words.filter((word) => {
    const [, column, operator, than] = /^(\w+)(>=|<=|=|>|<)(\d+(?:\.\d+)?)$/.exec(word) ?? [];
    const compares = TESTS[operator];
    if (column === undefined || compares === undefined || !columns.has(column)) return true;
    comparisons.push({ column, test: (value) => compares(value, Number(than)) });
    return false;
  });
  return { matches: allWords(sought), comparisons };
}

/** Words alone. */
export function matcher(text: string | undefined): Matches {
  return parseFilter(text, new Set()).matches;
}

function allWords(words: readonly string[]): Matches {
  const turned = /^[-!]/;
  const wanted = words.filter((word) => !turned.test(word)).map((word) => word.toLowerCase());
  const unwanted = words
    .filter((word) => turned.test(word) && word.length > 1)
    .map((word) => word.slice(1).toLowerCase());
  if (wanted.length === 0 && unwanted.length === 0) return () => true;
  return (text) => {
    const lower = text.toLowerCase();
    return (
      wanted.every((word) => lower.includes(word)) && !unwanted.some((word) => lower.includes(word))
    );
  };
}
