/**
 * A trace as a tree of cards, and where each stands.
 *
 *              packet
 *                 │
 *              table 0
 *                 │
 *              NORMAL
 *            ┌────┴────┐
 *          bond1     out: p3
 *            │
 *       out: vetha
 *
 * A step of the trace is a card when something happens there; what it only explains becomes a line
 * of the card that it belongs to. A card stands above the middle of what follows.
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
  /** From the lower side of one to the upper side of another. */
  links: { from: number; to: number }[];
  width: number;
  height: number;
}

export const CARD_WIDTH = 196;
const SIDE_GAP = 14;
const DOWN_GAP = 26;
const PADDING = 20;
const TITLE_HEIGHT = 20;
const LINE_HEIGHT = 17;
/** Characters in a line of a card. */
const TEXT_CHARS = 26;
const CODE_CHARS = 24;

const EXPLAINS: ReadonlySet<string> = new Set(['detail', 'warning', 'error']);

/** The bridge of a port, '' where it is not known. */
export type BridgeOf = (port: string) => string;

/** The cards of one way through the tables. */
export function traceTree(pass: TracePass, bridgeOf: BridgeOf = () => ''): Card {
  const again = pass.recirculation === null ? '' : `, after recirculation ${pass.recirculation}`;
  const root: Card = {
    kind: 'packet',
    title: `Packet on ${pass.bridge}${again}`,
    code: shortFlow(pass.flow),
    lines: [],
    next: [],
  };
  const outputs = pass.steps.filter(({ kind }) => kind === 'output');
  const ways = pass.steps.filter(({ kind }) => kind !== 'output');
  // The first step is the bridge that the packet's card names already.
  const alone = ways.length === 1 && ways[0].kind === 'bridge';
  addSteps(root, alone ? ways[0].steps : ways);
  for (const output of outputs) {
    const from = sourceOf(output.port ?? '', root, pass.bridge, bridgeOf);
    from.next.push(outputCards(output));
  }
  explainDrops(root, pass);
  return root;
}

const line = (text: string): Card['lines'][number] => ({ kind: 'detail', text });

/** Says why at each drop; a packet that goes nowhere without one gets cards of its reasons. */
function explainDrops(root: Card, { forwarded, drops }: TracePass): void {
  const found = dropCards(root);
  found.forEach((card, i) => {
    if (drops[i] !== undefined) card.lines.push(line(drops[i].why));
  });
  if (forwarded || found.length > 0) return;
  for (const { where, why } of drops) {
    root.next.push({ kind: 'drop', title: 'Dropped', code: where, lines: [line(why)], next: [] });
  }
}

function dropCards(card: Card): Card[] {
  return [...(card.kind === 'drop' ? [card] : []), ...card.next.flatMap(dropCards)];
}

/** Hangs steps on a card. What explains an action, or goes on from it, belongs to that action. */
function addSteps(card: Card, steps: readonly TraceStep[]): void {
  let latest = card;
  for (const step of steps) {
    if (EXPLAINS.has(step.kind)) {
      latest.lines.push({ kind: step.kind as 'detail' | 'warning' | 'error', text: step.text });
      addSteps(latest, step.steps);
      continue;
    }
    if (isJump(step)) {
      latest.lines.push(line(step.text));
      addSteps(latest, step.steps);
      continue;
    }
    const made = cardOf(step);
    const goesOn = step.kind === 'bridge' || step.kind === 'table' || step.kind === 'drop';
    (goesOn ? latest : card).next.push(made);
    addSteps(made, step.steps);
    if (!goesOn) latest = made;
  }
}

/** What only leads to another table, whose card comes next. */
function isJump({ kind, text }: TraceStep): boolean {
  return kind === 'action' && /^(resubmit|goto_table)\b/.test(text);
}

/** A bond stands before the member that it chose; a queue is a line of the port. */
function outputCards(step: TraceStep): Card {
  const out = cardOf({ ...step, steps: [] });
  let first = out;
  for (const sub of step.steps) {
    if (sub.kind === 'bond') first = { ...cardOf(sub), next: [first] };
    else out.lines.push(line(sub.text));
  }
  return first;
}

