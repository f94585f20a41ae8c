/** Peers that flood, lie or do not read: the bridge goes on, and others are served. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { encodeMessage } from '../../../src/openflow/codec/index.js';
import { parseFlow, parseFlowStatsRequest } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { arp, TestSwitch } from './support/bridge.js';

const MEBIBYTE = 1024 * 1024;
const HELLO = encodeMessage(4, { type: 'hello', versions: [1, 2, 3, 4] }, 1);

let dir: string;
let sw: TestSwitch;
let br: Ofproto;
let sockets: Socket[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tapswitch-hostile-'));
  sockets = [];
  sw = new TestSwitch(true);
  br = sw.bridge('br0');
  for (const name of ['p1', 'p2']) sw.port(br, name);
  await br.listenMgmt(join(dir, 'br0.mgmt'));
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

function dial(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(join(dir, 'br0.mgmt'), () => resolve(socket));
    socket.on('error', () => {});
    sockets.push(socket);
  });
}

/** The bridge forwards, and a well-behaved peer gets its answers. */
async function others(): Promise<void> {
  const socket = await dial();
  const peer = new OfConnection(socket, { versions: [4] });
  await peer.whenOpen();
  const [reply] = await peer.request({ type: 'barrier_request' });
  expect(reply.type).toBe('barrier_reply');
  expect(sw.send(1, arp(1, '50:54:00:00:00:01', 1, 2))).toBe('2');
  peer.close();
}

const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.resume();
  });

describe('a peer', () => {
  it('whose header says less than a header is hung up on', async () => {
    const socket = await dial();
    const gone = ended(socket);
    socket.write(HELLO);
    socket.write(Uint8Array.of(4, 10, 0, 4, 0, 0, 0, 1));
    await gone;
    await others();
  });

  it('that promises more than it sends is waited for, and nobody else is', async () => {
    const socket = await dial();
    socket.write(HELLO);
    socket.write(Uint8Array.of(4, 14, 0xff, 0xff, 0, 0, 0, 1));
    await others();
    expect(socket.destroyed).toBe(false);
  });

  it('that sends garbage for a greeting is hung up on', async () => {
    const socket = await dial();
    const gone = ended(socket);
    socket.write(Buffer.from('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'));
    await gone;
    await others();
  });

  it('that floods packet-outs and bad messages is answered while others are served', async () => {
    const socket = await dial();
    socket.write(HELLO);
    const data = arp(1, '50:54:00:00:00:07', 7, 8);
    const actions = [{ type: 'output', port: 2, maxLen: 0 } as const];
    const packet = { type: 'packet_out', bufferId: 0xffffffff, inPort: 1, data, actions } as const;
    const flood = Buffer.concat([
      ...Array.from({ length: 2000 }, (_, i) => encodeMessage(4, packet, i)),
      ...Array.from({ length: 2000 }, () => Uint8Array.of(4, 99, 0, 8, 0, 0, 0, 9)),
    ]);
    let answers = 0;
    socket.on('data', (chunk) => {
      answers += chunk.length;
    });
    socket.write(flood);
    await others();
    // An error for each message of an unknown type: its header, type and code, and the message.
    await expect.poll(() => answers).toBeGreaterThanOrEqual(2000 * (8 + 4 + 8));
  });

  it('that asks for all flows again and again and reads nothing fills no memory', async () => {
    for (let i = 0; i < 2000; i++) {
      br.flowMod(parseFlow(`priority=${i},tcp,tp_dst=${i},actions=output:1`, 'add', NO_NAMES).flow);
    }
    const socket = await dial();
    socket.pause();
    socket.write(HELLO);
    const { request } = parseFlowStatsRequest('', false, NO_NAMES);
    const ask = encodeMessage(4, request, 1);
    const before = process.memoryUsage().rss;
    socket.write(Buffer.concat(Array.from({ length: 3000 }, () => ask)));
    // All replies together would be near a gigabyte.
    await others();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * MEBIBYTE);
    br.flowMod(parseFlow('', 'delete', NO_NAMES).flow);
    br.flowMod(parseFlow('actions=normal', 'add', NO_NAMES).flow);
    await others();
  });

  it('that reads no answer is read no more, and gets them all once it does', async () => {
    const socket = await dial();
    socket.pause();
    const echo = encodeMessage(4, { type: 'echo_request', data: new Uint8Array(60_000) }, 1);
    const features = encodeMessage(4, { type: 'table_features_request' }, 2);
    const broken = Uint8Array.of(4, 99, 0xea, 0x60, 0, 0, 0, 3);
    const ask = Buffer.concat([echo, features, broken, new Uint8Array(59_992)]);
    const [ROUNDS, answers] = [200, new Map<number, number>()];
    socket.write(HELLO);
    for (let i = 0; i < ROUNDS; i++) socket.write(ask);
    await others();
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Of its 24 million bytes.
    expect(socket.bytesWritten - socket.writableLength).toBeLessThan(5 * MEBIBYTE);
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= rest.readUInt16BE(2)) {
        const last = rest[1] !== 19 || (rest.readUInt16BE(10) & 1) === 0;
        if (last) answers.set(rest[1], (answers.get(rest[1]) ?? 0) + 1);
        rest = rest.subarray(rest.readUInt16BE(2));
      }
    });
    socket.resume();
    // A greeting, then as many errors, echoes and last parts of tables' features as were asked for.
    const all = [0, 1, 3, 19].map((type) => (type === 0 ? 1 : ROUNDS));
    const got = (): (number | undefined)[] => [0, 1, 3, 19].map((type) => answers.get(type));
    await expect.poll(got, { timeout: 20_000 }).toEqual(all);
  }, 30_000);
});
