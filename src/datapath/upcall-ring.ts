/**
 * Upcalls from a worker to the main thread: a byte ring in shared memory, one writer, one reader.
 *
 *     head (reader)           tail (writer)
 *       v                       v
 *     | record | record | record | free ...                  | -1 wrap |
 *
 *     record (words): size | kind | frame bytes | cookie (8) | key words 0..KEY_WORDS-1 |
 *                     virtio_net_hdr (3) | frame, padded to a word
 *
 * head and tail count words since the start, modulo 2^32 (the ring's size divides that); the ring
 * is empty when they are equal. A record is never split: what does not fit before the end of the
 * ring starts at its beginning, after a -1. Bounded: a full ring refuses.
 *
 * A port may have only so many records waiting: a flood of new flows on one port is dropped there,
 * and a new flow on another waits behind a bounded number of them. The writer counts what it pushed
 * for a port, the reader (in shared memory) what it took.
 */
// hot path
import type { FlowWords } from '../packet/flow-layout.js';
import { newFlow, W_IN_PORT } from '../packet/flow-layout.js';
import { COOKIE_WORDS } from './action-program.js';
import { UPCALL_MISS } from './upcall-sink.js';

/** Key words that travel: everything that the extractor and the actions can set. */
const KEY_WORDS = 37;
const VNET_WORDS = 3;
const AT_COOKIE = 3;
const AT_KEY = AT_COOKIE + COOKIE_WORDS;
const AT_VNET = AT_KEY + KEY_WORDS;
const AT_FRAME = AT_VNET + VNET_WORDS;
const WRAP = -1;
/** What many records have in common; nobody writes to them. */
const NO_OFFLOAD = new Uint8Array(10);
const NO_COOKIE = new Int32Array(COOKIE_WORDS);

const HEAD = 0;
/** A cache line away: reader and writer do not share one. */
const TAIL = 16;
/** Behind it: records taken, by port. */
const POPPED = 32;
/** Ports with a count of their own; higher numbers share. */
const PORTS = 1024;
const CONTROL_WORDS = POPPED + PORTS;

/** Records of one port that may wait: some tens of milliseconds of translation. */
export const WAITING_PER_PORT_MAX = 2048;

/** Default size: some thousands of small packets, dozens of the largest. */
export const DEFAULT_UPCALL_RING_BYTES = 2 << 20;

/** A record as the reader sees it; frame and header are copies. */
export interface UpcallRecord {
  kind: number;
  frame: Uint8Array;
  vnetHdr: Uint8Array;
  /** Of a miss: valid until the next read. */
  key: FlowWords;
  /** Words with the cookie at `cookieAt`, valid until the next read. */
  cookieWords: Int32Array;
  cookieAt: number;
}

/** Either end of a ring over a SharedArrayBuffer made by `upcallRingBuffer`. */
export class UpcallRing {
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly size: number;
  /** The reader's: key of the miss read last. Words beyond those that travel stay 0. */
  private readonly missKey = newFlow();
  /** Records pushed, by port: the writer's alone. */
  private readonly pushed = new Int32Array(PORTS);

  constructor(readonly buffer: ArrayBufferLike) {
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.words = new Int32Array(buffer, CONTROL_WORDS * 4);
    this.bytes = new Uint8Array(buffer, CONTROL_WORDS * 4);
    this.size = this.words.length;
  }

