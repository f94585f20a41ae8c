/** Topics over the WebSocket: one reading for all, refusals, and clients that are too slow. */
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { WarpClock } from '../../../src/common/clock.js';
import type { Topic } from '../../../src/web/api/index.js';
import { ClientMessage, ConsoleClient, pathOf } from '../../../src/web/api/index.js';
import { CLOSE_TOO_SLOW, Live, LiveClient } from '../../../src/web/live.js';
import type { Subject } from '../../../src/web/subject/subject.js';
import type { Resource } from '../../../src/web/topics/resource.js';
import { eventually } from '../../support/command.js';

/** As much of a WebSocket as the server uses. */
class FakeSocket {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  closed: number | null = null;
  readonly sent: { id: number; topic: string; data?: unknown; error?: { code: string } }[] = [];

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(code: number): void {
    this.closed = code;
  }
  terminate(): void {
    this.readyState = 3;
  }
}

function fixture() {
  const state = { reads: 0 };
  const listeners = new Set<(changes: ReadonlyMap<string, unknown>) => void>();
  const subject = { clock: new WarpClock(), listeners } as unknown as Subject;
  const resource = (topic: Topic, tables: string[], intervalMs: number): Resource => ({
    ...{ topic, path: `/${topic}`, summary: '', tables, intervalMs },
    query: Type.Object({ bridge: Type.Optional(Type.String({ maxLength: 8 })) }),
    answer: Type.Any(),
    read: async () => ({ n: ++state.reads }),
  });
  const live = new Live(subject, [
    resource('ports', ['Port'], 20),
    resource('bonds', ['Port'], 60_000),
  ]);
  const join = () => {
    const socket = new FakeSocket();
    return { socket, client: new LiveClient(socket as unknown as WebSocket) };
  };
  return { state, listeners, live, join };
}

describe('a topic', () => {
  it('is read once for all who watch it, and not when nobody does', async () => {
    const { state, live, join } = fixture();
    const all = Array.from({ length: 10 }, join);
    for (const { client } of all) live.subscribe(client, { id: 1, topic: 'ports' });
    await eventually('messages', () => all.every(({ socket }) => socket.sent.length >= 3));
    expect(live.watched).toBe(1);
    expect(state.reads).toBeLessThan(all.reduce((sum, { socket }) => sum + socket.sent.length, 0));
    for (const { client } of all) live.leave(client);
    expect(live.watched).toBe(0);
    live.close();
  });

  it('is read at once when its table changes', async () => {
    const { live, listeners, join } = fixture();
    const { socket, client } = join();
    live.subscribe(client, { id: 7, topic: 'bonds' });
    await eventually('the first message', () => socket.sent.length === 1);
    for (const listener of listeners) listener(new Map([['Bridge', {}]]));
    for (const listener of listeners) listener(new Map([['Port', {}]]));
    await eventually('the second message', () => socket.sent.length === 2);
    expect(socket.sent[1]).toEqual({ id: 7, topic: 'bonds', data: { n: 2 } });
    live.close();
  });

  it('with wrong parameters is refused', () => {
    const { live, join } = fixture();
    const { socket, client } = join();
    live.subscribe(client, { id: 1, topic: 'ports', params: { bridge: 'x'.repeat(9) } });
    live.subscribe(client, { id: 2, topic: 'ports', params: { nonsense: 1 } });
    live.subscribe(client, { id: 3, topic: 'flows' });
    const codes = socket.sent.map(({ error }) => error?.code);
    expect(codes).toEqual(['E_WEB_REQUEST', 'E_WEB_REQUEST', 'E_WEB_NOT_FOUND']);
    expect(live.watched).toBe(0);
  });

  it('may be watched so many times by one client, and no more', () => {
    const { live, join } = fixture();
    const { socket, client } = join();
    for (let id = 0; id < 100; id++) live.subscribe(client, { id, topic: 'bonds' });
    const refused = socket.sent.filter(({ error }) => error?.code === 'E_WEB_LIMIT');
    expect(refused).toHaveLength(36);
    live.close();
  });
});

describe('a slow client', () => {
  it('misses messages, and is closed when it stays slow', () => {
    const { socket, client } = fixture().join();
    socket.bufferedAmount = 2 * 1024 * 1024;
    expect(client.send('{}', 0)).toBe(false);
    expect(socket.closed).toBeNull();
    expect(client.send('{}', 10_000)).toBe(false);
    socket.bufferedAmount = 0;
    expect(client.send('{}', 15_000)).toBe(true);
    socket.bufferedAmount = 2 * 1024 * 1024;
    client.send('{}', 20_000);
    client.send('{}', 45_000);
    expect(socket.closed).toBe(CLOSE_TOO_SLOW);
    expect(socket.readyState).toBe(3);
  });
});

it('a client that watches much says so in messages that the server takes', () => {
  const said: { token?: string; subscribe?: { id: number }[] }[] = [];
  let open = (): void => {};
  class Socket {
    set onopen(opened: () => void) {
      open = opened;
    }
    send(text: string): void {
      said.push(JSON.parse(text));
    }
    close(): void {}
  }
  const client = new ConsoleClient('http://127.0.0.1:1', { token: 'x', WebSocket: Socket });
  const bridge = 'b'.repeat(200);
  for (let i = 0; i < 70; i++) client.watch('flows', { bridge, limit: i }, () => {});
  open();
  for (const message of said) {
    expect(Value.Check(ClientMessage, message)).toBe(true);
    expect(JSON.stringify(message).length).toBeLessThan(16 * 1024);
  }
  expect(said[0].token).toBe('x');
  expect(said.flatMap(({ subscribe }) => subscribe ?? [])).toHaveLength(70);
  client.close();
});

describe("the client's paths", () => {
  it('have parameters in their place, and the others as a query', () => {
    expect(pathOf('/bridges/:bridge/flows', { bridge: 'a/b', limit: 5, desc: true })).toBe(
      '/bridges/a%2Fb/flows?limit=5&desc=true',
    );
  });
});
