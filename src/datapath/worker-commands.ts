/**
 * Commands from the main thread to a worker.
 *
 * Frequent ones (flows, packets) are packed into one Int32Array per turn of the main loop, which
 * goes through a ring in shared memory (command-ring.ts); ports are plain messages on a
 * MessagePort, and so are commands that find no room or would overtake a message. Each has a
 * sequence number that the worker acknowledges once it is in force.
 *
 *     CMD_FLOW_PUT     slot | n | words n | masks n | values n | length | program
 *     CMD_FLOW_MODIFY  slot | length | program
 *     CMD_FLOW_DEL     slot
 *     CMD_EXECUTE      metadata (5) | length | program | packet
 *     CMD_REINJECT     in_port | packet                   classify again: a flow is there now
 *     packet           frame bytes | virtio_net_hdr (3 words) | frame, padded to a word
 */
import { VNET_HDR_LEN } from '../native/binding.js';
import { W_IN_PORT } from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import type { DpifSettings } from './dpif.js';
import { DropReason } from './drop-reasons.js';
import { type Engine, EXECUTE_METADATA } from './engine.js';
import { type FrameMemory, HEADROOM } from './frame-memory.js';
import { InternedWords } from './interned-words.js';
import type { MaskedKey } from './megaflow-table.js';
import type { WorkerQueue } from './polled-queue.js';
import type { TxPort } from './tx-port.js';

const CMD_FLOW_PUT = 1;
const CMD_FLOW_MODIFY = 2;
const CMD_FLOW_DEL = 3;
const CMD_EXECUTE = 4;
const CMD_REINJECT = 5;
const VNET_WORDS = 3;
const FIRST_WORDS = 256;
/** A larger buffer is not kept for the next batch. */
const WORDS_KEPT = 1 << 17;
/** Frames up to this length are copied byte by byte: a view for each costs more. */
const SHORT_FRAME = 160;

/** A frame with its virtio header; without one: no offload. */
export interface PacketBytes {
  data: Uint8Array;
  vnetHdr?: Uint8Array;
}

/** What travels besides packed commands. */
export type WorkerMessage =
  | { type: 'commands'; seq: number; words: Int32Array; length: number }
  | { type: 'portAdd'; seq: number; port: TxPort }
  /** `reopens`: its frames may be another worker's next. */
  | { type: 'portDel'; seq: number; portNo: number; reopens: boolean }
  | { type: 'queueAdd'; seq: number; queue: WorkerQueue }
  | { type: 'queueDel'; seq: number; portNo: number; rxq: number }
  | { type: 'setting'; seq: number; setting: DpifSettings }
  /** The kernel forwards from now on, by this table. */
  | { type: 'kernelTable'; seq: number; mapFd: number }
  /** Look at all queues once, and say what is done with. */
  | { type: 'look'; seq: number }
  /** Writes heap and CPU figures to the counters. */
  | { type: 'sample'; seq: number }
  /** Fails on purpose: what a programming error would do. */
  | { type: 'crash'; seq: number }
  | { type: 'stop'; seq: number };

/** Packs commands on the main thread. */
export class CommandWriter {
  private words = new Int32Array(FIRST_WORDS);
  private bytes = new Uint8Array(this.words.buffer);
  private used = 0;

  get empty(): boolean {
    return this.used === 0;
  }

  flowPut(slot: number, key: MaskedKey, program: ActionProgram): void {
    const n = key.words.length;
    this.put(CMD_FLOW_PUT);
    this.put(slot);
    this.put(n);
    this.putAll(key.words);
    this.putAll(key.masks);
    this.putAll(key.values);
    this.put(program.length);
    this.putAll(program);
  }

  flowModify(slot: number, program: ActionProgram): void {
    this.put(CMD_FLOW_MODIFY);
    this.put(slot);
    this.put(program.length);
    this.putAll(program);
  }

  flowDel(slot: number): void {
    this.put(CMD_FLOW_DEL);
    this.put(slot);
  }

  /** @param key whose metadata words the packet has */
  execute(packet: PacketBytes, key: Int32Array, program: ActionProgram): void {
    this.put(CMD_EXECUTE);
    for (const word of EXECUTE_METADATA) this.put(key[word]);
    this.put(program.length);
    this.putAll(program);
    this.packet(packet);
  }

  reinject(packet: PacketBytes, inPort: number): void {
    this.put(CMD_REINJECT);
    this.put(inPort);
    this.packet(packet);
  }

  /** What was packed, valid until the next command or `clear`. */
  peek(): Int32Array {
    return this.words.subarray(0, this.used);
  }

  /** Forgets what was packed. */
  clear(): void {
    this.used = 0;
    if (this.words.length > WORDS_KEPT) this.take();
  }

  /** What was packed since the last call; the writer starts anew. */
  take(): { words: Int32Array; length: number } {
    const taken = { words: this.words, length: this.used };
    this.words = new Int32Array(FIRST_WORDS);
    this.bytes = new Uint8Array(this.words.buffer);
    this.used = 0;
    return taken;
  }

