/**
 * The topology as the picture shows it: two ends of a wire that are both ports are joined, and
 * bridges' own ports that nobody uses are left out.
 *
 *     port vetha ── device vethb      port vetha
 *     port vethb ── device vetha  ->      │
 *                                     port vethb
 */
import type { Topology, TopologyEdge, TopologyNode } from '../../api/index.js';

export function topologyView({ nodes, edges }: Topology): Topology {
  const ports = new Map(
    nodes.filter(({ kind }) => kind === 'port').map((node) => [node.label, node.id]),
  );
  /** Ids that stand for another node, or, null, for none. */
  const stand = new Map<string, string | null>();
  for (const node of nodes) {
    const port = node.kind === 'device' ? ports.get(node.label) : undefined;
    if (port !== undefined) stand.set(node.id, port);
    if (isIdle(node)) stand.set(node.id, null);
  }
  return {
    nodes: nodes.filter(({ id }) => !stand.has(id)),
    edges: joined(withBonds(edges), (id) => (stand.has(id) ? (stand.get(id) ?? null) : id)),
  };
}

/** A bridge's internal port that is down: every bridge has one, and most are never used. */
function isIdle({ kind, type, state, label, bridge }: TopologyNode): boolean {
  return kind === 'port' && type === 'internal' && label === bridge && state !== 'up';
}

/** A bond carries what its members carry. */
function withBonds(edges: readonly TopologyEdge[]): TopologyEdge[] {
  const carried = (bond: string): number =>
    edges
      .filter(({ kind, from, to }) => kind === 'member' && (from === bond || to === bond))
      .reduce((sum, { bps = 0 }) => sum + bps, 0);
  return edges.map((edge) =>
    edge.kind === 'port' && edge.to.startsWith('bond:') ? { ...edge, bps: carried(edge.to) } : edge,
  );
}

/** Edges between what is left, each pair of ends once for each kind. */
function joined(
  edges: readonly TopologyEdge[],
  standFor: (id: string) => string | null,
): TopologyEdge[] {
  const kept = new Map<string, TopologyEdge>();
  for (const edge of edges) {
    const [from, to] = [standFor(edge.from), standFor(edge.to)];
    if (from === null || to === null || from === to) continue;
    const pair = `${[from, to].sort().join(' ')} ${edge.kind}`;
    const before = kept.get(pair);
    // Down at either end is down.
    const state = before?.state === 'down' ? 'down' : edge.state;
    kept.set(pair, { ...(before ?? { ...edge, from, to }), state });
  }
  return [...kept.values()];
}
