/** OpenFlow listeners: idle strangers do not lock others out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CONNECTIONS_MAX, OfListener } from '../../../src/ofproto/connmgr/listener.js';

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
