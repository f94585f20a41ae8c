/**
 * Rows of a list that is too long to be here: the server filters, sorts and cuts; the page watches
 * the part that is seen, and keeps the part before until the new one has come.
 */
import { useMemo, useState } from 'preact/hooks';
import type { ApiError, Topic } from '../../api/index.js';
import type { Sort } from '../pure/sorting.js';
import { pageAround, type VirtualWindow } from '../pure/virtual.js';
import { useSettled, useSteadyTopic } from './hooks.js';
import type { Params } from './socket.js';

/** Rows are asked for in parts that begin at multiples of this. */
const STEP = 100;
const SETTLE_MS = 60;
const TYPING_MS = 150;

export interface PageLike<T> {
  total: number;
  matching: number;
  offset: number;
  sampledAt: number;
  readMs: number;
  rows: T[];
}

export interface Paged<T, P extends PageLike<T>> {
  page: P | null;
  error: ApiError | null;
  rowAt: (index: number) => T | undefined;
  onWindow: (window: VirtualWindow) => void;
}

export function usePaged<T, P extends PageLike<T>>(
  topic: Topic | null,
  params: Params,
  filter: string,
  sort: Sort | null,
): Paged<T, P> {
  const [range, setRange] = useState({ offset: 0, limit: STEP });
  const settled = useSettled(range, SETTLE_MS);
  const typed = useSettled(filter, TYPING_MS);
  const { data, error } = useSteadyTopic<P>(topic, {
    ...params,
    filter: typed === '' ? undefined : typed,
    sort: sort?.key,
    desc: sort?.desc ? true : undefined,
    ...settled,
  });
  return useMemo(() => {
    const rowAt = (index: number): T | undefined => data?.rows[index - data.offset];
    const onWindow = (window: VirtualWindow): void => {
      const next = pageAround(window, STEP);
      setRange((now) => (now.offset === next.offset && now.limit === next.limit ? now : next));
    };
    return { page: data, error, rowAt, onWindow };
  }, [data, error]);
}
