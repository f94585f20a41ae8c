/**
 * A command's io in memory: what it printed can be read afterwards.
 */
import { PassThrough, Readable } from 'node:stream';
import type { CliIo } from '../../src/cli/io.js';

export class MemoryIo implements CliIo {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly stdin = Readable.from([]);
  hints?: boolean;

  constructor(
    readonly programName: string,
    readonly env: NodeJS.ProcessEnv = {},
  ) {}

  /** Everything printed on standard output since the last call. */
  takeOut(): string {
    return String(this.stdout.read() ?? '');
  }

  /** Everything printed on standard error since the last call. */
  takeErr(): string {
    return String(this.stderr.read() ?? '');
  }
}
