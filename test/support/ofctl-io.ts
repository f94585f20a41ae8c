/**
 * Running our ofctl in the test's own process, with its output kept.
 */
import { Readable, Writable } from 'node:stream';
import { runOfctl } from '../../src/cli/ofctl/index.js';
import type { Finished } from './command.js';

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Runs one command under the name of ovs-ofctl. */
export async function runOurOfctl(
  argv: string[],
  env: NodeJS.ProcessEnv,
  input = '',
): Promise<Finished> {
  const stdout = new Collector();
  const stderr = new Collector();
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  const io = { stdout, stderr, stdin, env, programName: 'ovs-ofctl' };
  const status = await runOfctl(argv, io);
  return { status, stdout: stdout.text, stderr: stderr.text };
}
