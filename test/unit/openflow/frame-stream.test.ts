/** Reading and writing a socket without waiting for the event loop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../../src/native/binding.js';
import { FrameStream, type StreamCalls } from '../../../src/openflow/frame-stream.js';
import { OfConnection } from '../../../src/openflow/vconn.js';

let directory: string;
let server: Server;
let near: Socket;
let far: Socket;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-stream-'));
  const path = join(directory, 's');
  const accepted = new Promise<Socket>((resolve) => {
    server = createServer(resolve);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  far = connect({ path });
  await new Promise((resolve) => far.once('connect', resolve));
  near = await accepted;
});

afterEach(() => {
  near.destroy();
  far.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Everything that arrives at `socket` until there are so many bytes. */
async function read(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let got = 0; got < count; ) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await new Promise((resolve) => socket.once('readable', resolve));
    else {
      chunks.push(chunk);
      got += chunk.length;
    }
  }
  return Buffer.concat(chunks);
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** The system's calls, counted. */
class Counted implements StreamCalls {
  sends = 0;
  private readonly native = loadNative();

  streamRecv(fd: number, buffer: Uint8Array, offset: number, waitUs: number): number {
    return this.native.streamRecv(fd, buffer, offset, waitUs);
  }

  streamSend(fd: number, frame: Uint8Array): number {
    this.sends++;
    return this.native.streamSend(fd, frame);
  }
}

describe('writing', () => {
  it('hands what is held over in one call, in order', async () => {
    const calls = new Counted();
    const stream = new FrameStream(near, calls);
    stream.write(bytes(1));
    stream.hold();
    stream.hold();
    stream.write(bytes(2));
    stream.write(bytes(3));
    stream.release();
    expect(stream.waitingBytes).toBe(2);
    stream.release();
    expect(stream.waitingBytes).toBe(0);
    stream.write(bytes(4));
    expect([...(await read(far, 4))]).toEqual([1, 2, 3, 4]);
    expect(calls.sends).toBe(3);
  });

  it('does not hold more than 64 KiB', () => {
    const stream = new FrameStream(near, new Counted());
    stream.hold();
    stream.write(new Uint8Array(65_535));
    expect(stream.waitingBytes).toBe(65_535);
    stream.write(new Uint8Array(1));
    expect(stream.waitingBytes).toBe(0);
  });

  it('leaves what the system does not take to the socket', async () => {
    const taken = [3, -11, -32];
    const calls: StreamCalls = { streamRecv: () => -11, streamSend: () => taken.shift() ?? 0 };
    const stream = new FrameStream(near, calls);
    // The peer of this test gets nothing of the three bytes that only the test says were taken.
    stream.write(bytes(1, 2, 3, 4, 5));
    stream.write(bytes(6));
    expect([...(await read(far, 3))]).toEqual([4, 5, 6]);
  });

  it('keeps the order when a peer does not read for a while', async () => {
    const stream = new FrameStream(near, new Counted());
    const frame = (i: number): Uint8Array => Buffer.alloc(50_000, i);
    for (let i = 0; i < 40; i++) stream.write(frame(i));
    expect(stream.waitingBytes).toBeGreaterThan(0);
    const all = await read(far, 40 * 50_000);
    for (let i = 0; i < 40; i++) expect(all[i * 50_000 + 49_999]).toBe(i);
    expect(stream.waitingBytes).toBe(0);
  });

  it('works without calls, and after the socket has gone', async () => {
    const stream = new FrameStream(near);
    stream.write(bytes(7));
    expect([...(await read(far, 1))]).toEqual([7]);
    expect(stream.readMore()).toBeNull();
    const other = new FrameStream(near, new Counted());
    near.on('error', () => {});
    near.destroy();
    other.write(bytes(8));
    expect(other.readMore()).toBeNull();
  });
});

