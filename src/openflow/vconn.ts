/**
 * OfConnection: OpenFlow over a connected stream socket, for both sides of a connection.
 *
 *     socket bytes --> framing --> hello? --> echo? --> reply to a request? --> onMessage
 *     send() --> queue (the socket's own, bounded) --> socket bytes
 *
 * What it does by itself: sends hello and negotiates the version (hello elements understood),
 * answers echo requests, answers messages that cannot be decoded with the right OFPT_ERROR, matches
 * replies to requests by transaction id. What it does not: connecting, reconnecting and inactivity
 * probes (the owner's).
 *
 *     const c = new OfConnection(socket, { versions: [1], onOpen, onMessage, onClose });
 *     const xid = c.send({ type: 'barrier_request' });
 *     const replies = await c.request({ type: 'desc_stats_request' });   // every part of the reply
 *     const error = await c.transactNoReply([flowMod]);                  // null when all went well
 *
 * Source: OpenFlow 1.3.5 section 6.3.1 (connection setup).
 */
import type { Socket } from 'node:net';
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../common/log-rate-limit.js';
import { type CodecOptions, decodeMessage, encodeReplies, HEADER_LENGTH } from './codec/index.js';
import type { OfErrorName } from './errors.js';
import { FrameStream, type StreamCalls } from './frame-stream.js';
import type { OfError, OfMessage } from './messages.js';
import type { Hello } from './messages-control.js';
import { formatMessage } from './syntax/message-format.js';
import { NO_NAMES } from './syntax/names.js';

/** Transaction ids; several connections of one program may share a counter. */
export class XidCounter {
  private next = 1;

  take(): number {
    const xid = this.next;
    this.next = this.next === 0xffffffff ? 1 : this.next + 1;
    return xid;
  }
}

/** Why a connection ended; null when the peer closed it in good order. */
export type CloseReason = Error | null;

export interface OfConnectionOptions {
  /** Protocol versions to offer (wire numbers). */
  versions: readonly number[];
  xids?: XidCounter;
  /** How the debug log of the module 'vconn' calls it. Default 'unix'. */
  name?: string;
  /** Limits that log to 600 messages a minute, where there is one. */
  clock?: Clock;
  /** Frames waiting for the peer beyond this many bytes are refused. Default 64 MiB. */
  queueBytesMax?: number;
  /** Reads and writes without the event loop, where the owner has them. */
  calls?: StreamCalls | null;
  /** The version is agreed; messages may be sent from now on. */
  onOpen?(version: number): void;
  /** A message that is neither hello, echo nor a reply that was waited for. */
  onMessage?(msg: OfMessage, xid: number, frame: Uint8Array): void;
  /** One or more frames came, before any of them is looked at. */
  onFrames?(): void;
  /** Every frame received, before anything else looks at it (for snooping and printing). */
  onFrame?(frame: Uint8Array): void;
  /** A frame that does not decode; return true to keep the connection from answering it. */
  onBadFrame?(error: OfErrorName, xid: number, frame: Uint8Array): boolean;
  /** The queue became empty after having been congested. */
  onDrain?(): void;
  /** The peer has taken everything that had to wait. */
  onEmpty?(): void;
  onClose?(reason: CloseReason): void;
}

/** A reply in parts, as received. */
export interface Reply {
  msg: OfMessage;
  frame: Uint8Array;
}

interface Waiter {
  parts: Reply[];
  onPart?: (part: Reply) => void;
  resolve(parts: Reply[]): void;
  reject(error: Error): void;
}

const log = getLogger('vconn');
const FRAME_LOG = { burst: 600, perMinute: 600 };

const OFPT_ERROR = 1;
const VERSION_MAX = 6;
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** Above this many queued bytes producers of long replies should wait for onDrain. */
const CONGESTED_BYTES = 256 * 1024;
/** After a piece that is shorter more is looked for at once, so far: others have their turn. */
const PIECE_BYTES_SMALL = 4096;
const PIECES_MAX = 64;
const TURN_BYTES_MAX = 32 * 1024;
/** A refused message is sent back whole, but for what does not fit in the error. */
const ERROR_DATA_BYTES = 0xffff - 32;

/** Thrown to those who wait for a reply when the connection ends; code as errno names. */
export class ConnectionError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ConnectionError';
  }
}

