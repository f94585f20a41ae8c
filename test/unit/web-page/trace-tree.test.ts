/** A trace as cards: what hangs on what, why it ends, and where the cards stand. */
import { describe, expect, it } from 'vitest';
import type { TracePass, TraceStep } from '../../../src/web/api/index.js';
import { type Card, layOut, shortFlow, traceTree } from '../../../src/web/page/pure/trace-tree.js';

const step = (kind: TraceStep['kind'], text: string, more: Partial<TraceStep> = {}): TraceStep => ({
  kind,
  text,
  steps: [],
  ...more,
});

const table = (id: number, entry: string, ...steps: TraceStep[]): TraceStep =>
  step('table', `table ${id}`, { table: id, entry, steps });

function pass(steps: TraceStep[], more: Partial<TracePass> = {}): TracePass {
  return {
    bridge: 'br1',
    recirculation: null,
    flow: 'icmp,in_port=p1,nw_tos=0',
    steps,
    finalFlow: null,
    megaflow: '',
    datapathActions: '',
    forwarded: true,
    error: null,
    slowPath: null,
    drops: [],
    ...more,
  };
}

/** 'Packet > Table 0 > ...': every way from the packet to an end. */
function ways({ title, next }: Card): string[] {
  if (next.length === 0) return [title];
  return next.flatMap((card) => ways(card).map((rest) => `${title} > ${rest}`));
}

const FLOOD = pass([
  step('bridge', 'br1', {
    steps: [
      table(
        0,
        'ip, priority 100',
        step('action', 'resubmit(,5)'),
        table(
          5,
          'priority 0',
          step('queue', 'set_queue:1'),
          step('normal', 'NORMAL'),
          step('detail', 'no learned MAC for destination, flooding'),
          step('bridge', 'br3', {
            steps: [table(0, 'priority 0', step('normal', 'NORMAL'))],
          }),
        ),
      ),
    ],
  }),
  step('output', 'out by vetha', {
    port: 'vetha',
    steps: [step('bond', 'bond1 (active-backup) uses vetha'), step('queue', 'queue 1')],
  }),
  step('output', 'out by vethq', { port: 'vethq' }),
]);

const bridgeOf = (port: string): string => (port === 'vethq' ? 'br3' : 'br1');

describe('a trace', () => {
  it('leads through tables, NORMAL and bond to each port, also of the next bridge', () => {
    const trunk = 'Packet on br1 > Table 0 > Table 5';
    expect(ways(traceTree(FLOOD, bridgeOf))).toEqual([
      `${trunk} > Queue`,
      `${trunk} > NORMAL > Bridge br3 > Table 0 > NORMAL > Out: vethq`,
      `${trunk} > NORMAL > Bond > Out: vetha`,
    ]);
  });

  it('keeps what is explained with the action that it explains', () => {
    const texts = JSON.stringify(layOut(traceTree(FLOOD, bridgeOf)).cards.map(({ card }) => card));
    const normal = layOut(traceTree(FLOOD, bridgeOf)).cards.find(
      ({ card }) => card.title === 'NORMAL',
    );
    expect(normal?.card.lines[0].text).toContain('flooding');
    expect(texts).toContain('resubmit(,5)');
  });

  it('sends by the action that names the port', () => {
    const two = pass([
      table(0, 'p', step('action', 'output:p2'), step('action', 'output:p3')),
      step('output', 'out by p3', { port: 'p3' }),
      step('output', 'out by p2', { port: 'p2' }),
    ]);
    const [root] = [traceTree(two)];
    const actions = root.next[0].next;
    expect(actions.map(({ next }) => next.map(({ title }) => title))).toEqual([
      ['Out: p2'],
      ['Out: p3'],
    ]);
  });

  it('says why it ends', () => {
    const drops = [{ where: 'bridge br1, table 0', why: "the entry's action is drop" }];
    const dropped = pass([table(0, 'priority 9', step('drop', 'drop'))], {
      forwarded: false,
      drops,
    });
    const [, , drop] = layOut(traceTree(dropped)).cards;
    expect(drop.card).toMatchObject({ kind: 'drop', lines: [{ text: drops[0].why }] });
    const silent = pass([table(0, 'No match.')], { forwarded: false, drops });
    expect(ways(traceTree(silent))).toContain('Packet on br1 > Dropped');
  });

  it('has cards that stand apart, below what leads to them', () => {
    const { cards, links, width, height } = layOut(traceTree(FLOOD, bridgeOf));
    for (const a of cards) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.x + a.width).toBeLessThanOrEqual(width);
      expect(a.y + a.height).toBeLessThanOrEqual(height);
      for (const b of cards) {
        const apart =
          a.x + a.width <= b.x ||
          b.x + b.width <= a.x ||
          a.y + a.height <= b.y ||
          b.y + b.height <= a.y;
        expect(a === b || apart).toBe(true);
      }
    }
    for (const { from, to } of links) {
      expect(cards[to].y).toBeGreaterThan(cards[from].y + cards[from].height);
    }
  });

  it('shows of a packet what is not zero', () => {
    const flow =
      'udp,in_port=p1,vlan_tci=0x0000,dl_src=00:00:00:00:00:00,dl_dst=ff:ff:ff:ff:ff:ff,' +
      'nw_src=10.0.0.1,nw_dst=0.0.0.0,nw_tos=0,nw_frag=no,tp_src=0,tp_dst=53';
    expect(shortFlow(flow)).toBe(
      'udp,in_port=p1,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=10.0.0.1,tp_dst=53',
    );
  });
});