  /**
   * Appends a packet: the frame at [off, off + len) of `memory`, its virtio header before it.
   * @returns false when there is no room, or the port has its share of it already
   */
  push(
    kind: number,
    memory: Uint8Array,
    off: number,
    len: number,
    key: Int32Array,
    cookie: Int32Array,
    cookieAt: number,
  ): boolean {
    const port = key[W_IN_PORT] & (PORTS - 1);
    if (this.waiting(port) >= WAITING_PER_PORT_MAX) return false;
    const need = AT_FRAME + ((len + 3) >>> 2);
    const start = this.reserve(need);
    if (start < 0) return false;
    this.pushed[port] = (this.pushed[port] + 1) | 0;
    const words = this.words;
    words[start] = need;
    words[start + 1] = kind;
    words[start + 2] = len;
    for (let i = 0; i < COOKIE_WORDS; i++) words[start + AT_COOKIE + i] = cookie[cookieAt + i] | 0;
    for (let i = 0; i < KEY_WORDS; i++) words[start + AT_KEY + i] = key[i];
    const bytes = this.bytes;
    let to = (start + AT_VNET) * 4;
    for (let i = -10; i < 0; i++) bytes[to++] = memory[off + i];
    to = (start + AT_FRAME) * 4;
    // Long frames: a view for each costs less than a loop over their bytes.
    if (len > 512) bytes.set(memory.subarray(off, off + len), to);
    else for (let i = 0; i < len; i++) bytes[to + i] = memory[off + i];
    Atomics.store(this.control, TAIL, this.advanced(this.control[TAIL], start, need));
    return true;
  }

  /** Writer: records of a port that the reader has not taken yet. */
  waiting(port: number): number {
    const at = port & (PORTS - 1);
    return (this.pushed[at] - Atomics.load(this.control, POPPED + at)) | 0;
  }

  /** Writer: the reader has taken everything. */
  get empty(): boolean {
    return Atomics.load(this.control, HEAD) === this.control[TAIL];
  }

  /** Takes the oldest record, or null. */
  pop(): UpcallRecord | null {
    const tail = Atomics.load(this.control, TAIL);
    let head = this.control[HEAD];
    if (head === tail) return null;
    let at = (head >>> 0) % this.size;
    if (this.words[at] === WRAP) {
      head = (head + this.size - at) | 0;
      at = 0;
    }
    const { words, bytes } = this;
    const len = words[at + 2];
    const miss = words[at + 1] === UPCALL_MISS;
    const key = miss ? this.missKey : newFlow();
    for (let i = 0; i < KEY_WORDS; i++) key[i] = words[at + AT_KEY + i];
    const vnet = (at + AT_VNET) * 4;
    const frame = (at + AT_FRAME) * 4;
    const record: UpcallRecord = {
      kind: words[at + 1],
      frame: bytes.slice(frame, frame + len),
      vnetHdr: this.isZero(at + AT_VNET) ? NO_OFFLOAD : bytes.slice(vnet, vnet + 10),
      key,
      cookieWords: miss ? NO_COOKIE : words.slice(at + AT_COOKIE, at + AT_COOKIE + COOKIE_WORDS),
      cookieAt: 0,
    };
    Atomics.store(this.control, HEAD, (head + words[at]) | 0);
    Atomics.add(this.control, POPPED + (key[W_IN_PORT] & (PORTS - 1)), 1);
    return record;
  }

  private isZero(at: number): boolean {
    const { words } = this;
    return (words[at] | words[at + 1] | (words[at + 2] & 0xffff)) === 0;
  }

  /** Where a record of `need` words may start, or -1; writes the wrap mark when it must. */
  private reserve(need: number): number {
    const head = Atomics.load(this.control, HEAD);
    const tail = this.control[TAIL];
    const used = (tail - head) >>> 0;
    const at = (tail >>> 0) % this.size;
    const toEnd = this.size - at;
    if (need <= toEnd) return used + need <= this.size ? at : -1;
    if (used + toEnd + need > this.size) return -1;
    this.words[at] = WRAP;
    return 0;
  }

  private advanced(tail: number, start: number, need: number): number {
    const at = (tail >>> 0) % this.size;
    const skipped = start === at ? 0 : this.size - at;
    return (tail + skipped + need) | 0;
  }
}

/** The memory of a ring: `bytes` rounded up to a power of two, so that counters wrap evenly. */
export function upcallRingBuffer(bytes: number = DEFAULT_UPCALL_RING_BYTES): SharedArrayBuffer {
  const words = 2 ** Math.ceil(Math.log2(Math.max(bytes, 1 << 18) / 4));
  return new SharedArrayBuffer((CONTROL_WORDS + words) * 4);
}
