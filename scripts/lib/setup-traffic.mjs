/**
 * The traffic of bench-setup.mjs: a thread that sends, at steady rates, packets of flows that are
 * there all the time, from two ports, and packets of flows that were never seen before from one of
 * them. It sends once in a millisecond and sleeps between.
 *
 *     workerData: { dist, namespace, kind, fresh, same, other, seconds, first }
 *     message:    { fresh, same, other, seconds }    how much was sent
 *
 * kind 'flows': a new flow is a new UDP source port; 'macs': a new source address.
 */
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

const { dist, namespace, kind, seconds, first } = workerData;
const { loadNative, VNET_HDR_LEN } = await import(path.join(dist, 'native/binding.js'));

const BATCH = 64;
const SLOT = 256;
const FRAME = 64;
const ESTABLISHED_FLOWS = 64;
const TURN_MS = 1;
const native = loadNative();
native.setns(namespace);
native.setAffinity([0]);

const arena = native.arenaCreate(BATCH * SLOT);
const offsets = new Int32Array(BATCH);
const lengths = new Int32Array(BATCH).fill(FRAME);
const view = new DataView(arena);
for (let i = 0; i < BATCH; i++) {
  offsets[i] = i * SLOT + VNET_HDR_LEN + 6;
  header(offsets[i]);
}
const io = new native.PacketIo({ arena, offsets, lengths, ready: new Int32Array(1) });
const [fd1, fd4] = ['h1', 'h4'].map((ifname) => {
  const sizes = { rcvBufBytes: 65_536, sndBufBytes: 4 << 20, qdiscBypass: true };
  return native.packetOpen({ ifname, slots: 16, slotBytes: 2048, reserve: 0, ...sizes }).fd;
});

/** Ethernet, IPv4 and UDP; what differs between flows comes later. */
function header(at) {
  const bytes = Buffer.from('02005e00530202005e0053010800', 'hex');
  bytes.forEach((byte, i) => {
    view.setUint8(at + i, byte);
  });
  view.setUint16(at + 14, 0x4500);
  view.setUint16(at + 16, FRAME - 14);
  view.setUint16(at + 22, 0x4011);
  view.setUint32(at + 30, 0x0a630002);
  view.setUint16(at + 38, FRAME - 34);
}

/** Makes the frame at `at` one of flow `n`, to UDP port `port`. */
function fill(at, n, port, ownMac) {
  view.setUint32(at + 8, ownMac ? n : 0x5e005301);
  view.setUint32(at + 26, 0xc6336401 + Math.floor(n / 60_000));
  view.setUint16(at + 34, 1024 + (n % 60_000));
  view.setUint16(at + 36, port);
  view.setUint16(at + 24, 0);
  let sum = 0;
  for (let i = at + 14; i < at + 34; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(at + 24, ~sum & 0xffff);
}

/** One kind of packets. */
class Stream {
  sent = 0;

  constructor(fd, rate, isFresh) {
    Object.assign(this, { fd, rate, isFresh });
  }

  /** Sends what is due. Nothing is given up: what the interface did not take goes next time. */
  send(elapsed) {
    let due = Math.floor(elapsed * this.rate) - this.sent;
    while (due > 0) {
      const n = Math.min(due, BATCH);
      for (let i = 0; i < n; i++) {
        const number = this.sent + i;
        if (this.isFresh) fill(offsets[i], first + number, 9, kind === 'macs');
        else fill(offsets[i], number % ESTABLISHED_FLOWS, 7, false);
      }
      const sent = Math.max(0, io.send(this.fd, 0, n));
      this.sent += sent;
      due -= n;
      if (sent < n) return;
    }
  }
}

const streams = {
  fresh: new Stream(fd1, workerData.fresh, true),
  same: new Stream(fd1, workerData.same, false),
  other: new Stream(fd4, workerData.other, false),
};
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const start = performance.now();
let elapsed = 0;
while (elapsed < seconds) {
  Atomics.wait(sleeper, 0, 0, TURN_MS);
  elapsed = (performance.now() - start) / 1000;
  for (const stream of Object.values(streams)) stream.send(Math.min(elapsed, seconds));
}
const { fresh, same, other } = streams;
parentPort.postMessage({ fresh: fresh.sent, same: same.sent, other: other.sent, seconds: elapsed });
for (const fd of [fd1, fd4]) native.close(fd);
io.close();
