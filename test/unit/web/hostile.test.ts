/**
 * What a console does with those who mean it no good: paths out of its folder, writes without the
 * token, other sites, headers and messages of any bytes. After each, it still answers.
 *
 * TAPSWITCH_WEB_FUZZ sets how many random requests and messages there are (default 300).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { WarpClock } from '../../../src/common/clock.js';
import { type RunningWeb, startWeb } from '../../../src/web/index.js';
import { checker } from '../../../src/web/schema-check.js';

const RUNS = Number(process.env.TAPSWITCH_WEB_FUZZ ?? 300);
const TOKEN = 'a-token-that-is-long-enough';
const SECRET = 'this must not be seen';

let folder: string;
let local: RunningWeb;
let open: RunningWeb;

async function start(address: string): Promise<RunningWeb> {
  return startWeb({
    ...{ clock: new WarpClock(), version: '0', address, port: 0, token: TOKEN, write: true },
    ...{ runDir: join(folder, 'run'), logDir: folder, database: [`unix:${folder}/none`] },
    ...{ control: `${folder}/none.ctl`, page: join(folder, 'page'), allowHosts: [] },
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tapswitch-web-'));
  mkdirSync(join(folder, 'page', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'page', 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(folder, 'page', 'assets', 'a.js'), 'export {};');
  writeFileSync(join(folder, 'page', '.hidden'), SECRET);
  writeFileSync(join(folder, 'secret.txt'), SECRET);
  local = await start('127.0.0.1');
  open = await start('0.0.0.0');
});

afterAll(async () => {
  await local?.close();
  await open?.close();
  rmSync(folder, { recursive: true, force: true });
});

function portOf({ url }: RunningWeb): number {
  return Number(new URL(url).port);
}

/** Sends bytes as they are; gives back all that comes until the connection ends, or a while. */
function raw(web: RunningWeb, bytes: string | Uint8Array, patienceMs = 500): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(portOf(web), '127.0.0.1');
    let text = '';
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      // One answer will do: the connection would stay open for the next question.
      if (text.includes('\r\n\r\n')) setTimeout(() => socket.destroy(), 20);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(bytes);
  });
}

function request(web: RunningWeb, line: string, headers: Record<string, string> = {}) {
  const all = { host: `127.0.0.1:${portOf(web)}`, connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return raw(web, `${line} HTTP/1.1\r\n${lines.join('')}\r\n`, 5000);
}

function status(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}

async function alive(): Promise<void> {
  for (const web of [local, open]) {
    expect(status(await request(web, 'GET /health'))).toBe(200);
  }
}

describe('paths', () => {
  const targets = [
    ...['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/%2e%2e%2fsecret.txt'],
    ...[
      '/assets/../../secret.txt',
      '/assets/..%5c..%5csecret.txt',
      '/assets/%252e%252e/secret.txt',
    ],
    ...[
      '//secret.txt',
      '/.hidden',
      '/%2ehidden',
      '/assets/..;/..;/secret.txt',
      '/\\..\\secret.txt',
    ],
    ...['/assets/%00/../../secret.txt', '/api/v1/../../secret.txt', '/api/v1/database/..%2f..'],
    ...['/page/../secret.txt', '/%c0%ae%c0%ae/secret.txt', '/....//secret.txt', '/%'],
  ];
  it.each(targets)('%s leads to no file', async (target) => {
    const answer = await request(local, `GET ${target}`);
    expect(answer).not.toContain(SECRET);
    expect(status(answer)).toBeGreaterThanOrEqual(400);
  });

  it('lead to the page', async () => {
    expect(await request(local, 'GET /')).toContain('<title>page</title>');
    const asset = await request(local, 'GET /assets/a.js');
    expect(asset.toLowerCase()).toContain('cache-control: public, max-age=31536000, immutable');
  });
});

interface Route {
  method: string;
  path: string;
  secured: boolean;
}

async function routes(): Promise<Route[]> {
  const text = await (await fetch(`${local.url}api/v1/openapi.json`)).text();
  const { paths } = JSON.parse(text) as {
    paths: Record<string, Record<string, { security?: unknown }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replace('{id}', '0123456789abcdef').replace(/\{\w+\}/g, 'x'),
      secured: security !== undefined,
    })),
  );
}

