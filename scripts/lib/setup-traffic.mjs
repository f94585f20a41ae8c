/**
 * The traffic of bench-setup.mjs: a thread that sends, at two steady rates, packets of a few flows
 * that are there all the time and packets of flows that were never seen before.
 *
 *     workerData: { dist, namespace, ifname, kind, established, fresh, seconds, first }
 *     message:    { established, fresh, seconds }    how much was sent
 *
 * kind 'flows': a new flow is a new UDP source port; 'macs': a new source address.
 */
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

const { dist, namespace, ifname, kind, established, fresh, seconds, first } = workerData;
const { loadNative, VNET_HDR_LEN } = await import(path.join(dist, 'native/binding.js'));

const BATCH = 64;
const SLOT = 256;
const FRAME = 64;
const ESTABLISHED_FLOWS = 64;
const native = loadNative();
native.setns(namespace);
native.setAffinity([0]);

const arena = native.arenaCreate(2 * BATCH * SLOT);
const offsets = new Int32Array(2 * BATCH);
const lengths = new Int32Array(2 * BATCH).fill(FRAME);
const view = new DataView(arena);
for (let i = 0; i < 2 * BATCH; i++) {
  offsets[i] = i * SLOT + VNET_HDR_LEN + 6;
  header(offsets[i]);
}
const io = new native.PacketIo({ arena, offsets, lengths, ready: new Int32Array(1) });
const { fd } = native.packetOpen({
  ...{ ifname, slots: 16, slotBytes: 2048, reserve: 0 },
  ...{ rcvBufBytes: 65_536, sndBufBytes: 4 << 20, qdiscBypass: true },
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

let sentEstablished = 0;
let sentFresh = 0;
const start = performance.now();
for (;;) {
  const elapsed = (performance.now() - start) / 1000;
  if (elapsed >= seconds) break;
  const wantEstablished = Math.min(BATCH, Math.floor(elapsed * established) - sentEstablished);
  const wantFresh = Math.min(BATCH, Math.floor(elapsed * fresh) - sentFresh);
  for (let i = 0; i < wantEstablished; i++) {
    fill(offsets[i], (sentEstablished + i) % ESTABLISHED_FLOWS, 7, false);
  }
  for (let i = 0; i < wantFresh; i++) {
    fill(offsets[BATCH + i], first + sentFresh + i, 9, kind === 'macs');
  }
  // Nothing is given up: what the interface did not take is sent in the next turn.
  if (wantEstablished > 0) sentEstablished += Math.max(0, io.send(fd, 0, wantEstablished));
  if (wantFresh > 0) sentFresh += Math.max(0, io.send(fd, BATCH, wantFresh));
}
parentPort.postMessage({
  ...{ established: sentEstablished, fresh: sentFresh },
  seconds: (performance.now() - start) / 1000,
});
native.close(fd);
io.close();
