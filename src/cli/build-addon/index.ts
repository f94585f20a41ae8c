/**
 * `tapswitch build-addon`: compiles the native addon where this package is installed, for the
 * Node.js that runs it.
 *
 * Not for: how it is compiled (scripts/build-native.mjs, which a checkout runs by npm).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TapswitchError } from '../../common/errors.js';
import type { CliIo } from '../io.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/build-native.mjs', import.meta.url));
/** Writes down what this Node.js compiles of the program, so that it starts soon. */
const CACHE_SCRIPT = fileURLToPath(new URL('../../../scripts/build-cache.mjs', import.meta.url));

const USAGE = `usage: tapswitch build-addon [--if-stale]
Compiles the native addon of this installation for this version of Node.js, and keeps what Node.js
makes of the rest, so that it starts soon. It needs g++, make and python3, and leave to write where
tapswitch is installed.

Options:
  --if-stale   do nothing when the addon is newer than its sources and made for this Node.js
  -h, --help   display this help message
`;

/**
 * Runs `tapswitch build-addon ARGV`.
 * @throws TapswitchError E_ADDON_SOURCES where the sources were not installed
 */
export async function runBuildAddon(argv: string[], io: CliIo): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.stdout.write(USAGE);
    return 0;
  }
  const wrong = argv.find((word) => word !== '--if-stale');
  if (wrong !== undefined) {
    io.stderr.write(`${io.programName}: build-addon: what is '${wrong}'?\n${USAGE}`);
    return 1;
  }
  if (!existsSync(SCRIPT)) {
    throw new TapswitchError(
      'E_ADDON_SOURCES',
      `this installation lacks what the addon is built from (${SCRIPT})`,
      'install the package again, or build in a checkout',
    );
  }
  const status = await runScript(SCRIPT, argv, io);
  if (status === 0 && existsSync(CACHE_SCRIPT)) await runScript(CACHE_SCRIPT, argv, io);
  return status;
}

function runScript(script: string, argv: string[], io: CliIo): Promise<number> {
  const child = spawn(process.execPath, [script, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: io.env,
  });
  child.stdout.on('data', (chunk) => io.stdout.write(chunk));
  child.stderr.on('data', (chunk) => io.stderr.write(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
}