describe('without the token', () => {
  it('nothing can be changed or captured, whatever the body', async () => {
    const secured = (await routes()).filter(({ secured: yes }) => yes);
    expect(secured.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      expect.arrayContaining([
        'DELETE /api/v1/bridges/x/flows',
        'GET /api/v1/captures/0123456789abcdef/packets',
        'PATCH /api/v1/ports/x',
        'POST /api/v1/bridges/x/flows',
        'POST /api/v1/captures',
      ]),
    );
    for (const { method, path } of secured) {
      for (const authorization of ['', 'Bearer x', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
        const headers = { authorization, 'content-type': 'application/json' };
        const body = method === 'GET' ? undefined : '{"flow":"actions=drop","port":"x"}';
        const answer = await fetch(`${local.url}${path.slice(1)}`, { method, headers, body });
        expect(`${method} ${path}: ${answer.status}`).toBe(`${method} ${path}: 401`);
      }
    }
  });

  it('every method that is no GET needs it, but for those that only ask', async () => {
    const asks = ['POST /api/v1/trace', 'POST /api/v1/flows/check'];
    const changing = (await routes()).filter(
      ({ method, path }) => !/GET|HEAD/.test(method) && !asks.includes(`${method} ${path}`),
    );
    expect(changing.filter(({ secured }) => !secured)).toEqual([]);
  });

  it('nothing can be read where the console listens to the world', async () => {
    for (const { method, path } of await routes()) {
      const isOpen = path === '/health' || path === '/ready';
      const answer = await request(open, `${method} ${path}`);
      if (isOpen) expect(status(answer)).not.toBe(401);
      else expect(`${method} ${path}: ${status(answer)}`).toBe(`${method} ${path}: 401`);
    }
    const authorization = `Bearer ${TOKEN}`;
    expect(status(await request(open, 'GET /api/v1/system', { authorization }))).toBe(200);
  });
});

describe('other sites', () => {
  const authorization = `Bearer ${TOKEN}`;
  it.each([
    [{ host: 'evil.example' }, 421],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
  ])('%j may not ask', async (headers, expected) => {
    const answer = await request(local, 'GET /api/v1/system', { authorization, ...headers });
    expect(status(answer)).toBe(expected);
  });

  it('may not send forms', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const answer = await fetch(`${local.url}api/v1/trace`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: '{"bridge":"br0","flow":"ip"}',
      });
      expect(answer.status).toBe(415);
    }
  });

  it('may not connect', async () => {
    const ends = async (headers: Record<string, string>, path = '/api/v1/live') => {
      const upgrade = {
        ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      };
      return status(await request(local, `GET ${path}`, { ...upgrade, ...headers }));
    };
    expect(await ends({ origin: 'http://evil.example' })).toBe(403);
    expect(await ends({ host: 'evil.example' })).toBe(421);
    expect(await ends({}, '/api/v1/other')).toBe(404);
    expect(await ends({ authorization: 'Bearer wrong' })).toBe(101);
    expect(await ends({ 'sec-websocket-key': 'x' })).toBe(400);
    expect(await ends({})).toBe(101);
  });
});

describe('every answer', () => {
  it('says that nothing from elsewhere may be shown or run', async () => {
    for (const line of [
      'GET /',
      'GET /nosuch',
      'GET /api/v1/system',
      'GET /api/v1/macs',
      'PUT /x',
    ]) {
      const answer = (await request(local, line)).toLowerCase();
      expect(answer).toContain("content-security-policy: default-src 'none'");
      expect(answer).not.toContain('unsafe');
      expect(answer).toContain('x-content-type-options: nosniff');
      expect(answer).not.toContain('access-control-allow-origin');
    }
  });

  it('of an error tells a code, and nothing of the inside', async () => {
    const answer = await fetch(`${local.url}api/v1/topology`);
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'E_WEB_DATABASE' });
    expect(text).not.toMatch(/\bat .*\.[jt]s:\d/);
  });
});

