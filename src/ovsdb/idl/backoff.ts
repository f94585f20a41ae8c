/**
 * When to try the next connection: waits double from 1 s to 8 s, as Open vSwitch's client does.
 *
 *     failures:   every remote in turn, then a wait of 1 s, every remote, 2 s, ..., 4 s, 8 s, 8 s
 *     drop of a connection that was up for at least as long as the last wait: start again
 *
 * Not for: connecting.
 */

/** The waits between attempts to connect. All times are milliseconds. */
export class Backoff {
  private waitMs = 0;
  /** Remotes that are to be tried before the next wait. */
  private left: number;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
    private readonly remotes: number,
  ) {
    this.left = remotes - 1;
  }

  /**
   * Called when a connection failed or ended.
   * @param upMs how long it had been up; 0 if it never was
   * @returns how long to wait
   */
  failed(upMs: number): number {
    if (upMs > 0 && upMs >= this.waitMs && this.waitMs > 0) {
      this.waitMs = 0;
      this.left = this.remotes - 1;
    }
    if (this.left > 0) {
      this.left -= 1;
      return 0;
    }
    this.left = this.remotes - 1;
    this.waitMs = this.waitMs === 0 ? this.minMs : Math.min(this.waitMs * 2, this.maxMs);
    return this.waitMs;
  }

  /** True when waits have reached their longest: further failures are not worth a log line. */
  get quiet(): boolean {
    return this.waitMs >= this.maxMs;
  }
}
