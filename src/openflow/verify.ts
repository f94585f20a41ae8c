/**
 * Rules for lists of actions that hold whatever the match is: the order of instructions, what may
 * be nested in ct, clone and write_actions, and that conjunction stands alone.
 *
 * Both the codec (which answers with the error) and the syntax (which shows the message) apply
 * them.
 */
import type { OfAction } from './actions.js';
import type { OfErrorName } from './errors.js';

/** What a list of actions breaks. */
export interface Violation {
  error: OfErrorName;
  message: string;
}

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

function violation(error: OfErrorName, message: string): Violation {
  return { error, message };
}

function verifyNested(a: OfAction, owner: ActionOwner | null): Violation | undefined {
  const field = writtenField(a);
  const isCt = field !== undefined && CT_FIELDS.has(field);
  if (isCt && owner !== 'ct') {
    return violation('OFPBAC_BAD_SET_ARGUMENT', 'cannot set CT fields outside of ct action');
  }
  if (a.type === 'nat') {
    if (owner === 'ct') return undefined;
    const message = 'Cannot have NAT action outside of "ct" action';
    return violation('OFPBAC_BAD_SET_ARGUMENT', message);
  }
  if (owner === 'ct') {
    if (field === undefined) {
      const message = `${owner} action doesn't support nested action ${actionName(a)}`;
      return violation('OFPBAC_BAD_ARGUMENT', message);
    }
    if (!isCt) {
      const message = `${owner} action doesn't support nested modification of ${field}`;
      return violation('OFPBAC_BAD_ARGUMENT', message);
    }
  }
  if (owner !== null && a.type === 'meter') {
    return violation('OFPBAC_BAD_ARGUMENT', `${owner} action doesn't support nested action meter`);
  }
  return undefined;
}

function verifyConjunctions(actions: readonly OfAction[]): Violation | undefined {
  for (const a of actions) {
    if (a.type === 'conjunction' || a.type === 'note') continue;
    return violation(
      'NXBAC_BAD_CONJUNCTION',
      '"conjunction" actions may be used along with "note" but not any other kind of action ' +
        `(such as the "${actionName(a)}" action used here)`,
    );
  }
  return undefined;
}

/** The order of two neighbours. */
function verifyOrder(inst: number, next: number): Violation | undefined {
  if (inst === APPLY ? next >= inst : next > inst) return undefined;
  const compatible = 'for OpenFlow 1.1+ compatibility';
  const order = `${ORDER[next]} must appear before ${ORDER[inst]}`;
  const problem =
    next === inst
      ? `duplicate ${ORDER[inst]} instruction not allowed`
      : `invalid instruction ordering: ${order}`;
  return violation('OFPBAC_UNSUPPORTED_ORDER', `${problem}, ${compatible}`);
}

/**
 * Checks a list of actions.
 * @param instructions whether instructions may be among them.
 * @returns what is wrong with it, or undefined.
 */
export function verifyActions(
  actions: readonly OfAction[],
  instructions: boolean,
  owner: ActionOwner | null,
): Violation | undefined {
  let inst = 0;
  for (const [i, a] of actions.entries()) {
    if (a.type === 'conjunction') return verifyConjunctions(actions);
    const next = instruction(a);
    const wrong = verifyNested(a, owner) ?? (i > 0 ? verifyOrder(inst, next) : undefined);
    if (wrong !== undefined) return wrong;
    if (!instructions && next > APPLY) {
      return violation('OFPBIC_UNSUP_INST', `${ORDER[next]} instruction not allowed here`);
    }
    inst = next;
  }
  return undefined;
}
