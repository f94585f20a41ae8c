/**
 * Controllers that flood, lie, leave in the middle or never read: packets go on from host to host,
 * and other controllers get their answers. Over real sockets, with a ping under way all the time.
 *
 * FLOW_MODS asks for more flow-mods than the usual number (a million takes minutes).
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OFPP } from '../../src/openflow/actions.js';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/index.js';
import { matchAny } from '../../src/openflow/match.js';
import type { FlowMod, OfMessage } from '../../src/openflow/messages.js';
import { OfConnection } from '../../src/openflow/vconn.js';
import { W_REG0 } from '../../src/packet/flow-layout.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';

const SECOND = '10.1.1.2';
const FLOW_MODS = Number(process.env.FLOW_MODS ?? 20_000);
const OF13 = 4;
const HELLO = encodeMessage(OF13, { type: 'hello', versions: [1, 2, 3, 4] }, 1);
/** What one hostile peer may cost beyond what its flows need. */
const MEMORY_MAX_MIB = 300;

let lab: Lab;
let first: Host;
const sockets: Socket[] = [];

beforeAll(async () => {
  lab = await Lab.start();
  first = await lab.addHost('h1', { port: 'p1', addresses: ['10.1.1.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: [`${SECOND}/24`] });
  await lab.sw.addBridge('br0');
  for (const port of ['p1', 'p2']) await lab.sw.vsctl('add-port', 'br0', port);
  await eventually('hosts to meet', async () => (await first.ping(SECOND, 1)) === 1);
}, 60_000);

afterAll(() => lab?.close());

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await lab.sw.ofctl('del-flows', 'br0', 'cookie=0x66/-1');
});

function dial(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(lab.sw.directory, 'br0.mgmt'), () => resolve(socket));
    socket.on('error', reject);
    sockets.push(socket);
  });
}

async function peer(): Promise<OfConnection> {
  const connection = new OfConnection(await dial(), { versions: [OF13] });
  await connection.whenOpen();
  return connection;
}

/** A raw connection that has greeted. */
async function greeted(): Promise<Socket> {
  const socket = await dial();
  socket.write(HELLO);
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

/** Writes, and waits while the switch takes no more. */
async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  // The witness is in this process, too: it has its turn.
  await new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve, reject) => {
    if (socket.destroyed) reject(new Error('hung up on'));
    else if (socket.write(bytes)) resolve();
    else socket.once('drain', resolve);
  });
}

function flowMod(i: number, command: FlowMod['command'] = 'add'): FlowMod {
  const match = matchAny();
  // No packet has it: none is dropped.
  match.flow[W_REG0] = i + 1;
  match.mask[W_REG0] = -1;
  const flags = { sendFlowRem: false, checkOverlap: false, resetCounts: false };
  return {
    ...{ type: 'flow_mod', command, table: 0, match, priority: 5, cookie: 0n, cookieMask: 0n },
    ...{ newCookie: 0x66n, idleTimeout: 0, hardTimeout: 0, importance: 0 },
    ...{ bufferId: 0xffffffff, outPort: OFPP.NONE, outGroup: 0xffffffff },
    flags: { ...flags, noPktCounts: false, noByteCounts: false },
    actions: [],
  };
}

/** Messages one after the other, as one piece of bytes. */
const frames = (messages: readonly OfMessage[]): Uint8Array =>
  Buffer.concat(messages.map((msg, i) => encodeMessage(OF13, msg, i + 10)));

