/**
 * Frames one behind the other, as they came: what a bundle keeps of its messages.
 *
 *     [ frame | frame | frame ...... ] [ frame | frame .... ]      pieces that grow up to 64 KiB
 *
 * A message that is kept decoded takes ten times the memory of its frame, and the garbage collector
 * carries it about: decoding it again costs less.
 */

/** Frames are kept in pieces of memory that grow up to this. */
const PIECE_BYTES_MIN = 4096;
const PIECE_BYTES_MAX = 65_536;
/** Where an OpenFlow frame says how long it is. */
const LENGTH_AT = 2;

export class FrameLog {
  private readonly pieces: Uint8Array[] = [];
  /** The last piece, and how much of it is used. */
  private piece = new Uint8Array(0);
  private used = 0;
  /** How many frames there are, and how many bytes they have. */
  size = 0;
  bytes = 0;

  /** Keeps a copy of a whole OpenFlow frame. */
  add(frame: Uint8Array): void {
    const { length } = frame;
    if (length > this.piece.length - this.used) this.addPiece(length);
    this.piece.set(frame, this.used);
    this.used += length;
    this.size += 1;
    this.bytes += length;
  }

  private addPiece(atLeast: number): void {
    const usual = Math.min(Math.max(this.piece.length * 2, PIECE_BYTES_MIN), PIECE_BYTES_MAX);
    if (this.used > 0) this.pieces[this.pieces.length - 1] = this.piece.subarray(0, this.used);
    this.piece = new Uint8Array(Math.max(usual, atLeast));
    this.pieces.push(this.piece);
    this.used = 0;
  }

  /** Views of the frames, in the order in which they were added. */
  *frames(): Generator<Uint8Array> {
    for (const [i, piece] of this.pieces.entries()) {
      const end = i === this.pieces.length - 1 ? this.used : piece.length;
      for (let at = 0; at < end; ) {
        const length = (piece[at + LENGTH_AT] << 8) | piece[at + LENGTH_AT + 1];
        yield piece.subarray(at, at + length);
        at += length;
      }
    }
  }
}
