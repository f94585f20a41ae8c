/** Packet sockets on veth: frames of all sizes and tags, what the host sees, memory. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadNative, type PacketSocket } from '../../src/native/binding.js';
import { eventually } from '../support/command.js';
import {
  ethernet,
  openPacket,
  SLOT_BYTES,
  SLOTS,
  sh,
  TestNamespace,
  type TestRing,
  TestWorker,
  TP_STATUS_COPY,
  TP_STATUS_VLAN_VALID,
} from './netdev-helpers.js';

const native = loadNative();
let namespace: TestNamespace;

beforeAll(() => {
  namespace = new TestNamespace(`tsnd-pkt-${process.pid}`);
});

afterAll(() => {
  namespace.leave();
});

/** Two ends of a veth, each with a packet socket. */
interface Pair {
  worker: TestWorker;
  a: PacketSocket;
  b: PacketSocket;
  ringA: TestRing;
  ringB: TestRing;
}

describe('a packet socket on veth', () => {
  let pair: Pair;

  beforeEach(() => {
    sh('ip link add va type veth peer name vb');
    sh('ip link set va up mtu 65535');
    sh('ip link set vb up mtu 65535');
    const worker = new TestWorker();
    const a = openPacket('va');
    const b = openPacket('vb');
    pair = { worker, a, b, ringA: worker.addRing(a), ringB: worker.addRing(b) };
    worker.io.watch(a.fd, 1);
    worker.io.watch(b.fd, 2);
  });

  afterEach(() => {
    native.close(pair.a.fd);
    native.close(pair.b.fd);
    pair.worker.io.close();
    try {
      sh('ip link del va');
    } catch {
      // A test deleted it.
    }
  });

  it.each([14, 15, 60, 64, 590, 1514, 1908, 1909, 9014, 20000, 65549])(
    'passes a frame of %i bytes',
    (length) => {
      const { worker, a, ringA, ringB } = pair;
      const frame = ethernet(length);
      expect(worker.send(a.fd, frame)).toBe(1);
      const received = ringB.next();
      expect(received?.frame.equals(frame)).toBe(true);
      expect(received?.vlanTci).toBe(0);
      expect(Boolean(received && received.status & TP_STATUS_COPY)).toBe(length > 1908);
      // What we send does not come back to us.
      expect(ringA.drain()).toEqual([]);
    },
  );

  it.each([
    [60, []],
    [64, [100]],
    [1518, [4094]],
    [9018, [7]],
    [64, [100, 200]],
    [1522, [3, 4]],
    [9022, [3, 4]],
  ])('passes %i bytes with VLAN tags %j, the outermost beside the frame', (length, tags) => {
    const { worker, a, ringB } = pair;
    const frame = ethernet(length, { tags });
    expect(worker.send(a.fd, frame)).toBe(1);
    const received = ringB.next();
    if (!received) throw new Error('nothing received');
    if (received.status & TP_STATUS_VLAN_VALID) {
      const tag = Buffer.alloc(4);
      tag.writeUInt16BE(received.vlanTpid, 0);
      tag.writeUInt16BE(received.vlanTci, 2);
      received.frame = Buffer.concat([
        received.frame.subarray(0, 12),
        tag,
        received.frame.subarray(12),
      ]);
    }
    expect(received.frame.toString('hex')).toBe(frame.toString('hex'));
  });

  it('keeps the order of a batch and tells which frame was refused', () => {
    const { worker, a, ringB } = pair;
    sh('ip link set va mtu 1500');
    const lengths = [60, 100, 2000, 200, 8];
    lengths.forEach((length, i) => {
      worker.stage(ethernet(Math.max(length, 14)), undefined, 4096 * (i + 1));
    });
    lengths.forEach((length, i) => {
      worker.offsets[i] = 4096 * (i + 1);
      worker.lengths[i] = length;
    });
    expect(worker.io.send(a.fd, 0, 5)).toBe(2);
    expect(worker.io.send(a.fd, 2, 3)).toBe(-90); // EMSGSIZE
    expect(worker.io.send(a.fd, 3, 2)).toBe(1);
    expect(worker.io.send(a.fd, 4, 1)).toBe(-22); // EINVAL: shorter than an Ethernet header
    expect(ringB.drain().map((received) => received.length)).toEqual([60, 100, 200]);
  });

  it('sends 500 frames in one call, as far as vectors and arena reach', () => {
    const { worker, a, ringB } = pair;
    for (let i = 0; i < 200; i++) {
      worker.stage(ethernet(60 + i), undefined, 4096 + i * 512);
      worker.offsets[i] = 4096 + i * 512;
      worker.lengths[i] = 60 + i;
    }
    // stage() also writes index 0.
    worker.offsets[0] = 4096;
    worker.lengths[0] = 60;
    expect(worker.io.send(a.fd, 0, 200)).toBe(200);
    expect(ringB.drain().map((received) => received.length)).toEqual(
      Array.from({ length: 200 }, (_, i) => 60 + i),
    );
    expect(worker.io.send(a.fd, 100, 200)).toBe(-22);
    worker.offsets[0] = 3;
    expect(worker.io.send(a.fd, 0, 1)).toBe(-14);
    worker.offsets[0] = worker.arena.byteLength - 10;
    expect(worker.io.send(a.fd, 0, 1)).toBe(-14);
  });

  it('drops and counts what finds no free slot', () => {
    const { worker, a, b, ringB } = pair;
    worker.stage(ethernet(60));
    for (let i = 0; i < 300; i++) expect(worker.io.send(a.fd, 0, 1)).toBe(1);
    expect(native.packetStatistics(b.fd)).toEqual({ packets: 256, drops: 44 });
    expect(native.packetStatistics(b.fd)).toEqual({ packets: 0, drops: 0 });
    expect(ringB.drain().length).toBe(256);
  });

  it('bounds the queue of large frames', () => {
    const { worker, a, ringB } = pair;
    worker.stage(ethernet(60000));
    for (let i = 0; i < 200; i++) worker.io.send(a.fd, 0, 1);
    const received = ringB.drain();
    const whole = received.filter((frame) => frame.status & TP_STATUS_COPY);
    expect(whole.length).toBeGreaterThan(8);
    expect(whole.length).toBeLessThan(40);
    expect(whole.every((frame) => frame.length === 60000)).toBe(true);
  });

  it('maps a ring away and back under the same ArrayBuffer', () => {
    const { worker, a, ringB } = pair;
    worker.send(a.fd, ethernet(60));
    expect(ringB.next()?.length).toBe(60);
    ringB.unmap();
    expect(
      worker.bytes.subarray(ringB.offset, ringB.offset + ringB.bytes).every((b) => b === 0),
    ).toBe(true);
    worker.bytes[ringB.offset] = 77;
    worker.send(a.fd, ethernet(61));
    ringB.mapAgain();
    expect(ringB.next()?.length).toBe(61);
  });

  it('goes deaf, without an endless wake-up, when its interface is deleted', () => {
    const { worker, a, b, ringA } = pair;
    sh('ip link del va');
    const woken = worker.io.wait(1_000_000);
    expect(woken).toBeGreaterThan(0);
    for (let i = 0; i < 4; i++) worker.io.wait(1000);
    const start = performance.now();
    expect(worker.io.wait(50_000)).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(worker.send(a.fd, ethernet(60))).toBe(-6); // ENXIO
    expect(worker.send(b.fd, ethernet(60))).toBeLessThan(0);
    expect(ringA.next(10)).toBeNull();
  });

  it('hears again when its interface went down and up', () => {
    const { worker, a, ringB } = pair;
    sh('ip link set vb down');
    for (let i = 0; i < 4; i++) worker.io.wait(1000);
    expect(worker.io.wait(20_000)).toBe(0);
    sh('ip link set vb up');
    worker.send(a.fd, ethernet(60));
    expect(ringB.next()?.length).toBe(60);
  });

  it('shares the frames of an interface among the sockets of a fanout group', () => {
    const { worker, a, b } = pair;
    const rings = [3, 4].map((tag) => {
      const socket = openPacket('vb', { fanoutId: 7 });
      worker.io.watch(socket.fd, tag);
      return { socket, ring: worker.addRing(socket) };
    });
    for (const { socket } of rings) native.socketFilter(socket.fd, -1);
    for (let flow = 0; flow < 64; flow++) {
      const frame = ethernet(60, { type: 0x0800 });
      Buffer.from('45000028000040004006', 'hex').copy(frame, 14);
      Buffer.from([0, 0, 10, 0, 0, flow, 10, 0, 1, 1, flow, 1, 0, 80]).copy(frame, 24);
      worker.send(a.fd, frame);
    }
    const counts = rings.map(({ ring }) => ring.drain().length);
    expect(counts[0] + counts[1]).toBe(64);
    expect(Math.min(...counts)).toBeGreaterThan(5);
    for (const { socket } of rings) native.close(socket.fd);
    expect(b.fd).toBeGreaterThan(0);
  });
});

