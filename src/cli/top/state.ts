/** What `top` is set to, and what keys change of it. Pure: keys in, state out. */
import { VIEW_NAMES, VIEWS, type ViewName } from './views.js';

export interface TopState {
  view: ViewName;
  /** Null: the view's own. */
  sort: string | null;
  /** Turns the usual direction round. */
  reversed: boolean;
  filter: string;
  /** A filter that is being typed; null: none is. */
  typing: string | null;
  /** Rows above the screen. */
  scroll: number;
  paused: boolean;
  ended: boolean;
}

export function initialState(view: ViewName, sort: string | null, filter: string): TopState {
  return {
    ...{ view, sort, filter },
    reversed: false,
    typing: null,
    scroll: 0,
    paused: false,
    ended: false,
  };
}

const FILTER_CHARS_MAX = 200;

/** The column by which rows are sorted. */
export function sortColumn({ view, sort }: TopState): string {
  const { columns, sort: usual } = VIEWS[view];
  return columns.find(({ name, title }) => name === sort || title === sort)?.name ?? usual;
}

/** @param key a character, or an escape sequence of the terminal @param page rows of the screen */
export function press(state: TopState, key: string, page: number): TopState {
  if (key === '\x03') return { ...state, ended: true };
  if (state.typing !== null) return typed(state, state.typing, key);
  const digit = VIEW_NAMES[Number(key) - 1];
  if (digit !== undefined) return switchTo(state, digit);
  switch (key) {
    case 'q':
    case '\x04':
      return { ...state, ended: true };
    case '\t':
      return switchTo(state, nextView(state.view, 1));
    case '\x1b[Z':
      return switchTo(state, nextView(state.view, -1));
    case '>':
    case '\x1b[C':
      return { ...state, sort: nextColumn(state, 1), scroll: 0 };
    case '<':
    case '\x1b[D':
      return { ...state, sort: nextColumn(state, -1), scroll: 0 };
    case 'r':
      return { ...state, reversed: !state.reversed, scroll: 0 };
    case '/':
      return { ...state, typing: state.filter };
    case 'p':
    case ' ':
      return { ...state, paused: !state.paused };
    default:
      return { ...state, scroll: Math.max(0, scrolled(state.scroll, key, page)) };
  }
}

function scrolled(scroll: number, key: string, page: number): number {
  if (key === 'j' || key === '\x1b[B') return scroll + 1;
  if (key === 'k' || key === '\x1b[A') return scroll - 1;
  if (key === '\x1b[6~') return scroll + page;
  if (key === '\x1b[5~') return scroll - page;
  if (key === 'g' || key === '\x1b[H' || key === '\x1b[1~') return 0;
  return scroll;
}

function typed(state: TopState, text: string, key: string): TopState {
  if (key === '\r' || key === '\n') return { ...state, filter: text, typing: null, scroll: 0 };
  if (key === '\x1b') return { ...state, typing: null };
  if (key === '\x7f' || key === '\b') return { ...state, typing: text.slice(0, -1) };
  if (key === '\x15') return { ...state, typing: '' };
  if (!/^[\x20-\x7e]+$/.test(key)) return state;
  return { ...state, typing: `${text}${key}`.slice(0, FILTER_CHARS_MAX) };
}

function switchTo(state: TopState, view: ViewName): TopState {
  return { ...state, view, sort: null, reversed: false, scroll: 0 };
}

function nextView(view: ViewName, step: number): ViewName {
  const at = VIEW_NAMES.indexOf(view) + step;
  return VIEW_NAMES[(at + VIEW_NAMES.length) % VIEW_NAMES.length];
}

function nextColumn(state: TopState, step: number): string {
  const { columns } = VIEWS[state.view];
  const at = columns.findIndex(({ name }) => name === sortColumn(state)) + step;
  return columns[(at + columns.length) % columns.length].name;
}
