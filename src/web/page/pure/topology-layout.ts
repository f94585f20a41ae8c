/**
 * Where the nodes of the topology stand: in columns by their distance from one end of the network,
 * so that a path reads from left to right and a refresh moves nothing.
 *
 *     namespace ── port ── bridge ── bond ─┬─ member ══ member ─┬─ bond ── bridge ── port ── ...
 *                                          └─ member ══ member ─┘
 *     column 0       1       2        3         4          5         6       7        8
 */

export interface LayoutEdge {
  from: string;
  to: string;
}

export interface Point {
  x: number;
  y: number;
}

/** Between the sides of nodes. */
const GAP_PX = 26;
const ROW_PX = 56;
const ROW_PX_MAX = 130;
/** Width by height of the place where it is shown, about. */
const SHAPE = 1.6;
/** Sweeps that order each column by its neighbours' places. */
const SWEEPS = 6;

type Neighbours = Map<string, string[]>;

/**
 * @param ids in the order that breaks ties
 * @param widthOf a node's width, pixels
 */
export function topologyLayout(
  ids: readonly string[],
  edges: readonly LayoutEdge[],
  widthOf: (id: string) => number,
): Map<string, Point> {
  const neighbours: Neighbours = new Map(ids.map((id) => [id, []]));
  for (const { from, to } of edges) {
    if (!neighbours.has(from) || !neighbours.has(to)) continue;
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const parts = components(ids, neighbours).map((part) => inColumns(part, neighbours));
  const rows = parts.reduce((sum, columns) => sum + rowsOf(columns) + 0.5, 0);
  const width = Math.max(0, ...parts.map((columns) => columnEnds(columns, widthOf).at(-1) ?? 0));
  // Long and low networks are pulled apart, so that the picture fills its place.
  const rowPx = Math.min(ROW_PX_MAX, Math.max(ROW_PX, width / SHAPE / Math.max(1, rows)));
  const places = new Map<string, Point>();
  let top = 0;
  for (const columns of parts) {
    place(columns, columnEnds(columns, widthOf), { top, rowPx }, places);
    top += (rowsOf(columns) + 0.5) * rowPx;
  }
  return places;
}

const rowsOf = (columns: readonly string[][]): number =>
  Math.max(...columns.map((ids) => ids.length));

/** Where each column ends: as wide as its widest node, and a gap. */
function columnEnds(columns: readonly string[][], widthOf: (id: string) => number): number[] {
  let end = 0;
  return columns.map((ids) => {
    end += Math.max(...ids.map(widthOf)) + GAP_PX;
    return end;
  });
}

/** Connected parts, the largest first. */
function components(ids: readonly string[], neighbours: Neighbours): string[][] {
  const seen = new Set<string>();
  const found: string[][] = [];
  for (const id of ids) {
    if (seen.has(id)) continue;
    const part = [...distances(id, neighbours).keys()];
    for (const member of part) seen.add(member);
    found.push(ids.filter((other) => part.includes(other)));
  }
  return found.sort((a, b) => b.length - a.length);
}

function distances(start: string, neighbours: Neighbours): Map<string, number> {
  const found = new Map([[start, 0]]);
  const queue = [start];
  for (const id of queue) {
    for (const next of neighbours.get(id) ?? []) {
      if (found.has(next)) continue;
      found.set(next, (found.get(id) ?? 0) + 1);
      queue.push(next);
    }
  }
  return found;
}

/** Of a component, the end that is furthest from everything. */
function farEnd(component: readonly string[], neighbours: Neighbours): string {
  const furthest = (from: string): string => {
    const found = distances(from, neighbours);
    return component.reduce((best, id) =>
      (found.get(id) ?? 0) > (found.get(best) ?? 0) ? id : best,
    );
  };
  const one = furthest(component[0]);
  const other = furthest(one);
  return component.indexOf(one) < component.indexOf(other) ? one : other;
}

/** A component's nodes by their distance from its far end. */
function inColumns(component: readonly string[], neighbours: Neighbours): string[][] {
  const column = distances(farEnd(component, neighbours), neighbours);
  const columns: string[][] = [];
  for (const id of component) {
    const at = column.get(id) ?? 0;
    columns[at] ??= [];
    columns[at].push(id);
  }
  order(columns, neighbours);
  return columns;
}

function place(
  columns: readonly string[][],
  ends: readonly number[],
  { top, rowPx }: { top: number; rowPx: number },
  places: Map<string, Point>,
): void {
  const rows = rowsOf(columns);
  columns.forEach((ids, i) => {
    const x = ((ends[i - 1] ?? 0) + ends[i]) / 2;
    const gap = rows / ids.length;
    ids.forEach((id, n) => {
      places.set(id, { x, y: top + (n + 0.5) * gap * rowPx });
    });
  });
}

/** Orders each column by where its neighbours stand, so that lines cross seldom. */
function order(columns: string[][], neighbours: Neighbours): void {
  const at = new Map<string, number>();
  const note = (ids: readonly string[]): void => {
    for (const [i, id] of ids.entries()) at.set(id, (i + 0.5) / ids.length);
  };
  for (const ids of columns) note(ids);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const inOrder = sweep % 2 === 0 ? columns : [...columns].reverse();
    for (const ids of inOrder) {
      const mean = new Map(ids.map((id) => [id, middle(neighbours.get(id) ?? [], at, id)]));
      ids.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0));
      note(ids);
    }
  }
}

function middle(near: readonly string[], at: Map<string, number>, id: string): number {
  if (near.length === 0) return at.get(id) ?? 0;
  return near.reduce((sum, other) => sum + (at.get(other) ?? 0), 0) / near.length;
}
