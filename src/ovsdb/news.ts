/**
 * Who is told of commits, and when: watchers after those who wait for answers.
 *
 *     turn      request -> answer | news to all watchers       took 0.3 ms
 *     turn      request -> answer |  (pause: 1 ms)
 *     turn      request -> answer |
 *     turn      request -> answer | news of three transactions in one
 *
 * A hundred watchers cost more than the transaction that they are told of. After a round that took
 * long there is a pause, in which transactions go on and news add up; with few watchers there is
 * none.
 *
 * Not for: what the news are (monitor.ts).
 */
import type { Clock } from '../common/clock.js';
import { afterAnswers } from '../common/turn-end.js';

/** A client that watches. */
export interface Watcher {
  /** Sends what has been noted, at once. */
  tellNews(): void;
}

/** A round that takes longer is followed by a pause, milliseconds. */
const SHORT_ROUND_MS = 0.2;
const PAUSE_MS = 1;

export class News {
  private watchers = new Set<Watcher>();
  private scheduled = false;
  private pause: NodeJS.Timeout | null = null;

  constructor(private readonly clock: Clock) {}

  /** There is something to tell; soon. */
  for(watcher: Watcher): void {
    this.watchers.add(watcher);
    if (this.scheduled || this.pause !== null) return;
    this.scheduled = true;
    afterAnswers(this.tell);
  }

  private readonly tell = (): void => {
    this.scheduled = false;
    const { watchers } = this;
    if (watchers.size === 0) return;
    this.watchers = new Set();
    const start = this.clock.now();
    for (const watcher of watchers) watcher.tellNews();
    if (this.clock.now() - start < SHORT_ROUND_MS) return;
    this.pause = setTimeout(() => this.tellNow(), PAUSE_MS);
    this.pause.unref();
  };

  /** Tells what there is, pause or not: what it is about goes away. */
  tellNow(): void {
    if (this.pause !== null) clearTimeout(this.pause);
    this.pause = null;
    this.tell();
  }
}
