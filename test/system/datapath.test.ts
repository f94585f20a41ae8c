/**
 * Forwarding workers on real devices: three veth pairs and a TAP in a namespace of the test's own.
 *
 *     h1 --- s1 \
 *     h2 --- s2  } DpifNetdev (one worker)        h*: packet sockets of the test
 *     h3 --- s3 /
 *     host's end of the TAP --- t1
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WarpClock } from '../../src/common/clock.js';
import type { Upcall } from '../../src/datapath/dpif.js';
import { DpifNetdev } from '../../src/datapath/dpif-netdev.js';
import type { OdpAction } from '../../src/datapath/odp-actions.js';
import { loadNative, type PacketSocket } from '../../src/native/binding.js';
import type { Netdev } from '../../src/netdev/netdev.js';
import { NetdevRegistry } from '../../src/netdev/registry.js';
import { extractFlow } from '../../src/packet/extract.js';
import { newFlow } from '../../src/packet/flow-layout.js';
import { macBytes, udp4Frame } from '../support/frame-builder.js';
import {
  ethernet,
  openPacket,
  sh,
  TestNamespace,
  type TestRing,
  TestWorker,
  TP_STATUS_VLAN_VALID,
  until,
} from './netdev-helpers.js';

const native = loadNative();
const dist = process.env.TAPSWITCH_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));
const workerUrl = new URL(`file://${dist}/datapath/worker.js`);

let namespace: TestNamespace;
let registry: NetdevRegistry;
let dpif: DpifNetdev;
let worker: TestWorker;
let sockets: PacketSocket[];
let rings: TestRing[];
let devices: Netdev[];
let upcalls: Upcall[];
const clock = new WarpClock();

beforeAll(() => {
  if (!existsSync(workerUrl)) throw new Error(`${workerUrl.pathname} is missing: npm run build:ts`);
  namespace = new TestNamespace(`tsdp-${process.pid}`);
});

afterAll(() => namespace.leave());

beforeEach(() => {
  registry = new NetdevRegistry({ clock, native: () => native });
  dpif = new DpifNetdev({ clock, native, workerUrl });
  worker = new TestWorker();
  sockets = [];
  rings = [];
  devices = [];
  for (const n of [1, 2, 3]) {
    sh(`ip link add h${n} type veth peer name s${n}`);
    sh(`ip link set h${n} up mtu 9000`);
    sh(`ip link set s${n} up mtu 9000`);
    const socket = openPacket(`h${n}`);
    sockets.push(socket);
    rings.push(worker.addRing(socket));
    worker.io.watch(socket.fd, n);
    devices.push(registry.open(`s${n}`, 'system', {}));
    expect(dpif.portAdd(devices[n - 1], n)).toBe(n);
  }
  upcalls = [];
  dpif.onUpcall((upcall) => upcalls.push(upcall));
});

afterEach(async () => {
  await dpif.close();
  for (const device of devices) device.close();
  for (const socket of sockets) native.close(socket.fd);
  worker.io.close();
  for (const n of [1, 2, 3]) {
    try {
      sh(`ip link del h${n}`);
    } catch {
      // The test deleted it.
    }
  }
});

/** Everything that comes in by `port` gets `actions`. */
async function rule(port: number, actions: OdpAction[]) {
  const key = newFlow();
  const mask = newFlow();
  key[1] = port;
  mask[1] = -1;
  const flow = dpif.flowPut({ key, mask, actions });
  await dpif.sync();
  return flow;
}

function send(host: number, frame: Uint8Array, vnetHdr?: Uint8Array): void {
  expect(worker.send(sockets[host - 1].fd, frame, vnetHdr)).toBe(1);
}

