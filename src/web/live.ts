/**
 * The WebSocket /api/v1/live: topics, read once for all who watch them.
 *
 *     client ──subscribe──> channel (topic + parameters) ──interval, or a change──> read once
 *        ^                        │
 *        └──── the same text ─────┘      a client whose buffer is full misses it; one that stays
 *                                        full is closed
 *
 * Not for: who may connect (http/upgrade.ts).
 */
import type { WebSocket } from 'ws';
import { TapswitchError } from '../common/errors.js';
import type { Changes } from '../ovsdb/idl/index.js';
import type { ServerMessage, Subscription, Topic } from './api/index.js';
import { answerTo } from './http/errors.js';
import { ResourceReader } from './schema-check.js';
import type { Subject } from './subject/subject.js';
import type { Query, Resource } from './topics/resource.js';

/** Bytes that may wait for a client before it misses an update, and before it is closed. */
const SKIP_BYTES = 1024 * 1024;
const CLOSE_BYTES = 16 * 1024 * 1024;
/** A client that has taken nothing for so long is closed. */
const STUCK_MS = 20_000;
const SUBSCRIPTIONS_MAX = 64;
/** Different topics and parameters of all clients together. */
const CHANNELS_MAX = 1024;
/** What has not changed is said again after this. */
const REPEAT_MS = 5000;
/** Least time between two readings of a channel, also when the database changes. */
const GAP_MS = 100;

/** Close codes (RFC 6455 section 7.4). */
export const CLOSE_TOO_SLOW = 1013;

interface Watcher {
  client: LiveClient;
  id: number;
}

/** A client's side of the connection. */
export class LiveClient {
  readonly channels = new Map<number, Channel>();
  private stuckSinceMs: number | null = null;

  constructor(private readonly socket: WebSocket) {}

  /** @returns false when the client cannot keep up */
  send(text: string, now: number): boolean {
    const { socket } = this;
    if (socket.readyState !== socket.OPEN) return false;
    if (socket.bufferedAmount <= SKIP_BYTES) {
      this.stuckSinceMs = null;
      socket.send(text);
      return true;
    }
    this.stuckSinceMs ??= now;
    const stuck = now - this.stuckSinceMs > STUCK_MS;
    if (stuck || socket.bufferedAmount > CLOSE_BYTES) {
      socket.close(CLOSE_TOO_SLOW, 'too slow');
      socket.terminate();
    }
    return false;
  }
}

export class Live {
  private readonly channels = new Map<string, Channel>();
  private readonly byTopic: ReadonlyMap<Topic, Resource>;
  private readonly reader: ResourceReader;

  constructor(
    private readonly subject: Subject,
    resources: readonly Resource[],
  ) {
    this.byTopic = new Map(resources.map((resource) => [resource.topic, resource]));
    this.reader = new ResourceReader();
    subject.listeners.add((changes) => this.changed(changes));
  }

  /** Topics that are being read. */
  get watched(): number {
    return this.channels.size;
  }

  subscribe(client: LiveClient, { id, topic, params = {} }: Subscription): void {
    this.unsubscribe(client, id);
    try {
      if (client.channels.size >= SUBSCRIPTIONS_MAX) {
        throw new TapswitchError('E_WEB_LIMIT', `at most ${SUBSCRIPTIONS_MAX} subscriptions`);
      }
      const resource = this.byTopic.get(topic);
      if (!resource) throw new TapswitchError('E_WEB_NOT_FOUND', `no topic ${topic}`);
      this.channel(resource, this.reader.check(resource, params)).add({ client, id });
    } catch (error) {
      const message: ServerMessage = { id, topic, error: answerTo(error).body };
      client.send(JSON.stringify(message), this.subject.clock.now());
    }
  }

  unsubscribe(client: LiveClient, id: number): void {
    client.channels.get(id)?.remove(client, id);
  }

  leave(client: LiveClient): void {
    for (const id of [...client.channels.keys()]) this.unsubscribe(client, id);
  }

  close(): void {
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
  }

  private channel(resource: Resource, query: Query): Channel {
    const sorted = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = `${resource.topic} ${JSON.stringify(sorted)}`;
    let channel = this.channels.get(key);
    if (!channel) {
      if (this.channels.size >= CHANNELS_MAX) {
        throw new TapswitchError('E_WEB_LIMIT', 'too many different topics are being watched');
      }
      const ended = () => this.channels.delete(key);
      channel = new Channel({ subject: this.subject, resource, query, ended });
      this.channels.set(key, channel);
    }
    return channel;
  }

  private changed(changes: Changes): void {
    for (const channel of this.channels.values()) channel.databaseChanged(changes);
  }
}

interface ChannelOptions {
  subject: Subject;
  resource: Resource;
  query: Query;
  ended(): void;
}

/** One topic with one set of parameters, and who watches it. */
class Channel {
  private readonly watchers = new Set<Watcher>();
  private timer: NodeJS.Timeout | null = null;
  private reading = false;
  private again = false;
  private readAtMs = Number.NEGATIVE_INFINITY;
  private last = '';
  private sentAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ChannelOptions) {}

  add(watcher: Watcher): void {
    this.watchers.add(watcher);
    watcher.client.channels.set(watcher.id, this);
    if (this.last !== '') this.tell(watcher, this.last, this.options.subject.clock.now());
    else void this.read();
  }

  remove(client: LiveClient, id: number): void {
    client.channels.delete(id);
    for (const watcher of this.watchers) {
      if (watcher.client === client && watcher.id === id) this.watchers.delete(watcher);
    }
    if (this.watchers.size === 0) this.close();
  }

  databaseChanged(changes: Changes): void {
    const { tables } = this.options.resource;
    if (!tables.some((name) => name === '*' || changes.has(name))) return;
    const since = this.options.subject.clock.now() - this.readAtMs;
    this.schedule(Math.max(0, GAP_MS - since));
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.watchers.clear();
    this.options.ended();
  }

  private schedule(delayMs: number): void {
    if (this.reading) {
      this.again = true;
      return;
    }
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.read(), delayMs);
  }

  private async read(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    const { subject, resource, query } = this.options;
    this.readAtMs = subject.clock.now();
    const text = await payload(resource, query);
    this.reading = false;
    if (this.watchers.size === 0) return;
    this.publish(text);
    const took = subject.clock.now() - this.readAtMs;
    const wait = this.again ? GAP_MS : Math.max(GAP_MS, resource.intervalMs - took);
    this.again = false;
    this.schedule(wait);
  }

  private publish(text: string): void {
    const now = this.options.subject.clock.now();
    if (text === this.last && now - this.sentAtMs < REPEAT_MS) return;
    this.last = text;
    this.sentAtMs = now;
    for (const watcher of this.watchers) this.tell(watcher, text, now);
  }

  private tell({ client, id }: Watcher, text: string, now: number): void {
    client.send(`{"id":${id},"topic":"${this.options.resource.topic}",${text}}`, now);
  }
}

/** '"data":...' or '"error":...'. */
async function payload(resource: Resource, query: Query): Promise<string> {
  try {
    return `"data":${JSON.stringify(await resource.read(query))}`;
  } catch (error) {
    return `"error":${JSON.stringify(answerTo(error).body)}`;
  }
}
