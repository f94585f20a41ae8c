/** JSON-RPC framing over an in-memory duplex pair and a stopped clock. */
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { parseJson, stringifyJson } from '../../../src/common/json.js';
import {
  JsonRpcConnection,
  type JsonRpcHandlers,
  type JsonRpcOptions,
  JsonRpcReplyError,
} from '../../../src/common/jsonrpc.js';

/** Two ends of a wire; `stall` holds back what the first end writes. */
function wire(): { near: Duplex; far: Duplex; release: () => void; stall: () => void } {
  let held: (() => void)[] = [];
  let stalled = false;
  const make = (other: () => Duplex, canStall: boolean): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        const deliver = () => {
          other().push(chunk);
          done();
        };
        if (canStall && stalled) held.push(deliver);
        else deliver();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const near: Duplex = make(() => far, true);
  const far: Duplex = make(() => near, false);
  return {
    near,
    far,
    stall: () => {
      stalled = true;
    },
    release: () => {
      stalled = false;
      const now = held;
      held = [];
      for (const deliver of now) deliver();
    },
  };
}

function quiet(over: Partial<JsonRpcHandlers> = {}): JsonRpcHandlers {
  return { onRequest() {}, onNotify() {}, onClose() {}, ...over };
}

function pair(
  nearHandlers: Partial<JsonRpcHandlers>,
  farHandlers: Partial<JsonRpcHandlers>,
  options: JsonRpcOptions = {},
) {
  const ends = wire();
  const near = new JsonRpcConnection(ends.near, quiet(nearHandlers), options);
  const far = new JsonRpcConnection(ends.far, quiet(farHandlers));
  return { ...ends, near, far, nearEnd: ends.near, farEnd: ends.far };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a request gets its reply, or its error', async () => {
  const { near, far } = pair(
    {},
    {
      onRequest(method, params, id) {
        if (method === 'add') far.reply(id, (params[0] as number) + (params[1] as number));
        else far.replyError(id, 'unknown method');
      },
    },
  );
  await expect(near.request('add', [2, 3])).resolves.toBe(5);
  const refused = near.request('subtract', []);
  await expect(refused).rejects.toBeInstanceOf(JsonRpcReplyError);
  await expect(refused).rejects.toMatchObject({ error: 'unknown method' });
});

test('notifications arrive in order and echo is answered without the handler', async () => {
  const seen: string[] = [];
  const { near } = pair({}, { onNotify: (method, params) => seen.push(method + params[0]) });
  near.notify('update', ['1']);
  near.notify('update', ['2']);
  await expect(near.request('echo', ['x', 1])).resolves.toEqual(['x', 1]);
  expect(seen).toEqual(['update1', 'update2']);
});

test('closing one end rejects what waits and tells both ends once', async () => {
  const closes: string[] = [];
  const { near } = pair(
    { onClose: (error) => closes.push(`near ${error?.message}`) },
    { onClose: (error) => closes.push(`far ${error?.message}`) },
  );
  const waiting = near.request('never', []);
  near.close();
  near.close();
  await expect(waiting).rejects.toMatchObject({ code: 'E_JSONRPC_CLOSED' });
  await settle();
  expect(closes).toEqual(['near undefined', 'far undefined']);
  await expect(near.request('late', [])).rejects.toMatchObject({ code: 'E_JSONRPC_CLOSED' });
});

test.each([
  ['{"method":3,"params":[],"id":1}'],
  ['{"method":"m","params":{},"id":1}'],
  ['{"method":"m","params":[]}'],
  ['[1]'],
  ['{"id":1}'],
  ['{"id":null,"result":1,"error":null}'],
  ['hello'],
])('a peer that sends %s is dropped', async (text) => {
  let error: Error | undefined;
  const { near, farEnd } = pair({ onClose: (cause) => (error = cause) }, {});
  farEnd.write(text);
  await settle();
  expect(near.closed).toBe(true);
  expect(error).toMatchObject({ name: 'TapswitchError' });
});

