/** Sockets in directories whose paths no socket address holds. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectUnix, listenUnix } from '../../../src/common/unix-path.js';
import { UnixctlClient } from '../../../src/unixctl/client.js';
import { UnixctlServer } from '../../../src/unixctl/server.js';

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tapswitch-path-'));
  folder = join(root, 'd'.repeat(120));
  mkdirSync(folder);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function listening(path: string, says: string): Promise<Server> {
  const server = createServer((socket) => socket.end(says));
  return new Promise((resolve, reject) => {
    server.once('error', reject).once('listening', () => resolve(server));
    listenUnix(server, path);
  });
}

function heard(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectUnix(path);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.once('error', reject).once('close', () => resolve(text));
  });
}

it('several of one long directory are several, and go with their servers', async () => {
  const paths = ['db.sock', 'br0.mgmt'].map((name) => join(folder, name));
  const servers = [await listening(paths[0], 'database'), await listening(paths[1], 'bridge')];
  expect(readdirSync(folder).sort()).toEqual(['br0.mgmt', 'db.sock']);
  expect(readdirSync(root)).toHaveLength(1);
  expect(await heard(paths[0])).toBe('database');
  expect(await heard(paths[1])).toBe('bridge');
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  expect(readdirSync(folder)).toEqual([]);
});

it('a control socket of a long path is answered by whom it belongs to', async () => {
  const path = join(folder, 'ovs-vswitchd.1.ctl');
  const server = new UnixctlServer('test');
  await server.listen(path);
  const client = await UnixctlClient.connect(path);
  expect((await client.transact('list-commands', [])).ok).toBe(true);
  client.close();
  await server.close();
  expect(existsSync(path)).toBe(false);
});

it('nobody there, no directory, and a name too long are errors of the socket', async () => {
  await expect(heard(join(folder, 'none.sock'))).rejects.toThrow(/ENOENT/);
  await expect(heard(join(folder, 'none', 'x.sock'))).rejects.toThrow(/ENOENT/);
  await expect(heard(join(folder, 'x'.repeat(110)))).rejects.toThrow(/too long for a socket/);
});
