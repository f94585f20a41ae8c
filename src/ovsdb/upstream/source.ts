/**
 * The connection to another server that a server here takes its rows from, kept over any number of
 * attempts.
 *
 *     waiting --run()--> connecting --> converse() --> following
 *        ^                   |              |             |
 *        └───── backoff ─────┴──────────────┴─────────────┘
 *
 * Not for: what is asked of it (relay.ts, replication.ts), clients' replicas (../idl).
 */
import { type Clock, NEVER } from '../../common/clock.js';
import { errnoText } from '../../common/errno-text.js';
import { errorMessage } from '../../common/errors.js';
import type { JsonValue } from '../../common/json.js';
import { JsonRpcConnection } from '../../common/jsonrpc.js';
import { getLogger } from '../../common/log.js';
import { Backoff } from '../idl/backoff.js';
import { openRemote } from '../idl/remote.js';
import type { TlsFiles } from '../tls.js';

export interface SourceOptions {
  /** Tried in turn. */
  readonly remotes: readonly string[];
  readonly clock: Clock;
  readonly tls: () => TlsFiles;
  /** Milliseconds of silence before the server is probed; 0: never. */
  readonly probeIntervalMs: number;
  /** Says what is to be said first. Rejects to try elsewhere. */
  converse(connection: JsonRpcConnection): Promise<void>;
  onNotify(method: string, params: JsonValue[]): void;
  /** The connection, which had been made, is gone. */
  onLost(): void;
  /** run() has something to do earlier than nextWake() said. */
  onWake(): void;
}

/** Connecting, and the first conversation, may take as long. */
const HANDSHAKE_MS_MAX = 60_000;
/** A dump of a large database is one message. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;
const BACKOFF_MS_MIN = 1000;
const BACKOFF_MS_MAX = 8000;

const log = getLogger('reconnect');

export class Source {
  private connection: JsonRpcConnection | null = null;
  private attempt: AbortController | null = null;
  private attempts = 0;
  private wakeMs = Number.NEGATIVE_INFINITY;
  private connectedMs = 0;
  private isFollowing = false;
  private isClosed = false;
  private readonly backoff: Backoff;

  constructor(private readonly options: SourceOptions) {
    this.backoff = new Backoff(BACKOFF_MS_MIN, BACKOFF_MS_MAX, options.remotes.length);
  }

  /** True while everything has been said, and updates come. */
  get following(): boolean {
    return this.isFollowing;
  }

  private get remote(): string {
    const { remotes } = this.options;
    return remotes[Math.max(this.attempts - 1, 0) % remotes.length];
  }

  /** Connects when it is time to, and probes a silent server. `now`: monotonic milliseconds. */
  run(now: number): void {
    if (this.isClosed) return;
    this.connection?.run(now);
    if (this.isFollowing || now < this.wakeMs) return;
    if (this.attempt) this.lost(new Error('Connection timed out'));
    else this.connect(now);
  }

  nextWake(): number {
    if (this.isClosed) return NEVER;
    const probe = this.connection?.nextWake() ?? NEVER;
    return this.isFollowing ? probe : Math.min(probe, this.wakeMs);
  }

  /** Asks the server. Rejects when it answers with an error, or the connection ends first. */
  request(method: string, params: unknown[]): Promise<JsonValue> {
    if (this.connection) return this.connection.request(method, params);
    return Promise.reject(new Error('not connected'));
  }

  setProbeInterval(ms: number): void {
    this.connection?.setProbeInterval(ms);
  }

  /** Gives the connection up, and makes another. */
  reconnect(why: Error): void {
    this.lost(why);
  }

  close(): void {
    this.isClosed = true;
    this.isFollowing = false;
    this.attempt?.abort();
    this.connection?.close();
    this.connection = null;
  }

  private connect(now: number): void {
    const attempt = new AbortController();
    this.attempt = attempt;
    this.attempts += 1;
    this.connectedMs = 0;
    this.wakeMs = now + HANDSHAKE_MS_MAX;
    log.info(`${this.remote}: connecting...`);
    this.converse(attempt).catch((error: unknown) => {
      if (this.attempt === attempt) {
        this.lost(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  private async converse(attempt: AbortController): Promise<void> {
    const { clock, tls, probeIntervalMs } = this.options;
    const { remote } = this;
    const socket = await openRemote(remote, tls(), attempt.signal);
    if (this.attempt !== attempt || this.isClosed) {
      socket.destroy();
      return;
    }
    const connection: JsonRpcConnection = new JsonRpcConnection(
      socket,
      {
        onRequest: (_method, _params, id) => connection.replyError(id, 'unknown method'),
        // After the continuations of replies that came before it.
        onNotify: (method, params) =>
          queueMicrotask(() => {
            if (connection === this.connection) this.options.onNotify(method, params);
          }),
        onClose: (error) => {
          if (connection === this.connection) this.lost(error ?? new Error('End of file'));
        },
      },
      {
        clock,
        probeIntervalMs: remote.startsWith('unix:') ? 0 : probeIntervalMs,
        name: remote,
        maxBytes: MESSAGE_BYTES_MAX,
      },
    );
    this.connection = connection;
    this.connectedMs = clock.now();
    log.info(`${remote}: connected`);
    await this.options.converse(connection);
    if (connection !== this.connection) return;
    this.isFollowing = true;
    this.options.onWake();
  }

  private lost(error: Error): void {
    if (this.isClosed) return;
    const { connection, attempt } = this;
    if (!connection && !attempt) return;
    const now = this.options.clock.now();
    this.connection = null;
    this.attempt = null;
    this.isFollowing = false;
    attempt?.abort();
    connection?.close();
    const quiet = this.backoff.quiet;
    const waitMs = this.backoff.failed(connection ? now - this.connectedMs : 0);
    this.wakeMs = now + waitMs;
    if (!quiet) {
      const what = connection ? 'connection dropped' : 'connection attempt failed';
      const code = (error as NodeJS.ErrnoException).code;
      log.info(`${this.remote}: ${what} (${errnoText(code) ?? errorMessage(error)})`);
    }
    if (connection) this.options.onLost();
    this.options.onWake();
  }
}
