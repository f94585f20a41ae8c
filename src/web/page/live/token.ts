/**
 * The token that allows what not everybody may: asked for once, kept for this browser tab.
 */

const KEY = 'tapswitch-token';

let listeners: (() => void)[] = [];
let asked: () => void = () => {};

export const token = {
  get(): string | null {
    return sessionStorage.getItem(KEY);
  },
  /** null forgets it. */
  set(value: string | null): void {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
    for (const listener of listeners) listener();
  },
  /** The switch wants one, or another. */
  ask(): void {
    asked();
  },
  onAsk(listener: () => void): void {
    asked = listener;
  },
  onChange(listener: () => void): () => void {
    listeners = [...listeners, listener];
    return () => {
      listeners = listeners.filter((other) => other !== listener);
    };
  },
};
