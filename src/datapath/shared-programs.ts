/**
 * Programs of action lists that many flows have: compiled once, and kept once.
 *
 *     list --> the last one? --------------------------> its program
 *          --> hash of its outputs --> equal content? --> its program
 *                                  \-> compile, and take the place
 *
 * A miss has its actions twice, for the packet and for the flow; and most flows of a switch do one
 * of a few things. Bounded: a place keeps the list that came last.
 *
 * Lists are not changed once they were given away, nor are programs.
 */
import type { ActionProgram } from './action-program.js';
import { compileActions } from './compile-actions.js';
import type { OdpAction } from './odp-actions.js';
import { odpActionsEqual } from './odp-equal.js';

/** A power of two. */
const PLACES = 256;
/** Longer lists are compiled each time: comparing them costs about as much. */
const SHARED_ACTIONS_MAX = 16;

/** A list with its program; both may be others' as well. */
export interface CompiledActions {
  readonly actions: readonly OdpAction[];
  readonly program: ActionProgram;
}

export class SharedPrograms {
  private readonly places: (CompiledActions | undefined)[] = new Array(PLACES).fill(undefined);
  private last: CompiledActions = { actions: [], program: compileActions([]) };
  /** The list that `last` was found for. */
  private lastAsked: readonly OdpAction[] = this.last.actions;

  /**
   * A list that does the same as `actions`, and its program.
   * @throws TapswitchError as compileActions
   */
  of(actions: readonly OdpAction[]): CompiledActions {
    if (actions === this.lastAsked) return this.last;
    const found = this.find(actions);
    this.last = found;
    this.lastAsked = actions;
    return found;
  }

  private find(actions: readonly OdpAction[]): CompiledActions {
    if (actions.length > SHARED_ACTIONS_MAX) return { actions, program: compileActions(actions) };
    const place = placeOf(actions);
    const there = this.places[place];
    if (there !== undefined && odpActionsEqual(there.actions, actions)) return there;
    const made = { actions, program: compileActions(actions) };
    this.places[place] = made;
    return made;
  }
}

/** By what tells lists apart most cheaply: how long they are, and the ports that they output to. */
function placeOf(actions: readonly OdpAction[]): number {
  let hash = actions.length;
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    if (action.type === 'output') hash = Math.imul(hash ^ action.port, 0x9e3779b1);
    else hash = Math.imul(hash ^ action.type.length, 0x85ebca6b);
  }
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}