describe('the host behind a packet socket', () => {
  it.each([false, true])(
    'answers neither ARP nor ping once shut out (clsact only: %s)',
    (clsact) => {
      const peer = `${namespace.name}-p`;
      sh(`ip netns add ${peer}`);
      try {
        sh(`ip link add vh type veth peer name vp netns ${peer}`);
        sh('ip addr add 10.9.0.1/24 dev vh');
        sh('ip link set vh up');
        sh(`ip -n ${peer} addr add 10.9.0.2/24 dev vp`);
        sh(`ip -n ${peer} link set vp up`);
        const ping = () => {
          try {
            sh(`ip netns exec ${peer} ping -c 1 -W 1 10.9.0.1`);
            return true;
          } catch {
            return false;
          }
        };
        expect(ping()).toBe(true);
        const socket = openPacket('vh');
        const worker = new TestWorker();
        const ring = worker.addRing(socket);
        worker.io.watch(socket.fd, 1);
        const drop = native.ingressDropAttach(socket.ifindex, clsact);
        sh(`ip -n ${peer} neigh flush dev vp`);
        expect(ping()).toBe(false);
        const types = ring.drain().map(({ frame }) => frame.readUInt16BE(12));
        expect(types).toContain(0x0806);
        native.ingressDropDetach(drop, socket.ifindex);
        sh(`ip -n ${peer} neigh flush dev vp`);
        expect(ping()).toBe(true);
        native.close(socket.fd);
        worker.io.close();
      } finally {
        sh('ip link del vh');
        sh(`ip netns del ${peer}`);
      }
    },
  );
});

