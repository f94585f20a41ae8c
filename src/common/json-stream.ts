/**
 * Cuts a byte stream into JSON objects and arrays, however it is chunked.
 *
 *     chunk:   ...:1}{"id":2,"method":"ec          ho"}\n{"id":3}
 *                   ^value ends, onValue            ^      ^
 *     pending:      {"id":2,"method":"ec   (kept until its closing bracket arrives)
 *
 * Values follow each other with or without white space between them, as JSON-RPC over a stream
 * socket sends them. Brackets are matched while bytes arrive, so that nesting that is too deep, or
 * a value that is too long, is refused before it takes memory; the text of a whole value then goes
 * through `parseJson`.
 *
 * Not for: numbers, strings or literals at the top level (no protocol here sends them).
 */
import { TapswitchError } from './errors.js';
import { type JsonValue, parseJson } from './json.js';

export interface JsonStreamOptions {
  /** Longest text of one value, bytes. */
  maxBytes?: number;
  /** Deepest nesting of brackets. */
  maxDepth?: number;
  /** Most members and elements in one value, counted by its commas. */
  maxMembers?: number;
  /** What all streams of a server together may hold of unfinished values. */
  budget?: ByteBudget;
}

/** Bytes that several streams share. */
export class ByteBudget {
  private used = 0;

  constructor(private readonly maxBytes: number) {}

  /** Takes bytes; false, and none, when there are not as many left. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.maxBytes) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** Open vSwitch's own limit of nesting. */
export const JSON_MAX_DEPTH = 1000;
/** Longest value that is read unless told otherwise: 64 MiB. */
export const JSON_MAX_BYTES = 64 * 1024 * 1024;
/** Most members of one value: each costs far more memory than its text is long. */
export const JSON_MAX_MEMBERS = 4_000_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
/** Less than this is not held against the budget, bytes. */
const SMALL_BYTES = 64 * 1024;

/** An incremental reader of concatenated JSON values. */
export class JsonStreamParser {
  private readonly maxBytes: number;
  private readonly maxDepth: number;
  private readonly maxMembers: number;
  private members = 0;
  /** Bytes taken from the budget. */
  private taken = 0;
  /** The closing bracket that is due at each depth. */
  private readonly closers: Uint8Array;
  private depth = 0;
  private inString = false;
  private escaped = false;
  /** The unfinished value's bytes from earlier chunks: pending[0 .. pendingLength). */
  private pending: Buffer = Buffer.alloc(0);
  private pendingLength = 0;
  private failure: TapswitchError | null = null;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(
    private readonly onValue: (value: JsonValue) => void,
    private readonly options: JsonStreamOptions = {},
  ) {
    this.maxBytes = options.maxBytes ?? JSON_MAX_BYTES;
    this.maxDepth = options.maxDepth ?? JSON_MAX_DEPTH;
    this.maxMembers = options.maxMembers ?? JSON_MAX_MEMBERS;
    this.closers = new Uint8Array(this.maxDepth);
  }

  /** True while a value has begun and not ended: a stream that ends now was cut short. */
  get midValue(): boolean {
    return this.depth > 0;
  }

  /** Bytes held for the unfinished value. */
  get pendingBytes(): number {
    return this.pendingLength;
  }

