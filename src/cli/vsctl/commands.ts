/**
 * All commands by name, and what shells need to complete them.
 *
 * Not for: what they do (the *-commands.ts files).
 */

import { BRIDGE_COMMANDS } from './bridge-commands.js';
import type { CommandTable } from './command-line.js';
import type { CommandSyntax } from './context.js';
import { CONTROLLER_COMMANDS } from './controller-commands.js';
import { OTHER_COMMANDS } from './other-commands.js';
import { PORT_COMMANDS } from './port-commands.js';
import { RECORD_COMMANDS } from './record-commands.js';
import { RECORD_EDIT_COMMANDS } from './record-edit-commands.js';
import { SHOW_COMMAND } from './show.js';

export const COMMAND_TABLE: CommandTable = new Map(
  [
    ...BRIDGE_COMMANDS,
    ...PORT_COMMANDS,
    ...CONTROLLER_COMMANDS,
    ...OTHER_COMMANDS,
    ...RECORD_COMMANDS,
    ...RECORD_EDIT_COMMANDS,
    SHOW_COMMAND,
  ].map((syntax) => [syntax.name, syntax]),
);

/**
 * One word of a command's arguments for completion: `!` required, `?` optional, `*` any number, `+`
 * one or more; brackets within a word become `?`.
 */
function completionWord(word: string): string {
  const repeated = word.endsWith('...');
  const bare = repeated ? word.slice(0, -3) : word;
  const optional = /^\[[^\]]*(\[[^\]]*\][^\]]*)*\]$/.test(bare);
  const inner = optional ? bare.slice(1, -1) : bare;
  const mark = optional ? (repeated ? '*' : '?') : repeated ? '+' : '!';
  return mark + inner.replaceAll('[', '?').replaceAll(']', '');
}

/** A line of `--commands`: options, name and arguments, as Open vSwitch's completion reads them. */
export function completionLine(syntax: CommandSyntax): string {
  const options = syntax.options.map((option) => `[${option}] `).join('');
  const words = syntax.arguments === '' ? [] : syntax.arguments.split(' ');
  return `${options},${syntax.name},${words.map(completionWord).join(' ')}\n`;
}
