/**
 * The picture of a trace: cards in columns, lines between them. For screen readers it is a nested
 * list in the order of the steps.
 */
import type { TracePass } from '../../api/index.js';
import { usePorts } from '../live/ports.js';
import { type Card, layOut, type PlacedCard, traceTree } from '../pure/trace-tree.js';

export function TracePicture({ pass }: { pass: TracePass }) {
  const ports = usePorts().data ?? [];
  const bridges = new Map(ports.map(({ name, bridge }) => [name, bridge]));
  const layout = layOut(traceTree(pass, (port) => bridges.get(port) ?? ''));
  const { cards, links, width, height } = layout;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <section class="trace-scroll" tabIndex={0} aria-label="Trace">
      <div class="trace" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg class="trace-links" width={width} height={height} aria-hidden="true">
          {links.map(({ from, to }) => (
            <path
              key={`${from}-${to}`}
              class={cards[to].card.kind === 'drop' ? 'lost' : ''}
              d={linkPath(cards[from], cards[to])}
            />
          ))}
        </svg>
        <ol class="trace-cards">
          {cards.map((placed) => (
            <CardBox key={placed.id} placed={placed} />
          ))}
        </ol>
      </div>
    </section>
  );
}

function linkPath(from: PlacedCard, to: PlacedCard): string {
  const [x1, y1] = [from.x + from.width / 2, from.y + from.height];
  const [x2, y2] = [to.x + to.width / 2, to.y];
  const bend = (y2 - y1) / 2;
  return `M${x1},${y1}C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`;
}

function CardBox({ placed: { card, x, y, width, height } }: { placed: PlacedCard }) {
  const place = {
    left: `${x}px`,
    top: `${y}px`,
    width: `${width}px`,
    minHeight: `${height}px`,
  };
  return (
    <li class={`card ${card.kind}`} style={place}>
      <strong>{card.title}</strong>
      {card.code === '' ? null : <code>{card.code}</code>}
      <Lines card={card} />
    </li>
  );
}

function Lines({ card }: { card: Card }) {
  return (
    <>
      {card.lines.map(({ kind, text }, index) => (
        <p key={`${index} ${text}`} class={kind}>
          {kind === 'detail' ? '' : kind === 'warning' ? 'Warning: ' : 'Fault: '}
          {text}
        </p>
      ))}
    </>
  );
}
