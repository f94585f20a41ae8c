/**
 * A listening socket for OpenFlow: BRIDGE.mgmt, and passive targets (ptcp:, pssl:, punix:).
 */
import { unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../../common/log-rate-limit.js';
import {
  requireFiles,
  secureContextOptions,
  type TlsFiles,
  trustsAnybody,
} from '../../common/tls.js';
import { listenUnix } from '../../common/unix-path.js';
import { OF_PORT, tlsErrorText } from './stream.js';

const log = getLogger('stream_ssl');

/** Whoever does not finish greeting over TLS in so long is left. */
const HANDSHAKE_MS = 10_000;
/** Connections at a time on one socket. */
export const CONNECTIONS_MAX = 512;

/**
 * Serves a connection.
 * @returns where the server knows: when the peer was last heard, by any clock; Infinity while the
 *   connection must not be given up
 */
export type ServeSocket = (socket: Socket) => (() => number) | undefined;

export class OfListener {
  private server: Server | null = null;
  private readonly warnings: Pick<RateLimitedLogger, 'warn'>;
  private readonly sockets = new Map<Socket, () => number>();

  constructor(
    readonly target: string,
    private readonly serve: ServeSocket,
    private readonly tls: TlsFiles = {},
    /** Limits what strangers can write into the log, where there is one. */
    clock: Clock | null = null,
  ) {
    this.warnings = clock === null ? log : rateLimited(log, clock, { burst: 25, perMinute: 10 });
  }

  /** Resolves when connections are taken. Rejects with what the system says, or E_TLS. */
  async open(): Promise<void> {
    const path = /^punix:(.+)$/.exec(this.target)?.[1];
    const ip = /^p(?:tcp|ssl):(\d+)?(?::(.+))?$/.exec(this.target);
    if (path === undefined && ip === null) {
      throw new Error(`${this.target}: not a passive connection method`);
    }
    const server = this.target.startsWith('pssl:') ? this.tlsServer() : this.plainServer();
    this.server = server;
    // A socket file that a killed daemon left behind answers nobody: make room.
    if (path !== undefined) await unlink(path).catch(() => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const done = (): void => {
        server.off('error', reject);
        server.on('error', () => {});
        resolve();
      };
      const host = ip?.[2]?.replace(/^\[|\]$/g, '') ?? '0.0.0.0';
      server.once('listening', done);
      if (path !== undefined) listenUnix(server, path);
      else server.listen(ip?.[1] === undefined ? OF_PORT : Number(ip[1]), host);
    });
  }

  private plainServer(): Server {
    return createServer((socket) => this.accept(socket));
  }

  /** Peers must show a certificate that the CA signed, unless anybody is trusted. */
  private tlsServer(): Server {
    requireFiles(this.tls);
    const checked = !trustsAnybody(this.tls);
    const server = createTlsServer({
      ...secureContextOptions(this.tls),
      requestCert: checked,
      rejectUnauthorized: checked,
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.maxConnections = 2 * CONNECTIONS_MAX;
    server.on('secureConnection', (socket) => this.accept(socket));
    server.on('tlsClientError', (error, socket) => {
      this.warnings.warn(`${this.target}: SSL_accept: ${tlsErrorText(error)}`);
      socket.destroy();
    });
    return server;
  }

  private accept(socket: Socket): void {
    if (this.sockets.size >= CONNECTIONS_MAX) this.makeRoom();
    this.sockets.set(socket, () => 0);
    socket.once('close', () => this.sockets.delete(socket));
    const heard = this.serve(socket);
    if (heard !== undefined && this.sockets.has(socket)) this.sockets.set(socket, heard);
  }

  /**
   * Gives one connection up for a newcomer: the oldest that never said a word, or the one that has
   * been silent for longest. Whoever fills the place cannot keep others out.
   */
  private makeRoom(): void {
    let silent: Socket | null = null;
    let since = Number.POSITIVE_INFINITY;
    for (const [socket, heard] of this.sockets) {
      const last = socket.bytesRead === 0 ? Number.NEGATIVE_INFINITY : heard();
      if (silent !== null && last >= since) continue;
      silent = socket;
      since = last;
    }
    if (silent === null) return;
    this.sockets.delete(silent);
    silent.destroy();
  }

  close(): void {
    this.server?.close();
    this.server = null;
    for (const socket of this.sockets.keys()) socket.destroy();
  }
}

/** True for targets that wait for connections. */
export function isPassive(target: string): boolean {
  return /^(ptcp|punix|pssl):/.test(target);
}