describe('memory', () => {
  it('opens 200 packet sockets within the stated bound', () => {
    // In a process of its own, whose figures are not those of the test runner.
    const script = `
      const native = require(${JSON.stringify(addonPath())});
      const { readFileSync } = require('node:fs');
      const available = () =>
        Number(/MemAvailable: +(\\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))[1]);
      native.setns('/run/netns/${namespace.name}');
      const arena = native.arenaCreate(1 << 30);
      const before = available();
      const rssBefore = process.memoryUsage().rss;
      for (let i = 0; i < 200; i++) {
        const socket = native.packetOpen({ ifname: 'vm' + (i % 2), slots: 1024, slotBytes: 2048,
          reserve: 64, rcvBufBytes: 1 << 20, sndBufBytes: 1 << 19 });
        native.ringMap(socket.fd, arena, i * socket.ringBytes, socket.ringBytes);
      }
      console.log(JSON.stringify({ kernelMiB: (before - available()) / 1024,
        rssMiB: (process.memoryUsage().rss - rssBefore) / 1048576 }));
    `;
    sh('ip link add vm0 type veth peer name vm1');
    try {
      const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
      const { kernelMiB, rssMiB } = JSON.parse(output) as { kernelMiB: number; rssMiB: number };
      console.log(
        `200 packet sockets: ${kernelMiB.toFixed(0)} MiB of the machine's memory, ` +
          `${rssMiB.toFixed(0)} MiB resident in the process`,
      );
      expect(kernelMiB).toBeLessThan(1024);
    } finally {
      sh('ip link del vm0');
    }
  });
});

describe('packet sockets that are expected', () => {
  const shape = { slots: SLOTS, slotBytes: SLOT_BYTES, reserve: 64 };
  const open = () => readdirSync('/proc/self/fd').length;

  beforeEach(() => {
    sh('ip link add ahead0 type veth peer name ahead1');
    for (const name of ['ahead0', 'ahead1']) sh(`ip link set ${name} up`);
  });

  afterEach(() => {
    sh('ip link del ahead0');
  });

  it('are made ahead, work as others, and are closed when nobody opens them', async () => {
    const before = open();
    native.packetExpect(shape, 4);
    // Threads make them: nothing but time brings them about.
    await eventually('all of them', () => open() === before + 4);
    const [a, b] = [openPacket('ahead0'), openPacket('ahead1')];
    expect(open()).toBe(before + 4);
    const worker = new TestWorker();
    const ring = worker.addRing(b);
    expect(worker.send(a.fd, ethernet(60))).toBe(1);
    expect(ring.next()?.frame.equals(ethernet(60))).toBe(true);
    native.packetExpect(shape, 0);
    for (const { fd } of [a, b]) native.close(fd);
    worker.io.close();
    const [c] = [openPacket('ahead0')];
    native.close(c.fd);
    await eventually('all to be closed', () => open() <= before);
  });

  it('are not taken for a ring of another shape', () => {
    native.packetExpect({ ...shape, slots: SLOTS * 2 }, 1);
    const socket = openPacket('ahead0');
    expect(socket.ringBytes).toBe(SLOTS * SLOT_BYTES);
    native.packetExpect(shape, 0);
    native.close(socket.fd);
  });

  it('are as many as there are ports to come, some at a time', async () => {
    const before = open();
    native.packetExpect(shape, 20);
    const sockets = Array.from({ length: 20 }, () => openPacket('ahead0'));
    await eventually('no more to come', () => open() === before + 20);
    native.packetExpect(shape, 0);
    expect(open()).toBe(before + 20);
    for (const { fd } of sockets) native.close(fd);
  });
});

function addonPath(): string {
  const path = new URL('../../native-bindings/build/Release/tapswitch.node', import.meta.url)
    .pathname;
  readFileSync(path);
  return path;
}