describe('too much', () => {
  it('of a body is refused', async () => {
    const body = JSON.stringify({ bridge: 'x', flow: 'x'.repeat(300 * 1024) });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${local.url}api/v1/trace`, { method: 'POST', headers, body });
    expect(answer.status).toBe(413);
  });

  it('of headers is refused', async () => {
    const answer = await request(local, 'GET /health', { 'x-long': 'x'.repeat(20_000) });
    expect(status(answer)).toBe(431);
    expect(answer).toContain('"code":"E_WEB_REQUEST"');
  });

  it('of an address is refused with a code, and what a choice is told', async () => {
    const answer = await request(local, 'GET /%ff%fe%', {});
    expect(status(answer)).toBe(400);
    expect(answer).toContain('"code":"E_WEB_REQUEST"');
    const tag = Type.Union([Type.Integer({ minimum: 0, maximum: 4095 }), Type.Null()]);
    const check = checker(Type.Object({ tag }), 'body', false);
    const refused = 'body/tag: expected integer from 0 to 4095 or null';
    expect(() => check({ tag: 5000 })).toThrow(refused);
    expect(check({ tag: null })).toEqual({ tag: null });
  });

  it('of one message, of messages, or of nonsense ends the connection', async () => {
    const ended = (...messages: (string | Uint8Array)[]) =>
      new Promise<number>((resolve, reject) => {
        const socket = new WebSocket(`${local.url.replace('http', 'ws')}api/v1/live`);
        socket.on('open', () => {
          for (const message of messages) socket.send(message);
        });
        socket.on('error', reject);
        socket.on('close', resolve);
      });
    expect(await ended('x'.repeat(20_000))).toBe(1009);
    expect(await ended('nonsense')).toBe(1008);
    expect(await ended('{"subscribe":[{"id":1,"topic":"nosuch"}]}')).toBe(1008);
    expect(await ended(Buffer.from([1, 2, 3]))).toBe(1008);
    expect(await ended(...new Array<string>(150).fill('{"unsubscribe":[1]}'))).toBe(1008);
  });
});

describe('any bytes', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...['GET', 'POST', 'OPTIONS', ' ', '/', '/api/v1/live', '/api/v1/ports', 'HTTP/1.1', '\r\n'],
      ...['Host: 127.0.0.1', 'Host:', 'Content-Length: -1', 'Content-Length: 99999999999', '\0'],
      ...['Transfer-Encoding: chunked', 'Upgrade: websocket', 'Connection: Upgrade', 'ffffff\r\n'],
      ...[
        'Expect: 100-continue',
        'Authorization: Bearer ',
        'Sec-WebSocket-Key: x',
        '\r\n\r\n',
        '%',
      ],
      ...[
        'Range: bytes=0-,-1',
        'If-Modified-Since: x',
        'Accept-Encoding: \xff',
        ':',
        '?',
        '&',
        '=',
      ],
    ),
    fc.string({ maxLength: 30, unit: 'binary' }),
  );

  it(
    'as a request leave the console as it was',
    async () => {
      const requests = fc.array(piece, { minLength: 1, maxLength: 20 }).map((p) => p.join(''));
      await fc.assert(
        fc.asyncProperty(requests, async (text) => {
          const answer = await raw(local, Buffer.from(text, 'latin1'), 30);
          expect(status(answer)).not.toBe(500);
          expect(answer).not.toContain(SECRET);
        }),
        { numRuns: RUNS },
      );
      await alive();
    },
    RUNS * 200 + 30_000,
  );

  it(
    'as headers, queries and bodies do so, too',
    async () => {
      const text = fc.string({ maxLength: 200, unit: 'binary' });
      const wild = fc.record({
        path: fc.constantFrom('ports', 'trace', 'flows/check', 'flows/complete', 'database/Port'),
        query: text,
        body: fc.oneof(text, fc.json()),
        header: text,
      });
      await fc.assert(
        fc.asyncProperty(wild, async ({ path, query, body, header }) => {
          const bytes = Buffer.from(body);
          const head =
            `POST /api/v1/${path}?${encodeURIComponent(query)} HTTP/1.1\r\n` +
            `host: 127.0.0.1\r\ncontent-type: application/json\r\nx-any: ` +
            `${header.replace(/[\r\n]/g, '')}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
          const whole = Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
          expect(status(await raw(local, whole, 60))).not.toBe(500);
        }),
        { numRuns: RUNS },
      );
      await alive();
    },
    RUNS * 300 + 30_000,
  );

  it(
    'as messages end the connection at most',
    async () => {
      // One address may open so many in a time only.
      let opened = 0;
      const socketTo = () =>
        new Promise<WebSocket>((resolve) => {
          const localAddress = `127.0.${(opened >> 6) & 255}.${(opened++ & 63) + 1}`;
          const url = `${local.url.replace('http', 'ws')}api/v1/live`;
          const socket = new WebSocket(url, { localAddress } as ClientOptions);
          socket.on('error', () => {});
          socket.on('open', () => resolve(socket));
        });
      const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ maxLength: 50 }));
      const message = fc.oneof(
        fc.string({ maxLength: 200 }),
        fc.json(),
        fc.record({ subscribe: value }).map((m) => JSON.stringify(m)),
        fc
          .record({
            id: fc.integer(),
            topic: fc.constantFrom('ports', 'flows', 'x'),
            params: value,
          })
          .map((each) => JSON.stringify({ subscribe: [each] })),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
          const socket = await socketTo();
          for (const each of messages) if (socket.readyState === 1) socket.send(each);
          await new Promise((resolve) => setTimeout(resolve, 5));
          socket.terminate();
        }),
        { numRuns: Math.ceil(RUNS / 3) },
      );
      await alive();
    },
    RUNS * 200 + 30_000,
  );
});

describe('too many requests', () => {
  it('of one address wait', async () => {
    const answers: number[] = [];
    for (let i = 0; i < 14; i++) {
      const some = Array.from({ length: 50 }, () => fetch(`${local.url}api/v1/captures`));
      for (const answer of await Promise.all(some)) answers.push(answer.status);
    }
    expect(new Set(answers)).toEqual(new Set([200, 429]));
    expect(status(await request(local, 'GET /health'))).toBe(200);
  });

  it('to open a WebSocket wait, too: tokens cannot be guessed in great numbers', async () => {
    const guess = (i: number): Promise<number> =>
      new Promise((resolve) => {
        const headers = { authorization: `Bearer a-guess-of-the-token-${i}` };
        const socket = new WebSocket(`${open.url.replace(/^http/, 'ws')}api/v1/live`, { headers });
        socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
        socket.on('open', () => resolve(101));
        socket.on('error', () => {});
      });
    const answers = new Set<number>();
    for (let i = 0; i < 250; i++) answers.add(await guess(i));
    expect(answers).toEqual(new Set([401, 429]));
  });
});
