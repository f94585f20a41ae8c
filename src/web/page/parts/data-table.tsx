/**
 * A table of rows that are all in the page: filtered and sorted here.
 */
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { filtered, type Sort, sorted } from '../pure/sorting.js';
import { type Column, VirtualTable } from './virtual-table.js';

export interface DataTableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  filter?: string;
  /** What the filter looks at. */
  text?: (row: T) => string;
  sort?: Sort;
  onOpen?: (row: T) => void;
  empty?: ComponentChildren;
  minWidth?: string;
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { columns, rows, filter = '', text } = props;
  const [sort, setSort] = useState<Sort | null>(props.sort ?? null);
  const shown = useMemo(() => {
    const left = text === undefined ? [...rows] : filtered(rows, text, filter);
    const value = columns.find(({ key }) => key === sort?.key)?.value;
    return sort === null || value === undefined ? left : sorted(left, value, sort);
  }, [rows, filter, sort, columns]);
  const onSort = (key: string): void => {
    const number = columns.find((column) => column.key === key)?.number ?? false;
    setSort(nextSort(sort, key, number));
  };
  const none = filter === '' ? (props.empty ?? 'None.') : `Nothing matches “${filter}”.`;
  return (
    <VirtualTable
      label={props.label}
      columns={columns}
      total={shown.length}
      rowAt={(index) => shown[index]}
      rowKey={props.rowKey}
      sort={sort}
      onSort={onSort}
      onOpen={props.onOpen}
      minWidth={props.minWidth}
      empty={<p class="empty">{none}</p>}
    />
  );
}

/** Numbers are wanted largest first, names smallest first; the same column again turns round. */
export function nextSort(sort: Sort | null, key: string, number: boolean): Sort {
  return sort?.key === key ? { key, desc: !sort.desc } : { key, desc: number };
}