/** The next frame at a host, with the tag that the kernel stripped put back. */
function next(host: number, waitMs = 1000): Buffer | null {
  const received = rings[host - 1].next(waitMs);
  if (!received) return null;
  const { frame, status, vlanTpid, vlanTci } = received;
  if (!(status & TP_STATUS_VLAN_VALID)) return frame;
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(vlanTpid, 0);
  tag.writeUInt16BE(vlanTci, 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

const to = (port: number): OdpAction => ({ type: 'output', port });

describe('a forwarding worker', () => {
  it.each([14, 60, 1514, 1908, 4000, 9014])('forwards frames of %i bytes', async (length) => {
    await rule(1, [to(2)]);
    const frame = ethernet(length);
    send(1, frame);
    expect(next(2)?.equals(frame)).toBe(true);
    expect(next(3, 50)).toBeNull();
  });

  it.each([[[]], [[100]], [[200, 100]]])('restores tags %j', async (tags) => {
    await rule(1, [to(2)]);
    const frame = ethernet(128, { tags });
    send(1, frame);
    expect(next(2)?.toString('hex')).toBe(frame.toString('hex'));
  });

  it('extracts the tag that the kernel stripped', async () => {
    send(1, ethernet(64, { tags: [7] }));
    await until(() => upcalls.length > 0, 'an upcall');
    expect(upcalls[0].key[5] >>> 0).toBe(0x81001007);
    expect(upcalls[0].key).toEqual(extractFlow(upcalls[0].frame.data, 1));
  });

  it('passes 64 KiB segments whole, with their offload', async () => {
    await rule(1, [
      { type: 'push_vlan', tpid: 0x8100, tci: 5 },
      to(2),
      { type: 'pop_vlan' },
      to(3),
    ]);
    const frame = tcpSegmentFrame(60_000);
    // NEEDS_CSUM, TCPV4, header 54, segments of 1448, checksum at 34 + 16.
    const vnet = Uint8Array.of(1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0);
    send(1, frame, vnet);
    const tagged = rings[1].next();
    const plain = rings[2].next();
    expect(plain?.frame.equals(frame)).toBe(true);
    expect(plain?.vnetHdr.toString('hex')).toBe(Buffer.from(vnet).toString('hex'));
    expect(tagged?.vlanTci).toBe(5);
    expect(tagged?.frame.length).toBe(frame.length);
  });

  it('sends a miss up, executes the answer and forwards the next packet itself', async () => {
    dpif.onUpcall((upcall) => {
      upcalls.push(upcall);
      const mask = newFlow();
      mask[1] = -1;
      dpif.flowPut({ key: upcall.key, mask, actions: [to(3)] }, upcall.worker);
      dpif.execute(upcall.frame, upcall.key, [to(3)]);
    });
    const frames = [60, 100, 200, 5000].map((n) => ethernet(n));
    for (const frame of frames) {
      send(1, frame);
      await until(() => upcalls.length > 0, 'the upcall');
      expect(next(3)?.equals(frame)).toBe(true);
    }
    expect(upcalls.length).toBe(1);
    const [flow] = dpif.flows();
    expect(dpif.flowStats(flow).packets).toBe(3);
    expect(clock.now() - dpif.flowStats(flow).usedMs).toBeLessThan(5000);
    expect(dpif.stats()).toMatchObject({ missed: 1, hit: 3, lost: 0, masks: 1 });
  });

  it('sends action upcalls with their cookie', async () => {
    const cookie = { type: 'slow_path' as const, reason: 'lacp' as const };
    await rule(2, [{ type: 'userspace', cookie }]);
    const frame = ethernet(124, { type: 0x8809 });
    send(2, frame);
    await until(() => upcalls.length > 0, 'an upcall');
    expect(upcalls[0]).toMatchObject({ type: 'action', cookie, worker: 0 });
    expect(Buffer.from(upcalls[0].frame.data).equals(frame)).toBe(true);
  });

  it('keeps final statistics of a deleted flow, and gives its slot to another', async () => {
    const flow = await rule(1, [to(2)]);
    for (let n = 0; n < 10; n++) send(1, ethernet(60));
    for (let n = 0; n < 10; n++) expect(next(2)).not.toBeNull();
    dpif.flowDel(flow);
    await dpif.sync();
    expect(dpif.flowStats(flow)).toMatchObject({ packets: 10, bytes: 600 });
    const other = await rule(1, [to(3)]);
    expect(dpif.flowStats(other).packets).toBe(0);
    send(1, ethernet(60));
    expect(next(3)).not.toBeNull();
    expect(dpif.flowStats(flow).packets).toBe(10);
  });

  it('counts frames that an output cannot take, and sends the others', async () => {
    await rule(1, [to(2), to(3)]);
    sh('ip link set s2 mtu 1500');
    send(1, ethernet(4000));
    expect(next(3)?.length).toBe(4000);
    sh('ip link set s2 down');
    send(1, ethernet(60));
    expect(next(3)?.length).toBe(60);
    const drops = () => dpif.stats().drops;
    expect(drops().datapath_drop_tx_too_big).toBe(1);
    expect(drops().datapath_drop_port_down).toBe(1);
    sh('ip link set s2 up');
    send(1, ethernet(60));
    expect(next(2)?.length).toBe(60);
  });

  it('goes on when an interface vanishes, without spinning', async () => {
    await rule(1, [to(2), to(3)]);
    sh('ip link del h2');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = dpif.workerInfo()[0].counters.slice();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const after = dpif.workerInfo()[0].counters.slice();
    // Idle rounds: a few for each wake-up, none while it sleeps.
    expect(after[6] - before[6]).toBeLessThan(1000);
    expect(after[7] - before[7]).toBeLessThan(20);
    send(1, ethernet(60));
    expect(next(3)?.length).toBe(60);
    dpif.portDel(2);
    send(1, ethernet(61));
    expect(next(3)?.length).toBe(61);
  });

  it('lets a port go and come back under load', async () => {
    await rule(1, [to(2), to(3)]);
    const frame = ethernet(60);
    for (let turn = 0; turn < 20; turn++) {
      for (let n = 0; n < 50; n++) send(1, frame);
      dpif.portDel(turn % 2 === 0 ? 2 : 1);
      for (let n = 0; n < 20; n++) send(1, frame);
      const portNo = turn % 2 === 0 ? 2 : 1;
      expect(dpif.portAdd(devices[portNo - 1], portNo)).toBe(portNo);
    }
    await dpif.sync();
    rings[1].drain();
    rings[2].drain();
    send(1, frame);
    expect(next(2)?.equals(frame)).toBe(true);
    expect(next(3)?.equals(frame)).toBe(true);
  });

  it('allocates nothing for packets', async () => {
    await rule(1, [to(2)]);
    const frames = 30_000;
    const burst = async () => {
      const done = dpif.portStats(1).rxPackets + frames;
      for (let n = 0; n < frames; n++) {
        worker.send(sockets[0].fd, ethernetFrame);
        if (n % 500 === 0)
          await until(() => dpif.portStats(1).rxPackets > done - frames + n - 100, 'frames');
      }
      await until(() => dpif.portStats(1).rxPackets === done, 'all frames');
    };
    const heap = async () => {
      dpif.workerInfo();
      await dpif.sync();
      const { heapBytes } = dpif.workerInfo()[0];
      await dpif.sync();
      return heapBytes;
    };
    // Until the code is optimized, which other work on the machine may delay, numbers are objects.
    // One object for each packet would be 480,000 bytes, for ever. (Negative: a collection.)
    const growths: number[] = [];
    let before = await heap();
    for (let n = 0; n < 16; n++) {
      await burst();
      const after = await heap();
      growths.push(after - before);
      before = after;
      if (growths.slice(-2).every((g) => g >= 0 && g < frames)) break;
    }
    const last = growths.slice(-2);
    for (const growth of last) expect(growth).toBeLessThan(frames);
    for (const growth of last) expect(growth).toBeGreaterThanOrEqual(0);
  });
});

describe('two workers', () => {
  it('share the flows of a port, send everything, and sum their statistics', async () => {
    await dpif.close();
    dpif = new DpifNetdev({ clock, native, workerUrl, workers: 2 });
    dpif.onUpcall((upcall) => {
      upcalls.push(upcall);
      const mask = newFlow();
      mask[1] = -1;
      dpif.flowPut({ key: upcall.key, mask, actions: [to(2)] }, upcall.worker);
      dpif.execute(upcall.frame, upcall.key, [to(2)]);
    });
    for (const n of [1, 2]) dpif.portAdd(devices[n - 1], n);
    await dpif.sync();
    const count = 200;
    const udp = (n: number) =>
      udp4Frame(
        { dst: macBytes('02:00:00:00:00:02'), src: macBytes('02:00:00:00:00:01') },
        { src: 0x0a000001, dst: 0x0a000002 },
        { src: 1000 + n, dst: 9 },
        new Uint8Array(18),
      );
    let sent = 0;
    let received = 0;
    const allArrived = () => {
      received += rings[1].drain(0).length;
      return received === sent;
    };
    while (sent < count) {
      send(1, udp(sent++));
      if (sent % 20 === 0) await until(allArrived, 'all frames');
    }
    expect(new Set(upcalls.map((u) => u.worker))).toEqual(new Set([0, 1]));
    const [flow, ...others] = dpif.flows();
    expect(others).toEqual([]);
    expect(dpif.flowStats(flow).packets + dpif.stats().missed).toBeGreaterThanOrEqual(count);
    expect(dpif.portStats(1).rxPackets).toBe(count);
    expect(dpif.portStats(2).txPackets).toBe(count);
    dpif.flowDel(flow);
    await dpif.sync();
    expect([...dpif.flows()]).toEqual([]);
    // Nobody has it any more: both workers ask again.
    dpif.onUpcall((upcall) => upcalls.push(upcall));
    upcalls.length = 0;
    for (let n = 0; n < 20; n++) send(1, udp(n));
    await until(() => upcalls.length === 20, 'upcalls');
    expect(new Set(upcalls.map((u) => u.worker)).size).toBe(2);
  });
});

describe('a TAP port', () => {
  it('exchanges frames with a veth port, tags and sizes included', async () => {
    const tap = registry.open('t1', 'tap', {});
    devices.push(tap);
    const portNo = dpif.portAdd(tap, 9);
    sh('ip link set t1 up mtu 9000');
    const socket = openPacket('t1');
    sockets.push(socket);
    rings.push(worker.addRing(socket));
    worker.io.watch(socket.fd, 4);
    await rule(1, [to(portNo)]);
    await rule(portNo, [to(1)]);
    for (const frame of [ethernet(60), ethernet(1514, { tags: [9] }), ethernet(8000)]) {
      send(1, frame);
      expect(next(4)?.toString('hex')).toBe(frame.toString('hex'));
      send(4, frame);
      expect(next(1)?.toString('hex')).toBe(frame.toString('hex'));
    }
    dpif.portDel(portNo);
    expect(dpif.stats().drops).toEqual({});
  });
});

const ethernetFrame = ethernet(60);

/** A TCP segment of IPv4 with `size` bytes of payload and the pseudo-header sum as checksum. */
function tcpSegmentFrame(size: number): Buffer {
  const frame = ethernet(54 + size, { type: 0x0800 });
  frame.fill(0, 14, 54);
  frame[14] = 0x45;
  frame.writeUInt16BE(40 + size, 16);
  frame[22] = 64;
  frame[23] = 6;
  frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  frame[46] = 0x50;
  frame[47] = 0x10;
  return frame;
}
