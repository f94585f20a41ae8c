/**
 * JSON-RPC 1.0 over a stream socket, as OVSDB (RFC 7047, section 4) speaks it: both ends may ask.
 *
 *     bytes -> JsonStreamParser -> inbox -> request -> handlers.onRequest -> reply()
 *                                        -> notification -> handlers.onNotify
 *                                        -> reply -> the promise that request() gave
 *
 * Bounds: while more than `highWaterBytes` of output wait for the peer, no further message is taken
 * from the inbox and the socket is not read, so a peer that asks without listening stalls itself. A
 * connection whose output passes `maxQueueBytes` is closed. A peer that is silent for
 * `probeIntervalMs` is sent an echo request, and dropped after as much time again.
 *
 * Not for: what the methods mean (src/ovsdb), connecting and reconnecting.
 */
import type { Clock } from './clock.js';
import { NEVER } from './clock.js';
import { errorMessage, TapswitchError } from './errors.js';
import { type JsonValue, parseJson, stringifyJson } from './json.js';
import { type JsonStreamOptions, JsonStreamParser } from './json-stream.js';
import { getLogger } from './log.js';
import { flushAtTurnEnd, receptionBegins, receptionEnds } from './turn-end.js';

/** What is needed of a socket: net.Socket, tls.TLSSocket and stream.Duplex have it. */
export interface RpcSocket {
  readonly writableLength: number;
  readonly writableHighWaterMark: number;
  readonly destroyed: boolean;
  write(data: string): boolean;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end' | 'close' | 'drain', listener: () => void): unknown;
}

/** Who is told what. Exceptions from these close the connection. */
export interface JsonRpcHandlers {
  /** The peer asks; answer with reply(id) or replyError(id), at once or later. */
  onRequest(method: string, params: JsonValue[], id: JsonValue): void;
  onNotify(method: string, params: JsonValue[]): void;
  /** Called once. `error` is absent when either end closed in good order. */
  onClose(error?: Error): void;
  /** All output has been handed to the kernel after some had to wait. */
  onDrain?(): void;
}

export interface JsonRpcOptions extends JsonStreamOptions {
  /** Needed for the inactivity probe. */
  clock?: Clock;
  /** Milliseconds of silence before an echo request; 0 (default): never. */
  probeIntervalMs?: number;
  /** Output bytes above which incoming messages wait. Default 1 MiB. */
  highWaterBytes?: number;
  /** Output bytes above which the connection is closed. Default 256 MiB. */
  maxQueueBytes?: number;
  /** Name of the peer in log lines, e.g. `unix#3`. */
  name?: string;
  /** Where faults of the peer are told; one with a limit, where peers can be many. */
  log?: { warn(message: string): void; err(message: string): void };
}

/** The peer answered a request with an error; `error` is what it sent. */
export class JsonRpcReplyError extends TapswitchError {
  constructor(readonly error: JsonValue) {
    super('E_JSONRPC_ERROR', typeof error === 'string' ? error : stringifyJson(error));
  }
}

const log = getLogger('jsonrpc');

/** How long a closed connection may take to hand over its output. */
const LINGER_MS = 1000;

/** Text beyond this is handed on before the turn of the event loop is over, characters. */
const FLUSH_CHARS = 256 * 1024;

/** The id of our echo requests, as Open vSwitch's library has it. */
const ECHO_ID = 'echo';

interface PendingRequest {
  resolve(result: JsonValue): void;
  reject(error: Error): void;
}

/** One end of a JSON-RPC connection. */
export class JsonRpcConnection {
  private readonly pending = new Map<string, PendingRequest>();
  private readonly inbox: JsonValue[] = [];
  private readonly parser: JsonStreamParser;
  private readonly highWaterBytes: number;
  private readonly maxQueueBytes: number;
  private probeIntervalMs: number;
  private nextId = 0;
  private draining = false;
  /** Text of messages that this turn of the event loop has made. */
  private unsent = '';
  private flushIsDue = false;
  private paused = false;
  private isClosed = false;
  private lastReceivedMs: number;
  private probeSent = false;

  constructor(
    private readonly socket: RpcSocket,
    private readonly handlers: JsonRpcHandlers,
    private readonly options: JsonRpcOptions = {},
  ) {
    // Below the socket's own mark there would be no 'drain' to go on at.
    const { writableHighWaterMark } = socket;
    this.highWaterBytes = Math.max(options.highWaterBytes ?? 1024 * 1024, writableHighWaterMark);
    this.maxQueueBytes = options.maxQueueBytes ?? 256 * 1024 * 1024;
    this.probeIntervalMs = options.probeIntervalMs ?? 0;
    this.lastReceivedMs = options.clock?.now() ?? 0;
    this.parser = new JsonStreamParser((value) => this.inbox.push(value), options);
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('drain', () => this.drained());
    socket.on('error', (error) => this.shut(error));
    socket.on('end', () => this.shut());
    socket.on('close', () => this.shut());
  }

