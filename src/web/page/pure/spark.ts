/**
 * The line of a sparkline, as an SVG path.
 *
 *     values, oldest first -> 'M0,20 L1,18 ...' in a box of width x height, zero at the bottom
 */

export interface SparkBox {
  width: number;
  height: number;
  /** Values that the width stands for; fewer are drawn at the right. */
  slots: number;
  /** Value at the top; 0: the largest of the values. */
  max?: number;
}

export function sparkMax(...series: readonly (readonly number[])[]): number {
  let max = 0;
  for (const values of series) for (const value of values) if (value > max) max = value;
  return max;
}

export function sparkPath(values: readonly number[], box: SparkBox, closed = false): string {
  const shown = values.slice(-box.slots);
  if (shown.length === 0) return '';
  const max = box.max || sparkMax(shown) || 1;
  const step = box.width / Math.max(1, box.slots - 1);
  const from = box.slots - shown.length;
  const round = (n: number): number => Math.round(n * 10) / 10;
  const points = shown.map((value, i) => {
    const share = Math.min(1, Math.max(0, value / max));
    return `${round((from + i) * step)},${round(box.height - 1 - share * (box.height - 2))}`;
  });
  const line = `M${points.join('L')}`;
  if (!closed) return line;
  return `${line}L${round(box.width)},${box.height}L${round(from * step)},${box.height}Z`;
}
