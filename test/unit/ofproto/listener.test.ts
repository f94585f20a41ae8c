/** OpenFlow listeners: idle strangers do not lock others out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { OfListener } from '../../../src/ofproto/connmgr/listener.js';

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
    for (let i = 0; i < 100; i++) silent.push(await open(path));
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
