/**
 * Rules for lists of actions that hold whatever the match is: the order of instructions, what may be nested in
 * ct, clone and write_actions, and that conjunction stands alone.
 */
import type { OfAction } from '../actions.js';
import { syntaxError } from './scan.js';

/** The action that holds the list. */
export type ActionOwner = 'ct' | 'clone' | 'write_actions';

/** Instructions in the order in which they must be written; everything else is apply_actions. */
const ORDER = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
];
const APPLY = 1;

function instruction(a: OfAction): number {
  const i = ORDER.indexOf(a.type);
  return i >= 0 ? i : APPLY;
}

/** Names of actions in messages, where they are not those of their type. */
const NAMES: Record<string, string> = {
  stack_push: 'push',
  stack_pop: 'pop',
  output_trunc: 'output_trunc',
};

function actionName(a: OfAction): string {
  return NAMES[a.type] ?? a.type;
}

const CT_FIELDS = new Set(['ct_mark', 'ct_label']);

/** The field that an action writes, if it does. */
function writtenField(a: OfAction): string | undefined {
  if (a.type === 'set_field') return a.field;
  if (a.type === 'move') return a.dst.field;
  return undefined;
}

function verifyNested(a: OfAction, owner: ActionOwner | null): void {
  const field = writtenField(a);
  const isCt = field !== undefined && CT_FIELDS.has(field);
  if (isCt && owner !== 'ct') syntaxError('cannot set CT fields outside of ct action');
  if (a.type === 'nat') {
    if (owner !== 'ct') syntaxError('Cannot have NAT action outside of "ct" action');
    return;
  }
  if (owner === 'ct') {
    if (field === undefined) {
      syntaxError(`${owner} action doesn't support nested action ${actionName(a)}`);
    }
    if (!isCt) {
      syntaxError(`${owner} action doesn't support nested modification of ${field}`);
    }
  }
  if (owner !== null && a.type === 'meter') {
    syntaxError(`${owner} action doesn't support nested action meter`);
  }
}

function verifyConjunctions(actions: readonly OfAction[]): void {
  for (const a of actions) {
    if (a.type === 'conjunction' || a.type === 'note') continue;
    syntaxError(
      '"conjunction" actions may be used along with "note" but not any other kind of action ' +
        `(such as the "${actionName(a)}" action used here)`,
    );
  }
}

/**
 * Checks a list of actions.
 * @param instructions whether instructions may be among them.
 * @throws FlowSyntaxError
 */
export function verifyActions(
  actions: readonly OfAction[],
  instructions: boolean,
  owner: ActionOwner | null,
): void {
  let inst = 0;
  for (const [i, a] of actions.entries()) {
    if (a.type === 'conjunction') {
      verifyConjunctions(actions);
      return;
    }
    verifyNested(a, owner);
    const next = instruction(a);
    const compatible = 'for OpenFlow 1.1+ compatibility';
    if (i > 0 && (inst === APPLY ? next < inst : next <= inst)) {
      if (next === inst) {
        syntaxError(`duplicate ${ORDER[inst]} instruction not allowed, ${compatible}`);
      }
      const order = `${ORDER[next]} must appear before ${ORDER[inst]}`;
      syntaxError(`invalid instruction ordering: ${order}, ${compatible}`);
    }
    if (!instructions && next > APPLY) syntaxError(`${ORDER[next]} instruction not allowed here`);
    inst = next;
  }
}
