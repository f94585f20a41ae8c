/**
 * Which rows of a long table stand in the document.
 *
 *     0 ┌────────────┐
 *       │  before    │  an empty row as high as all rows above
 *       ├────────────┤ ← scrollTop - overscan
 *       │ first..end │  the rows that are there
 *       ├────────────┤ ← scrollTop + viewport + overscan
 *       │  after     │
 *       └────────────┘  total * rowHeight, but at most HEIGHT_MAX
 *
 * Browsers refuse elements higher than some 16 million pixels. Beyond HEIGHT_MAX the place in the
 * scroll range is stretched over all rows.
 */

export const HEIGHT_MAX = 12_000_000;

export interface VirtualInput {
  scrollTop: number;
  /** Height of what is seen, pixels. */
  viewport: number;
  rowHeight: number;
  total: number;
  /** Rows more on both sides. */
  overscan?: number;
}

export interface VirtualWindow {
  first: number;
  /** One after the last. */
  end: number;
  /** Heights of the empty rows, pixels. */
  before: number;
  after: number;
}

/** Height of the whole table's body, pixels. */
export function bodyHeight(total: number, rowHeight: number): number {
  return Math.min(total * rowHeight, HEIGHT_MAX);
}

export function virtualWindow(input: VirtualInput): VirtualWindow {
  const { viewport, rowHeight, total, overscan = 8 } = input;
  const height = bodyHeight(total, rowHeight);
  const room = Math.max(0, height - viewport);
  const scrollTop = Math.min(Math.max(0, input.scrollTop), room);
  const visible = Math.ceil(viewport / rowHeight) + 1;
  const lastTop = Math.max(0, total - viewport / rowHeight);
  const top = room === 0 ? 0 : (scrollTop / room) * lastTop;
  const seen = Math.floor(top);
  const first = Math.max(0, seen - overscan);
  const end = Math.min(total, seen + visible + overscan);
  const rows = (end - first) * rowHeight;
  // The first visible row stands where the reader looks, whatever the scale.
  const before = Math.max(0, Math.min(scrollTop - (top - first) * rowHeight, height - rows));
  return { first, end, before, after: Math.max(0, height - rows - before) };
}

/** Where to scroll so that `row` is seen; the present place when it is already. */
export function scrollTopFor(row: number, input: VirtualInput): number {
  const { viewport, rowHeight, total } = input;
  const height = bodyHeight(total, rowHeight);
  const room = Math.max(0, height - viewport);
  const fit = viewport / rowHeight;
  const lastTop = Math.max(0, total - fit);
  if (room === 0 || lastTop === 0) return 0;
  const top = (input.scrollTop / room) * lastTop;
  if (row < top) return (row / lastTop) * room;
  if (row + 1 > top + fit) return (Math.min(row + 1 - fit, lastTop) / lastTop) * room;
  return input.scrollTop;
}

/** A page of rows around a window, on fixed borders so that small moves ask for nothing new. */
export function pageAround(window: VirtualWindow, step: number): { offset: number; limit: number } {
  const offset = Math.floor(window.first / step) * step;
  const end = Math.ceil(Math.max(window.end, window.first + 1) / step) * step;
  return { offset, limit: end - offset };
}
