/**
 * The picture of `top`: a line about the switch, the views, a table as wide as the terminal.
 *
 *     br-host · tapswitch 3.1.1 · 12:30:01                            filter: tcp
 *     [1 ports] 2 flows  3 workers  4 bonds  5 drops
 *     PORT   BRIDGE  LINK  RX pkt/s  RX bit/s ...
 */
import { matcher } from '../../web/rows/filter.js';
import { sortColumn, type TopState } from './state.js';
import { type CellValue, type Column, type Row, type TopData, VIEW_NAMES, VIEWS } from './views.js';

export interface Look {
  color: boolean;
  /** Size of the terminal; without one all rows are shown in full. */
  columns?: number;
  rows?: number;
}

export interface Heading {
  name: string;
  /** 'tapswitch 3.1.1'. */
  subject: string;
  time: string;
  /** Why nothing could be read. */
  error: string | null;
}

const BOLD = '\x1b[1m';
const REVERSE = '\x1b[7m';
const RED = '\x1b[31m';
const GREEN = '\x1b[32m';
const PLAIN = '\x1b[0m';

/** Lines that are not rows of the table. */
const LINES_AROUND = 4;
/** What a column of free text gets at least. */
const WIDE_MIN = 12;

/** Rows of the table that fit. */
export function pageRows({ rows }: Look): number {
  return rows === undefined ? Number.POSITIVE_INFINITY : Math.max(1, rows - LINES_AROUND);
}

export function picture(state: TopState, data: TopData, heading: Heading, look: Look): string {
  const view = VIEWS[state.view];
  const rows = sorted(state, view.rows(data));
  const shown = filtered(state, rows);
  const page = pageRows(look);
  const from = Math.min(state.scroll, Math.max(0, shown.length - page));
  const visible = shown.slice(from, from + page);
  const lines = [
    head(state, heading, look),
    tabs(state, look),
    ...table(view.columns, visible, sortColumn(state), look),
  ];
  if (heading.error !== null) lines.push(paint(heading.error, RED, look));
  else if (shown.length === 0) lines.push('  nothing to show');
  if (look.rows !== undefined) {
    const last = Math.min(shown.length, from + page);
    const range = shown.length > page ? `${from + 1}-${last} of ${shown.length}` : '';
    while (lines.length < look.rows - 1) lines.push('');
    lines.push(clip(state.typing === null ? range : `filter: ${state.typing}_`, look));
  }
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** Rows as data: for --json. */
export function plainRows(state: TopState, data: TopData): Readonly<Record<string, CellValue>>[] {
  return filtered(state, sorted(state, VIEWS[state.view].rows(data))).map(({ cells }) => cells);
}

function filtered({ filter }: TopState, rows: Row[]): Row[] {
  const matches = matcher(filter);
  return rows.filter(({ cells }) => matches(Object.values(cells).join(' ')));
}

function sorted(state: TopState, rows: Row[]): Row[] {
  const name = sortColumn(state);
  const column = VIEWS[state.view].columns.find((each) => each.name === name);
  const sign = (column?.right ? -1 : 1) * (state.reversed ? -1 : 1);
  const order = new Intl.Collator('en', { numeric: true });
  const first = VIEWS[state.view].columns[0].name;
  return rows.sort((a, b) => {
    const [x, y] = [a.cells[name], b.cells[name]];
    const numbers = typeof x !== 'string' && typeof y !== 'string';
    const by = numbers ? (x ?? -1) - (y ?? -1) : order.compare(`${x ?? ''}`, `${y ?? ''}`);
    return sign * by || order.compare(`${a.cells[first]}`, `${b.cells[first]}`);
  });
}

function head(state: TopState, { name, subject, time }: Heading, look: Look): string {
  const left = `${name} · ${subject} · ${time}${state.paused ? ' · paused' : ''}`;
  const right = state.filter === '' ? '' : `filter: ${state.filter}`;
  const room = (look.columns ?? 0) - left.length - right.length;
  return clip(`${left}${' '.repeat(Math.max(2, room))}${right}`, look);
}

function tabs(state: TopState, look: Look): string {
  const names = VIEW_NAMES.map((name, i) => {
    const label = `${i + 1} ${name}`;
    if (name !== state.view) return ` ${label} `;
    return look.color ? `${REVERSE} ${label} ${PLAIN}` : `[${label}]`;
  });
  const text = names.join(' ');
  // Colours take no room, but must not be cut in two.
  return look.color ? text : clip(text, look);
}

function table(columns: readonly Column[], rows: Row[], sort: string, look: Look): string[] {
  const cells = rows.map((row) => columns.map((column) => cellText(column, row)));
  const titles = columns.map(({ name, title }) => (name === sort ? `${title}*` : title));
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...cells.map((row) => row[i].length)),
  );
  shrink(columns, widths, look);
  const line = (texts: readonly string[]) =>
    clip(
      texts
        .map((text, i) => {
          const cut = text.length > widths[i] ? `${text.slice(0, widths[i] - 1)}…` : text;
          return columns[i].right ? cut.padStart(widths[i]) : cut.padEnd(widths[i]);
        })
        .join('  '),
      look,
    );
  const colors = { good: GREEN, bad: RED, plain: '' };
  return [
    paint(line(titles), BOLD, look),
    ...cells.map((row, i) => paint(line(row), colors[rows[i].mood], look)),
  ];
}

/** Columns of free text share what the others leave. */
function shrink(columns: readonly Column[], widths: number[], { columns: room }: Look): void {
  if (room === undefined) return;
  const wide = columns.flatMap(({ wide: isWide }, i) => (isWide ? [i] : []));
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  let over = total - room;
  for (const i of wide.sort((a, b) => widths[b] - widths[a])) {
    if (over <= 0) return;
    const least = Math.min(widths[i], WIDE_MIN);
    const share = Math.max(least, widths[i] - Math.ceil(over / wide.length));
    over -= widths[i] - share;
    widths[i] = share;
  }
}

function cellText({ name, format }: Column, { cells }: Row): string {
  const value = cells[name] ?? null;
  if (value === null) return '-';
  if (typeof value === 'number') return format ? format(value) : `${value}`;
  // What comes from elsewhere must not move the cursor.
  return value.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}

function clip(text: string, { columns }: Look): string {
  return columns === undefined ? text : text.slice(0, columns);
}

function paint(text: string, color: string, look: Look): string {
  return look.color && color !== '' ? `${color}${text}${PLAIN}` : text;
}
