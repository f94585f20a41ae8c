/**
 * The topology as a picture, drawn by Cytoscape on a canvas. Loaded only where it is shown.
 *
 * Cytoscape wants to put a style element into the head, which the content security policy forbids;
 * it does not when an element with the id that it looks for is there already (`claimStyle`). The
 * rule that it would hold stands in pages.css.
 */
import cytoscape, { type Core, type ElementDefinition, type StylesheetJson } from 'cytoscape';
import type { Topology, TopologyEdge, TopologyNode } from '../../api/index.js';
import { bitRate } from '../pure/format.js';
import { topologyLayout } from '../pure/topology-layout.js';

const STYLE_ID = '__________cytoscape_stylesheet';
const PADDING_PX = 28;
const ZOOM_MAX = 1.6;
/** Bits per second of a line of one pixel, and of the thickest. */
const BPS_THIN = 1e3;
const WIDTH_MAX = 6;
/** Below, no number stands at a port. */
const BPS_LABEL = 1e4;
const WIDTH_NODE_MAX = 150;
/** Room for a rate. */
const WIDTH_RATE = 80;
/** Of a character in a node's name. */
const CHAR_PX = 7.2;

function claimStyle(): void {
  if (document.getElementById(STYLE_ID) !== null) return;
  const claim = document.createElement('meta');
  claim.id = STYLE_ID;
  document.head.append(claim);
}

/** A token's colour as the canvas needs it. */
function colorOf(name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

export class TopologyGraph {
  private readonly core: Core;
  private shape = '';

  constructor(host: HTMLElement, onOpen: (node: TopologyNode) => void) {
    claimStyle();
    this.core = cytoscape({
      container: host,
      minZoom: 0.2,
      maxZoom: 3,
      autoungrabify: false,
      boxSelectionEnabled: false,
      style: styles(),
    });
    this.core.on('tap', 'node', (event) => onOpen(event.target.data('node') as TopologyNode));
  }

  /** Takes the newest data; places change only when nodes or edges come or go. */
  update({ nodes, edges }: Topology): void {
    const shape = [...nodes, ...edges].map(({ id }) => id).join('\n');
    if (shape !== this.shape) {
      this.shape = shape;
      this.rebuild(nodes, edges);
      return;
    }
    this.core.batch(() => {
      const rates = ratesOf(edges);
      const shown = nodes.map((node) => nodeElement(node, rates.get(node.id)));
      for (const { data } of [...shown, ...edges.map(edgeElement)]) {
        this.core.getElementById(data.id ?? '').data(data);
      }
    });
  }

  recolor(): void {
    this.core.style(styles());
  }

  fit(): void {
    this.core.resize();
    this.core.fit(undefined, PADDING_PX);
    if (this.core.zoom() > ZOOM_MAX) {
      this.core.zoom(ZOOM_MAX);
      this.core.center();
    }
  }

  close(): void {
    this.core.destroy();
  }

  private rebuild(nodes: readonly TopologyNode[], edges: readonly TopologyEdge[]): void {
    const widths = new Map(nodes.map((node) => [node.id, nodeWidth(node)]));
    const places = topologyLayout(
      nodes.map(({ id }) => id),
      edges,
      (id) => widths.get(id) ?? 0,
    );
    const rates = ratesOf(edges);
    const ends = new Set(nodes.map(({ id }) => id));
    const known = edges.filter(({ from, to }) => ends.has(from) && ends.has(to));
    this.core.batch(() => {
      this.core.elements().remove();
      this.core.add(
        nodes.map((node) => ({
          ...nodeElement(node, rates.get(node.id)),
          position: places.get(node.id),
        })),
      );
      this.core.add(known.map(edgeElement));
    });
    this.fit();
  }
}

/** What passes each port and bond: the bits of the line that leads to it. */
function ratesOf(edges: readonly TopologyEdge[]): Map<string, number> {
  const own = edges.filter(({ kind }) => kind === 'port' || kind === 'member');
  return new Map(own.map(({ to, bps = 0 }) => [to, bps]));
}

/** As wide as its name needs. */
function nodeWidth({ label, kind }: TopologyNode): number {
  const least = kind === 'bridge' || kind === 'port' || kind === 'bond' ? WIDTH_RATE : 58;
  return Math.min(WIDTH_NODE_MAX, Math.max(least, label.length * CHAR_PX + 18));
}

/** @param bps what passes it; a number stands there when it is worth it */
function nodeElement(node: TopologyNode, bps = 0): ElementDefinition & { data: { id: string } } {
  const { id, kind, state, active } = node;
  const label = bps > BPS_LABEL ? `${node.label}\n${bitRate(bps)}` : node.label;
  const width = nodeWidth(node);
  return { data: { id, label, kind, state, width, active: active === true ? 'yes' : 'no', node } };
}

function edgeElement(edge: TopologyEdge): ElementDefinition & { data: { id: string } } {
  const { id, from, to, kind, state, bps = 0 } = edge;
  const decades = Math.max(0, Math.log10(Math.max(bps, 1) / BPS_THIN));
  const width = Math.min(WIDTH_MAX, 1.25 + decades);
  return { data: { id, source: from, target: to, kind, state, width } };
}

function styles(): StylesheetJson {
  const c = colorOf;
  const font = getComputedStyle(document.body).fontFamily;
  return [
    {
      selector: 'node',
      style: {
        label: 'data(label)',
        'text-valign': 'center',
        'font-family': font,
        'font-size': 13,
        color: c('ink'),
        shape: 'round-rectangle',
        width: 'data(width)',
        height: 38,
        'text-max-width': `${WIDTH_NODE_MAX - 12}px`,
        'text-wrap': 'wrap',
        'line-height': 1.1,
        'background-color': c('panel'),
        'border-width': 1.25,
        'border-color': c('line-strong'),
      },
    },
    {
      selector: 'node[kind="bridge"]',
      style: {
        'background-color': c('accent'),
        'border-color': c('accent'),
        color: c('on-accent'),
        'font-weight': 'bold',
        height: 46,
      },
    },
    {
      selector: 'node[kind="bond"]',
      style: { 'background-color': c('accent-ground'), 'border-color': c('accent') },
    },
    {
      selector: 'node[kind="namespace"], node[kind="device"]',
      style: { 'background-color': c('raised'), 'border-style': 'dashed', color: c('ink-soft') },
    },
    { selector: 'node[kind="controller"]', style: { shape: 'cut-rectangle' } },
    { selector: 'node[active="yes"]', style: { 'border-width': 3, 'border-color': c('accent') } },
    {
      selector: 'node[state="down"]',
      style: {
        'background-color': c('warn-ground'),
        'border-color': c('warn'),
        'border-style': 'dashed',
        color: c('warn'),
      },
    },
    {
      selector: 'node[state="error"]',
      style: { 'background-color': c('bad-ground'), 'border-color': c('bad'), color: c('bad') },
    },
    {
      selector: 'edge',
      style: {
        width: 'data(width)',
        'line-color': c('line-strong'),
        'curve-style': 'straight',
      },
    },
    { selector: 'edge[kind="patch"]', style: { 'line-color': c('accent') } },
    { selector: 'edge[kind="controller"]', style: { 'line-style': 'dotted' } },
    { selector: 'edge[state="down"]', style: { 'line-style': 'dashed', 'line-color': c('warn') } },
  ];
}