  get closed(): boolean {
    return this.isClosed;
  }

  /** Bytes of output that the peer has not taken yet. */
  get backlogBytes(): number {
    return this.socket.writableLength + this.unsent.length;
  }

  /** Changes the inactivity probe; 0 turns it off. */
  setProbeInterval(ms: number): void {
    this.probeIntervalMs = ms;
  }

  /** The id that the next request() will carry (OVSDB's `cancel` names requests by it). */
  get nextRequestId(): number {
    return this.nextId;
  }

  /**
   * Asks the peer. Rejects with JsonRpcReplyError when it answers with an error, and with
   * TapswitchError E_JSONRPC_CLOSED when the connection ends first.
   */
  request(method: string, params: unknown[]): Promise<JsonValue> {
    if (this.isClosed) return Promise.reject(closedError());
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(idKey(id), { resolve, reject });
      this.send({ method, params, id });
    });
  }

  reply(id: JsonValue, result: unknown): void {
    this.send({ id, result, error: null });
  }

  replyError(id: JsonValue, error: unknown): void {
    this.send({ id, result: null, error });
  }

  notify(method: string, params: unknown[]): void {
    this.send({ id: null, method, params });
  }

  /** Sends what is queued, then closes. Idempotent. */
  close(): void {
    this.shut();
  }

  /** Sends or judges the inactivity probe. `now`: the clock's monotonic milliseconds. */
  run(now: number): void {
    if (this.isClosed || now < this.nextWake()) return;
    if (!this.probeSent) {
      this.probeSent = true;
      this.send({ method: 'echo', params: [], id: ECHO_ID });
      return;
    }
    const seconds = this.probeIntervalMs / 1000;
    this.log.err(
      `${this.name}: no response to inactivity probe after ${seconds} seconds, disconnecting`,
    );
    this.shut(new TapswitchError('E_JSONRPC_TIMEOUT', 'no response to inactivity probe'));
  }

  /** Monotonic milliseconds at which run() has something to do. */
  nextWake(): number {
    // While the peer is not read, its answer to a probe would not be either.
    if (this.isClosed || this.probeIntervalMs <= 0 || this.paused) return NEVER;
    return this.lastReceivedMs + this.probeIntervalMs * (this.probeSent ? 2 : 1);
  }

  private get log() {
    return this.options.log ?? log;
  }

  private get name(): string {
    return this.options.name ?? 'jsonrpc';
  }

  private send(message: object): void {
    if (!this.isClosed) this.sendText(stringifyJson(message));
  }

  /** Sends a message that is JSON text already: one text can serve many connections. */
  sendText(message: string): void {
    if (this.isClosed) return;
    if (this.backlogBytes > this.maxQueueBytes) {
      this.shut(new TapswitchError('E_JSONRPC_BACKLOG', 'peer does not read what it is sent'));
      return;
    }
    if (log.enabled('dbg')) log.dbg(`${this.name}: send ${described(parseJson(message))}`);
    // One system call for all messages of one turn of the event loop.
    this.unsent += message;
    if (this.unsent.length > FLUSH_CHARS) this.flush();
    else if (!this.flushIsDue) {
      this.flushIsDue = true;
      flushAtTurnEnd(this);
    }
  }

  /** Hands the text that there is to the socket. */
  flush(): void {
    this.flushIsDue = false;
    if (this.unsent === '') return;
    const text = this.unsent;
    this.unsent = '';
    if (!this.socket.destroyed) this.socket.write(text);
  }

  private receive(chunk: Buffer): void {
    if (this.isClosed) return;
    this.noteActivity();
    let failure: Error | null = null;
    try {
      this.parser.feed(chunk);
    } catch (error) {
      failure = error as Error;
    }
    receptionBegins();
    try {
      // What came before the fault is answered still.
      this.takeInbox();
    } finally {
      receptionEnds();
    }
    if (failure && !this.isClosed) {
      this.log.warn(`${this.name}: error parsing stream: ${failure.message}`);
      this.shut(failure);
    }
  }

  private noteActivity(): void {
    this.lastReceivedMs = this.options.clock?.now() ?? 0;
    this.probeSent = false;
  }

  private drained(): void {
    if (this.isClosed) return;
    this.noteActivity();
    this.takeInbox();
    if (!this.isClosed) this.handlers.onDrain?.();
  }

  /** Handles messages until none is left or the output must drain first. */
  private takeInbox(): void {
    if (this.draining) return;
    this.draining = true;
    let taken = 0;
    do {
      while (
        taken < this.inbox.length &&
        !this.isClosed &&
        this.backlogBytes <= this.highWaterBytes
      ) {
        this.dispatch(this.inbox[taken++]);
      }
      // What the kernel takes at once makes room; for the rest there will be a 'drain'.
      if (taken < this.inbox.length) this.flush();
    } while (
      taken < this.inbox.length &&
      !this.isClosed &&
      this.socket.writableLength <= this.highWaterBytes
    );
    this.inbox.splice(0, taken);
    this.draining = false;
    this.pauseOrResume(this.inbox.length > 0 || this.socket.writableLength > this.highWaterBytes);
  }

  private pauseOrResume(pause: boolean): void {
    if (pause === this.paused || this.isClosed) return;
    this.paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }

  private dispatch(value: JsonValue): void {
    const fault = messageFault(value);
    if (fault) {
      this.log.warn(`${this.name}: received bad JSON-RPC message: ${fault}`);
      this.shut(new TapswitchError('E_JSONRPC_MESSAGE', `bad JSON-RPC message: ${fault}`));
      return;
    }
    if (log.enabled('dbg')) log.dbg(`${this.name}: received ${described(value)}`);
    const message = value as { [key: string]: JsonValue };
    const id = message.id ?? null;
    try {
      if (typeof message.method !== 'string') this.settle(id, message);
      else if (id === null) this.handlers.onNotify(message.method, message.params as JsonValue[]);
      else if (message.method === 'echo') this.reply(id, message.params);
      else this.handlers.onRequest(message.method, message.params as JsonValue[], id);
    } catch (error) {
      log.err(`${this.name}: closing after a fault in a handler: ${errorMessage(error)}`);
      this.shut(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** A reply has come. Replies that nobody waits for (our own echo's among them) are dropped. */
  private settle(id: JsonValue, message: { [key: string]: JsonValue }): void {
    const key = idKey(id);
    const waiting = this.pending.get(key);
    if (!waiting) return;
    this.pending.delete(key);
    const error = message.error ?? null;
    if (error !== null) waiting.reject(new JsonRpcReplyError(error));
    else waiting.resolve(message.result ?? null);
  }

  /** Ends the socket once the peer has taken the output, but does not wait for it for ever. */
  private endSoon(): void {
    const { socket } = this;
    socket.end();
    if (socket.destroyed) return;
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    linger.unref();
    socket.on('close', () => clearTimeout(linger));
  }

  private shut(error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.inbox.length = 0;
    this.parser.end();
    this.flush();
    if (error) this.socket.destroy();
    else this.endSoon();
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const request of waiting) request.reject(closedError(error));
    this.handlers.onClose(error);
  }
}

function idKey(id: JsonValue): string {
  return stringifyJson(id);
}

function closedError(cause?: Error): TapswitchError {
  return new TapswitchError('E_JSONRPC_CLOSED', 'connection closed', undefined, { cause });
}

/** A message as Open vSwitch's log has it. */
function described(value: JsonValue): string {
  const message = value as { [key: string]: JsonValue };
  const isCall = typeof message.method === 'string';
  const hasError = (message.error ?? null) !== null;
  const hasId = (message.id ?? null) !== null;
  const kind = isCall ? (hasId ? 'request' : 'notification') : hasError ? 'error' : 'reply';
  const parts: string[] = [kind];
  for (const name of ['method', 'params', 'result', 'error', 'id']) {
    if ((message[name] ?? null) !== null) parts.push(`${name}=${stringifyJson(message[name])}`);
  }
  return parts.join(', ');
}

/** What is wrong with a message by RFC 7047 section 4, or null. */
function messageFault(value: JsonValue): string | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return 'message is not an object';
  }
  if (value.method !== undefined && value.method !== null) {
    if (typeof value.method !== 'string') return 'method is not a string';
    if (!Array.isArray(value.params)) return `"${value.method}" must have "params" array`;
    if (value.id === undefined) return `"${value.method}" must have "id"`;
    return null;
  }
  if ((value.id ?? null) === null) return 'reply has no id';
  if (value.result === undefined && value.error === undefined) return 'message has no kind';
  return null;
}
