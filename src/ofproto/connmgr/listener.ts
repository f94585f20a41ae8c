/**
 * A listening socket for OpenFlow: BRIDGE.mgmt, and passive targets (ptcp:, punix:).
 */
import { unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';

const OF_PORT = 6653;
/** Connections at a time on one socket. */
const CONNECTIONS_MAX = 64;

export class OfListener {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly target: string,
    private readonly onSocket: (socket: Socket) => void,
  ) {}

  /** Resolves when connections are taken. Rejects with what the system says. */
  async open(): Promise<void> {
    const server = createServer((socket) => this.accept(socket));
    this.server = server;
    const path = /^punix:(.+)$/.exec(this.target)?.[1];
    const tcp = /^ptcp:(\d+)?(?::(.+))?$/.exec(this.target);
    // A socket file that a killed daemon left behind answers nobody: make room.
    if (path !== undefined) await unlink(path).catch(() => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const done = (): void => {
        server.off('error', reject);
        server.on('error', () => {});
        resolve();
      };
      if (path !== undefined) server.listen(path, done);
      else if (tcp !== null) {
        const host = tcp[2]?.replace(/^\[|\]$/g, '') ?? '0.0.0.0';
        server.listen(tcp[1] === undefined ? OF_PORT : Number(tcp[1]), host, done);
      } else reject(new Error(`${this.target}: not a passive connection method`));
    });
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
