/**
 * The client of the console's API, for browsers and Node.js: fetch for questions and changes, a
 * WebSocket for what is watched. It connects again by itself.
 *
 *     const console = new ConsoleClient('http://127.0.0.1:8480', { token });
 *     const ports = await console.get('ports', { history: 0 });
 *     const stop = console.watch('bonds', {}, (bonds) => show(bonds[0].active));
 *     await console.addFlow('br0', 'in_port=1,actions=output:2');
 *
 * Not for: checking what comes back; the server's answers are made from the same schemas.
 */
import type { Bonds } from './bonds.js';
import type { ApiError } from './common.js';
import type { Database, DatabasePage, Logs } from './database.js';
import type { Drops, Queues, Workers } from './datapath.js';
import type {
  Changed,
  Completion,
  DatapathFlowPage,
  FlowCheck,
  FlowPage,
  PortChange,
} from './flows.js';
import type {
  Bridges,
  Controllers,
  Groups,
  Macs,
  Meters,
  Ports,
  System,
  Topology,
} from './inventory.js';
import type { ServerMessage, Topic, TopicParams } from './live.js';
import type {
  Capture,
  CaptureRequest,
  Captures,
  DropExamples,
  Packets,
  TraceAnswer,
  TraceRequest,
} from './packets.js';

/** What each topic's GET answers, and its WebSocket messages carry. */
export interface TopicData {
  system: System;
  topology: Topology;
  bridges: Bridges;
  ports: Ports;
  bonds: Bonds;
  controllers: Controllers;
  workers: Workers;
  queues: Queues;
  drops: Drops;
  database: Database;
  flows: FlowPage;
  'datapath-flows': DatapathFlowPage;
  macs: Macs;
  groups: Groups;
  meters: Meters;
  'database-table': DatabasePage;
  logs: Logs;
  captures: Captures;
}

/** Where each topic's GET is, below /api/v1; ':name' stands for a parameter. */
export const TOPIC_PATHS: Readonly<Record<Topic, string>> = {
  system: '/system',
  topology: '/topology',
  bridges: '/bridges',
  ports: '/ports',
  bonds: '/bonds',
  controllers: '/controllers',
  workers: '/workers',
  queues: '/queues',
  drops: '/drops',
  database: '/database',
  flows: '/bridges/:bridge/flows',
  'datapath-flows': '/datapath/flows',
  macs: '/bridges/:bridge/macs',
  groups: '/bridges/:bridge/groups',
  meters: '/bridges/:bridge/meters',
  'database-table': '/database/:table',
  logs: '/logs',
  captures: '/captures',
};

/** An answer that is an error. `status` 0: nobody answered. */
export class ConsoleError extends Error {
  override readonly name = 'ConsoleError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** As much of a WebSocket as is needed: a browser's, or that of the package ws. */
interface Socket {
  send(text: string): void;
  close(): void;
  onopen: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
}

export interface ClientOptions {
  token?: string;
  /** Another one than the global. */
  fetch?: typeof fetch;
  /** The same; Node.js has one since version 22, else the package ws has it. */
  WebSocket?: new (
    url: string,
  ) => unknown;
  /** Told when the connection of watched topics comes and goes. */
  onConnection?(connected: boolean): void;
}

interface Watch {
  topic: Topic;
  params: TopicParams;
  onData(data: never): void;
  onError?(error: ApiError): void;
}

/** Waits between connections double from the first to the second. */
const BACKOFF_MS = { min: 250, max: 8000 };
/** Topics asked for in one message: the server takes no long ones. */
const SUBSCRIBE_MAX = 16;

export class ConsoleClient {
  private readonly base: string;
  private readonly watches = new Map<number, Watch>();
  private socket: Socket | null = null;
  private connected = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private waitMs = BACKOFF_MS.min;
  private lastId = 0;

  /** @param url of the console, 'http://127.0.0.1:8480' */
  constructor(
    url: string,
    private readonly options: ClientOptions = {},
  ) {
    this.base = `${url.replace(/\/+$/, '')}/api/v1`;
  }

  /** A topic once. @throws ConsoleError */
  get<T extends Topic>(topic: T, params: TopicParams = {}): Promise<TopicData[T]> {
    return this.ask('GET', pathOf(TOPIC_PATHS[topic], params));
  }

  /** A topic for as long as it is watched. @returns what ends it */
  watch<T extends Topic>(
    topic: T,
    params: TopicParams,
    onData: (data: TopicData[T]) => void,
    onError?: (error: ApiError) => void,
  ): () => void {
    this.lastId += 1;
    const id = this.lastId;
    this.watches.set(id, { topic, params, onData, onError });
    if (this.connected) this.say({ subscribe: [{ id, topic, params }] });
    else this.connect();
    return () => {
      this.watches.delete(id);
      if (this.connected) this.say({ unsubscribe: [id] });
      if (this.watches.size === 0) this.close();
    };
  }

