/** Many who connect and say little: what they hold is bounded, and others are served. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { type RunningWeb, startWeb } from '../../../src/web/index.js';

const OF_ADDRESS_MAX = 320;

let folder: string;
let web: RunningWeb;
const sockets: Socket[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tapswitch-web-'));
  web = await startWeb({
    ...{ clock: new WarpClock(), version: '0', address: '127.0.0.1', port: 0 },
    ...{ token: null, write: false, runDir: folder, logDir: folder, allowHosts: [] },
    ...{ database: [`unix:${folder}/none`], control: `${folder}/none.ctl`, page: folder },
  });
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await web?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A connection that begins a request. */
function begin(localAddress: string, bytes: string): Socket {
  const port = Number(new URL(web.url).port);
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  socket.write(bytes);
  sockets.push(socket);
  return socket;
}

const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()).resume());

it('half requests of one address leave room for others, and end before long', async () => {
  const half = Array.from({ length: OF_ADDRESS_MAX }, () =>
    begin('127.0.0.1', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '),
  );
  await Promise.all(
    half.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
  );
  const refused = begin('127.0.0.1', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  const ends = Promise.all(half.map(ended));
  await ended(refused);
  expect(refused.bytesRead).toBe(0);

  const other = begin('127.0.0.2', 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  const answer = await new Promise<string>((resolve) =>
    other.once('data', (data) => resolve(`${data}`)),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  let told = '';
  half[0].on('data', (data) => {
    told += data;
  });
  await ends;
  expect(told).toMatch(/^HTTP\/1\.1 408 [\s\S]*"the request did not come to its end in time"/);
  expect((await fetch(`${web.url}health`)).status).toBe(200);
}, 60_000);
