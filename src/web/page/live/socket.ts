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
  /** 'refused': the token is missing or wrong. */
  phase: 'connecting' | 'open' | 'lost' | 'refused';
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
/** Milliseconds between messages to the switch at least. */
const TELL_MS = 150;
/** RFC 6455 section 7.4. */
const CLOSE_POLICY = 1008;
/** Subscriptions in one message. */
const SUBSCRIBE_MAX = 50;

export class LiveSocket {
  private socket: WebSocket | null = null;
  private readonly topics = new Map<string, Watched>();
  private readonly byId = new Map<number, Watched>();
  private readonly stateListeners = new Set<() => void>();
  private lastId = 0;
  /** Ids that the switch knows of. */
  private readonly told = new Set<number>();
  private toldAt = Number.NEGATIVE_INFINITY;
  private telling: ReturnType<typeof setTimeout> | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private current: ConnectionState = { phase: 'connecting', heardAt: 0, attempts: 0 };

  constructor(private readonly url: () => string) {}

  get state(): ConnectionState {
    return this.current;
  }

  /** Connects, and again whenever the connection is lost. */
  connect(): void {
    clearTimeout(this.retry);
    const socket = new WebSocket(this.url());
    this.socket = socket;
    socket.onopen = () => {
      this.change({ phase: 'open', heardAt: performance.now(), attempts: 0 });
      const secret = token.get();
      if (secret !== null) this.send({ token: secret });
      this.told.clear();
      this.tell();
    };
    socket.onmessage = (event) => this.heard(String(event.data));
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.socket) return;
      if (code === CLOSE_POLICY && reason.includes('token')) this.refused();
      else this.lost();
    };
  }

  /** Connects at once with what has changed (a token). */
  reconnect(): void {
    this.current.attempts = 0;
    const old = this.socket;
    this.connect();
    old?.close();
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
    this.tellSoon();
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
    this.tellSoon();
  }

  /** Changes that come close together are one message: the switch takes ten of them a second. */
  private tellSoon(): void {
    if (this.telling !== null) return;
    const restMs = this.toldAt + TELL_MS - performance.now();
    this.telling = setTimeout(() => this.tell(), Math.max(0, restMs));
  }

  /** Tells the switch which topics have come and gone since it was told last. */
  private tell(): void {
    if (this.telling !== null) clearTimeout(this.telling);
    this.telling = null;
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.toldAt = performance.now();
    const come = [...this.byId.values()].filter(({ id }) => !this.told.has(id));
    const gone = [...this.told].filter((id) => !this.byId.has(id));
    for (const { id } of come) this.told.add(id);
    for (const id of gone) this.told.delete(id);
    while (come.length > 0 || gone.length > 0) {
      this.send({
        unsubscribe: gone.splice(0, SUBSCRIBE_MAX),
        subscribe: come.splice(0, SUBSCRIBE_MAX).map(subscription),
      });
    }
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

  private lost(): void {
    const { attempts, heardAt } = this.current;
    this.change({ phase: 'lost', heardAt, attempts: attempts + 1 });
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(attempts, 8));
    this.retry = setTimeout(() => this.connect(), delayMs);
  }

  /** Not without the token: trying again makes sense when there is another. */
  private refused(): void {
    this.change({ ...this.current, phase: 'refused' });
    token.ask();
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