/** Resident memory of the switch. */
function memoryMib(): number {
  const text = readFileSync(`/proc/${lab.sw.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]) / 1024;
}

interface Witness {
  /** Slowest answer to another controller, ms. */
  slowestMs: number;
  lost: number;
  sent: number;
}

/** Does something bad while hosts ping each other and another controller asks for barriers. */
async function during(badness: () => Promise<void>): Promise<Witness> {
  const good = await peer();
  let going = true;
  let slowestMs = 0;
  const asking = (async (): Promise<void> => {
    while (going) {
      const start = performance.now();
      await good.request({ type: 'barrier_request' });
      slowestMs = Math.max(slowestMs, performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const ping = first.namespace.start(['ping', '-n', '-i', '0.2', SECOND]);
  await badness();
  going = false;
  await asking;
  await ping.stop('SIGINT');
  const summary = /(\d+) packets transmitted, (\d+) received/.exec(ping.text) ?? [];
  const [sent, received] = [Number(summary[1]), Number(summary[2])];
  return { slowestMs, lost: sent - received, sent };
}

/** A busy machine may lose a ping now and then; a switch that stands still loses them all. */
function expectServed({ lost, sent, slowestMs }: Witness, moreMs = 0): void {
  expect(sent).toBeGreaterThan(0);
  expect(lost).toBeLessThanOrEqual(Math.ceil(sent / 10));
  expect(slowestMs).toBeLessThan(20_000 + moreMs);
}

describe('while a controller', () => {
  it(
    `sends ${FLOW_MODS} flow-mods without reading, packets and others are served`,
    async () => {
      let took = 0;
      const witness = await during(async () => {
        const socket = await greeted();
        const start = performance.now();
        for (let i = 0; i < FLOW_MODS; i += 500) {
          const count = Math.min(500, FLOW_MODS - i);
          await write(socket, frames(Array.from({ length: count }, (_, j) => flowMod(i + j))));
        }
        // It does read in the end: once this is answered, all flows are there.
        const done = new Promise((resolve) => socket.on('data', resolve));
        await write(socket, encodeMessage(OF13, { type: 'barrier_request' }, 7));
        await done;
        took = performance.now() - start;
      });
      process.stdout.write(
        `${FLOW_MODS} flow-mods in ${(took / 1000).toFixed(1)} s, ` +
          `${Math.round(FLOW_MODS / (took / 1000))} a second; ${witness.lost} of ` +
          `${witness.sent} pings lost; slowest barrier ${Math.round(witness.slowestMs)} ms; ` +
          `${Math.round(memoryMib())} MiB\n`,
      );
      expectServed(witness, FLOW_MODS / 50);
      const text = await lab.sw.ofctl('dump-aggregate', 'br0', 'cookie=0x66/-1');
      expect(text).toContain(`flow_count=${FLOW_MODS}`);
    },
    120_000 + FLOW_MODS * 2,
  );

  it(
    `commits a bundle of ${FLOW_MODS} flow-mods, packets and others are served`,
    async () => {
      const control = { type: 'bundle_control', bundle: 1, flags: 3 } as const;
      let took = 0;
      const witness = await during(async () => {
        const socket = await greeted();
        for (let i = 0; i < FLOW_MODS; i += 500) {
          const count = Math.min(500, FLOW_MODS - i);
          const adds = Array.from({ length: count }, (_, j): OfMessage => {
            const frame = encodeMessage(OF13, flowMod(i + j), j + 10);
            return { type: 'bundle_add_message', bundle: 1, flags: 3, frame };
          });
          await write(socket, frames(adds));
        }
        const start = performance.now();
        const answer = new Promise<Buffer>((resolve) => socket.on('data', resolve));
        await write(socket, encodeMessage(OF13, { ...control, ctrl: 'commit_request' }, 7));
        const reply = decodeMessage(OF13, await answer);
        expect(reply.msg).toMatchObject({ ctrl: 'commit_reply' });
        took = performance.now() - start;
      });
      process.stdout.write(
        `bundle of ${FLOW_MODS} committed in ${(took / 1000).toFixed(1)} s; ${witness.lost} of ` +
          `${witness.sent} pings lost; slowest barrier ${Math.round(witness.slowestMs)} ms\n`,
      );
      expectServed(witness);
      const text = await lab.sw.ofctl('dump-aggregate', 'br0', 'cookie=0x66/-1');
      expect(text).toContain(`flow_count=${FLOW_MODS}`);
    },
    120_000 + FLOW_MODS * 2,
  );

  it('leaves in the middle of a bundle, none of it happens', async () => {
    const witness = await during(async () => {
      const socket = await greeted();
      const open = { type: 'bundle_control', bundle: 1, ctrl: 'open_request', flags: 3 } as const;
      const adds = Array.from({ length: 3000 }, (_, i): OfMessage => {
        const frame = encodeMessage(OF13, flowMod(i), i + 11);
        return { type: 'bundle_add_message', bundle: 1, flags: 3, frame };
      });
      await write(socket, frames([open, ...adds]));
      await new Promise((resolve) => setTimeout(resolve, 500));
      socket.destroy();
    });
    expectServed(witness);
    expect(await lab.sw.ofctl('dump-flows', 'br0', 'cookie=0x66/-1')).not.toContain('reg0');
  }, 60_000);

  it('asks for everything again and again and never reads, memory stays bounded', async () => {
    const loader = await peer();
    for (let i = 0; i < 2000; i++) loader.send(flowMod(i));
    await loader.request({ type: 'barrier_request' });
    const before = memoryMib();
    const witness = await during(async () => {
      const socket = await greeted();
      socket.pause();
      const request: OfMessage = {
        ...{ type: 'flow_stats_request', aggregate: false, table: 255, match: matchAny() },
        ...{ outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
      };
      const many = frames(Array.from({ length: 500 }, () => request));
      for (let i = 0; i < 10; i++) socket.write(many);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(memoryMib() - before).toBeLessThan(MEMORY_MAX_MIB);
    });
    expectServed(witness);
  }, 60_000);

  it('floods packet-outs, packets and others are served', async () => {
    const before = memoryMib();
    const witness = await during(async () => {
      const socket = await greeted();
      const data = new Uint8Array(64).fill(0xff, 0, 12);
      const out: OfMessage = {
        ...{ type: 'packet_out', bufferId: 0xffffffff, inPort: OFPP.NONE, data },
        actions: [{ type: 'output', port: OFPP.FLOOD, maxLen: 0 }],
      };
      const many = frames(Array.from({ length: 500 }, () => out));
      for (let i = 0; i < 40; i++) await write(socket, many);
      expect(memoryMib() - before).toBeLessThan(MEMORY_MAX_MIB);
    });
    expectServed(witness);
  }, 60_000);

  it('lies about lengths, it is told or hung up on', async () => {
    const witness = await during(async () => {
      const patient = await greeted();
      patient.write(Uint8Array.of(OF13, 14, 0xff, 0xff, 0, 0, 0, 1, 0, 0));
      const short = await greeted();
      const gone = new Promise((resolve) => short.once('close', resolve));
      short.write(Uint8Array.of(OF13, 10, 0, 4, 0, 0, 0, 1));
      await gone;
      const liar = await greeted();
      const frame = encodeMessage(OF13, flowMod(1), 77);
      // The match is said to be longer than the message.
      frame[8 + 40 + 2] = 0x7f;
      const reply = new Promise<Buffer>((resolve) => liar.once('data', resolve));
      liar.write(frame);
      const answer = await reply;
      expect([answer[1], answer.readUInt32BE(4)]).toEqual([1, 77]);
      expect(patient.destroyed).toBe(false);
    });
    expectServed(witness);
  }, 60_000);
});
