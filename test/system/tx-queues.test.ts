/**
 * Which transmit queue frames leave by, on veth and TAP with 1, 2 and 4 queues: read back from the
 * kernel (the counters of mq's classes; the receive queue at the host's side of a TAP), and
 * compared with a model of Linux's choice (support/tx-model.ts).
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TxFrame } from '../../src/datapath/tx-frame.js';
import { loadNative } from '../../src/native/binding.js';
import { eventually } from '../support/command.js';
import { udp4Frame } from '../support/frame-builder.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';
import { freshChoice, type ModelPort, type ModelReason } from '../support/tx-model.js';

const NO_OFFLOAD = ['set', 'Open_vSwitch', '.', 'other_config:hw-offload=false'];
const DEFAULT_OFFLOAD = ['remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload'];
const FLOWS = 40;
const PER_FLOW = 3;
const cpu = loadNative().getAffinity().at(-1) as number;
/** A mask that has the worker's CPU, and one that has another. */
const MINE = (1n << BigInt(cpu)).toString(16);
const OTHER = (1n << BigInt(cpu + 1)).toString(16);
const COUNTER = fileURLToPath(new URL('../support/queue-count.py', import.meta.url));

let lab: Lab;
let sw: Switch;
let h1: Host;
let socket: FrameSocket;

/** Frame n: flow n % FLOWS, with a DSCP of class `precedence`. */
function frames(precedence: number): Uint8Array[] {
  return Array.from({ length: FLOWS * PER_FLOW }, (_, n) => {
    const eth = {
      dst: Uint8Array.of(2, 0, 0, 0, 0, 2),
      src: Uint8Array.of(2, 0, 0, 0, 0, 1),
    };
    const ip = { src: 0x0a080001, dst: 0x0a080002, tos: precedence << 5 };
    return udp4Frame(eth, ip, { src: 3000 + (n % FLOWS), dst: 9 }, new Uint8Array(20));
  });
}

function hashOf(frame: Uint8Array): number {
  const bytes = new Uint8Array(10 + frame.length);
  bytes.set(frame, 10);
  const reader = new TxFrame(new DataView(bytes.buffer));
  reader.read(10, frame.length);
  return reader.hash >>> 0;
}

/** What the model says of the frames of a precedence, each alone: frames by queue. */
function predicted(port: ModelPort, precedence: number, recorded: number | null): number[] {
  const counts = new Array<number>(port.queues).fill(0);
  for (const frame of frames(precedence)) {
    const choice = freshChoice(port, { hash: hashOf(frame), priority: precedence, recorded });
    counts[choice.queue] += 1;
  }
  return counts;
}

/** Choices by reason, summed over queues and workers, since the port was configured. */
async function reasons(port: string): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const text = await sw.appctl('dpctl/tx-queue-show', port);
  for (const [, list] of text.matchAll(/chosen by (.*)/g)) {
    for (const [, name, n] of list.matchAll(/([a-z-]+):(\d+)/g)) {
      sums[name] = (sums[name] ?? 0) + Number(n);
    }
  }
  return sums;
}

/** A port whose frames are counted where they arrive. */
interface Sink {
  name: string;
  queueCount: number;
  counts(): Promise<number[]>;
}

async function vethSink(queueCount: number): Promise<Sink> {
  const name = `q${queueCount}`;
  const { namespace } = lab;
  const queues = ['numtxqueues', `${queueCount}`, 'numrxqueues', `${queueCount}`];
  const peer = ['peer', 'name', `${name}p`, ...queues];
  await namespace.ip('link', 'add', name, ...queues, 'type', 'veth', ...peer);
  for (const device of [name, `${name}p`]) await namespace.ip('link', 'set', device, 'up');
  if (queueCount > 1) {
    await namespace.must(['tc', 'qdisc', 'replace', 'dev', name, 'root', 'handle', '9:', 'mq']);
  }
  await sw.vsctl('add-port', 'br0', name);
  const counts = async () => {
    if (queueCount === 1) return [(await sw.portCounters('br0', name))['tx pkts']];
    const text = await namespace.must(['tc', '-s', 'class', 'show', 'dev', name]);
    const sent = [...text.matchAll(/class mq 9:(\w+) root\s+Sent \d+ bytes (\d+) pkt/g)];
    const found = new Array<number>(queueCount).fill(0);
    for (const [, minor, packets] of sent) found[Number.parseInt(minor, 16) - 1] = Number(packets);
    return found;
  };
  return { name, queueCount, counts };
}

