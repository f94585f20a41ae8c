/**
 * A sparkline: what came in, on a ground, and what went out, as a line; one scale for both.
 */
import { memo } from '../parts/memo.js';
import { sparkMax, sparkPath } from '../pure/spark.js';

export type Series = readonly (number | null)[];

const plain = (series: Series): number[] => series.map((value) => value ?? 0);

export const Spark = memo(function Spark({
  rx,
  tx,
  label,
  slots = 120,
  width = 120,
  height = 22,
  fill = false,
}: {
  rx: Series;
  tx?: Series;
  /** For those who do not see it. */
  label: string;
  /** Samples that the width stands for. */
  slots?: number;
  width?: number;
  height?: number;
  /** As wide as there is room; `width` is then but a scale. */
  fill?: boolean;
}) {
  const [into, out] = [plain(rx), plain(tx ?? [])];
  const box = { width, height, slots, max: sparkMax(into, out) };
  return (
    <svg
      class={fill ? 'spark fill' : 'spark'}
      {...(fill ? {} : { width })}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path class="rx-ground" d={sparkPath(into, box, true)} />
      {tx === undefined ? null : <path class="tx" d={sparkPath(out, box)} />}
      <path class="rx" d={sparkPath(into, box)} />
    </svg>
  );
});
