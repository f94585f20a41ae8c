/**
 * The running switch as `brctl` and `tcpdump` see it: vsctl and appctl, in this process, with their
 * output as text.
 */
import { Writable } from 'node:stream';
import { TapswitchError } from '../../common/errors.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';
import { directories } from '../daemon/dirs.js';
import type { CliIo } from '../io.js';
import { runVsctl } from '../vsctl/index.js';

const SWITCH = 'ovs-vswitchd';

class Gathered extends Writable {
  text = '';
  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** What a vsctl command printed; it failed when `status` is not 0. */
export interface VsctlAnswer {
  status: number;
  out: string;
  err: string;
}

/** Runs vsctl with these words. */
export async function askVsctl(words: string[], io: CliIo): Promise<VsctlAnswer> {
  const stdout = new Gathered();
  const stderr = new Gathered();
  const { env, programName } = io;
  const status = await runVsctl(words, { stdout, stderr, env, programName });
  return { status, out: stdout.text, err: stderr.text };
}

/** The same, and what went wrong goes to the user. @returns null when it failed */
export async function vsctl(words: string[], io: CliIo): Promise<string | null> {
  const { status, out, err } = await askVsctl(words, io);
  if (status === 0) return out;
  io.stderr.write(err);
  return null;
}

/** Lines of a vsctl command's output that hold anything. */
export async function vsctlLines(words: string[], io: CliIo): Promise<string[] | null> {
  const out = await vsctl(words, io);
  return out === null ? null : out.split('\n').filter((line) => line !== '');
}

/**
 * What a command of the daemon's control socket answers.
 * @throws TapswitchError E_UNIXCTL_*, and E_COMMAND when it refuses
 */
export async function appctl(command: string, args: string[], io: CliIo): Promise<string> {
  const path = unixctlPath(SWITCH, directories(io.env).runDir);
  const client = await UnixctlClient.connect(path, SWITCH);
  try {
    const { ok, text } = await client.transact(command, args);
    if (!ok) throw new TapswitchError('E_COMMAND', text.trim());
    return text;
  } finally {
    client.close();
  }
}