  trace(request: TraceRequest): Promise<TraceAnswer> {
    return this.ask('POST', '/trace', request);
  }

  checkFlow(flow: string, bridge?: string): Promise<FlowCheck> {
    return this.ask('POST', '/flows/check', { flow, ...(bridge ? { bridge } : {}) });
  }

  completeFlow(text: string, cursor: number, bridge?: string): Promise<Completion> {
    return this.ask(
      'GET',
      pathOf('/flows/complete', { text, cursor, ...(bridge ? { bridge } : {}) }),
    );
  }

  dropExamples(reason: string, seconds = 5, packets = 20): Promise<DropExamples> {
    return this.ask('GET', pathOf('/drops/:reason/examples', { reason, seconds, packets }));
  }

  addFlow(bridge: string, flow: string): Promise<Changed> {
    return this.ask('POST', pathOf('/bridges/:bridge/flows', { bridge }), { flow });
  }

  deleteFlows(bridge: string, flow: string, strict = false): Promise<Changed> {
    return this.ask('DELETE', pathOf('/bridges/:bridge/flows', { bridge }), { flow, strict });
  }

  changePort(port: string, change: PortChange): Promise<Changed> {
    return this.ask('PATCH', pathOf('/ports/:port', { port }), change);
  }

  startCapture(request: CaptureRequest): Promise<Capture> {
    return this.ask('POST', '/captures', request);
  }

  capture(id: string): Promise<Capture> {
    return this.ask('GET', pathOf('/captures/:id', { id }));
  }

  packets(id: string, offset = 0, limit = 200): Promise<Packets> {
    return this.ask('GET', pathOf('/captures/:id/packets', { id, offset, limit }));
  }

  /** A capture as a pcapng file. */
  async pcapng(id: string): Promise<ArrayBuffer> {
    const response = await this.request('GET', `${pathOf('/captures/:id', { id })}.pcapng`);
    return response.arrayBuffer();
  }

  /** Ends all watching. */
  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.watches.clear();
    this.socket?.close();
    this.socket = null;
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.request(method, path, body);
    return (await response.json()) as T;
  }

  private async request(method: string, path: string, body?: unknown): Promise<Response> {
    const { token, fetch: ask = fetch } = this.options;
    const headers: Record<string, string> = {};
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    let response: Response;
    try {
      const text = body === undefined ? undefined : JSON.stringify(body);
      response = await ask(`${this.base}${path}`, { method, headers, body: text });
    } catch (error) {
      throw new ConsoleError(0, 'E_WEB_OFFLINE', `the console does not answer: ${error}`);
    }
    if (response.ok) return response;
    const answer = (await response.json().catch(() => ({}))) as Partial<ApiError>;
    const { code = 'E_WEB_INTERNAL', message = response.statusText, hint } = answer;
    throw new ConsoleError(response.status, code, message, hint);
  }

  private connect(): void {
    if (this.socket || this.timer) return;
    const Make = (this.options.WebSocket ?? globalThis.WebSocket) as new (url: string) => Socket;
    const socket = new Make(`${this.base.replace(/^http/, 'ws')}/live`);
    this.socket = socket;
    socket.onopen = () => this.opened(socket);
    socket.onerror = () => {};
    socket.onclose = () => this.closed(socket);
    socket.onmessage = (event: { data: unknown }) => this.heard(String(event.data));
  }

  private opened(socket: Socket): void {
    if (socket !== this.socket) return;
    this.connected = true;
    this.waitMs = BACKOFF_MS.min;
    this.options.onConnection?.(true);
    const { token } = this.options;
    if (token !== undefined) this.say({ token });
    const all = [...this.watches].map(([id, { topic, params }]) => ({ id, topic, params }));
    for (let i = 0; i < all.length; i += SUBSCRIBE_MAX) {
      this.say({ subscribe: all.slice(i, i + SUBSCRIBE_MAX) });
    }
  }

  private closed(socket: Socket): void {
    if (socket !== this.socket && this.socket !== null) return;
    const was = this.connected;
    this.connected = false;
    this.socket = null;
    if (was) this.options.onConnection?.(false);
    if (this.watches.size === 0 || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.connect();
    }, this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, BACKOFF_MS.max);
  }

  private heard(text: string): void {
    const { id, data, error } = JSON.parse(text) as ServerMessage;
    const watch = this.watches.get(id);
    if (error) watch?.onError?.(error);
    else watch?.onData(data as never);
  }

  private say(message: unknown): void {
    this.socket?.send(JSON.stringify(message));
  }
}

/** A path with its parameters filled in; the others become the query. */
export function pathOf(template: string, params: TopicParams): string {
  const query = new Map(Object.entries(params).map(([name, value]) => [name, `${value}`]));
  const path = template.replace(/:(\w+)/g, (_match, name: string) => {
    const value = query.get(name) ?? '';
    query.delete(name);
    return encodeURIComponent(value);
  });
  const rest = new URLSearchParams([...query]).toString();
  return rest === '' ? path : `${path}?${rest}`;
}
