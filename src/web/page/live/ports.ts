/**
 * Ports as pages watch them. Two minutes of history of every port, each second, would be most of
 * what the switch sends: they are fetched once, and grow here.
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { History, Port } from '../../api/index.js';
import { mergeHistory } from '../pure/history.js';
import { api } from './api.js';
import { useTopic } from './hooks.js';
import type { TopicState } from './socket.js';

const SAMPLES_MAX = 120;
/** Newest samples that come each second: a few, for those seconds that were missed. */
const SAMPLES_EACH = 5;

const keyOf = ({ bridge, name }: Port): string => `${bridge}/${name}`;

/** Ports without their histories: for names, states and rates. */
export function usePorts(): TopicState<Port[]> {
  return useTopic<Port[]>('ports', { history: 0 });
}

/** Ports with their histories. */
export function usePortHistories(): TopicState<Port[]> {
  const fresh = useTopic<Port[]>('ports', { history: SAMPLES_EACH });
  const kept = useRef(new Map<string, History>());
  const [fetched, setFetched] = useState(0);

  useEffect(() => {
    let current = true;
    const take = (ports: Port[]): void => {
      if (!current) return;
      for (const port of ports) {
        const newer = kept.current.get(keyOf(port)) ?? port.history;
        kept.current.set(keyOf(port), mergeHistory(port.history, newer, SAMPLES_MAX));
      }
      setFetched((n) => n + 1);
    };
    // Without it there is less to see at first, and nothing else is wrong.
    api.get<Port[]>('ports').then(take, () => undefined);
    return () => {
      current = false;
    };
  }, []);

  return useMemo(() => {
    if (fresh.data === null) return fresh;
    const known = new Map<string, History>();
    const data = fresh.data.map((port) => {
      const before = kept.current.get(keyOf(port)) ?? port.history;
      const history = mergeHistory(before, port.history, SAMPLES_MAX);
      known.set(keyOf(port), history);
      return { ...port, history };
    });
    kept.current = known;
    return { ...fresh, data };
  }, [fresh.data, fresh.error, fetched]);
}
