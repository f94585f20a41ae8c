/**
 * What a daemon leaves to its successor when `--monitor` starts it again: JSON in a file without a
 * name, which the monitor holds open and each daemon inherits.
 *
 * Not for: what must outlive the monitor (the database).
 */
import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';

const log = getLogger('daemon');

export class KeptState {
  /** @param fd the file; null: there is no monitor, and nothing is kept */
  constructor(private readonly fd: number | null) {}

  /** What the predecessor saved; undefined when there was none, or it saved nothing. */
  load(): unknown {
    if (this.fd === null) return undefined;
    try {
      const bytes = Buffer.alloc(fstatSync(this.fd).size);
      readSync(this.fd, bytes, 0, bytes.length, 0);
      return bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined;
    } catch (error) {
      log.warn(`what the last process left cannot be read (${errorMessage(error)})`);
      return undefined;
    }
  }

  /** Saves `state` in place of what was saved before. */
  save(state: unknown): void {
    if (this.fd === null) return;
    const bytes = Buffer.from(JSON.stringify(state));
    try {
      ftruncateSync(this.fd);
      writeSync(this.fd, bytes, 0, bytes.length, 0);
    } catch (error) {
      log.warn(`the state for a restart cannot be saved (${errorMessage(error)})`);
    }
  }
}