  private packet({ data, vnetHdr }: PacketBytes): void {
    const dataWords = (data.length + 3) >>> 2;
    this.put(data.length);
    this.reserve(VNET_WORDS + dataWords);
    const { bytes, words } = this;
    for (let i = 0; i < VNET_WORDS; i++) words[this.used + i] = 0;
    const at = this.used * 4;
    if (vnetHdr) for (let i = 0; i < VNET_HDR_LEN; i++) bytes[at + i] = vnetHdr[i];
    this.used += VNET_WORDS;
    copyBytes(data, 0, data.length, bytes, this.used * 4);
    this.used += dataWords;
  }

  private put(value: number): void {
    if (this.used === this.words.length) this.reserve(1);
    this.words[this.used++] = value;
  }

  private putAll(values: Int32Array): void {
    this.reserve(values.length);
    const { words } = this;
    let { used } = this;
    for (let i = 0; i < values.length; i++) words[used++] = values[i];
    this.used = used;
  }

  private reserve(n: number): void {
    if (this.used + n <= this.words.length) return;
    const grown = new Int32Array(Math.max(2 * this.words.length, this.used + n));
    grown.set(this.words.subarray(0, this.used));
    this.words = grown;
    this.bytes = new Uint8Array(grown.buffer);
  }
}

/** Copies bytes [from, from + n) of one array to another. */
function copyBytes(src: Uint8Array, from: number, n: number, dst: Uint8Array, to: number): void {
  if (n > SHORT_FRAME) dst.set(src.subarray(from, from + n), to);
  else for (let i = 0; i < n; i++) dst[to + i] = src[from + i];
}

/** Carries packed commands out in a worker. */
export class CommandReader {
  private words: Int32Array = new Int32Array(0);
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private readonly metadata: Int32Array;
  private readonly interned = new InternedWords();

  /**
   * @param endBatch ends the batch at hand, so that the slab is empty
   */
  constructor(
    private readonly engine: Engine,
    private readonly memory: FrameMemory,
    private readonly endBatch: () => void,
  ) {
    this.metadata = new Int32Array(Math.max(...EXECUTE_METADATA) + 1);
  }

  /** Carries out the commands in `length` words from `start` on. */
  run(words: Int32Array, start: number, length: number): void {
    if (words !== this.words) {
      this.words = words;
      this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    }
    this.at = start;
    while (this.at < start + length) this.command();
    this.endBatch();
  }

  private command(): void {
    const code = this.words[this.at++];
    if (code === CMD_FLOW_PUT) {
      const slot = this.words[this.at++];
      const n = this.words[this.at++];
      const key = { words: this.shared(n), masks: this.shared(n), values: this.slice(n) };
      this.engine.flowPut(slot, key, this.shared(this.words[this.at++]));
    } else if (code === CMD_FLOW_MODIFY) {
      const slot = this.words[this.at++];
      this.engine.flowModify(slot, this.shared(this.words[this.at++]));
    } else if (code === CMD_FLOW_DEL) {
      this.engine.flowDel(this.words[this.at++]);
    } else if (code === CMD_EXECUTE) {
      this.execute();
    } else if (code === CMD_REINJECT) {
      const inPort = this.words[this.at++];
      const len = this.words[this.at];
      const off = this.packet();
      if (off < 0) return;
      this.metadata.fill(0);
      this.metadata[W_IN_PORT] = inPort;
      this.engine.reinject(off, len, off - HEADROOM, this.metadata);
    } else {
      throw new Error(`unknown datapath command ${code}`);
    }
  }

  private execute(): void {
    for (const word of EXECUTE_METADATA) this.metadata[word] = this.words[this.at++];
    const program = this.shared(this.words[this.at++]);
    const len = this.words[this.at];
    const off = this.packet();
    if (off >= 0) this.engine.execute(off, len, off - HEADROOM, this.metadata, program);
  }

  /** Puts the packet of a command into the slab: its offset, or -1 when it cannot be. */
  private packet(): number {
    const len = this.words[this.at++];
    const vnet = this.at * 4;
    this.at += VNET_WORDS;
    const frame = this.at * 4;
    this.at += (len + 3) >>> 2;
    if (!this.memory.rxHasRoom) this.endBatch();
    const off = this.memory.rxOffset;
    if (off + len > this.memory.rxEnd) {
      this.engine.countDrop(DropReason.frameTooLong);
      return -1;
    }
    this.memory.rxCommit(len);
    copyBytes(this.bytes, vnet, VNET_HDR_LEN, this.memory.u8, off - VNET_HDR_LEN);
    copyBytes(this.bytes, frame, len, this.memory.u8, off);
    return off;
  }

  /** The next words, in an array that other commands with the same may have too. */
  private shared(n: number): Int32Array {
    this.at += n;
    return this.interned.intern(this.words, this.at - n, n);
  }

  private slice(n: number): Int32Array {
    this.at += n;
    return this.words.slice(this.at - n, this.at);
  }
}
