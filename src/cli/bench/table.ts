/**
 * Medians of the rounds, and the table that is printed: a row a switch, and how it compares with
 * the first row.
 */

export interface Column {
  title: string;
  /** Digits behind the point. */
  digits: number;
  /** Whether more is better: decides how the ratio is formed. */
  higherIsBetter: boolean;
}

export interface Row {
  title: string;
  /** One list of rounds for each column. */
  values: number[][];
}

/** The middle value; the mean of the two middle ones for an even count. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many times better `ours` is than `theirs`. */
export function ratio(ours: number, theirs: number, higherIsBetter: boolean): number {
  return higherIsBetter ? ours / theirs : theirs / ours;
}

/** A Markdown table; `reference` is the row that the ratios speak of, when it was measured. */
export function formatTable(columns: readonly Column[], rows: readonly Row[]): string {
  const [reference, ...others] = rows;
  const head = ['', ...columns.flatMap(({ title }) => [title, 'ratio'])];
  const body = [reference, ...others].map((row) => [
    row.title,
    ...columns.flatMap((column, at) => {
      const value = median(row.values[at]);
      const ours = median(reference.values[at]);
      return [number(value, column.digits), row === reference ? '' : times(ours, value, column)];
    }),
  ]);
  return alignColumns([head, ...body]);
}

function number(value: number, digits: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits);
}

function times(ours: number, theirs: number, { higherIsBetter }: Column): string {
  const value = ratio(ours, theirs, higherIsBetter);
  return Number.isFinite(value) ? `${value.toFixed(2)}x` : '-';
}

function alignColumns([head, ...body]: string[][]): string {
  const widths = head.map((_cell, at) =>
    Math.max(3, ...[head, ...body].map((row) => row[at].length)),
  );
  const line = (row: string[]) => {
    const cells = row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]),
    );
    return `| ${cells.join(' | ')} |`;
  };
  const dashes = widths.map((width, at) =>
    at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`,
  );
  return `${[line(head), `|${dashes.join('|')}|`, ...body.map(line)].join('\n')}\n`;
}
