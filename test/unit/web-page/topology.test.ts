/** The topology's picture: wires joined, columns by distance. */
import { describe, expect, it } from 'vitest';
import type { Topology, TopologyEdge, TopologyNode } from '../../../src/web/api/index.js';
import { topologyLayout } from '../../../src/web/page/pure/topology-layout.js';
import { topologyView } from '../../../src/web/page/pure/topology-view.js';

const node = (id: string, more: Partial<TopologyNode> = {}): TopologyNode => {
  const [kind, label] = id.split(':') as [TopologyNode['kind'], string];
  return { id, kind, label, state: 'up', ...more };
};
const edge = (from: string, to: string, kind: TopologyEdge['kind'] = 'port'): TopologyEdge => ({
  id: `${from} ${to}`,
  from,
  to,
  kind,
  state: 'up',
});

const WIRE: Topology = {
  nodes: [
    ...[node('namespace:west'), node('port:vethn'), node('bridge:br1'), node('port:vetha')],
    ...[node('device:vethb'), node('bridge:br2'), node('port:vethb'), node('device:vetha')],
    node('port:br1', { type: 'internal', bridge: 'br1', state: 'down' }),
  ],
  edges: [
    edge('port:vethn', 'namespace:west', 'veth'),
    edge('bridge:br1', 'port:vethn'),
    edge('bridge:br1', 'port:vetha'),
    edge('bridge:br1', 'port:br1'),
    edge('port:vetha', 'device:vethb', 'veth'),
    edge('bridge:br2', 'port:vethb'),
    { ...edge('port:vethb', 'device:vetha', 'veth'), state: 'down' },
  ],
};

describe('the view', () => {
  it('joins two ends of a wire that are both ports, and leaves idle internal ports out', () => {
    const { nodes, edges } = topologyView(WIRE);
    expect(nodes.map(({ id }) => id)).toEqual([
      ...['namespace:west', 'port:vethn', 'bridge:br1', 'port:vetha', 'bridge:br2', 'port:vethb'],
    ]);
    const wires = edges.filter(({ kind, to }) => kind === 'veth' && to !== 'namespace:west');
    expect(wires).toMatchObject([{ from: 'port:vetha', to: 'port:vethb', state: 'down' }]);
  });
});

describe('the layout', () => {
  const { nodes, edges } = topologyView(WIRE);
  const ids = nodes.map(({ id }) => id);

  it('reads from one end of the network to the other', () => {
    const places = topologyLayout(ids, edges, () => 60);
    const inOrder = [...ids].sort((a, b) => (places.get(a)?.x ?? 0) - (places.get(b)?.x ?? 0));
    expect(inOrder).toEqual([
      ...['namespace:west', 'port:vethn', 'bridge:br1', 'port:vetha', 'port:vethb', 'bridge:br2'],
    ]);
  });

  it('puts no two nodes in one place, and is the same each time', () => {
    const star = Array.from({ length: 40 }, (_, i) => `port:p${i}`);
    const all = ['bridge:b', ...star, 'port:alone', 'port:lonely'];
    const rays = star.map((to) => ({ from: 'bridge:b', to }));
    const places = topologyLayout(all, rays, () => 60);
    const taken = [...places.values()].map(({ x, y }) => `${x} ${y}`);
    expect(new Set(taken).size).toBe(all.length);
    expect(topologyLayout(all, rays, () => 60)).toEqual(places);
  });
});
