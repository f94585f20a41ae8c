/**
 * Topic `topology`: bridges, ports, bonds, patch links and the far ends of veth pairs as a graph.
 *
 *     namespace ── veth ── port ──┬── port ───── bridge ── controller
 *                                 └── member ── bond ── port ── bridge
 *     patch ports are edges between their bridges
 */
import type { IdlRow } from '../../ovsdb/idl/index.js';
import { type Bond, Topology, type TopologyEdge, type TopologyNode } from '../api/index.js';
import type { FarEnd, FarEnds } from '../subject/far-ends.js';
import type { Subject } from '../subject/subject.js';
import type { BondWatch } from './bonds.js';
import { mapOf, optional, type PortRow, portRows } from './port-rows.js';
import { PortSampler, type PortSamples } from './port-sampler.js';
import type { Resource } from './resource.js';

export function topologyResource(
  subject: Subject,
  ports: PortSampler,
  bonds: BondWatch,
  far: FarEnds,
): Resource {
  return {
    topic: 'topology',
    path: '/topology',
    summary: 'Bridges, ports, bonds, patch links, namespaces and controllers as a graph',
    answer: Topology,
    intervalMs: 1000,
    tables: ['Bridge', 'Port', 'Interface', 'Controller'],
    async read() {
      subject.mustHaveDatabase();
      const [samples, known, ends] = await Promise.all([
        ports.samples.get(),
        bonds.get().catch(() => [] as Bond[]),
        far.get(),
      ]);
      return new Graph(samples, known, ends).of(subject);
    },
  };
}

class Graph {
  private readonly nodes = new Map<string, TopologyNode>();
  private readonly edges = new Map<string, TopologyEdge>();
  private readonly ports = new Set<string>();

  constructor(
    private readonly samples: PortSamples,
    private readonly bonds: readonly Bond[],
    private readonly ends: ReadonlyMap<string, FarEnd>,
  ) {}

  of(subject: Subject): Topology {
    for (const bridge of subject.rows('Bridge')) this.bridge(bridge);
    const rows = portRows(subject);
    for (const { name } of rows) this.ports.add(name);
    const bridgeOfPort = new Map(rows.map((row) => [row.name, row.bridgeName]));
    for (const row of rows) this.port(row, bridgeOfPort);
    return { nodes: [...this.nodes.values()], edges: [...this.edges.values()] };
  }

  private node(node: TopologyNode): void {
    if (!this.nodes.has(node.id)) this.nodes.set(node.id, node);
  }

  private edge(edge: Omit<TopologyEdge, 'id'>): void {
    const id = `${edge.kind}:${edge.from}>${edge.to}`;
    this.edges.set(id, { id, ...edge });
  }

  private bridge(row: IdlRow): void {
    const name = row.get<string>('name');
    const id = `bridge:${name}`;
    this.node({ id, kind: 'bridge', label: name, state: 'up' });
    for (const controller of row.get<IdlRow[]>('controller')) {
      const target = controller.get<string>('target');
      const state = controller.get<boolean>('is_connected') ? 'up' : 'down';
      this.node({ id: `controller:${target}`, kind: 'controller', label: target, state });
      this.edge({ from: id, to: `controller:${target}`, kind: 'controller', state });
    }
  }

  private port(row: PortRow, bridgeOfPort: ReadonlyMap<string, string>): void {
    const { bridgeName, name, iface } = row;
    const type = iface.get<string>('type');
    const peer = mapOf(iface, 'options').peer;
    const peerBridge = peer === undefined ? undefined : bridgeOfPort.get(peer);
    if (type === 'patch' && peerBridge !== undefined) {
      // Both ends name the edge: it is one, whichever comes first.
      const [from, to] = [`bridge:${bridgeName}`, `bridge:${peerBridge}`].sort();
      this.edge({ from, to, kind: 'patch', state: 'up' });
      return;
    }
    const state = stateOf(row);
    const id = `port:${name}`;
    const bps = this.bps(row);
    const bond = row.isBond ? this.bond(row) : null;
    const member = bond?.members.find((each) => each.name === name);
    const active = bond?.mode === 'active-backup' ? member?.active : member?.enabled;
    const tag = row.port.get<number | null>('tag');
    const detail = optional<string>(iface, 'error') ?? (tag === null ? undefined : `VLAN ${tag}`);
    this.node({
      ...{ id, kind: 'port', label: name, bridge: bridgeName, type: type || 'system', state },
      ...(active === undefined ? {} : { active }),
      ...(detail === undefined ? {} : { detail }),
    });
    const link = state === 'error' ? 'down' : state;
    const from = row.isBond ? `bond:${row.portName}` : `bridge:${bridgeName}`;
    this.edge({ from, to: id, kind: row.isBond ? 'member' : 'port', state: link, bps });
    this.farEnd(row, id, link, bps);
  }

  private bond(row: PortRow): Bond | undefined {
    const id = `bond:${row.portName}`;
    const bond = this.bonds.find(({ name }) => name === row.portName);
    const up = bond?.members.some(({ enabled }) => enabled);
    const state = up === undefined ? 'unknown' : up ? 'up' : 'down';
    const detail = bond ? { detail: bond.mode } : {};
    const { bridgeName: bridge } = row;
    this.node({ id, kind: 'bond', label: row.portName, bridge, state, ...detail });
    this.edge({ from: `bridge:${bridge}`, to: id, kind: 'port', state });
    return bond;
  }

  private farEnd(row: PortRow, id: string, state: TopologyEdge['state'], bps: number): void {
    const end = this.ends.get(row.name);
    if (!end) return;
    const { namespace, device } = end;
    if (namespace === null && this.ports.has(device)) {
      // Both ends are ports of the switch: one edge, whichever comes first.
      const [from, to] = [id, `port:${device}`].sort();
      this.edge({ from, to, kind: 'veth', state, bps });
      return;
    }
    const to = namespace === null ? `device:${device}` : `namespace:${namespace}`;
    const kind = namespace === null ? 'device' : 'namespace';
    this.node({ id: to, kind, label: namespace ?? device, state: 'unknown', detail: device });
    this.edge({ from: id, to, kind: 'veth', state, bps });
  }

  private bps(row: PortRow): number {
    const rates = this.samples.get(PortSampler.key(row))?.rates;
    return rates ? Math.round(rates.rxBps + rates.txBps) : 0;
  }
}

function stateOf({ iface }: PortRow): TopologyNode['state'] {
  if (optional<string>(iface, 'error')) return 'error';
  const link = iface.get<string | null>('link_state');
  if (iface.get<string | null>('admin_state') === 'down') return 'down';
  return link === 'up' || link === 'down' ? link : 'unknown';
}
