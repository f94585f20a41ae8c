/**
 * `tapswitch` without a command, or with one that there is not: help, version, what is wrong.
 *
 * Not for: commands (commands.ts), which get on without it.
 */
import { Command } from 'commander';
import { COMMANDS } from './commands.js';
import type { CliIo } from './io.js';
import { tapswitchVersion } from './version.js';

/** Help, version, and what is wrong with a command line that names no command. */
export async function runTopLevel(argv: string[], io: CliIo): Promise<number> {
  let status = 0;
  const top = new Command('tapswitch')
    .description('An OpenFlow switch on real interfaces, with the tools of Open vSwitch.')
    .version(tapswitchVersion(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help; COMMAND --help shows that of a command')
    .option('--json', 'behind a COMMAND: what it prints, as JSON')
    .helpCommand('help [command]', 'show this help')
    .usage('COMMAND [ARG...]')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(withHint(text.replace(/^error: /, 'tapswitch: '))),
    });
  for (const { name, summary } of COMMANDS) top.command(name).description(summary);
  top.addHelpText('after', "\nTry 'tapswitch start' (as root), then 'tapswitch vsctl show'.");
  try {
    await top.parseAsync(argv, { from: 'user' });
  } catch (error) {
    // commander has printed what there was to say.
    status = (error as { exitCode?: number }).exitCode ?? 1;
  }
  return status;
}

/** An error of commander's; where it suggests nothing, where to look. */
function withHint(text: string): string {
  if (text.includes('(Did you mean')) return text;
  return `${text}  hint: 'tapswitch --help' lists the commands\n`;
}
