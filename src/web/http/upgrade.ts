/**
 * WebSockets: who may open one, how much they may say, and what they say.
 *
 *     upgrade ─> path, Host, Origin ─> (token in the header, or first message) ─> subscriptions
 */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type WebSocket, WebSocketServer } from 'ws';
import { ClientMessage } from '../api/index.js';
import { type Live, LiveClient } from '../live.js';
import { type AccessRules, bearerOf, checkHost, checkSite, isToken } from './access.js';
import { Often } from './connections.js';
import { answerTo } from './errors.js';

const PATH = '/api/v1/live';
const MESSAGE_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 256;
/** Connections that one address may open in a window: guessing tokens is slow. */
const UPGRADES_MAX = 200;
/** Messages of one client, in a window. */
const MESSAGES_MAX = 100;
const WINDOW_MS = 10_000;
/** A client that has not shown its token by then is closed. */
const TOKEN_MS_MAX = 10_000;
const PING_MS = 20_000;

/** Close codes (RFC 6455 section 7.4). */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;

const checkMessage = TypeCompiler.Compile(ClientMessage);

export class LiveSockets {
  private readonly server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: true,
  });
  private readonly alive = new WeakSet<WebSocket>();
  private readonly pinger: NodeJS.Timeout;
  private readonly upgrades: Often;

  constructor(
    private readonly live: Live,
    private readonly rules: AccessRules,
    private readonly now: () => number,
  ) {
    this.upgrades = new Often(UPGRADES_MAX, WINDOW_MS, now);
    this.pinger = setInterval(() => this.ping(), PING_MS);
    this.pinger.unref();
  }

  /** Takes the upgrades of `http`. */
  attach(http: Server): void {
    http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      try {
        this.accept(request, socket, head);
      } catch {
        refuse(socket, 400);
      }
    });
  }

  close(): void {
    clearInterval(this.pinger);
    for (const socket of this.server.clients) {
      socket.close(CLOSE_GOING_AWAY, 'the console ends');
      socket.terminate();
    }
    this.server.close();
  }

  private accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const header = bearerOf(request.headers);
    const admitted = !this.rules.tokenToRead || isToken(header, this.rules);
    const status = this.refusal(request) ?? (header !== null && !admitted ? 401 : null);
    if (status !== null) refuse(socket, status);
    else this.server.handleUpgrade(request, socket, head, (ws) => this.converse(ws, admitted));
  }

  /** The HTTP status with which an upgrade is refused; null: it is not. */
  private refusal({ headers, url = '', socket }: IncomingMessage): number | null {
    if (!this.upgrades.allows(socket.remoteAddress ?? '')) return 429;
    if (url.split('?')[0] !== PATH) return 404;
    try {
      checkHost(headers, this.rules);
      checkSite(headers, true);
    } catch (error) {
      return answerTo(error).status;
    }
    return this.server.clients.size >= CONNECTIONS_MAX ? 503 : null;
  }

  private converse(socket: WebSocket, welcome: boolean): void {
    const client = new LiveClient(socket);
    let admitted = welcome;
    let messages = 0;
    let windowMs = this.now();
    this.alive.add(socket);
    const late = setTimeout(() => {
      if (!admitted) socket.close(CLOSE_POLICY, 'no token');
    }, TOKEN_MS_MAX);
    late.unref();
    socket.on('pong', () => this.alive.add(socket));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      clearTimeout(late);
      this.live.leave(client);
    });
    const end = (why: string): void => socket.close(CLOSE_POLICY, why);
    socket.on('message', (data, isBinary) => {
      const now = this.now();
      if (now - windowMs > WINDOW_MS) [messages, windowMs] = [0, now];
      messages += 1;
      const message = isBinary ? null : parse(String(data));
      if (message && !admitted) admitted = isToken(message.token ?? null, this.rules);
      if (messages > MESSAGES_MAX) end('too many messages');
      else if (!message) end('not a message of the protocol');
      else if (!admitted) end('the token is missing or wrong');
      else this.take(client, message);
    });
  }

  private take(client: LiveClient, { subscribe = [], unsubscribe = [] }: ClientMessage): void {
    for (const id of unsubscribe) this.live.unsubscribe(client, id);
    for (const each of subscribe) this.live.subscribe(client, each);
  }

  /** Clients that answered no ping are gone. */
  private ping(): void {
    for (const socket of this.server.clients) {
      if (!this.alive.has(socket)) socket.terminate();
      else {
        this.alive.delete(socket);
        socket.ping();
      }
    }
  }
}

function parse(text: string): ClientMessage | null {
  try {
    const message: unknown = JSON.parse(text);
    return checkMessage.Check(message) ? message : null;
  } catch {
    return null;
  }
}

function refuse(socket: Duplex, status: number): void {
  const reason = STATUS_CODES[status] ?? 'Refused';
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
