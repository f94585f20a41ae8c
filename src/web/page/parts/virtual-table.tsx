/**
 * A table of any length: a head that stays, and the rows that are seen.
 *
 * Rows have one height. With `onOpen` it is a grid: arrows move a current row, Enter opens it.
 * Screen readers are told how many rows there are and which ones these are.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Sort, Sortable } from '../pure/sorting.js';
import { scrollTopFor, type VirtualWindow, virtualWindow } from '../pure/virtual.js';

export interface Column<T> {
  key: string;
  title: string;
  cell: (row: T) => ComponentChildren;
  /** For sorting in the page; without it the column is not sorted there. */
  value?: (row: T) => Sortable;
  number?: boolean;
  /** CSS length or share; the others divide what is left. */
  width?: string;
  /** The column that names the row. */
  head?: boolean;
  mono?: boolean;
  sortable?: boolean;
}

export interface VirtualTableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  total: number;
  rowAt: (index: number) => T | undefined;
  rowKey: (row: T) => string;
  sort: Sort | null;
  onSort: (key: string) => void;
  onWindow?: (window: VirtualWindow) => void;
  onOpen?: (row: T) => void;
  empty: ComponentChildren;
  /** CSS length below which the table scrolls sideways. */
  minWidth?: string;
}

const ROW_REM = 1.75;
/** Until the first measurement. */
const VIEWPORT_PX = 800;

const rowHeightPx = (): number =>
  ROW_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);

interface Place {
  scrollTop: number;
  viewport: number;
}

export function VirtualTable<T>(props: VirtualTableProps<T>) {
  const { columns, total, onOpen, label } = props;
  const scroller = useRef<HTMLElement>(null);
  const [place, setPlace] = useState<Place>({ scrollTop: 0, viewport: VIEWPORT_PX });
  // Keys may come faster than the table is drawn: what they move is here, what is drawn in the
  // state.
  const at = useRef(-1);
  const [current, draw] = useState(-1);
  const setCurrent = (index: number): void => {
    at.current = index;
    draw(index);
  };
  const id = useId();
  const rowHeight = rowHeightPx();
  const input = { ...place, rowHeight, total };
  const window = virtualWindow(input);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const look = (): void =>
      setPlace({
        scrollTop: element.scrollTop,
        viewport: Math.max(rowHeight, element.clientHeight - rowHeight),
      });
    look();
    const resized = new ResizeObserver(look);
    resized.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [rowHeight]);

  useEffect(() => props.onWindow?.(window), [window.first, window.end]);

  const moveTo = (index: number): void => {
    const next = Math.min(total - 1, Math.max(0, index));
    setCurrent(next);
    scroller.current?.scrollTo({ top: scrollTopFor(next, input) });
  };
  const onKeyDown = (event: JSX.TargetedKeyboardEvent<HTMLElement>): void => {
    const page = Math.max(1, Math.floor(place.viewport / rowHeight) - 1);
    const to = nextRow(event.key, at.current, page, total);
    if (to !== null) {
      event.preventDefault();
      moveTo(to);
    } else if (event.key === 'Enter' && event.target === event.currentTarget) {
      const row = props.rowAt(at.current);
      if (row !== undefined) onOpen?.(row);
    }
  };

  const grid = onOpen && {
    role: 'grid' as const,
    tabIndex: 0,
    'aria-activedescendant':
      current >= window.first && current < window.end ? `${id}-${current}` : undefined,
    onKeyDown,
  };
  const indices = Array.from({ length: window.end - window.first }, (_, i) => window.first + i);
  return (
    <section class="scroll" ref={scroller} tabIndex={onOpen ? -1 : 0} aria-label={label}>
      <table
        class="fixed rows"
        style={{ minWidth: props.minWidth }}
        aria-label={label}
        aria-rowcount={total + 1}
        {...grid}
      >
        <Columns columns={columns} />
        <Head {...props} />
        <tbody>
          <Spacer height={window.before} span={columns.length} />
          {indices.map((index) => {
            const row = props.rowAt(index);
            const open =
              row === undefined || onOpen === undefined
                ? undefined
                : (): void => {
                    setCurrent(index);
                    onOpen(row);
                  };
            return (
              <Row
                key={row === undefined ? index : props.rowKey(row)}
                id={`${id}-${index}`}
                index={index}
                row={row}
                columns={columns}
                current={index === current}
                onClick={open}
              />
            );
          })}
          <Spacer height={window.after} span={columns.length} />
        </tbody>
      </table>
      {total === 0 ? props.empty : null}
    </section>
  );
}

/** Where a key leads to from row `at`; null: it is no key of the table's. */
function nextRow(key: string, at: number, page: number, total: number): number | null {
  switch (key) {
    case 'ArrowDown':
      return at + 1;
    case 'ArrowUp':
      return at - 1;
    case 'PageDown':
      return at + page;
    case 'PageUp':
      return at - page;
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    default:
      return null;
  }
}

function Columns<T>({ columns }: { columns: readonly Column<T>[] }) {
  return (
    <colgroup>
      {columns.map(({ key, width }) => (
        <col key={key} style={width === undefined ? undefined : { width }} />
      ))}
    </colgroup>
  );
}

function Head<T>({ columns, sort, onSort }: VirtualTableProps<T>) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {columns.map(({ key, title, number, sortable, value }) => {
          const on = sort?.key === key;
          const order = !on ? undefined : sort.desc ? 'descending' : 'ascending';
          return (
            <th key={key} scope="col" class={number ? 'number' : ''} aria-sort={order}>
              {sortable || value !== undefined ? (
                <button type="button" onClick={() => onSort(key)}>
                  {title}
                  {on ? (
                    <span class="arrow" aria-hidden="true">
                      {sort.desc ? '↓' : '↑'}
                    </span>
                  ) : null}
                </button>
              ) : (
                title
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** Screen readers know the rows' numbers: room for those that are not here says nothing. */
const UNHEARD = { 'aria-hidden': true } as const;

function Spacer({ height, span }: { height: number; span: number }) {
  if (height <= 0) return null;
  return (
    <tr class="spacer" {...UNHEARD} style={{ height: `${height}px` }}>
      <td colSpan={span} />
    </tr>
  );
}

function Row<T>({
  id,
  index,
  row,
  columns,
  current,
  onClick,
}: {
  id: string;
  index: number;
  row: T | undefined;
  columns: readonly Column<T>[];
  current: boolean;
  onClick?: () => void;
}) {
  return (
    <tr id={id} aria-rowindex={index + 2} class={current ? 'current' : ''} onClick={onClick}>
      {columns.map((column) => {
        const shown = row === undefined ? '' : column.cell(row);
        const style = [column.number ? 'number' : '', column.mono ? 'mono' : ''].join(' ').trim();
        const hint = typeof shown === 'string' ? shown : undefined;
        return column.head ? (
          <th key={column.key} scope="row" class={style} title={hint}>
            {shown}
          </th>
        ) : (
          <td key={column.key} class={style} title={hint}>
            {shown}
          </td>
        );
      })}
    </tr>
  );
}
