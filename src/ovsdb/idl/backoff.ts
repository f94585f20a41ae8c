/**
 * When to try the next connection: waits double from 1 s to 8 s, as Open vSwitch's client does.
 *
 *     failure:              wait = 0 (a remote not yet tried), then 1, 2, 4, 8, 8... seconds
 *     drop after being up   for at least as long as the last wait: start again at 1 s
 *
 * Not for: connecting.
 */

/** The waits between attempts to connect. All times are monotonic milliseconds. */
export class Backoff {
  private waitMs = 0;
  private freeTries: number;

  /** @param remotes how many remotes take turns: each gets a first try without a wait */
  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
    remotes: number,
  ) {
    this.freeTries = remotes - 1;
  }

  /**
   * Called when a connection failed or ended.
   * @param upMs how long it had been up; 0 if it never was
   * @returns how long to wait
   */
  failed(upMs: number): number {
    if (upMs > 0 && upMs >= this.waitMs) {
      this.waitMs = this.minMs;
      return this.minMs;
    }
    if (this.freeTries > 0) {
      this.freeTries -= 1;
      return 0;
    }
    this.waitMs = this.waitMs === 0 ? this.minMs : Math.min(this.waitMs * 2, this.maxMs);
    return this.waitMs;
  }

  /** True when waits have reached their longest: further failures are not worth a log line. */
  get quiet(): boolean {
    return this.waitMs >= this.maxMs;
  }
}
