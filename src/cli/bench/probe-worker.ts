/**
 * Receives the generator's probes at the sink: how long each was under way, by the kernel's own
 * time stamp of its arrival. A filter leaves everything else out, so that the load is not slowed
 * down.
 *
 * `workerData` is a ProbeOptions; 'listening' is posted first, and once told to stop the numbers
 * and latencies (us) of the probes that came, as a Float64Array of pairs.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Assembler, FRAME, H, reg } from '../../datapath/kernel-cache/assembler.js';
import { SKB_LOAD_BYTES } from '../../datapath/kernel-cache/kernel.js';
import { loadNative } from '../../native/binding.js';
import { headerBytes, PROBE_PORT, type TrafficOptions } from './udp-frame.js';

export interface ProbeOptions {
  namespacePath: string;
  ifname: string;
  cpu: number;
  traffic: TrafficOptions;
  stop: SharedArrayBuffer;
}

const SLOTS = 4096;
const SLOT_BYTES = 256;
/** Between two looks at the ring: far less than it takes probes to fill it. */
const LOOK_MS = 20;

/** Keeps frames to the port of probes. */
function probeFilter(portAt: number): Uint8Array {
  const asm = new Assembler();
  asm.mov(2, portAt);
  asm.mov(3, reg(FRAME));
  asm.alu('add', 3, -8);
  asm.mov(4, 2);
  asm.call(SKB_LOAD_BYTES);
  asm.jumpIf('ne', 0, 0, 'other');
  asm.load(H, 1, FRAME, -8);
  asm.swap16(1);
  asm.jumpIf('ne', 1, PROBE_PORT, 'other');
  asm.mov(0, -1);
  asm.exit();
  asm.label('other');
  asm.mov(0, 0);
  asm.exit();
  return asm.assemble();
}

function receive(options: ProbeOptions): Float64Array {
  const native = loadNative();
  native.setns(options.namespacePath);
  native.setAffinity([options.cpu]);
  // A tag that is part of the frame when it is sent is beside it when it arrives.
  const headers = headerBytes({ ...options.traffic, vlan: null });
  const { fd, ringBytes } = native.packetOpen({
    ifname: options.ifname,
    slots: SLOTS,
    slotBytes: SLOT_BYTES,
    reserve: 0,
    rcvBufBytes: 1 << 20,
    sndBufBytes: 65_536,
  });
  const filter = native.bpfProgLoad('socket_filter', probeFilter(headers - 6));
  native.socketFilter(fd, filter);
  const arena = native.arenaCreate(ringBytes);
  native.ringMap(fd, arena, 0, ringBytes);
  const view = new DataView(arena);
  const stop = new Int32Array(options.stop);
  const found: number[] = [];
  let slot = 0;
  parentPort?.postMessage('listening');
  for (let ended = false; !ended; ) {
    ended = Atomics.wait(stop, 0, 0, LOOK_MS) !== 'timed-out';
    for (let at = slot * SLOT_BYTES; (view.getInt32(at, true) & 1) !== 0; at = slot * SLOT_BYTES) {
      const frame = at + view.getUint16(at + 12, true);
      if (view.getUint16(frame + headers - 6) === PROBE_PORT) {
        const arrived = view.getUint32(at + 16, true) * 1e6 + view.getUint32(at + 20, true) / 1e3;
        const sent = view.getFloat64(frame + headers + 8);
        found.push(view.getUint32(frame + headers), arrived - sent);
      }
      view.setInt32(at, 0, true);
      slot = (slot + 1) % SLOTS;
    }
  }
  native.close(filter);
  native.close(fd);
  return Float64Array.from(found);
}

parentPort?.postMessage(receive(workerData as ProbeOptions));
