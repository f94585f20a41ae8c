/**
 * How far a long piece of work has come: one line on a terminal that is written over, gone at the
 * end. Elsewhere, and under the names of Open vSwitch's programs, nothing.
 */
import type { CliIo } from './io.js';

/** Work that is done before this shows nothing; then the line changes this often. */
const INTERVAL_MS = 250;
const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  private readonly shown: boolean;
  private atMs: number;
  private written = false;

  /** @param total pieces of work @param what they are: 'flows' */
  constructor(
    private readonly io: Pick<CliIo, 'stderr' | 'hints'>,
    private readonly total: number,
    private readonly what: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.shown = io.hints === true && (io.stderr as { isTTY?: boolean }).isTTY === true;
    this.atMs = now();
  }

  /** @param done pieces that are done by now */
  step(done: number): void {
    if (!this.shown) return;
    const now = this.now();
    if (now - this.atMs < INTERVAL_MS) return;
    this.atMs = now;
    this.written = true;
    const percent = this.total > 0 ? Math.floor((100 * done) / this.total) : 100;
    this.io.stderr.write(`${CLEAR_LINE}${done} of ${this.total} ${this.what}, ${percent} %`);
  }

  end(): void {
    if (this.written) this.io.stderr.write(CLEAR_LINE);
    this.written = false;
  }
}
