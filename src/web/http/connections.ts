/**
 * How many connections one address may hold: whoever opens many and says nothing takes none from
 * others.
 *
 * Not for: how long a connection may say nothing (server.ts), HTTP requests in a time (rate limit).
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Ends connections of an address beyond `most`. */
export function limitConnections(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? '';
    const count = open.get(from) ?? 0;
    if (count >= most) {
      socket.destroy();
      return;
    }
    open.set(from, count + 1);
    socket.once('close', () => {
      const left = (open.get(from) ?? 1) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  });
}

/** Addresses that are counted in one window. */
const ADDRESSES_MAX = 10_000;

/** How often an address may do something in a window of time. */
export class Often {
  private counts = new Map<string, number>();
  private windowMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly most: number,
    private readonly spanMs: number,
    private readonly now: () => number,
  ) {}

  /** Counts it. @returns false when it was too often */
  allows(address: string): boolean {
    const now = this.now();
    if (now - this.windowMs >= this.spanMs || this.counts.size >= ADDRESSES_MAX) {
      this.counts = new Map();
      this.windowMs = now;
    }
    const count = (this.counts.get(address) ?? 0) + 1;
    this.counts.set(address, count);
    return count <= this.most;
  }
}
