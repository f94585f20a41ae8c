/**
 * A trace as a tree of cards, and where each stands.
 *
 *     packet ── table 0 ── NORMAL ─┬─ bond1 ── out: vetha
 *                                  └─ out: p3
 *
 * A step of the trace is a card when something happens there; what it only explains becomes a line
 * of the card that it belongs to. Columns are depths, a card stands in the middle of what follows.
 *
 * Not for: drawing (parts/trace-picture.tsx).
 */
import type { TracePass, TraceStep } from '../../api/index.js';

export type CardKind = 'packet' | Exclude<TraceStep['kind'], 'detail' | 'warning' | 'error'>;

export interface Card {
  kind: CardKind;
  title: string;
  /** The flow entry, the packet: in a fixed font. */
  code: string;
  lines: { kind: 'detail' | 'warning' | 'error'; text: string }[];
  next: Card[];
}

export interface PlacedCard {
  id: number;
  card: Card;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface TraceLayout {
  cards: PlacedCard[];
  /** From the right side of one to the left side of another. */
  links: { from: number; to: number }[];
  width: number;
  height: number;
}

export const CARD_WIDTH = 236;
const COLUMN_GAP = 44;
const ROW_GAP = 14;
const PADDING = 20;
const TITLE_HEIGHT = 20;
const LINE_HEIGHT = 17;
/** Characters in a line of a card. */
const TEXT_CHARS = 34;
const CODE_CHARS = 28;

const EXPLAINS: ReadonlySet<string> = new Set(['detail', 'warning', 'error']);

/** The cards of one way through the tables. */
export function traceTree(pass: TracePass): Card {
  const again = pass.recirculation === null ? '' : `, after recirculation ${pass.recirculation}`;
  const root: Card = {
    kind: 'packet',
    title: `Packet on ${pass.bridge}${again}`,
    code: shortFlow(pass.flow),
    lines: [],
    next: [],
  };
  // The first step is the bridge that the packet's card names already.
  const [first] = pass.steps;
  const alone = pass.steps.length === 1 && first?.kind === 'bridge';
  addSteps(root, alone ? first.steps : pass.steps);
  if (!pass.forwarded && !hasDrop(root)) {
    for (const { where, why } of pass.drops) {
      root.next.push({ kind: 'drop', title: 'Dropped', code: where, lines: [line(why)], next: [] });
    }
  }
  return root;
}

const line = (text: string): Card['lines'][number] => ({ kind: 'detail', text });

function hasDrop(card: Card): boolean {
  return card.kind === 'drop' || card.next.some(hasDrop);
}

/** Hangs steps on a card: in a row when one leads to the next, side by side when they do not. */
function addSteps(card: Card, steps: readonly TraceStep[]): void {
  for (const step of steps) {
    if (EXPLAINS.has(step.kind)) {
      card.lines.push({ kind: step.kind as 'detail' | 'warning' | 'error', text: step.text });
      addSteps(card, step.steps);
    } else {
      const made = cardOf(step);
      card.next.push(made);
      addSteps(made, step.steps);
    }
  }
}

function cardOf(step: TraceStep): Card {
  const kind = step.kind as CardKind;
  switch (step.kind) {
    case 'table':
      return {
        kind,
        title: step.table === undefined ? step.text : `Table ${step.table}`,
        code: step.entry ?? '',
        lines: [],
        next: [],
      };
    case 'bridge':
      return { kind, title: `Bridge ${bridgeName(step.text)}`, code: '', lines: [], next: [] };
    case 'normal':
      return { kind, title: 'NORMAL', code: '', lines: lineOf(step.text, 'NORMAL'), next: [] };
    case 'output':
      return {
        kind,
        title: step.port === undefined ? 'Out' : `Out: ${step.port}`,
        code: '',
        lines: lineOf(step.text, step.port ?? ''),
        next: [],
      };
    default:
      return { kind, title: TITLES[step.kind] ?? 'Action', code: step.text, lines: [], next: [] };
  }
}

const TITLES: Readonly<Record<string, string>> = {
  bond: 'Bond',
  queue: 'Queue',
  drop: 'Dropped',
  action: 'Action',
};

function lineOf(text: string, said: string): Card['lines'] {
  return text === '' || text === said ? [] : [line(text)];
}

function bridgeName(text: string): string {
  return /^bridge\("(.*)"\)$/.exec(text)?.[1] ?? text;
}

/** The fields of a flow that say something: what is zero everywhere is left out. */
export function shortFlow(flow: string): string {
  const silent = /^(?:skb_priority|recirc_id|dp_hash|skb_mark|ct_\w+|reg\d+|metadata)=0(?:x0)?$/;
  return splitFlow(flow)
    .filter((part) => !silent.test(part))
    .join(',');
}

function splitFlow(flow: string): string[] {
  return flow.split(/,(?![^(]*\))/).filter(Boolean);
}

const lines = (text: string, chars: number): number =>
  text === ''
    ? 0
    : text.split('\n').reduce((n, l) => n + Math.max(1, Math.ceil(l.length / chars)), 0);

/** Height of a card, from the length of its text. */
export function cardHeight({ code, lines: said }: Card): number {
  const rows = lines(code, CODE_CHARS) + said.reduce((n, l) => n + lines(l.text, TEXT_CHARS), 0);
  return PADDING + TITLE_HEIGHT + rows * LINE_HEIGHT;
}

export function layOut(root: Card): TraceLayout {
  const layout: TraceLayout = { cards: [], links: [], width: 0, height: 0 };
  const bottom = place(root, 0, 0, layout);
  layout.width = Math.max(...layout.cards.map(({ x, width }) => x + width));
  layout.height = Math.max(bottom, ...layout.cards.map(({ y, height }) => y + height));
  return layout;
}

/** Places a card and all that follows it below `top`. @returns where the next may begin */
function place(card: Card, depth: number, top: number, layout: TraceLayout): number {
  const height = cardHeight(card);
  const x = depth * (CARD_WIDTH + COLUMN_GAP);
  const placed: PlacedCard = {
    id: layout.cards.length,
    card,
    x,
    y: top,
    width: CARD_WIDTH,
    height,
  };
  layout.cards.push(placed);
  let bottom = top;
  for (const next of card.next) {
    layout.links.push({ from: placed.id, to: layout.cards.length });
    bottom = place(next, depth + 1, bottom, layout) + ROW_GAP;
  }
  bottom -= card.next.length > 0 ? ROW_GAP : 0;
  const span = bottom - top;
  if (span > height) placed.y = top + (span - height) / 2;
  else if (card.next.length > 0) shift(placed.id, (height - span) / 2, layout);
  return top + Math.max(height, span);
}

/** Moves everything after card `id` down. */
function shift(id: number, by: number, { cards }: TraceLayout): void {
  for (let i = id + 1; i < cards.length; i++) cards[i].y += by;
}