async function tapSink(queueCount: number): Promise<Sink> {
  const name = `tap${queueCount}`;
  const { namespace } = lab;
  const wanted = [`options:n_rxq=${queueCount}`];
  await sw.vsctl(
    'add-port',
    'br0',
    name,
    '--',
    'set',
    'Interface',
    name,
    'type=internal',
    ...wanted,
  );
  await namespace.ip('link', 'set', name, 'up');
  const reader = namespace.start([python, COUNTER, name, `${queueCount}`]);
  const lines: string[] = [];
  createInterface({ input: reader.child.stdout! }).on('line', (line) => lines.push(line));
  await eventually('the counter', () => lines.includes('ready'), 10_000);
  const counts = async () => {
    const before = lines.length;
    reader.child.stdin?.write('\n');
    await eventually('an answer', () => lines.length > before, 10_000);
    const raw = JSON.parse(lines.at(-1) as string) as number[];
    // A recorded queue number is kept one higher, and 0 means none.
    return raw.map((_, queue) => raw[(queue + 1) % queueCount]);
  };
  return { name, queueCount, counts };
}

/** Sends all frames, slowly enough that no flow has two in one batch, and waits until they came. */
async function offer(sink: Sink, precedence: number): Promise<number[]> {
  const before = await sink.counts();
  const all = frames(precedence);
  for (let n = 0; n < all.length; n += FLOWS) socket.send(...all.slice(n, n + FLOWS));
  let diff: number[] = [];
  await eventually(`${all.length} frames on ${sink.name}`, async () => {
    diff = (await sink.counts()).map((n, queue) => n - before[queue]);
    return diff.reduce((a, b) => a + b) >= all.length;
  });
  return diff;
}

async function configure(sink: Sink, settings: string[]): Promise<void> {
  const clear = ['--', 'clear', 'Interface', sink.name, 'other_config'];
  const set = settings.length > 0 ? ['--', 'set', 'Interface', sink.name, ...settings] : [];
  await sw.vsctl(...clear.slice(1), ...set);
}

beforeAll(async () => {
  lab = await Lab.start({ workers: true });
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1' });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1');
  socket = await lab.frames(h1);
});

afterAll(() => lab?.close());

interface Case {
  what: string;
  settings: string[];
  xps: number[];
  classes?: ModelPort['classes'];
  reason: ModelReason;
}

const NO_XPS = 'other_config:xps-cpus=0';
const CLASSES = { classOf: [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0] };

function casesOf(n: number): Case[] {
  if (n === 1) return [{ what: 'a single queue', settings: [], xps: [0], reason: 'single' }];
  const all = Array.from({ length: n }, (_, i) => i);
  const masks = (mine: number[], total: number) => {
    const list = Array.from({ length: total }, (_, q) => (mine.includes(q) ? MINE : OTHER));
    return `other_config:xps-cpus="${list.join(',')}"`;
  };
  const half = n / 2;
  const ranges = [
    { count: half, offset: 0 },
    { count: half, offset: half },
  ];
  const tcs = ranges.map(({ count, offset }) => `${count}@${offset}`).join(',');
  return [
    { what: 'all queues by default', settings: [], xps: all, reason: 'xps-hash' },
    { what: 'one queue of its CPU', settings: [masks([1], n)], xps: [1], reason: 'xps' },
    {
      what: 'several queues of its CPU',
      settings: [masks([0, n - 1], n)],
      xps: [0, n - 1],
      reason: 'xps-hash',
    },
    {
      what: 'a queue that is missing',
      settings: [masks([n], n + 1)],
      xps: [n],
      reason: 'recorded',
    },
    { what: 'no map', settings: [NO_XPS], xps: [], reason: 'recorded' },
    {
      what: 'no map, with classes',
      settings: [
        NO_XPS,
        'other_config:num-tc=2',
        `other_config:prio-tc-map="${CLASSES.classOf.join(',')}"`,
        `other_config:tc-queues="${tcs}"`,
      ],
      xps: [],
      classes: { ...CLASSES, ranges },
      reason: 'recorded',
    },
  ];
}

