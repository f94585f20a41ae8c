/**
 * The traffic generator: a thread of its own, in the sender's namespace and on one CPU, that sends
 * the same UDP frames over and over, many in each system call, as fast as the interface takes them,
 * until it is told to stop.
 *
 * `workerData` is a GeneratorOptions; 'sending' is posted once the first batch has left.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadNative, VNET_HDR_LEN } from '../../native/binding.js';
import { buildBurst } from './udp-frame.js';

export interface GeneratorOptions {
  /** Path of the sender's namespace, e.g. /run/netns/x. */
  namespacePath: string;
  ifname: string;
  cpu: number;
  sourceMac: string;
  sinkMac: string;
  frameBytes: number;
  /** Different UDP source ports (and, beyond 50,000, source addresses). */
  flows: number;
  /** One Int32: anything but 0 ends the thread. */
  stop: SharedArrayBuffer;
}

const BATCH = 64;
/** Bursts lie whole cache lines apart. */
const ALIGNMENT = 64;

function generate(options: GeneratorOptions): void {
  const native = loadNative();
  native.setns(options.namespacePath);
  native.setAffinity([options.cpu]);
  const count = Math.max(BATCH, Math.ceil(options.flows / BATCH) * BATCH);
  const burstBytes = buildBurst(options, 0).length;
  const stride = (burstBytes + ALIGNMENT - 1) & -ALIGNMENT;
  const arena = native.arenaCreate((count * stride + 4095) & -4096);
  const offsets = new Int32Array(count);
  const lengths = new Int32Array(count).fill(burstBytes - VNET_HDR_LEN);
  for (let index = 0; index < count; index += 1) {
    offsets[index] = index * stride + VNET_HDR_LEN;
    const burst = buildBurst(options, index % options.flows);
    new Uint8Array(arena, index * stride, burstBytes).set(burst);
  }
  const ready = new Int32Array(1);
  const io = new native.PacketIo({ arena, offsets, lengths, ready });
  const { fd } = native.packetOpen({
    ifname: options.ifname,
    slots: 16,
    slotBytes: 2048,
    reserve: 0,
    rcvBufBytes: 65_536,
    sndBufBytes: 4 << 20,
    // The short way does not cut segments.
    qdiscBypass: false,
  });
  const stop = new Int32Array(options.stop);
  let announced = false;
  let at = 0;
  while (Atomics.load(stop, 0) === 0) {
    const sent = io.send(fd, at, BATCH);
    at += Math.max(sent, 0);
    if (at > count - BATCH) at = 0;
    if (!announced && sent > 0) {
      announced = true;
      parentPort?.postMessage('sending');
    }
  }
  native.close(fd);
  io.close();
}

generate(workerData as GeneratorOptions);