export class OfConnection {
  /** 0 until the version is agreed. */
  version = 0;
  /** Settings that change how OpenFlow 1.0 messages read; the owner changes them as it is told. */
  readonly codec: CodecOptions = {};
  closed = false;
  /** Frames refused because the queue was full. */
  framesRefused = 0;
  readonly counts = { received: 0, sent: 0 };
  /** Bytes given to the socket since the beginning. */
  bytesQueued = 0;
  /** Told of every frame after the greeting, in either direction (for snooping). */
  readonly taps = new Set<(frame: Uint8Array) => void>();

  private readonly frameLog: RateLimitedLogger | null;
  private readonly xids: XidCounter;
  private readonly queueBytesMax: number;
  private readonly waiters = new Map<number, Waiter>();
  private chunks: Buffer[] = [];
  private chunkBytes = 0;
  /** Fewer hold nothing that can be read. */
  private chunkBytesNeeded = HEADER_LENGTH;
  private wasCongested = false;
  private gathering = false;
  private readonly stream: FrameStream;
  private readonly opened: Promise<number>;
  private resolveOpen!: (version: number) => void;
  private rejectOpen!: (error: Error) => void;

  constructor(
    readonly socket: Socket,
    private readonly options: OfConnectionOptions,
  ) {
    const { clock } = options;
    this.stream = new FrameStream(socket, options.calls);
    this.frameLog = clock === undefined ? null : rateLimited(log, clock, FRAME_LOG);
    this.xids = options.xids ?? new XidCounter();
    this.queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX;
    this.opened = new Promise((resolve, reject) => {
      this.resolveOpen = resolve;
      this.rejectOpen = reject;
    });
    this.opened.catch(() => {});
    socket.on('data', (chunk: Buffer) => this.receivePieces(chunk));
    socket.on('error', (e: Error) => this.end(e));
    socket.on('close', () => this.end(null));
    socket.on('drain', () => this.drained());
    this.sendHello();
  }

  /** The agreed version, once there is one. */
  whenOpen(): Promise<number> {
    return this.opened;
  }

  /** Bytes queued for the peer. */
  get queuedBytes(): number {
    return this.stream.waitingBytes;
  }

  /** Bytes since the beginning that the system has taken over. */
  get bytesTaken(): number {
    return this.bytesQueued - this.stream.waitingBytes;
  }

  /** True while producers of long replies should wait for onDrain. */
  get congested(): boolean {
    return this.stream.waitingBytes > CONGESTED_BYTES;
  }

  nextXid(): number {
    return this.xids.take();
  }

  /**
   * Sends a message.
   * @param xid of the request that it answers; a fresh one otherwise.
   * @returns the transaction id, or 0 when the queue is full or the connection is closed.
   * @throws OfpError when the agreed version has no such message.
   */
  send(msg: OfMessage, xid = this.xids.take()): number {
    for (const frame of encodeReplies(this.version, msg, xid, this.codec)) {
      if (!this.sendFrame(frame)) return 0;
    }
    return xid;
  }