for (const [kind, make] of [
  ['veth', vethSink],
  ['TAP', tapSink],
] as const) {
  describe.each([1, 2, 4])(`${kind} with %i transmit queues`, (n) => {
    let sink: Sink;
    let output: number;

    beforeAll(async () => {
      // Where there is one queue, the kernel forwards, and nothing is chosen.
      await sw.vsctl(...(n === 1 ? NO_OFFLOAD : DEFAULT_OFFLOAD));
      sink = await make(n);
      output = await sw.ofport(sink.name);
      const input = await sw.ofport('p1');
      await sw.ofctl('del-flows', 'br0');
      await sw.ofctl('add-flow', 'br0', `in_port=${input},udp,actions=output:${output}`);
      // The first frames of a flow go the long way, where nothing is recorded.
      await offer(sink, 0);
    });

    afterAll(async () => {
      await sw.vsctl('del-port', 'br0', sink.name);
    });

    it.each(casesOf(n).filter((_, i) => n === 4 || i % 4 === 0))(
      '$what',
      async ({ settings, xps, classes = null, reason }) => {
        await configure(sink, settings);
        const before = await reasons(sink.name);
        const port: ModelPort = { queues: n, xps, classes };
        const precedences = classes ? [0, 5] : [0];
        for (const precedence of precedences) {
          const left = await offer(sink, precedence);
          expect(left).toEqual(predicted(port, precedence, 0));
        }
        const after = await reasons(sink.name);
        const chosen = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
        // In one batch, what follows the first frame of a flow has a cached choice.
        expect(chosen(reason) + chosen('cached')).toBe(precedences.length * FLOWS * PER_FLOW);
        expect(chosen(reason)).toBeGreaterThan(0);
      },
    );

    if (n === 4) {
      it('by hash, or within the class, what was not received', async () => {
        const tcs = ['1@0', `${n - 1}@1`].join(',');
        const map = `other_config:prio-tc-map="${CLASSES.classOf.join(',')}"`;
        const rules = ['other_config:num-tc=2', map, `other_config:tc-queues="${tcs}"`];
        const ranges = [
          { count: 1, offset: 0 },
          { count: n - 1, offset: 1 },
        ];
        for (const classes of [null, { ...CLASSES, ranges }]) {
          await configure(sink, [NO_XPS, ...(classes ? rules : [])]);
          const sent = frames(5).slice(0, 5);
          const before = await sink.counts();
          for (const frame of sent) {
            const hex = Buffer.from(frame).toString('hex');
            await sw.ofctl(
              'packet-out',
              'br0',
              `in_port=controller packet=${hex} actions=${output}`,
            );
          }
          const expected = new Array<number>(n).fill(0);
          for (const frame of sent) {
            const port: ModelPort = { queues: n, xps: [], classes };
            const choice = freshChoice(port, { hash: hashOf(frame), priority: 5, recorded: null });
            expected[choice.queue] += 1;
          }
          await eventually(`the packets on ${sink.name}`, async () => {
            const left = (await sink.counts()).map((count, queue) => count - before[queue]);
            return left.join() === expected.join();
          });
        }
      });
    }
  });
}
