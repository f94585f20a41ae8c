/**
 * Sends frames until it is killed, each from a source address and a UDP port of its own, as fast as
 * the interface takes them: what a switch that learns never saw before.
 *
 *     node flood-sender.mjs DEVICE
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const addon = '../../native-bindings/build/Release/tapswitch.node';
const native = createRequire(import.meta.url)(fileURLToPath(new URL(addon, import.meta.url)));
const BATCH = 64;
const SLOT = 128;
const FRAME = 64;
/** Ethernet, IPv4 and UDP; the source address and port come later. */
const header = Buffer.from(
  `02aa000000ff02bb00000000${'0800'}450000320000000040110000${'0a0900fe0a0900fd'}00000009001e0000`,
  'hex',
);

const arena = native.arenaCreate(1 << 16);
const view = new DataView(arena);
const offsets = Int32Array.from({ length: BATCH }, (_, i) => 64 + i * SLOT);
const lengths = new Int32Array(BATCH).fill(FRAME);
for (const off of offsets)
  header.forEach((byte, i) => {
    view.setUint8(off + i, byte);
  });
const io = new native.PacketIo({ arena, offsets, lengths, ready: new Int32Array(16) });
const sizes = { queue: -1, priority: 0, sndBufBytes: 1 << 21 };
const fd = native.packetTxOpen({ ifname: process.argv[2], ...sizes });
for (let n = 1; ; ) {
  for (const off of offsets) {
    view.setUint32(off + 8, n);
    view.setUint16(off + 34, n & 0xffff);
    n = (n + 1) >>> 0;
  }
  io.send(fd, 0, BATCH);
}
