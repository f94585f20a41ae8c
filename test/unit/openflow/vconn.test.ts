/** OpenFlow connections: framing, version negotiation, echo, requests and errors. */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/openflow/codec/index.js';
import { matchAny } from '../../../src/openflow/match.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { OfConnection, type OfConnectionOptions } from '../../../src/openflow/vconn.js';

let directory: string;
let server: Server;
const sockets: Socket[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-vconn-'));
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Two ends of a stream socket. */
function pair(): Promise<[Socket, Socket]> {
  const path = join(directory, 's');
  return new Promise((resolve) => {
    server = createServer((accepted) => {
      sockets.push(accepted, dialled);
      resolve([dialled, accepted]);
    });
    let dialled: Socket;
    server.listen(path, () => {
      dialled = connect({ path });
    });
  });
}

const options = (more: Partial<OfConnectionOptions> = {}): OfConnectionOptions => ({
  versions: [1],
  ...more,
});

/** A switch that answers a few requests. */
function serve(socket: Socket, more: Partial<OfConnectionOptions> = {}): OfConnection {
  const connection: OfConnection = new OfConnection(socket, {
    ...options(more),
    onMessage(msg, xid, frame) {
      if (msg.type === 'barrier_request') connection.send({ type: 'barrier_reply' }, xid);
      else if (msg.type === 'port_mod') connection.sendError('OFPPMFC_BAD_PORT', xid, frame);
      else if (msg.type === 'flow_stats_request') {
        const reply = { type: 'flow_stats_reply' as const, nx: true, entries: [] };
        connection.send({ ...reply, more: true }, xid);
        connection.send({ ...reply, more: false }, xid);
      }
    },
  });
  return connection;
}

const portMod: OfMessage = {
  ...{ type: 'port_mod', portNo: 9, hwAddr: new Uint8Array(6), config: 0, mask: 0, advertise: 0 },
};

describe('negotiation', () => {
  it('agrees on the highest version that both speak', async () => {
    const [a, b] = await pair();
    const server = new OfConnection(b, options({ versions: [1, 4] }));
    const client = new OfConnection(a, options({ versions: [1, 4, 5] }));
    expect(await client.whenOpen()).toBe(4);
    expect(await server.whenOpen()).toBe(4);
  });

  it('fails on both sides where there is no common version', async () => {
    const [a, b] = await pair();
    const reasons: string[] = [];
    const onClose = (reason: Error | null): void => void reasons.push(String(reason?.message));
    const server = new OfConnection(b, options({ versions: [1], onClose }));
    const client = new OfConnection(a, options({ versions: [4, 5] }));
    await expect(client.whenOpen()).rejects.toThrow(/no common versions|OFPHFC_INCOMPATIBLE/);
    await expect(server.whenOpen()).rejects.toThrow();
    expect(reasons[0]).toBe(
      'We support version 0x01, you support versions 0x04, 0x05, no common versions.',
    );
  });

  it('ends a connection that does not begin with a hello, or with nonsense', async () => {
    const [a, b] = await pair();
    const server = new OfConnection(b, options());
    a.write(encodeMessage(1, { type: 'barrier_request' }, 1));
    await expect(server.whenOpen()).rejects.toThrow('while expecting OFPT_HELLO');
    expect(server.closed).toBe(true);
  });

  it('ends a connection whose frame claims less than its header', async () => {
    const [a, b] = await pair();
    const server = new OfConnection(b, options());
    a.write(Uint8Array.of(1, 0, 0, 3, 0, 0, 0, 1));
    await expect(server.whenOpen()).rejects.toThrow('too-short ofp_header');
  });
});

describe('an open connection', () => {
  async function open(more: Partial<OfConnectionOptions> = {}) {
    const [a, b] = await pair();
    const server = serve(b, more);
    const client = new OfConnection(a, options());
    await Promise.all([client.whenOpen(), server.whenOpen()]);
    return { client, server, raw: a };
  }

  it('answers echo requests by itself', async () => {
    const { client } = await open();
    const [reply] = await client.request({ type: 'echo_request', data: Uint8Array.of(1, 2) });
    expect(reply).toEqual({ type: 'echo_reply', data: Uint8Array.of(1, 2) });
  });

  it('collects replies that come in parts', async () => {
    const { client } = await open();
    const match = matchAny();
    const parts = await client.request({
      ...{ type: 'flow_stats_request', aggregate: false, table: 255, match },
      ...{ outPort: 0xffffffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
    });
    expect(parts.map((p) => p.type)).toEqual(['flow_stats_reply', 'flow_stats_reply']);
  });

  it('reports the first error of messages without a reply, and null without one', async () => {
    const { client } = await open();
    const failed = await client.transactNoReply([portMod, portMod]);
    expect(failed?.error.error).toBe('OFPPMFC_BAD_PORT');
    expect(await client.transactNoReply([])).toBeNull();
  });

  it('answers frames that do not decode with the right error', async () => {
    const [a, b] = await pair();
    serve(b);
    const seen: [OfMessage, number][] = [];
    const onMessage = (msg: OfMessage, xid: number): void => void seen.push([msg, xid]);
    const client = new OfConnection(a, options({ onMessage }));
    await client.whenOpen();
    const frame = Uint8Array.of(1, 99, 0, 8, 0, 0, 0, 77);
    client.sendFrame(frame);
    await client.request({ type: 'barrier_request' });
    expect(seen).toEqual([[{ type: 'error', error: 'OFPBRC_BAD_TYPE', data: frame }, 77]]);
  });

  it('puts frames together from single bytes and takes several at once', async () => {
    const seen: string[] = [];
    const [a, b] = await pair();
    const server = new OfConnection(b, options({ onMessage: (msg) => void seen.push(msg.type) }));
    a.setNoDelay(true);
    const hello = encodeMessage(1, { type: 'hello', versions: [1] }, 1);
    for (const byte of hello) {
      a.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.whenOpen();
    const two = [1, 2].map((xid) => encodeMessage(1, { type: 'barrier_request' }, xid));
    a.write(Buffer.concat(two));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual(['barrier_request', 'barrier_request']);
  });

  it('tells those who wait when the peer goes away', async () => {
    const { client, server } = await open();
    const waiting = client.request({ type: 'features_request' });
    server.close();
    await expect(waiting).rejects.toThrow();
    expect(client.send({ type: 'barrier_request' })).toBe(0);
  });

  it('refuses frames when its queue is full', async () => {
    const [a, b] = await pair();
    serve(b);
    const client = new OfConnection(a, options({ queueBytesMax: 20_000 }));
    await client.whenOpen();
    b.pause();
    const data = new Uint8Array(9000);
    const results = Array.from({ length: 200 }, () => client.send({ type: 'echo_request', data }));
    expect(results.includes(0)).toBe(true);
    expect(client.framesRefused).toBeGreaterThan(0);
  });
});
