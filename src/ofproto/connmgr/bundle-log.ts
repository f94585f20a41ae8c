/**
 * What a bundle keeps of its messages, in their order.
 *
 *     frames      each as it came: what is refused is sent back
 *     additions   of a flow-mod that adds: the entry that it adds | null, decode the frame again
 *     matches     of these entries, without what is zero:
 *
 *         end | word bits value | word bits value | ... | end | word bits value | ...
 *
 * An entry that is put into a table has to be made anyway: making it when its message is decoded
 * first spares decoding that a second time. Its match, which a table keeps in its own way, would be
 * ten times the rest. All other messages are decoded again: kept decoded, they take ten times the
 * memory of their frames, and the garbage collector carries them about.
 */
import { type Match, matchAny } from '../../openflow/match.js';
import { normalizeMatch } from '../../openflow/normalize.js';
import { FLOW_WORDS } from '../../packet/flow-layout.js';
import { NO_BUFFER, ruleOf } from '../flow-mod.js';
import type { Rule } from '../rule.js';
import type { Bundlable } from './bundle-commit.js';
import { FrameCursor, FrameLog } from './frame-log.js';

/** A bundle that is never committed must not cost much more than its frames. */
const ADDITIONS_MAX = 128 * 1024;
/** Long messages have many actions: ten times the memory as objects, and little to spare. */
const ADDITION_BYTES_MAX = 256;
/** Matches lie in pieces of so many numbers; the first ones are smaller. */
const PIECE_INTS_MIN = 512;
const PIECE_INTS_MAX = 1 << 16;
const INTS_PER_WORD = 3;

export class BundleLog {
  private readonly frames = new FrameLog();
  private readonly additions: (Rule | null)[] = [];
  private readonly matches = new MatchLog();

  /** Entries that have been made. */
  entries = 0;

  /** Messages, and the bytes of their frames. */
  get size(): number {
    return this.frames.size;
  }

  get bytes(): number {
    return this.frames.bytes;
  }

  /**
   * Keeps a message; its match may be changed, and is not needed afterwards.
   * @param mayMake whether there is memory for an entry
   */
  add(frame: Uint8Array, msg: Bundlable, mayMake: boolean): void {
    this.frames.add(frame);
    if (this.additions.length >= ADDITIONS_MAX) return;
    if (!mayMake || frame.length > ADDITION_BYTES_MAX) {
      this.additions.push(null);
      return;
    }
    // What options mean is known when it is committed.
    const plain = msg.type === 'flow_mod' && msg.command === 'add' && msg.bufferId === NO_BUFFER;
    const made = plain && !msg.match.tunMetadata;
    this.additions.push(made ? this.made(ruleOf(msg, 0)) : null);
  }

  private made(rule: Rule): Rule {
    normalizeMatch(rule.match);
    this.matches.add(rule.match);
    this.entries += 1;
    rule.hold(null);
    return rule;
  }

  /** Goes through the messages once; none is added meanwhile. */
  reader(): BundleReader {
    return new BundleReader(new FrameCursor(this.frames), this.additions, this.matches);
  }
}

export class BundleReader {
  private index = -1;

  constructor(
    private readonly cursor: FrameCursor,
    private readonly additions: (Rule | null)[],
    private readonly matches: MatchLog,
  ) {}

  /** @returns false behind the last message */
  next(): boolean {
    this.index += 1;
    return this.cursor.next();
  }

  get frame(): Uint8Array {
    return this.cursor.frame;
  }

  get xid(): number {
    return this.cursor.xid;
  }

  /** The entry that the message adds, if that was made. */
  get addition(): Rule | null {
    return this.additions[this.index] ?? null;
  }

  /** That entry's match: to be taken once, for each entry, and good until the next is. */
  takeMatch(): Match {
    return this.matches.take();
  }
}

/** Matches, taken in the order in which they were added. */
class MatchLog {
  private readonly pieces: Int32Array[] = [];
  /** The last piece, and how much of it is used. */
  private piece = new Int32Array(0);
  private used = 0;
  /** Where the next match is that is taken. */
  private index = 0;
  private taken = 0;
  private readonly match = matchAny();
  /** The words that the match has which was taken last. */
  private readonly lent = new Uint8Array(FLOW_WORDS);
  private nLent = 0;

  add({ flow, mask }: Match): void {
    if (this.piece.length - this.used <= INTS_PER_WORD * FLOW_WORDS) this.addPiece();
    const { piece, used } = this;
    let at = used + 1;
    for (let word = 0; word < FLOW_WORDS; word++) {
      const bits = mask[word];
      if (bits === 0) continue;
      piece[at] = word;
      piece[at + 1] = bits;
      piece[at + 2] = flow[word];
      at += INTS_PER_WORD;
    }
    piece[used] = at;
    this.used = at;
  }

  private addPiece(): void {
    const length = Math.min(Math.max(2 * this.piece.length, PIECE_INTS_MIN), PIECE_INTS_MAX);
    // Nothing begins behind the last match of a piece.
    if (this.pieces.length > 0) this.piece[this.used] = 0;
    this.piece = new Int32Array(length);
    this.pieces.push(this.piece);
    this.used = 0;
  }

  take(): Match {
    const { match, lent } = this;
    const { flow, mask } = match;
    for (let i = 0; i < this.nLent; i++) {
      mask[lent[i]] = 0;
      flow[lent[i]] = 0;
    }
    let piece = this.pieces[this.index];
    if (this.taken === piece.length || piece[this.taken] === 0) {
      this.index += 1;
      this.taken = 0;
      piece = this.pieces[this.index];
    }
    const end = piece[this.taken];
    let n = 0;
    for (let at = this.taken + 1; at < end; at += INTS_PER_WORD, n++) {
      const word = piece[at];
      lent[n] = word;
      mask[word] = piece[at + 1];
      flow[word] = piece[at + 2];
    }
    this.nLent = n;
    this.taken = end;
    return match;
  }
}
