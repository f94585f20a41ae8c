/**
 * A listening socket for OpenFlow: BRIDGE.mgmt, and passive targets (ptcp:, pssl:, punix:).
 */
import { unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { getLogger } from '../../common/log.js';
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
const CONNECTIONS_MAX = 64;

export class OfListener {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly target: string,
    private readonly onSocket: (socket: Socket) => void,
    private readonly tls: TlsFiles = {},
  ) {}

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
      log.warn(`${this.target}: SSL_accept: ${tlsErrorText(error)}`);
      socket.destroy();
    });
    return server;
  }

  private accept(socket: Socket): void {
    if (this.sockets.size >= CONNECTIONS_MAX && !this.evictSilent()) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.onSocket(socket);
  }

  /** Makes room: the oldest connection that never said a word goes. False when all have. */
  private evictSilent(): boolean {
    for (const socket of this.sockets) {
      if (socket.bytesRead > 0) continue;
      this.sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  close(): void {
    this.server?.close();
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
  }
}

/** True for targets that wait for connections. */
export function isPassive(target: string): boolean {
  return /^(ptcp|punix|pssl):/.test(target);
}
