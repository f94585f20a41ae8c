/**
 * Running openssl for `tapswitch pki`: what it says goes to the log file, and its failures become
 * errors that name what it was asked to do.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { TapswitchError } from '../../common/errors.js';

export interface Openssl {
  /** Where openssl's own words go. */
  log: string;
  env: NodeJS.ProcessEnv;
}

export interface OpensslRun {
  /** Directory to run in. */
  cwd?: string;
  /** What is to be done, for the error. */
  doing: string;
  /** Given as standard input. */
  input?: string;
}

/**
 * Runs openssl and waits. @returns its standard output
 * @throws TapswitchError E_PKI_OPENSSL when it is not there or fails
 */
export function openssl(settings: Openssl, args: readonly string[], run: OpensslRun): string {
  const result = spawnSync('openssl', args, {
    cwd: run.cwd,
    env: settings.env,
    input: run.input ?? '',
    encoding: 'utf8',
  });
  if (result.error !== undefined) {
    const missing = (result.error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TapswitchError(
      'E_PKI_OPENSSL',
      missing ? 'openssl is not installed' : `openssl cannot be run (${result.error.message})`,
      missing ? 'apt-get install openssl' : undefined,
      { cause: result.error },
    );
  }
  appendFileSync(settings.log, `$ openssl ${args.join(' ')}\n${result.stderr}`);
  if (result.status === 0) return result.stdout;
  const lines = result.stderr.trim().split('\n');
  // Of a chain that does not hold, the line that says where and why.
  const said = lines.find((line) => line.includes('depth lookup:')) ?? lines.at(-1) ?? '';
  throw new TapswitchError(
    'E_PKI_OPENSSL',
    `${run.doing}: openssl failed${said === '' ? '' : ` (${said})`}`,
    `${settings.log} has all that it said`,
  );
}
