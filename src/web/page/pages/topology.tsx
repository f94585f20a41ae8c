/**
 * What is connected to what: the picture, and the same as a table.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Topology, TopologyNode } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { DataTable } from '../parts/data-table.js';
import { Switcher } from '../parts/fields.js';
import { Sign, type Tone, Waiting } from '../parts/signs.js';
import { onTheme } from '../parts/theme.js';
import type { TopologyGraph } from '../parts/topology-graph.js';
import type { Column } from '../parts/virtual-table.js';
import { bitRate, plural } from '../pure/format.js';
import { href } from '../pure/routes.js';
import { topologyView } from '../pure/topology-view.js';

export function TopologyPage() {
  const topology = useTopic<Topology>('topology');
  const [view, setView] = useState(() => (isNarrow() ? 'table' : 'picture'));
  if (topology.data === null) return <Waiting error={topology.error} />;
  const shown = topologyView(topology.data);
  const { nodes, edges } = shown;
  return (
    <>
      <div class="bar">
        <Switcher
          label="How to show it"
          value={view}
          onChange={setView}
          choices={[
            ['picture', 'Picture'],
            ['table', 'Table'],
          ]}
        />
        <span class="soft">
          {plural(nodes.filter(({ kind }) => kind === 'bridge').length, 'bridge')},{' '}
          {plural(nodes.filter(({ kind }) => kind === 'port').length, 'port')},{' '}
          {plural(nodes.filter(({ kind }) => kind === 'namespace').length, 'namespace')}
        </span>
        <span class="grow" />
        <Legend />
      </div>
      <section class="panel fill" aria-label="Topology">
        {view === 'picture' ? <Picture topology={shown} /> : <Links nodes={nodes} edges={edges} />}
      </section>
    </>
  );
}

/** On a telephone the picture is too small to read; it is a tap away. */
const isNarrow = (): boolean => matchMedia('(max-width: 40rem)').matches;

function Legend() {
  return (
    <>
      <span class="sign accent plain">bridge, bond; active member thick</span>
      <span class="sign warn">down</span>
      <span class="sign bad">fault</span>
      <span class="sign plain">dashed: other end</span>
    </>
  );
}

/** The page that says more of a node. */
function open({ kind, label, bridge }: TopologyNode): void {
  if (kind === 'bridge') location.hash = href('flows', [label]);
  else if (kind === 'bond') location.hash = href('bonds', [bridge ?? '', label]);
  else if (kind === 'port') location.hash = href('ports', [label]);
  else if (kind === 'controller') location.hash = href('controllers');
}

function Picture({ topology }: { topology: Topology }) {
  const host = useRef<HTMLDivElement>(null);
  const graph = useRef<TopologyGraph | null>(null);
  const latest = useRef(topology);
  latest.current = topology;
  useEffect(() => {
    let closed = false;
    const undo: (() => void)[] = [];
    void import('../parts/topology-graph.js').then(({ TopologyGraph: Graph }) => {
      if (closed || host.current === null) return;
      const made = new Graph(host.current, open);
      made.update(latest.current);
      graph.current = made;
      const resized = new ResizeObserver(() => made.fit());
      resized.observe(host.current);
      undo.push(
        onTheme(() => made.recolor()),
        () => resized.disconnect(),
        () => made.close(),
      );
    });
    return () => {
      closed = true;
      for (const one of undo) one();
    };
  }, []);
  useEffect(() => graph.current?.update(topology), [topology]);
  const text = `${plural(topology.nodes.length, 'node')} and their links; the table has the same`;
  return <div class="topology" ref={host} role="img" aria-label={text} />;
}

const TONES: Record<TopologyNode['state'], Tone> = {
  up: 'ok',
  down: 'warn',
  error: 'bad',
  unknown: 'quiet',
};

interface Link {
  node: TopologyNode;
  to: string[];
  bps: number;
}

const COLUMNS: readonly Column<Link>[] = [
  {
    key: 'label',
    title: 'What',
    head: true,
    value: ({ node }) => node.label,
    cell: ({ node }) => node.label,
  },
  { key: 'kind', title: 'Kind', value: ({ node }) => node.kind, cell: ({ node }) => node.kind },
  {
    key: 'state',
    title: 'State',
    value: ({ node }) => node.state,
    cell: ({ node }) => <Sign tone={TONES[node.state]}>{node.state}</Sign>,
  },
  {
    key: 'to',
    title: 'Connected to',
    value: ({ to }) => to.join(', '),
    cell: ({ to }) => to.join(', '),
  },
  {
    key: 'bps',
    title: 'Both ways',
    number: true,
    value: ({ bps }) => bps,
    cell: ({ bps }) => (bps === 0 ? '' : bitRate(bps)),
  },
  { key: 'detail', title: 'More', cell: ({ node }) => node.detail ?? '' },
];

function Links({ nodes, edges }: Topology) {
  const labels = new Map(nodes.map(({ id, label }) => [id, label]));
  const rows = nodes.map((node): Link => {
    const own = edges.filter(({ from, to }) => from === node.id || to === node.id);
    const to = own.map((edge) => labels.get(edge.from === node.id ? edge.to : edge.from) ?? '');
    return { node, to, bps: own.reduce((sum, { bps = 0 }) => sum + bps, 0) };
  });
  return (
    <DataTable
      label="Topology"
      columns={COLUMNS}
      rows={rows}
      rowKey={({ node }) => node.id}
      onOpen={({ node }) => open(node)}
      minWidth="48rem"
    />
  );
}
