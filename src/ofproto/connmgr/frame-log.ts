/**
 * Frames one behind the other, as they came: what a bundle keeps of its messages.
 *
 *     [ frame | frame | frame ...... ] [ frame | frame .... ]      pieces that grow up to 64 KiB
 */

/** Frames are kept in pieces of memory that grow up to this. */
const PIECE_BYTES_MIN = 4096;
const PIECE_BYTES_MAX = 65_536;
/** Where an OpenFlow frame says how long it is. */
const LENGTH_AT = 2;
const XID_AT = 4;

export class FrameLog {
  readonly pieces: Uint8Array[] = [];
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

  /** How much of a piece are frames. */
  bytesOf(piece: number): number {
    return piece === this.pieces.length - 1 ? this.used : this.pieces[piece].length;
  }
}

/** Goes through the frames in the order in which they were added; none is added meanwhile. */
export class FrameCursor {
  private index = -1;
  private piece: Uint8Array = new Uint8Array(0);
  private at = 0;
  private length = 0;
  private end = 0;

  constructor(private readonly log: FrameLog) {}

  /** @returns false behind the last */
  next(): boolean {
    this.at += this.length;
    if (this.at >= this.end) {
      this.index += 1;
      if (this.index >= this.log.pieces.length) return false;
      this.piece = this.log.pieces[this.index];
      this.end = this.log.bytesOf(this.index);
      this.at = 0;
    }
    const { piece, at } = this;
    this.length = (piece[at + LENGTH_AT] << 8) | piece[at + LENGTH_AT + 1];
    return true;
  }

  get xid(): number {
    const { piece } = this;
    const at = this.at + XID_AT;
    return ((piece[at] << 24) | (piece[at + 1] << 16) | (piece[at + 2] << 8) | piece[at + 3]) >>> 0;
  }

  /** A view of the frame. */
  get frame(): Uint8Array {
    return this.piece.subarray(this.at, this.at + this.length);
  }
}
