/**
 * What components watch: a topic, the connection, the address, the time.
 */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Topic } from '../../api/index.js';
import { parseRoute, type Route } from '../pure/routes.js';
import type { ApiError } from './api.js';
import { type ConnectionState, live, type Params, type TopicState } from './socket.js';

const NOTHING: TopicState<never> = { data: null, at: 0, error: null };

/**
 * The newest data of a topic, while the component is there.
 * @param topic null: watch nothing
 */
export function useTopic<T>(topic: Topic | null, params: Params = {}): TopicState<T> {
  const key = `${topic} ${JSON.stringify(params)}`;
  const [, redraw] = useState(0);
  useLayoutEffect(() => {
    if (topic === null) return undefined;
    const stop = live.watch(topic, params, () => redraw((n) => n + 1));
    redraw((n) => n + 1);
    return stop;
  }, [key]);
  return (topic === null ? null : live.peek<T>(topic, params)) ?? NOTHING;
}

/** As useTopic, but with the data of the parameters before until there is new one. */
export function useSteadyTopic<T>(topic: Topic | null, params: Params): TopicState<T> {
  const state = useTopic<T>(topic, params);
  const last = useRef<{ topic: Topic | null; state: TopicState<T> }>({ topic, state });
  if (state.data !== null || last.current.topic !== topic) last.current = { topic, state };
  const { data, at } = last.current.state;
  return state.data === null ? { data, at, error: state.error } : state;
}

export function useConnection(): ConnectionState {
  const [state, setState] = useState(live.state);
  useEffect(() => live.onState(() => setState(live.state)), []);
  return state;
}

/** Draws again every so often: for ages, and for noticing silence. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = (): void => setRoute(parseRoute(location.hash));
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/** The value as it was when it last stayed the same for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

export interface Task<A extends unknown[]> {
  busy: boolean;
  error: ApiError | null;
  run: (...args: A) => Promise<void>;
  clear: () => void;
}

/** Something that a person starts: whether it runs, and how it failed. */
export function useTask<A extends unknown[]>(action: (...args: A) => Promise<unknown>): Task<A> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const latest = useRef(action);
  latest.current = action;
  const run = useCallback(async (...args: A) => {
    setBusy(true);
    setError(null);
    try {
      await latest.current(...args);
    } catch (failure) {
      setError(failure as ApiError);
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, run, clear: () => setError(null) };
}
