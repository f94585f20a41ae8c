/**
 * TCP through two devices that a test forwards between, frame by frame, with the offloads that
 * interfaces have by default: segments of up to 64 KiB pass whole, with their virtio header.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative, VNET_HDR_LEN } from '../../src/native/binding.js';
import { openPacket, sh, TestNamespace, type TestRing, TestWorker } from './netdev-helpers.js';

const native = loadNative();
const TRANSFER_BYTES = 8 << 20;

/** A port of the two-port wire under test. */
interface Port {
  fd: number;
  ring: TestRing | null;
  frames: number;
  longest: number;
  /** Frames with a segmentation type in their virtio header. */
  segmented: number;
  refused: number;
}

/** Takes what `from` has and sends it to `to`. */
function forward(worker: TestWorker, from: Port, to: Port): void {
  const emit = (count: number) => {
    for (let i = 0; i < count; i++) {
      from.frames += 1;
      from.longest = Math.max(from.longest, worker.lengths[i]);
      if (worker.bytes[worker.offsets[i] - VNET_HDR_LEN + 1]) from.segmented += 1;
    }
    for (let at = 0; at < count; ) {
      const taken = to.ring
        ? worker.io.send(to.fd, at, count - at)
        : worker.io.tapWrite(to.fd, at, count - at);
      if (taken < 0) to.refused += 1;
      at += Math.max(taken, 1);
    }
  };
  if (!from.ring) {
    const count = worker.io.tapRead(from.fd, 1 << 20, 15 << 20, 128, 64, 0);
    if (count > 0) emit(count);
    return;
  }
  for (let received = from.ring.next(0); received; received = from.ring.next(0)) {
    worker.stage(received.frame, received.vnetHdr);
    emit(1);
  }
}

const SERVER = `
  let total = 0;
  require('node:net').createServer((socket) => {
    socket.on('data', (data) => { total += data.length; });
    socket.on('end', () => { socket.end(String(total)); process.exit(0); });
  }).listen(5001, () => console.log('listening'));
  setTimeout(() => process.exit(1), 20000);
`;
const CLIENT = `
  const socket = require('node:net').connect(5001, '10.8.0.2');
  let answer = '';
  socket.on('data', (data) => { answer += data; });
  socket.on('close', () => { console.log(answer); process.exit(0); });
  socket.end(Buffer.alloc(${TRANSFER_BYTES}, 1));
  setTimeout(() => process.exit(1), 20000);
`;

describe('TCP between two hosts, offloads as they are by default', () => {
  let namespace: TestNamespace;
  let hosts: string[];
  let children: ChildProcess[];
  let worker: TestWorker;
  let fds: number[];

  beforeEach(() => {
    namespace = new TestNamespace(`tsnd-off-${process.pid}`);
    hosts = [1, 2].map((n) => `${namespace.name}-h${n}`);
    for (const host of hosts) sh(`ip netns add ${host}`);
    worker = new TestWorker();
    children = [];
    fds = [];
  });

  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    for (const fd of fds) native.close(fd);
    worker.io.close();
    for (const host of hosts) sh(`ip netns del ${host}`);
    namespace.leave();
  });

  /** Makes port `index`, whose other end is eth0 of that host. */
  function makePort(index: number, kind: string): Port {
    const host = hosts[index];
    const name = `sw${index}`;
    let port: Port;
    if (kind === 'tap') {
      const tap = native.tapOpen({ name, queues: 1 });
      sh(`ip link set ${name} netns ${host} name eth0`);
      port = { fd: tap.fds[0], ring: null, frames: 0, longest: 0, segmented: 0, refused: 0 };
    } else {
      sh(`ip link add ${name} type veth peer name eth0 netns ${host}`);
      sh(`ip link set ${name} up`);
      if (kind === 'veth without offloads') sh(`ethtool -K ${name} tx off`);
      const socket = native.packetOpen({
        ifname: name,
        slots: 256,
        slotBytes: 2048,
        reserve: 64,
        rcvBufBytes: 1 << 20,
        sndBufBytes: 1 << 20,
        qdiscBypass: native.ethtoolInfo(name).tso,
      });
      const ring = worker.addRing(socket);
      port = { fd: socket.fd, ring, frames: 0, longest: 0, segmented: 0, refused: 0 };
    }
    fds.push(port.fd);
    worker.io.watch(port.fd, index);
    sh(`ip -n ${host} addr add 10.8.0.${index + 1}/24 dev eth0`);
    sh(`ip -n ${host} link set eth0 up`);
    return port;
  }

  function run(host: string, script: string): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', host, process.execPath, '-e', script]);
    children.push(child);
    return child;
  }

  it.each([
    ['veth', 'veth'],
    ['tap', 'tap'],
    ['veth', 'tap'],
    ['tap', 'veth'],
    ['veth', 'veth without offloads'],
  ])('%s to %s', async (first, second) => {
    const ports = [makePort(0, first), makePort(1, second)];
    let running = true;
    const loop = () => {
      worker.io.wait(200);
      forward(worker, ports[0], ports[1]);
      forward(worker, ports[1], ports[0]);
      if (running) setImmediate(loop);
    };
    loop();
    const server = run(hosts[1], SERVER);
    if (!server.stdout) throw new Error('no output of the server');
    await once(server.stdout, 'data');
    const client = run(hosts[0], CLIENT);
    let answer = '';
    client.stdout?.on('data', (data) => {
      answer += data;
    });
    await once(client, 'exit');
    running = false;
    expect(answer.trim()).toBe(String(TRANSFER_BYTES));
    expect(ports[0].longest).toBeGreaterThan(10_000);
    expect(ports[0].longest).toBeLessThanOrEqual(65_550);
    expect(ports[0].segmented).toBeGreaterThan(50);
    expect(ports[1].refused).toBe(0);
  });

  it('gives one TAP as many queues as asked, also later', () => {
    const tap = native.tapOpen({ name: 'multi', queues: 2 });
    fds.push(...tap.fds);
    expect(sh('ip -d link show multi')).toMatch(/multi_queue/);
    const more = native.tapOpen({ name: 'multi', queues: 1 });
    fds.push(...more.fds);
    expect(more.ifindex).toBe(tap.ifindex);
    expect(() => native.tapOpen({ name: 'name-of-16-bytes', queues: 1 })).toThrow(/ENAMETOOLONG/);
  });

  it('leaves it to the host how much of what it got may wait there', () => {
    const [fd] = native.tapOpen({ name: 'deep', queues: 1 }).fds;
    fds.push(fd);
    sh('ip link add drain type veth peer name drained');
    sh('tc qdisc add dev drain root tbf rate 8kbit burst 2kb limit 100mb');
    sh('tc qdisc add dev deep clsact');
    sh('tc filter add dev deep ingress u32 match u32 0 0 action mirred egress redirect dev drain');
    for (const name of ['deep', 'drain', 'drained']) sh(`ip link set ${name} up`);
    const frame = new Uint8Array(1400).fill(0xff, 0, 6);
    frame.set([2, 0, 0x5e, 0, 0x53, 9, 0x88, 0xb5], 6);
    worker.stage(frame);
    let taken = 0;
    while (taken < 2000 && worker.io.tapWrite(fd, 0, 1) === 1) taken++;
    expect(taken).toBe(2000);
    expect(sh('tc -s qdisc show dev drain')).toMatch(/backlog \d+[KM]?b [1-9]\d{2,}p/);
  });

  it('refuses a packet socket on what is not there', () => {
    expect(() => openPacket('absent')).toThrow(/ENODEV/);
  });
});
