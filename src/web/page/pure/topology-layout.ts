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

const COLUMN_PX = 150;
const ROW_PX = 56;
/** Sweeps that order each column by its neighbours' places. */
const SWEEPS = 6;

type Neighbours = Map<string, string[]>;

/** @param ids in the order that breaks ties */
export function topologyLayout(
  ids: readonly string[],
  edges: readonly LayoutEdge[],
): Map<string, Point> {
  const neighbours: Neighbours = new Map(ids.map((id) => [id, []]));
  for (const { from, to } of edges) {
    if (!neighbours.has(from) || !neighbours.has(to)) continue;
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const places = new Map<string, Point>();
  let top = 0;
  for (const component of components(ids, neighbours)) {
    top += place(component, neighbours, top, places);
  }
  return places;
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

/** Places a component below `top`. @returns its height */
function place(
  component: readonly string[],
  neighbours: Neighbours,
  top: number,
  places: Map<string, Point>,
): number {
  const column = distances(farEnd(component, neighbours), neighbours);
  const columns: string[][] = [];
  for (const id of component) {
    const at = column.get(id) ?? 0;
    columns[at] ??= [];
    columns[at].push(id);
  }
  order(columns, neighbours);
  const rows = Math.max(...columns.map((ids) => ids.length));
  columns.forEach((ids, x) => {
    const gap = rows / ids.length;
    ids.forEach((id, i) => {
      places.set(id, { x: x * COLUMN_PX, y: top + (i + 0.5) * gap * ROW_PX });
    });
  });
  return (rows + 1) * ROW_PX;
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
