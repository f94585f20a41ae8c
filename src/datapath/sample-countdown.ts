/**
 * Which packets are sampled: a sample action's program words count down to the next one, whose
 * distance is drawn at random when the last one was taken.
 *
 *     program   ... | probability (of 2^32 - 1) | left | ...        left 0: not drawn yet
 *
 * A packet that is not sampled costs a decrement. Distances are geometrically distributed, so each
 * packet is sampled with the same probability, whatever became of those before it; a program that
 * is replaced may begin anew.
 */
// hot path

/** The most packets in a row that are not sampled. */
const SKIP_MAX = 0x3fffffff;

export class SampleCountdown {
  private random = 0x2545f491;

  /** Begins another sequence, so that switches do not sample alike. @param value not 0 */
  seed(value: number): void {
    this.random = value;
  }

  /** Whether this packet is sampled. @param at where the probability stands in `program` */
  take(program: Int32Array, at: number): boolean {
    const probability = program[at];
    if (probability === -1) return true;
    let left = program[at + 1];
    if (left === 0) left = this.draw(probability >>> 0);
    if (left > 1) {
      program[at + 1] = left - 1;
      return false;
    }
    program[at + 1] = this.draw(probability >>> 0);
    return probability !== 0;
  }

  /** Packets up to the next sample, that one among them. */
  private draw(probability: number): number {
    // xorshift32: sampling needs no better.
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    const skip = 1 + Math.log((x >>> 0) / 2 ** 32) / Math.log1p(-probability / 2 ** 32);
    return skip < SKIP_MAX ? skip | 0 : SKIP_MAX;
  }
}
