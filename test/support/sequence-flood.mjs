/**
 * Numbered UDP packets of many flows as fast as this CPU sends them, in bursts, for what
 * udp-sequence.py receives: far more than a worker forwards.
 *
 *     node sequence-flood.mjs DEVICE DST-MAC SRC-IP DST-IP FLOWS PACKETS
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const addon = '../../native-bindings/build/Release/tapswitch.node';
const native = createRequire(import.meta.url)(fileURLToPath(new URL(addon, import.meta.url)));
const [device, mac, from, to, flowsText, packetsText] = process.argv.slice(2);
const [flows, packets] = [Number(flowsText), Number(packetsText)];
const BURST = 64;
const SLOT = 256;
const FIRST = 64;
const BYTES = 14 + 20 + 8 + 32;
const SOURCE_PORT = 20_000;
const PORT = 5999;

const arena = native.arenaCreate(256 * Math.ceil((BURST * SLOT + 65_536) / 4096) * 4096);
const view = new DataView(arena);
const offsets = Int32Array.from({ length: BURST }, (_, i) => FIRST + i * SLOT);
const lengths = new Int32Array(BURST).fill(BYTES);

const octets = (text) => text.split('.').map(Number);
const header = [
  ...mac.split(':').map((byte) => Number.parseInt(byte, 16)),
  ...[2, 0, 0, 0, 0xee, 1, 8, 0, 0x45, 0, 0, BYTES - 14, 0, 0, 0, 0, 64, 17, 0, 0],
  ...octets(from),
  ...octets(to),
];
let sum = 0;
for (let i = 14; i < 34; i += 2) sum += (header[i] << 8) | header[i + 1];
while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
for (const off of offsets) {
  header.forEach((byte, i) => {
    view.setUint8(off + i, byte);
  });
  view.setUint16(off + 24, ~sum & 0xffff);
  view.setUint16(off + 36, PORT);
  view.setUint16(off + 38, BYTES - 34);
}

const io = new native.PacketIo({ arena, offsets, lengths, ready: new Int32Array(16) });
const fd = native.packetTxOpen({ ifname: device, queue: -1, priority: 0, sndBufBytes: 1 << 21 });
/** Gives numbers [first, first + n) to the frames of a burst; the flow of each follows from it. */
function fill(first, n) {
  for (let i = 0; i < n; i++) {
    const number = first + i;
    const off = offsets[i];
    view.setUint16(off + 34, SOURCE_PORT + (number % flows));
    view.setUint32(off + 42, number % flows);
    view.setUint32(off + 46, Math.floor(number / flows));
  }
}

// The first packet of a flow takes a longer way than those that follow.
fill(0, Math.min(flows, BURST));
io.send(fd, 0, Math.min(flows, BURST));
await new Promise((done) => setTimeout(done, 500));
for (let next = Math.min(flows, BURST); next < packets; ) {
  const n = Math.min(BURST, packets - next);
  fill(next, n);
  for (let sent = 0; sent < n; ) {
    const count = io.send(fd, sent, n - sent);
    if (count > 0) sent += count;
  }
  next += n;
}
