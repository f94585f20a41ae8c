/**
 * Packed commands on their way to a worker: a ring of words in shared memory, one writer, one
 * reader.
 *
 *     head (reader)                  tail (writer)
 *       v                              v
 *     | n | seq | n words | n | seq | ... | free ...        | -1 wrap |
 *
 * head and tail count words since the start, modulo 2^32 (the ring's size divides that). A batch is
 * never split. What does not fit travels as a message (worker-handle.ts).
 */
// hot path
const HEAD = 0;
/** A cache line away: reader and writer do not share one. */
const TAIL = 16;
const CONTROL_WORDS = 32;
const BATCH_HEAD = 2;
const WRAP = -1;

/** 1 MiB: a thousand new flows with their first packets. */
const WORDS = 1 << 18;

export class CommandRing {
  readonly words: Int32Array;
  private readonly control: Int32Array;
  private readonly size: number;
  /** Reader: sequence number, first word and length of the batch that `next` found. */
  seq = 0;
  start = 0;
  length = 0;

  constructor(readonly buffer: ArrayBufferLike) {
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.words = new Int32Array(buffer, CONTROL_WORDS * 4);
    this.size = this.words.length;
  }

  static create(words = WORDS): CommandRing {
    return new CommandRing(new SharedArrayBuffer((CONTROL_WORDS + words) * 4));
  }

  /** Writer: appends a batch. @returns false when there is no room */
  push(seq: number, batch: Int32Array): boolean {
    const need = BATCH_HEAD + batch.length;
    const tail = this.control[TAIL];
    const used = (tail - Atomics.load(this.control, HEAD)) >>> 0;
    let at = (tail >>> 0) % this.size;
    let skipped = 0;
    if (need > this.size - at) {
      skipped = this.size - at;
      if (used + skipped + need > this.size) return false;
      this.words[at] = WRAP;
      at = 0;
    } else if (used + need > this.size) return false;
    this.words[at] = batch.length;
    this.words[at + 1] = seq;
    this.words.set(batch, at + BATCH_HEAD);
    Atomics.store(this.control, TAIL, (tail + skipped + need) | 0);
    return true;
  }

  /** Reader: finds the oldest batch, which stays where it is until `done`. */
  next(): boolean {
    const tail = Atomics.load(this.control, TAIL);
    const head = this.control[HEAD];
    if (head === tail) return false;
    let at = (head >>> 0) % this.size;
    if (this.words[at] === WRAP) {
      Atomics.store(this.control, HEAD, (head + this.size - at) | 0);
      at = 0;
    }
    this.length = this.words[at];
    this.seq = this.words[at + 1];
    this.start = at + BATCH_HEAD;
    return true;
  }

  /** Reader: the batch was carried out. */
  done(): void {
    Atomics.store(this.control, HEAD, (this.control[HEAD] + BATCH_HEAD + this.length) | 0);
  }
}