  /** What is sent from now on goes out together, once the code that runs now is done. */
  gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    this.stream.hold();
    queueMicrotask(() => {
      this.gathering = false;
      this.stream.release();
    });
  }

  /** Sends an encoded frame; false when the queue is full or the connection is closed. */
  sendFrame(frame: Uint8Array): boolean {
    if (this.closed) return false;
    if (this.stream.waitingBytes + frame.length > this.queueBytesMax) {
      this.framesRefused++;
      return false;
    }
    this.stream.write(frame);
    this.bytesQueued += frame.length;
    this.logFrame('sent (Success)', frame);
    this.counts.sent++;
    if (this.taps.size > 0) for (const tap of this.taps) tap(frame);
    if (this.congested) this.wasCongested = true;
    return true;
  }

  /** Sends the error that a received frame deserves. */
  sendError(error: string, xid: number, frame: Uint8Array): void {
    const data = frame.slice(0, ERROR_DATA_BYTES);
    // In the words of the version that was used, even where it is not the agreed one.
    const version = frame[0] >= 1 && frame[0] <= VERSION_MAX ? frame[0] : this.version;
    for (const out of encodeReplies(version, { type: 'error', error, data }, xid)) {
      this.sendFrame(out);
    }
  }

  /** Sends a request and waits for its reply, all parts of it, or for an error message. */
  async request(msg: OfMessage): Promise<OfMessage[]> {
    return (await this.requestFrames(msg)).map((part) => part.msg);
  }

  /**
   * As request, with the frames received.
   * @param onPart takes each part as it comes; they are then not kept, and the result is empty.
   */
  requestFrames(
    msg: OfMessage,
    xid = this.xids.take(),
    onPart?: (part: Reply) => void,
  ): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new ConnectionError('ENOTCONN', 'connection is closed'));
        return;
      }
      this.waiters.set(xid, { parts: [], resolve, reject, onPart });
      if (this.send(msg, xid) === 0) {
        this.waiters.delete(xid);
        reject(new ConnectionError('ENOBUFS', 'output queue is full'));
      }
    });
  }

  /**
   * Sends messages that are answered only when they fail, and a barrier.
   * @returns the first error with its frame, or null.
   */
  async transactNoReply(
    msgs: readonly OfMessage[],
  ): Promise<{ error: OfError; frame: Uint8Array } | null> {
    let failed: { error: OfError; frame: Uint8Array } | null = null;
    const xids: number[] = [];
    // Messages and barrier go out together.
    this.stream.hold();
    let barrier: Promise<unknown>;
    try {
      for (const msg of msgs) {
        const xid = this.xids.take();
        xids.push(xid);
        this.waiters.set(xid, {
          parts: [],
          resolve(parts) {
            const [part] = parts;
            if (failed === null && part.msg.type === 'error') {
              failed = { error: part.msg, frame: part.frame };
            }
          },
          reject: () => {},
        });
        this.send(msg, xid);
      }
      barrier = this.request({ type: 'barrier_request' });
    } finally {
      this.stream.release();
    }
    await barrier;
    for (const xid of xids) this.waiters.delete(xid);
    return failed;
  }

  /** Closes at once; whoever waits for a reply is told. */
  close(): void {
    this.end(null);
    this.socket.destroy();
  }

  private sendHello(): void {
    const versions = [...this.options.versions].sort((a, b) => a - b);
    const hello: Hello = { type: 'hello', versions };
    const highest = versions[versions.length - 1];
    for (const frame of encodeReplies(highest, hello, this.xids.take())) this.sendFrame(frame);
  }

  private drained(): void {
    if (this.wasCongested) {
      this.wasCongested = false;
      this.options.onDrain?.();
    }
    this.options.onEmpty?.();
  }

  /** Reads what came, and what comes meanwhile; answers to each piece go out together. */
  private receivePieces(first: Buffer): void {
    let piece: Buffer | null = first;
    let bytes = 0;
    for (let n = 1; piece !== null; n++) {
      bytes += piece.length;
      this.stream.hold();
      try {
        this.receive(piece);
      } finally {
        this.stream.release();
      }
      const turnOver = n === PIECES_MAX || bytes >= TURN_BYTES_MAX || this.closed;
      const again: boolean = !turnOver && piece.length < PIECE_BYTES_SMALL;
      piece = again ? this.stream.readMore() : null;
    }
  }

  private receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.chunkBytes += chunk.length;
    // Small pieces are put together once there is something to read from them.
    if (this.chunkBytes < this.chunkBytesNeeded) return;
    const all = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks);
    let at = 0;
    try {
      while (!this.closed) {
        const length = this.frameLength(all, at);
        if (length === 0) return;
        if (at === 0) this.options.onFrames?.();
        at += length;
        // A view: whoever keeps a frame for long copies it.
        this.handle(new Uint8Array(all.buffer, all.byteOffset + at - length, length));
      }
    } finally {
      this.chunkBytes = this.closed ? 0 : all.length - at;
      this.chunks = this.chunkBytes === 0 ? [] : [all.subarray(at)];
    }
  }

  /** Length of the frame at `at`; 0 when it is not whole yet, or the connection had to be ended. */
  private frameLength(all: Buffer, at: number): number {
    const left = all.length - at;
    this.chunkBytesNeeded = HEADER_LENGTH;
    if (left < HEADER_LENGTH) return 0;
    const length = all.readUInt16BE(at + 2);
    if (length < HEADER_LENGTH) {
      this.fail('EPROTO', `received too-short ofp_header (${length} bytes)`);
      return 0;
    }
    // Whoever does not greet is not waited for: its length may mean anything.
    if (this.version === 0 && all[at + 1] > OFPT_ERROR) {
      this.fail('EPROTO', `received message type ${all[at + 1]} while expecting OFPT_HELLO`);
      return 0;
    }
    if (left >= length) return length;
    this.chunkBytesNeeded = length;
    return 0;
  }

  private handle(frame: Uint8Array): void {
    this.counts.received++;
    this.logFrame('received', frame);
    this.options.onFrame?.(frame);
    if (this.taps.size > 0) for (const tap of this.taps) tap(frame);
    const decoded = decodeMessage(this.version, frame, this.codec);
    const { xid } = decoded;
    if (this.version === 0) {
      this.negotiate(decoded.msg, xid, frame);
      return;
    }
    if (decoded.error !== undefined) {
      if (this.options.onBadFrame?.(decoded.error, xid, frame) === true) return;
      this.refuse(decoded.error, xid, frame);
      return;
    }
    const { msg } = decoded;
    if (msg.type === 'echo_request') this.send({ type: 'echo_reply', data: msg.data }, xid);
    else if (msg.type !== 'hello' && !this.deliver(msg, xid, frame)) {
      this.options.onMessage?.(msg, xid, frame);
    }
  }

  /** Answers a frame that does not decode; whoever waits for that reply is told instead. */
  private refuse(error: OfErrorName, xid: number, frame: Uint8Array): void {
    const waiter = this.waiters.get(xid);
    if (waiter === undefined) {
      this.sendError(error, xid, frame);
      return;
    }
    this.waiters.delete(xid);
    waiter.reject(new ConnectionError('EPROTO', `reply does not decode (${error})`));
  }

  /** Hands a reply to whoever waits for it; false when nobody does. */
  private deliver(msg: OfMessage, xid: number, frame: Uint8Array): boolean {
    const waiter = this.waiters.get(xid);
    if (waiter === undefined) return false;
    if (waiter.onPart === undefined) waiter.parts.push({ msg, frame });
    else waiter.onPart({ msg, frame });
    if ('more' in msg && msg.more === true) return true;
    this.waiters.delete(xid);
    waiter.resolve(waiter.parts);
    return true;
  }

  private logFrame(what: string, frame: Uint8Array): void {
    if (!log.enabled('dbg')) return;
    const text = (): string => `${this.logName}: ${what}: ${formatMessage(frame, NO_NAMES, 1)}`;
    if (this.frameLog === null) log.dbg(text());
    else this.frameLog.dbg(text);
  }

  private get logName(): string {
    return this.options.name ?? 'unix';
  }

  private negotiate(msg: OfMessage | undefined, xid: number, frame: Uint8Array): void {
    if (msg === undefined || msg.type !== 'hello') {
      const what = msg?.type === 'error' ? `error ${msg.error}` : `message type ${frame[1]}`;
      this.fail('EPROTO', `received ${what} while expecting OFPT_HELLO`);
      return;
    }
    const theirs = new Set(msg.versions);
    const common = this.options.versions.filter((v) => theirs.has(v));
    if (common.length === 0) {
      const text =
        `We support ${versionNames(this.options.versions)}, ` +
        `you support ${versionNames(msg.versions)}, no common versions.`;
      this.version = Math.max(...this.options.versions);
      this.send({ type: 'error', error: 'OFPHFC_INCOMPATIBLE', data: Buffer.from(text) }, xid);
      this.stream.flush();
      this.socket.end();
      this.end(new ConnectionError('EPROTO', text));
      return;
    }
    this.version = Math.max(...common);
    log.dbg(
      `${this.logName}: negotiated OpenFlow version ${hexVersion(this.version)} (we support ` +
        `${versionNames(this.options.versions)}, peer supports ${versionNames(msg.versions)})`,
    );
    this.resolveOpen(this.version);
    this.options.onOpen?.(this.version);
  }

  private fail(code: string, message: string): void {
    this.end(new ConnectionError(code, message));
    this.socket.destroy();
  }

  private end(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    this.stream.flush();
    this.chunks = [];
    this.chunkBytes = 0;
    const error = reason ?? new ConnectionError('EOF', 'End of file');
    this.rejectOpen(error);
    const waiters = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiter of waiters) waiter.reject(error);
    this.options.onClose?.(reason);
  }
}

const hexVersion = (v: number): string => `0x${v.toString(16).padStart(2, '0')}`;

/** 'version 0x01', 'version 0x06 and earlier' or 'versions 0x01, 0x04'. */
function versionNames(versions: readonly number[]): string {
  const names = [...versions].sort((a, b) => a - b).map(hexVersion);
  const last = names[names.length - 1];
  if (names.length === 1) return `version ${last}`;
  if (Math.max(...versions) === versions.length) return `version ${last} and earlier`;
  return `versions ${names.join(', ')}`;
}