describe('reading', () => {
  it('finds what has come, and nothing while the socket is paused', async () => {
    const stream = new FrameStream(near, loadNative());
    near.resume();
    expect(stream.readMore()).toBeNull();
    far.write(bytes(1, 2, 3));
    expect([...(stream.readMore() ?? [])]).toEqual([1, 2, 3]);
    near.pause();
    far.write(bytes(4));
    expect(stream.readMore()).toBeNull();
    near.resume();
    const later = stream.readMore() ?? (await new Promise<Buffer>((r) => near.once('data', r)));
    expect([...later]).toEqual([4]);
  });

  it('does not overtake what the socket still holds', async () => {
    const stream = new FrameStream(near, loadNative());
    near.push(bytes(1));
    far.write(bytes(2));
    near.resume();
    expect(stream.readMore()).toBeNull();
    expect(await new Promise((resolve) => near.once('data', resolve))).toEqual(Buffer.from([1]));
  });

  it('leaves bytes that it gave away as they are', () => {
    const stream = new FrameStream(near, loadNative());
    near.resume();
    const pieces: Buffer[] = [];
    for (let i = 0; i < 300; i++) {
      far.write(Buffer.alloc(1000, i));
      pieces.push(stream.readMore() as Buffer);
    }
    for (const [i, piece] of pieces.entries()) {
      expect(piece.equals(Buffer.alloc(1000, i))).toBe(true);
    }
  });

  it('waits a little for what comes next, and ever less often where nothing comes', () => {
    const waits: number[] = [];
    const later = [-11, -11, -11, 1, -11];
    const calls: StreamCalls = {
      streamRecv(_fd, _buffer, _offset, waitUs) {
        if (waitUs === 0) return -11;
        waits.push(attempt);
        return later.shift() ?? -11;
      },
      streamSend: () => 0,
    };
    const stream = new FrameStream(near, calls);
    near.resume();
    let attempt = 0;
    for (; attempt < 1000; attempt++) {
      expect(stream.readMore()?.length ?? 0).toBe(attempt === 10 ? 1 : 0);
    }
    // Left out once, twice, four times, where something came not at all, and at most 64 times.
    const gaps = waits.map((at, i) => at - (waits[i - 1] ?? -1) - 1);
    expect(gaps.slice(0, 14)).toEqual([0, 1, 2, 4, 0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
  });

  it('hands over what is held before it waits', async () => {
    const stream = new FrameStream(near, loadNative());
    near.resume();
    stream.hold();
    stream.write(bytes(1, 2));
    expect(stream.readMore()).toBeNull();
    expect(stream.waitingBytes).toBe(0);
    expect([...(await read(far, 2))]).toEqual([1, 2]);
  });

  it('finds what comes while it waits', async () => {
    const native = loadNative();
    const stream = new FrameStream(near, {
      streamSend: native.streamSend,
      streamRecv(fd, buffer, offset, waitUs) {
        if (waitUs > 0) far.write(bytes(5));
        return native.streamRecv(fd, buffer, offset, waitUs > 0 ? 1e6 : 0);
      },
    });
    near.resume();
    expect([...(stream.readMore() ?? [])]).toEqual([5]);
  });

  it('leaves the end of the stream to the socket', async () => {
    const stream = new FrameStream(near, loadNative());
    const ended = new Promise((resolve) => near.once('end', resolve));
    near.resume();
    far.end();
    expect(stream.readMore()).toBeNull();
    await ended;
  });
});

it('a connection answers requests that come while it answers, with few turns', async () => {
  const seen: string[] = [];
  const sw: OfConnection = new OfConnection(near, {
    versions: [4],
    calls: loadNative(),
    onMessage(msg, xid) {
      seen.push(msg.type);
      if (msg.type === 'barrier_request') sw.send({ type: 'barrier_reply' }, xid);
    },
  });
  const peer = new OfConnection(far, { versions: [4], calls: loadNative() });
  await peer.whenOpen();
  for (let i = 0; i < 500; i++) {
    expect(await peer.transactNoReply([{ type: 'echo_reply', data: bytes(i & 255) }])).toBeNull();
  }
  expect(seen.filter((type) => type === 'barrier_request')).toHaveLength(500);
  expect(seen.filter((type) => type === 'echo_reply')).toHaveLength(500);
});
