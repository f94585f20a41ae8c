/**
 * Whether two lists of datapath actions do the same, compared by content.
 *
 * Not for: what they do (compile-actions.ts), text (odp-format.ts).
 */
import { sameWords } from '../packet/flow-layout.js';
import type { OdpAction } from './odp-actions.js';

/** True when the two lists do the same, compared by content. */
export function odpActionsEqual(a: readonly OdpAction[], b: readonly OdpAction[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!odpActionEqual(a[i], b[i])) return false;
  return true;
}

function odpActionEqual(a: OdpAction, b: OdpAction): boolean {
  if (a.type !== b.type) return false;
  if (a.type === 'output' && b.type === 'output') return a.port === b.port;
  if (a.type === 'set' && b.type === 'set') {
    return a.attr === b.attr && sameWords(a.value, b.value) && sameWords(a.mask, b.mask);
  }
  return deepEqual(a, b);
}

/** For the rare actions with nested lists and cookies: plain objects, arrays and numbers. */
function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  if (left.length !== Object.keys(b).length) return false;
  return left.every(([key, value]) => deepEqual(value, (b as Record<string, unknown>)[key]));
}
