/**
 * Collectors: where datagrams of an exporter go. Each has a UDP socket that is connected, so that
 * a collector that is down is noticed.
 *
 *     send(datagram) ──> waiting for the kernel (at most PENDING_MAX) ──> txPackets or txErrors
 *
 * Sending never waits and never grows: what a collector cannot take is dropped and counted.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Clock, NEVER } from '../common/clock.js';
import type { Logger } from '../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../common/log-rate-limit.js';

/** Datagrams of one collector that the kernel has not taken yet. */
const PENDING_MAX = 64;
/** How often a datagram is given to the kernel while it answers with another one's refusal. */
const TRIES_MAX = 4;
/** A socket that could not be opened is tried again after this time. */
const RETRY_MS = 10_000;

export interface CollectorTarget {
  host: string;
  port: number;
}

/**
 * 'HOST:PORT', '[IPV6]:PORT', or without ':PORT' when there is a default.
 * @returns null for anything else
 */
export function parseCollector(text: string, defaultPort: number | null): CollectorTarget | null {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?$/.exec(text);
  const host = match === null ? (isIPv6(text) ? text : '') : (match[1] ?? match[2]);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === '' || port === null || port < 1 || port > 65_535) return null;
  return { host, port };
}

interface Collector {
  readonly name: string;
  readonly target: CollectorTarget;
  socket: Socket | null;
  connected: boolean;
  pending: number;
  /** Datagrams for when the socket is connected. */
  waiting: Uint8Array[];
  retryMs: number;
}

export class Collectors {
  /** Datagrams that the kernel took, and those that it did not, over all collectors. */
  txPackets = 0;
  txErrors = 0;
  private readonly collectors: Collector[] = [];
  private readonly limited: RateLimitedLogger;
  private closed = false;
  private localIp: string | null = null;

  /** @param defaultPort for targets without one; null: they need one */
  constructor(
    targets: readonly string[],
    defaultPort: number | null,
    private readonly clock: Clock,
    log: Logger,
  ) {
    this.limited = rateLimited(log, clock);
    for (const name of new Set(targets)) {
      const target = parseCollector(name, defaultPort);
      if (target === null) {
        this.limited.warn(`couldn't open connection to collector ${name} (Invalid argument)`);
        continue;
      }
      const collector: Collector = {
        name,
        target,
        socket: null,
        connected: false,
        pending: 0,
        waiting: [],
        retryMs: NEVER,
      };
      this.collectors.push(collector);
      this.open(collector);
    }
  }

  get count(): number {
    return this.collectors.length;
  }

  /** Our address towards the first collector that answered to connecting; null: none yet. */
  get localAddress(): string | null {
    return this.localIp;
  }

  /** Sends to every collector. The bytes must not change afterwards. */
  send(datagram: Uint8Array): void {
    for (const collector of this.collectors) {
      if (collector.pending + collector.waiting.length >= PENDING_MAX) this.txErrors += 1;
      else if (collector.connected) this.transmit(collector, datagram);
      else if (collector.socket !== null) collector.waiting.push(datagram);
      else this.txErrors += 1;
    }
  }

  private transmit(collector: Collector, datagram: Uint8Array, tries = 1): void {
    collector.pending += 1;
    collector.socket?.send(datagram, (error) => {
      collector.pending -= 1;
      if (error === null) {
        this.txPackets += 1;
        return;
      }
      this.failed(collector, error);
      // That was an earlier datagram's fate, told in the place of sending this one.
      const refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      if (refused && tries < TRIES_MAX && !this.closed) {
        this.transmit(collector, datagram, tries + 1);
      }
    });
  }

  private failed(collector: Collector, error: Error): void {
    this.txErrors += 1;
    if (this.closed) return;
    this.limited.warn(`${collector.name}: sending to collector failed (${reasonOf(error)})`);
  }

  private open(collector: Collector): void {
    const { host, port } = collector.target;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    collector.socket = socket;
    collector.retryMs = NEVER;
    // Errors of earlier datagrams come this way; sending goes on.
    socket.on('error', (error) => this.failed(collector, error));
    // Failure is told by an argument of the callback (no route), 'error' (no such name), or thrown.
    const refused = (error: Error): void => this.refused(collector, socket, error);
    socket.once('error', refused);
    socket.unref();
    const done = (error?: Error): void => {
      socket.off('error', refused);
      if (error) refused(error);
      else this.connected(collector, socket);
    };
    try {
      socket.connect(port, host, done as () => void);
    } catch (error) {
      refused(error as Error);
    }
  }

  private connected(collector: Collector, socket: Socket): void {
    if (collector.socket !== socket) return;
    collector.connected = true;
    this.localIp ??= socket.address().address;
    for (const datagram of collector.waiting.splice(0)) this.transmit(collector, datagram);
    if (this.closed) socket.close();
  }

  private refused(collector: Collector, socket: Socket, error: Error): void {
    if (collector.connected || collector.socket !== socket) return;
    if (this.closed) {
      socket.close();
      return;
    }
    this.limited.warn(
      `couldn't open connection to collector ${collector.name} (${reasonOf(error)})`,
    );
    collector.socket = null;
    this.txErrors += collector.waiting.length;
    collector.waiting = [];
    collector.retryMs = this.clock.now() + RETRY_MS;
    socket.close();
  }

  /** Tries again to open what could not be opened. */
  run(now: number): void {
    for (const collector of this.collectors) if (now >= collector.retryMs) this.open(collector);
  }

  nextWake(): number {
    return this.collectors.reduce((next, { retryMs }) => Math.min(next, retryMs), NEVER);
  }

  /** What waits for a connection is still sent once it is there. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const collector of this.collectors) {
      if (collector.connected || collector.waiting.length === 0) collector.socket?.close();
    }
  }
}

/** 'Connection refused': errors as users of other programs know them. */
function reasonOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? error.message;
  return REASONS[code] ?? code;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENETUNREACH: 'Network is unreachable',
  EHOSTUNREACH: 'No route to host',
  EMSGSIZE: 'Message too long',
  ENOTFOUND: 'Name or service not known',
  EPERM: 'Operation not permitted',
};