  /**
   * Takes the next bytes; calls `onValue` for each value that they complete.
   *
   * Throws TapswitchError (E_JSON_SYNTAX, E_JSON_DEPTH, E_JSON_SIZE) when the stream is not JSON or
   * passes a limit; after that every further call throws the same error.
   */
  feed(chunk: Buffer): void {
    if (this.failure) throw this.failure;
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.inString) {
        this.scanString(byte);
        continue;
      }
      if (this.depth === 0) {
        if (isSpace(byte)) continue;
        start = i;
      }
      if (byte === COMMA && this.depth > 0) this.countMember();
      else if (byte === QUOTE && this.depth > 0) this.inString = true;
      else if (byte === OPEN_BRACE) this.open(CLOSE_BRACE);
      else if (byte === OPEN_BRACKET) this.open(CLOSE_BRACKET);
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.close(byte)) this.finish(chunk, start, i + 1);
      } else if (this.depth === 0) {
        this.fail('E_JSON_SYNTAX', 'JSON text must begin with an object or an array');
      }
    }
    if (this.depth > 0) this.keep(chunk, start);
  }

  private scanString(byte: number): void {
    if (this.escaped) this.escaped = false;
    else if (byte === BACKSLASH) this.escaped = true;
    else if (byte === QUOTE) this.inString = false;
  }

  private countMember(): void {
    this.members += 1;
    if (this.members < this.maxMembers) return;
    this.fail('E_JSON_SIZE', `JSON value has more than ${this.maxMembers} members`);
  }

  private open(closer: number): void {
    if (this.depth >= this.maxDepth) {
      this.fail('E_JSON_DEPTH', `JSON is nested more than ${this.maxDepth} levels deep`);
    }
    this.closers[this.depth] = closer;
    this.depth += 1;
  }

  /** Closes one bracket; true when that ends the value. */
  private close(byte: number): boolean {
    if (this.depth === 0 || this.closers[this.depth - 1] !== byte) {
      this.fail('E_JSON_SYNTAX', `JSON has a '${String.fromCharCode(byte)}' that closes nothing`);
    }
    this.depth -= 1;
    return this.depth === 0;
  }

  /** Parses pending + chunk[start .. end). */
  private finish(chunk: Buffer, start: number, end: number): void {
    let bytes = chunk.subarray(start, end);
    if (this.pendingLength > 0) {
      this.keep(chunk.subarray(0, end), start, true);
      bytes = this.pending.subarray(0, this.pendingLength);
    } else if (bytes.length > this.maxBytes) {
      this.failSize();
    }
    let value: JsonValue;
    try {
      value = parseJson(this.decoder.decode(bytes));
    } catch (error) {
      this.fail('E_JSON_SYNTAX', `JSON is malformed: ${(error as Error).message}`);
    }
    this.release();
    this.onValue(value);
  }

  /**
   * Appends chunk[start ..) to what is pending, growing by doubling: few bytes per chunk cost
   * little.
   */
  private keep(chunk: Buffer, start: number, isLast = false): void {
    const length = this.pendingLength + chunk.length - start;
    if (length > this.maxBytes) this.failSize();
    if (length > this.pending.length) {
      const ample = isLast ? length : Math.max(length, 2 * this.pending.length, 4096);
      const size = Math.min(this.maxBytes, ample);
      this.account(size);
      const grown = Buffer.allocUnsafe(size);
      this.pending.copy(grown, 0, 0, this.pendingLength);
      this.pending = grown;
    }
    chunk.copy(this.pending, this.pendingLength, start);
    this.pendingLength = length;
  }

  /** Holds `bytes` against the budget, in place of what was held before. */
  private account(bytes: number): void {
    const { budget } = this.options;
    if (!budget) return;
    const wanted = bytes > SMALL_BYTES ? bytes : 0;
    if (wanted > this.taken && !budget.take(wanted - this.taken)) {
      this.fail('E_JSON_SIZE', 'too much JSON of all clients is unfinished');
    }
    if (wanted < this.taken) budget.give(this.taken - wanted);
    this.taken = wanted;
  }

  /** Forgets the pending bytes, and their memory when it is large. */
  private release(): void {
    this.pendingLength = 0;
    this.members = 0;
    if (this.pending.length > SMALL_BYTES) this.pending = Buffer.alloc(0);
    this.account(0);
  }

  /** Gives back all memory: nothing more will be fed. */
  end(): void {
    this.pending = Buffer.alloc(0);
    this.pendingLength = 0;
    this.account(0);
  }

  private failSize(): never {
    this.fail('E_JSON_SIZE', `JSON value is longer than ${this.maxBytes} bytes`);
  }

  private fail(code: string, message: string): never {
    this.failure = new TapswitchError(code, message);
    this.depth = 0;
    this.end();
    throw this.failure;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
