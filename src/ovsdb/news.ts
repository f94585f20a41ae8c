/**
 * Who is told of commits, and when: a few watchers before the answers, many after them.
 *
 *     few       request -> news, answer: who has the answer knows that all others were told
 *
 *     many      request -> answer | news to all watchers       took 0.3 ms
 *     turn      request -> answer |  (pause: 1 ms)
 *     turn      request -> answer |
 *     turn      request -> answer | news of three transactions in one
 *
 * A hundred watchers cost more than the transaction that they are told of. After a round that took
 * long there is a pause, in which transactions go on and news add up; with few watchers there is
 * none, and each of them is told of each transaction.
 *
 * Not for: what the news are (monitor.ts).
 */
import type { Clock } from '../common/clock.js';
import { afterAnswers, beforeAnswers } from '../common/turn-end.js';

/** A client that watches. */
export interface Watcher {
  /** Sends what has been noted, at once. @param together as one update, else one for each commit */
  tellNews(together: boolean): void;
}

/** A round that takes longer is followed by a pause, milliseconds. */
const SHORT_ROUND_MS = 0.2;
/** Fewer watchers are never kept waiting, and go before the answers. */
const WATCHERS_MIN = 16;
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
    beforeAnswers(this.tellFew);
  }

  private readonly tellFew = (): void => {
    if (this.watchers.size < WATCHERS_MIN) this.tell(false);
    else afterAnswers(this.tellSoon);
  };

  private readonly tellSoon = (): void => this.tell(false);

  private tell(together: boolean): void {
    this.scheduled = false;
    const { watchers } = this;
    if (watchers.size === 0) return;
    this.watchers = new Set();
    const start = this.clock.now();
    for (const watcher of watchers) watcher.tellNews(together);
    if (watchers.size < WATCHERS_MIN || this.clock.now() - start < SHORT_ROUND_MS) return;
    this.pause = setTimeout(() => this.tellNow(), PAUSE_MS);
    this.pause.unref();
  }

  /** Tells what there is, pause or not: what it is about goes away. */
  tellNow(): void {
    if (this.pause !== null) clearTimeout(this.pause);
    this.pause = null;
    this.tell(true);
  }
}