/** The card whose action sends to `port`: one that names it, else the last that forwards there. */
function sourceOf(port: string, root: Card, home: string, bridgeOf: BridgeOf): Card {
  const cards = within(root, home, bridgeOf(port) || home);
  const names = cards.filter(({ kind, code }) => kind === 'action' && code.endsWith(`:${port}`));
  const forwards = cards.filter(({ kind }) => kind === 'normal');
  const acts = cards.filter(({ kind }) => kind === 'action');
  return names.at(-1) ?? forwards.at(-1) ?? acts.at(-1) ?? cards.at(-1) ?? root;
}

/** The cards of one bridge, in the order of the steps. */
function within(root: Card, home: string, wanted: string): Card[] {
  const found: Card[] = [];
  const look = (card: Card, bridge: string): void => {
    const here = card.kind === 'bridge' ? card.title.replace(/^Bridge /, '') : bridge;
    const isPlace = card.kind !== 'output' && card.kind !== 'bond' && card.kind !== 'drop';
    if (here === wanted && isPlace) found.push(card);
    for (const next of card.next) look(next, here);
  };
  look(root, home);
  return found;
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
      return { kind, title: 'NORMAL', code: '', lines: [], next: [] };
    case 'output':
      return {
        kind,
        title: step.port === undefined ? 'Out' : `Out: ${step.port}`,
        code: '',
        lines: [],
        next: [],
      };
    case 'bond':
      return { kind, title: 'Bond', code: '', lines: [line(step.text)], next: [] };
    default:
      return { kind, title: TITLES[step.kind] ?? 'Action', code: step.text, lines: [], next: [] };
  }
}

const TITLES: Readonly<Record<string, string>> = {
  queue: 'Queue',
  drop: 'Dropped',
  action: 'Action',
};

function bridgeName(text: string): string {
  return /^bridge\("(.*)"\)$/.exec(text)?.[1] ?? text;
}

/** The fields of a flow that say something: what is zero everywhere is left out. */
export function shortFlow(flow: string): string {
  const silent =
    /^(?:(?:skb_priority|recirc_id|dp_hash|skb_mark|ct_\w+|reg\d+|metadata)=0(?:x0)?|nw_frag=no)$/;
  const zero = /^(?:dl_src|dl_dst|nw_\w+|ipv6_\w+|tp_\w+|vlan_tci)=(?:[0:.]+|0x0+)$/;
  return splitFlow(flow)
    .filter((part) => !silent.test(part) && !zero.test(part))
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
  const layout: TraceLayout = { cards: [], links: [], width: widthOf(root), height: 0 };
  place(root, 0, 0, layout);
  layout.height = Math.max(...layout.cards.map(({ y, height }) => y + height));
  return layout;
}

/** How wide a card is with all that follows it. */
function widthOf({ next }: Card): number {
  const below = next.reduce((sum, card) => sum + widthOf(card), 0) + gaps(next.length);
  return Math.max(CARD_WIDTH, below);
}

const gaps = (count: number): number => Math.max(0, count - 1) * SIDE_GAP;

/** Places a card in the middle of `left` and the width it needs, and below it what follows. */
function place(card: Card, left: number, top: number, layout: TraceLayout): void {
  const [height, room] = [cardHeight(card), widthOf(card)];
  const id = layout.cards.length;
  const x = left + (room - CARD_WIDTH) / 2;
  layout.cards.push({ id, card, x, y: top, width: CARD_WIDTH, height });
  const below = card.next.reduce((sum, next) => sum + widthOf(next), 0) + gaps(card.next.length);
  let at = left + (room - below) / 2;
  for (const next of card.next) {
    layout.links.push({ from: id, to: layout.cards.length });
    place(next, at, top + height + DOWN_GAP, layout);
    at += widthOf(next) + SIDE_GAP;
  }
}
