/**
 * Parts of flow entries that many have in common: kept once.
 *
 *     a million entries with actions=output:2  -->  one list of actions, one cookie, one set
 *
 * Nobody changes a list of actions in place: a change gives an entry another list.
 */
import type { OfAction } from '../openflow/actions.js';
import type { FlowMod } from '../openflow/messages.js';

/** Lists that are remembered; then it begins anew. What entries share stays shared. */
const LISTS_MAX = 4096;
/** Longer lists are hardly ever the same. */
const ACTIONS_MAX = 4;

const FLAG_NAMES = [
  'sendFlowRem',
  'checkOverlap',
  'resetCounts',
  'noPktCounts',
  'noByteCounts',
] as const satisfies readonly (keyof FlowMod['flags'])[];

const flagSets: (FlowMod['flags'] | undefined)[] = [];
const lists = new Map<string, readonly OfAction[]>();
/** Of these, the lists that are one output of whole packets, by port: most are. */
const outputs = new Map<number, readonly OfAction[]>();
let lastCookie = 0n;

/** Flags equal to these, the same object for all that have them. */
export function sharedFlags(flags: FlowMod['flags']): FlowMod['flags'] {
  let bits = 0;
  for (let i = 0; i < FLAG_NAMES.length; i++) if (flags[FLAG_NAMES[i]]) bits |= 1 << i;
  const known = flagSets[bits];
  if (known !== undefined) return known;
  const copy = { ...flags };
  flagSets[bits] = copy;
  return copy;
}

/** The same number; entries that follow each other often have the same cookie. */
export function sharedCookie(cookie: bigint): bigint {
  if (cookie !== lastCookie) lastCookie = cookie;
  return lastCookie;
}

/** Actions equal to these, the same list for many that have them. */
export function sharedActions(actions: readonly OfAction[]): readonly OfAction[] {
  const [first] = actions;
  if (actions.length === 1 && first.type === 'output' && first.maxLen === 0) {
    return sharedIn(outputs, first.port, actions);
  }
  const key = keyOf(actions);
  return key === null ? actions : sharedIn(lists, key, actions);
}

function sharedIn<K>(
  known: Map<K, readonly OfAction[]>,
  key: K,
  actions: readonly OfAction[],
): readonly OfAction[] {
  const same = known.get(key);
  if (same !== undefined) return same;
  if (known.size >= LISTS_MAX) known.clear();
  known.set(key, actions);
  return actions;
}

/** Different for different lists; null: too long a list, or more in it than plain values. */
function keyOf(actions: readonly OfAction[]): string | null {
  if (actions.length > ACTIONS_MAX) return null;
  let key = '';
  for (const action of actions) {
    for (const name in action) {
      const value: unknown = action[name as keyof OfAction];
      if (typeof value === 'number') key += `${name}=${value},`;
      else if (name === 'type') key += `${String(value)}:`;
      else return null;
    }
    key += ';';
  }
  return key;
}
