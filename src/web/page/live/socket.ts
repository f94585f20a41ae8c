/**
 * The one WebSocket of the page: topics come and go, the connection comes back by itself.
 *
 *     useTopic ──watch──> LiveSocket ──{token}, {subscribe:[{id,topic,params}]}──> switch
 *     listeners <──data── {id, topic, data} ──────────────────────────────┘
 *
 * Equal subscriptions are one to the switch. While there is no connection the last data stays, and
 * `state` says since when it is old.
 */
import type {
  ApiError,
  ClientMessage,
  ServerMessage,
  Subscription,
  Topic,
} from '../../api/index.js';
import { token } from './token.js';

export type Params = Record<string, string | number | boolean | undefined>;

export interface TopicState<T> {
  data: T | null;
  /** Page clock, milliseconds; 0: never. */
  at: number;
  error: ApiError | null;
}

export interface ConnectionState {
  phase: 'connecting' | 'open' | 'lost';
  /** Page clock, milliseconds, when something was heard last. */
  heardAt: number;
  /** Attempts since the connection was lost. */
  attempts: number;
}

interface Watched {
  id: number;
  topic: Topic;
  params: Params;
  state: TopicState<unknown>;
  listeners: Set<() => void>;
}

/** Milliseconds between attempts: quick at first, never slower than this. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 3000;
/** Milliseconds that a topic without watchers goes on: pages that come back find it warm. */
const LINGER_MS = 250;
const ID_MAX = 1_000_000;
/** Subscriptions in one message. */
const SUBSCRIBE_MAX = 50;

export class LiveSocket {
  private socket: WebSocket | null = null;
  private readonly topics = new Map<string, Watched>();
  private readonly byId = new Map<number, Watched>();
  private readonly stateListeners = new Set<() => void>();
  private lastId = 0;
  private current: ConnectionState = { phase: 'connecting', heardAt: 0, attempts: 0 };

  constructor(private readonly url: () => string) {}

  get state(): ConnectionState {
    return this.current;
  }

  /** Connects, and again whenever the connection is lost. */
  connect(): void {
    const socket = new WebSocket(this.url());
    this.socket = socket;
    socket.onopen = () => {
      this.change({ phase: 'open', heardAt: performance.now(), attempts: 0 });
      const secret = token.get();
      if (secret !== null) this.send({ token: secret });
      this.subscribeAll();
    };
    socket.onmessage = (event) => this.heard(String(event.data));
    socket.onclose = () => this.lost(socket);
  }

  private subscribeAll(): void {
    const all = [...this.topics.values()].map(subscription);
    for (let i = 0; i < all.length; i += SUBSCRIBE_MAX) {
      this.send({ subscribe: all.slice(i, i + SUBSCRIBE_MAX) });
    }
  }

  /** Connects at once with what has changed (a token). */
  reconnect(): void {
    this.current.attempts = 0;
    this.socket?.close();
  }

  onState(listener: () => void): () => void {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  }

  /** @returns how to stop */
  watch(topic: Topic, params: Params, listener: () => void): () => void {
    const entry = this.topics.get(topicKey(topic, params)) ?? this.add(topic, params);
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      setTimeout(() => this.release(entry), LINGER_MS);
    };
  }

  /** The last that is known; null: not watched yet. */
  peek<T>(topic: Topic, params: Params): TopicState<T> | null {
    const entry = this.topics.get(topicKey(topic, params));
    return (entry?.state as TopicState<T> | undefined) ?? null;
  }

  private add(topic: Topic, params: Params): Watched {
    const entry: Watched = {
      id: this.freeId(),
      topic,
      params,
      state: { data: null, at: 0, error: null },
      listeners: new Set(),
    };
    this.topics.set(topicKey(topic, params), entry);
    this.byId.set(entry.id, entry);
    this.send({ subscribe: [subscription(entry)] });
    return entry;
  }

  /** Ids are small numbers: a page that stays open for months begins again. */
  private freeId(): number {
    do this.lastId = (this.lastId % ID_MAX) + 1;
    while (this.byId.has(this.lastId));
    return this.lastId;
  }

  private release(entry: Watched): void {
    if (entry.listeners.size > 0 || !this.byId.delete(entry.id)) return;
    this.topics.delete(topicKey(entry.topic, entry.params));
    this.send({ unsubscribe: [entry.id] });
  }

  private send(message: ClientMessage): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(message));
  }

  private heard(text: string): void {
    const message = JSON.parse(text) as Partial<ServerMessage>;
    this.current.heardAt = performance.now();
    const entry = message.id === undefined ? undefined : this.byId.get(message.id);
    if (entry === undefined) return;
    entry.state =
      message.error === undefined
        ? { data: message.data, at: performance.now(), error: null }
        : { ...entry.state, error: message.error };
    for (const listener of entry.listeners) listener();
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return;
    const { attempts, heardAt } = this.current;
    this.change({ phase: 'lost', heardAt, attempts: attempts + 1 });
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(attempts, 8));
    setTimeout(() => this.connect(), delayMs);
  }

  private change(state: ConnectionState): void {
    this.current = state;
    for (const listener of this.stateListeners) listener();
  }
}

function topicKey(topic: string, params: Params): string {
  return `${topic} ${JSON.stringify(params)}`;
}

function subscription({ id, topic, params }: Watched): Subscription {
  const known = Object.entries(params).filter(([, value]) => value !== undefined);
  return { id, topic, params: Object.fromEntries(known) as Subscription['params'] };
}

/** The API's place: that of the page. */
function liveUrl(): string {
  const url = new URL('api/v1/live', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  return url.href;
}

export const live = new LiveSocket(liveUrl);
