/**
 * The action set that write_actions gathers and the end of the pipeline executes.
 *
 * At most one action of each kind, executed in OpenFlow's order whatever order they came in;
 * without an output (or group) at the end nothing is executed at all. OpenFlow 1.5, section 5.6.
 */
import type { OfAction } from '../../openflow/actions.js';
import { type FlowWords, W_ACTSET_OUTPUT } from '../../packet/flow-layout.js';

/** W_ACTSET_OUTPUT of an action set that has no output. */
export const OFPP_UNSET_WORD = 0xfffffff7 | 0;

/** Kinds that appear once, in the order in which they are executed. */
const SLOTS: readonly OfAction['type'][] = [
  'strip_vlan',
  'pop_mpls',
  'push_mpls',
  'push_vlan',
  'dec_ttl',
  'dec_mpls_ttl',
];
/** Kinds that are executed in the order that they came in, each time. */
const SETS: readonly OfAction['type'][] = [
  'set_field',
  'move',
  'set_mpls_ttl',
  'set_queue',
  'set_tunnel',
];
/** Kinds that end it: the last one in the list of kinds that is present wins. */
const FINAL: readonly OfAction['type'][] = ['ct', 'ct_clear', 'resubmit', 'output', 'group'];

/** What may stand in write_actions. */
export function isActionSetAction(action: OfAction): boolean {
  return SLOTS.includes(action.type) || FINAL.includes(action.type) || SETS.includes(action.type);
}

/** What a translation has gathered so far. */
interface Gathered {
  actionSet: OfAction[];
  flow: FlowWords;
}

export function writeActions(ctx: Gathered, actions: readonly OfAction[]): void {
  ctx.actionSet = [...ctx.actionSet, ...actions];
  const group = ctx.actionSet.some((a) => a.type === 'group');
  for (const action of actions) {
    if (action.type === 'output' && !group) ctx.flow[W_ACTSET_OUTPUT] = action.port | 0;
    else if (action.type === 'group') ctx.flow[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
  }
}

/** The action set as the list in which it is executed. */
export function orderActionSet(set: readonly OfAction[]): OfAction[] {
  const slots = new Map<OfAction['type'], OfAction>();
  const sets: OfAction[] = [];
  let final: OfAction | null = null;
  for (const action of set) {
    if (SLOTS.includes(action.type)) slots.set(action.type, action);
    else if (FINAL.includes(action.type)) {
      if (final === null || FINAL.indexOf(action.type) >= FINAL.indexOf(final.type)) final = action;
    } else if (SETS.includes(action.type)) sets.push(action);
  }
  if (final === null) return [];
  return [...SLOTS.flatMap((type) => slots.get(type) ?? []), ...sets, final];
}
