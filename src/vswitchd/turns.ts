/**
 * Work that is done a piece at a time, so that others have their turns in between: packets, other
 * connections, timers of protocols.
 *
 *     begin([close a, close b, open c, ... , tell]) ─> run ─ a, b ─> others ─> run ─ c ... ─> empty
 *
 * Begun anew before it is done, what is left is forgotten: who begins knows what there is to do.
 */
import type { Clock } from '../common/clock.js';

/** Pieces are begun until so much time has gone by, milliseconds. */
const TURN_MS = 20;

export class Turns {
  private pieces: (() => void)[] = [];
  private next = 0;

  constructor(private readonly clock: Clock) {}

  /** Nothing is left to do. */
  get done(): boolean {
    return this.next === this.pieces.length;
  }

  begin(pieces: (() => void)[]): void {
    this.pieces = pieces;
    this.next = 0;
  }

  /** One turn: at least a piece. */
  run(): void {
    const end = this.clock.now() + TURN_MS;
    while (!this.done) {
      const piece = this.pieces[this.next];
      this.next += 1;
      piece();
      if (this.clock.now() >= end) break;
    }
    if (this.done) this.begin([]);
  }
}
