/**
 * `tapswitch completion bash`: prints what bash needs to complete tapswitch's command lines.
 *
 *     source <(tapswitch completion bash)
 *
 * The shell asks back with `tapswitch completion words LINE` for what could come next.
 *
 * Not for: what could come next (words.ts).
 */
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { directories } from '../daemon/dirs.js';
import type { CliIo } from '../io.js';
import { OvsdbClient } from '../ovsdb/client.js';
import { defaultServer } from '../ovsdb/options.js';
import { SWITCH_TARGET } from '../switch-hint.js';
import { candidates, splitLine } from './words.js';

/** Nobody waits longer for a list of names, milliseconds. */
const NAMES_MS_MAX = 1000;

const BASH = `# bash completion for tapswitch
_tapswitch() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" completion words "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[=:] ]]; then compopt -o nospace; fi
}
complete -F _tapswitch tapswitch
`;

/** Runs `tapswitch completion ARGV`. */
export async function runCompletion(argv: string[], io: CliIo): Promise<number> {
  const [what, line] = argv;
  if (what === 'bash' && argv.length === 1) {
    io.stdout.write(BASH);
    return 0;
  }
  if (what === 'words' && argv.length === 2) {
    for (const word of await complete(line, io.env)) io.stdout.write(`${word}\n`);
    return 0;
  }
  io.stderr.write(`usage: ${io.programName} completion bash\n`);
  return what === '--help' || what === '-h' ? 0 : 1;
}

/** Candidates for an unfinished line, as bash wants them: from the last = or : on. */
async function complete(line: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const words = splitLine(line);
  const typed = words[words.length - 1];
  const cut = Math.max(typed.lastIndexOf('='), typed.lastIndexOf(':')) + 1;
  const found = await candidates(
    words,
    (table) => namesIn(table, env),
    () => controlsIn(env),
  );
  return found.map((word) => word.slice(cut));
}

/** Names of a table's rows; none where no database answers. */
async function namesIn(table: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, NAMES_MS_MAX, []).unref());
  return Promise.race([late, askNames(table, env).catch(() => [])]);
}

/** Commands of the running daemon; none where no daemon answers. */
async function controlsIn(env: NodeJS.ProcessEnv): Promise<string[]> {
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, NAMES_MS_MAX, []).unref());
  return Promise.race([late, askControls(env).catch(() => [])]);
}

async function askControls(env: NodeJS.ProcessEnv): Promise<string[]> {
  const path = unixctlPath(SWITCH_TARGET, directories(env).runDir);
  const client = await UnixctlClient.connect(path, SWITCH_TARGET);
  try {
    const { text } = await client.transact('list-commands', []);
    return [...text.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name);
  } finally {
    client.close();
  }
}

async function askNames(table: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const client = await OvsdbClient.connect(defaultServer(env), {});
  try {
    const select = { op: 'select', table, where: [], columns: ['name'] };
    const [result] = await client.transact('Open_vSwitch', [select]);
    return (result as { rows: { name: string }[] }).rows.map(({ name }) => name);
  } finally {
    client.close();
  }
}
