/** OpenFlow listeners: idle strangers do not lock others out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { type LogSink, logHub } from '../../../src/common/log.js';
import { CONNECTIONS_MAX, OfListener } from '../../../src/ofproto/connmgr/listener.js';
import { Authority } from '../../support/certificates.js';

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.on('error', reject);
  });
}

it('makes room for a newcomer among connections that never said a word', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tapswitch-listener-'));
  const path = join(directory, 'br0.mgmt');
  const listener = new OfListener(`punix:${path}`, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(data));
    return undefined;
  });
  const silent: Socket[] = [];
  try {
    await listener.open();
    const talker = await open(path);
    const echo = (socket: Socket, text: string): Promise<string> =>
      new Promise((resolve) => {
        socket.once('data', (data) => resolve(data.toString()));
        socket.write(text);
      });
    expect(await echo(talker, 'first')).toBe('first');
    for (let i = 0; i < CONNECTIONS_MAX + 50; i++) silent.push(await open(path));
    const newcomer = await open(path);
    expect(await echo(newcomer, 'hello')).toBe('hello');
    expect(await echo(talker, 'still here')).toBe('still here');
    newcomer.destroy();
    talker.destroy();
  } finally {
    for (const socket of silent) socket.destroy();
    listener.close();
    await rm(directory, { recursive: true, force: true });
  }
});

it('makes room among those that talk, too: whoever has been silent for longest goes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tapswitch-listener-'));
  const path = join(directory, 'br0.mgmt');
  let now = 0;
  const listener = new OfListener(`punix:${path}`, (socket) => {
    let heard = 0;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      now += 1;
      heard = data.toString() === 'at work' ? Number.POSITIVE_INFINITY : now;
      socket.write(data);
    });
    return () => heard;
  });
  const peers: Socket[] = [];
  const echo = (socket: Socket, text: string): Promise<string> =>
    new Promise((resolve) => {
      socket.once('data', (data) => resolve(data.toString()));
      socket.once('close', () => resolve('closed'));
      socket.write(text);
    });
  try {
    await listener.open();
    for (let i = 0; i < CONNECTIONS_MAX; i++) {
      peers.push(await open(path));
      expect(await echo(peers[i], 'hello')).toBe('hello');
    }
    // The oldest two: one is being served, one says something again.
    expect(await echo(peers[0], 'at work')).toBe('at work');
    expect(await echo(peers[1], 'again')).toBe('again');
    for (let i = 0; i < 20; i++) {
      peers.push(await open(path));
      expect(await echo(peers[CONNECTIONS_MAX + i], 'new')).toBe('new');
    }
    expect(await echo(peers[0], 'here')).toBe('here');
    expect(await echo(peers[1], 'here')).toBe('here');
    expect(peers.filter((socket) => socket.closed || socket.readableEnded)).toHaveLength(20);
  } finally {
    for (const socket of peers) socket.destroy();
    listener.close();
    await rm(directory, { recursive: true, force: true });
  }
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

it('says of strangers without TLS so much and no more', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tapswitch-listener-'));
  const lines: string[] = [];
  const sink: LogSink = {
    destination: 'console',
    write: (_sequence, module, _level, message) => void lines.push(`${module}: ${message}`),
  };
  const authority = await Authority.make(directory, 'ca');
  const { key, certificate } = await authority.issue('switch');
  const files = { privateKey: key, certificate, caCert: authority.certificate };
  const port = await freePort();
  const listener = new OfListener(
    `pssl:${port}:127.0.0.1`,
    () => undefined,
    files,
    stoppedClock(1_000_000),
  );
  logHub.sinks.push(sink);
  try {
    await listener.open();
    for (let i = 0; i < 200; i++) {
      const socket = connect(port, '127.0.0.1');
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {});
      socket.end('GET / HTTP/1.1\r\n\r\n');
      socket.resume();
      await closed;
    }
    const said = lines.filter((line) => line.startsWith('stream_ssl: pssl:'));
    expect(said.length).toBeGreaterThan(5);
    expect(said.length).toBeLessThan(30);
  } finally {
    logHub.sinks.splice(logHub.sinks.indexOf(sink), 1);
    listener.close();
    await rm(directory, { recursive: true, force: true });
  }
});
