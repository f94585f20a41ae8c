/**
 * What a command on the control socket is, and the errors it answers with.
 */
import { TapswitchError } from '../../common/errors.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';

/** Registered on the control socket by the daemon. `run` throws to answer with an error. */
export interface OfprotoCommand {
  readonly name: string;
  /** As list-commands prints it; null hides the command (old names). */
  readonly usage: string | null;
  readonly minArgs: number;
  readonly maxArgs: number;
  run(args: string[]): string | Promise<string>;
}

/** As many arguments as one likes. */
export const ANY_ARGS = Number.MAX_SAFE_INTEGER;

/** Answers with an error in the words that scripts know. */
export function commandError(text: string): never {
  throw new TapswitchError('E_COMMAND', text);
}

export function bridgeNamed(registry: OfprotoRegistry, name: string): Ofproto {
  return registry.byName(name) ?? commandError('no such bridge');
}