test('a silent peer is probed, then dropped', async () => {
  const clock = stoppedClock();
  const ends = wire();
  let error: Error | undefined;
  const near = new JsonRpcConnection(ends.near, quiet({ onClose: (cause) => (error = cause) }), {
    clock,
    probeIntervalMs: 5000,
  });
  const sent: string[] = [];
  ends.far.on('data', (chunk) => sent.push(String(chunk)));
  near.run(4999);
  await settle();
  expect(sent).toEqual([]);
  clock.advance(5000);
  near.run(clock.now());
  near.run(clock.now());
  await settle();
  expect(sent.map((text) => JSON.parse(text))).toEqual([
    { method: 'echo', params: [], id: 'echo' },
  ]);
  ends.far.write('{"id":"echo","result":[],"error":null}');
  await settle();
  expect(near.nextWake()).toBe(10_000);
  clock.advance(5000);
  near.run(clock.now());
  clock.advance(5000);
  near.run(clock.now());
  expect(near.closed).toBe(true);
  expect(error).toMatchObject({ code: 'E_JSONRPC_TIMEOUT' });
});

test('a peer that asks without listening stalls itself and loses nothing', async () => {
  let answered = 0;
  const big = 'x'.repeat(10_000);
  const ends = wire();
  const near = new JsonRpcConnection(
    ends.near,
    quiet({
      onRequest(_method, _params, id) {
        answered += 1;
        near.reply(id, big);
      },
    }),
    { highWaterBytes: 50_000 },
  );
  const far = new JsonRpcConnection(ends.far, quiet());
  ends.stall();
  const replies = Array.from({ length: 200 }, (_, i) => far.request('get', [i]));
  await settle();
  expect(answered).toBeLessThan(10);
  expect(near.backlogBytes).toBeLessThan(100_000);
  ends.release();
  expect(await Promise.all(replies)).toHaveLength(200);
  expect(answered).toBe(200);
});

test('a connection whose output passes its bound is closed', async () => {
  const { near, stall } = pair({}, {}, { maxQueueBytes: 20_000 });
  stall();
  for (let i = 0; i < 100; i++) near.notify('update', ['x'.repeat(1000)]);
  expect(near.closed).toBe(true);
});

test('integers of 64 bits survive', () => {
  const text =
    '{"a":[9007199254740993,-9223372036854775808,9223372036854775807,12],' +
    '"b":"1234567890123456789"}';
  const value = parseJson(text) as { a: unknown[]; b: string };
  expect(value.a).toEqual([9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n, 12]);
  expect(stringifyJson(value)).toBe(text);
  expect(parseJson('[99999999999999999999999]')).toEqual([1e23]);
  expect(parseJson('[1234567890123456.5,1e3,0.12345678901234567890]')).toEqual([
    1234567890123456.5, 1000, 0.12345678901234568,
  ]);
  expect(() => parseJson('[00000000000000000001]')).toThrow(SyntaxError);
});

test('a closed connection does not wait for ever for a peer that takes nothing', async () => {
  const { near, nearEnd, stall } = pair({}, {});
  stall();
  near.notify('update', ['x']);
  near.close();
  expect(nearEnd.destroyed).toBe(false);
  await new Promise((resolve) => nearEnd.once('close', resolve));
  expect(nearEnd.destroyed).toBe(true);
});

test('a peer that is slow to take output is not taken for dead', async () => {
  const clock = stoppedClock();
  const options = { clock, probeIntervalMs: 5000, highWaterBytes: 10 };
  const { near, far, stall, release } = pair(
    { onRequest: (_method, _params, id) => near.reply(id, 'x'.repeat(100_000)) },
    {},
    options,
  );
  stall();
  const answers = [far.request('get', []), far.request('get', [])];
  await settle();
  clock.advance(60_000);
  near.run(clock.now());
  near.run(clock.now());
  expect(near.closed).toBe(false);
  release();
  expect(await Promise.all(answers)).toHaveLength(2);
  expect(near.nextWake()).toBe(65_000);
});
