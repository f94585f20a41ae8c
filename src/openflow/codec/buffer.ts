/**
 * Reading and writing bytes of OpenFlow messages, in network order.
 *
 * A Reader is a cursor with an end: reading past it throws the OpenFlow error that it was made
 * with, so that no decoder can run over. A Writer grows; lengths are filled in afterwards.
 */
import { fail, type OfErrorName } from '../errors.js';

/** Frames of one piece of a stream share its buffer, and this view of all of it. */
let sharedView: DataView = new DataView(new ArrayBuffer(0));

function viewOf(buffer: ArrayBufferLike): DataView {
  if (sharedView.buffer !== buffer) sharedView = new DataView(buffer);
  return sharedView;
}

export class Reader {
  private readonly view: DataView;
  /** Where `bytes` begin in the view. */
  private readonly base: number;
  pos: number;

  /** @param end index after the last readable byte. */
  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    readonly end = bytes.length,
    readonly lengthError: OfErrorName = 'OFPBRC_BAD_LEN',
    view: DataView | null = null,
  ) {
    this.view = view ?? viewOf(bytes.buffer);
    this.base = bytes.byteOffset;
    this.pos = start;
  }

  get left(): number {
    return this.end - this.pos;
  }

  private take(n: number): number {
    const at = this.pos;
    if (n > this.end - at) fail(this.lengthError);
    this.pos = at + n;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }

  u16(): number {
    return this.view.getUint16(this.base + this.take(2));
  }

  u32(): number {
    return this.view.getUint32(this.base + this.take(4));
  }

  u64(): bigint {
    return this.view.getBigUint64(this.base + this.take(8));
  }

  /** Looks at a 16-bit number without moving. */
  peek16(offset = 0): number {
    if (offset + 2 > this.left) fail(this.lengthError);
    return this.view.getUint16(this.base + this.pos + offset);
  }

  skip(n: number): this {
    this.take(n);
    return this;
  }

  /** Skips bytes that must be zero. */
  zeros(n: number, error: OfErrorName): void {
    const at = this.take(n);
    for (let i = 0; i < n; i++) if (this.bytes[at + i] !== 0) fail(error);
  }

  /** A copy of the next n bytes. */
  take8(n: number): Uint8Array {
    const at = this.take(n);
    return this.bytes.slice(at, at + n);
  }

  /** The next n bytes as they lie in the message: whoever keeps them copies them. */
  view8(n: number): Uint8Array {
    const at = this.take(n);
    return new Uint8Array(this.bytes.buffer, this.base + at, n);
  }

  /** A copy of everything that is left. */
  rest(): Uint8Array {
    return this.take8(this.left);
  }

  /** A cursor over the next n bytes, which this one passes over. */
  sub(n: number, lengthError: OfErrorName = this.lengthError): Reader {
    const at = this.take(n);
    return new Reader(this.bytes, at, at + n, lengthError, this.view);
  }

  /** A text of n bytes that ends at the first zero byte. */
  text(n: number): string {
    const raw = this.take8(n);
    const end = raw.indexOf(0);
    return Buffer.from(end < 0 ? raw : raw.subarray(0, end)).toString('latin1');
  }
}

export class Writer {
  bytes: Uint8Array;
  length = 0;
  private view: DataView;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  private room(n: number): number {
    const at = this.length;
    const need = at + n;
    if (need > this.bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.room(1);
    this.view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.room(2);
    this.view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.room(4);
    this.view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.room(8);
    this.view.setBigUint64(at, value & 0xffffffffffffffffn);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  zeros(n: number): this {
    const at = this.room(n);
    this.bytes.fill(0, at, at + n);
    return this;
  }

  /** A text in a field of n bytes, zero-filled; cut so that at least one zero byte remains. */
  text(value: string, n: number): this {
    const raw = Buffer.from(value, 'latin1').subarray(0, n - 1);
    return this.put(raw).zeros(n - raw.length);
  }

  /** Pads with zeros so that the length since `start` is a multiple of `unit`. */
  align(start: number, unit = 8): this {
    const over = (this.length - start) % unit;
    return over === 0 ? this : this.zeros(unit - over);
  }

  setU16(at: number, value: number): void {
    this.view.setUint16(at, value);
  }

  setU32(at: number, value: number): void {
    this.view.setUint32(at, value);
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
