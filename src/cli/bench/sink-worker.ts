/**
 * Drops the generator's frames at the sink's interface, behind its counters and packet sockets: its
 * stack would answer each of them, now that they have its address.
 *
 * `workerData` is a SinkOptions; 'ready' is posted once that is so, or else why it cannot be
 * (Linux 6.6 is needed). It holds for as long as the thread is there.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Assembler, B, FRAME, H, reg } from '../../datapath/kernel-cache/assembler.js';
import { SKB_LOAD_BYTES, TC_SHOT, TC_UNSPEC } from '../../datapath/kernel-cache/kernel.js';
import { loadNative } from '../../native/binding.js';
import { LOAD_PORT, PROBE_PORT } from './udp-frame.js';

export interface SinkOptions {
  namespacePath: string;
  ifindex: number;
}

const UDP = 17;
/** A frame's first bytes, up to the ports behind an IPv6 header. */
const HEAD_BYTES = 58;
const HEAD = -64;
/** Where a frame without tags says what it is. */
const TYPE = HEAD + 12;
const VERSIONS = [
  { type: 0x0800, protocol: HEAD + 23, port: HEAD + 36 },
  { type: 0x86dd, protocol: HEAD + 20, port: HEAD + 56 },
];

function dropProgram(): Uint8Array {
  const asm = new Assembler();
  asm.mov(2, 0);
  asm.mov(3, reg(FRAME));
  asm.alu('add', 3, HEAD);
  asm.mov(4, HEAD_BYTES);
  asm.call(SKB_LOAD_BYTES);
  asm.jumpIf('ne', 0, 0, 'other');
  asm.load(H, 2, FRAME, TYPE);
  asm.swap16(2);
  for (const { type, protocol, port } of VERSIONS) {
    asm.jumpIf('ne', 2, type, `not-${type}`);
    asm.load(B, 1, FRAME, protocol);
    asm.jumpIf('ne', 1, UDP, 'other');
    asm.load(H, 1, FRAME, port);
    asm.swap16(1);
    for (const ours of [LOAD_PORT, PROBE_PORT]) asm.jumpIf('eq', 1, ours, 'drop');
    asm.label(`not-${type}`);
  }
  asm.label('other');
  asm.mov(0, TC_UNSPEC);
  asm.exit();
  asm.label('drop');
  asm.mov(0, TC_SHOT);
  asm.exit();
  return asm.assemble();
}

function attach({ namespacePath, ifindex }: SinkOptions): string {
  const native = loadNative();
  native.setns(namespacePath);
  try {
    native.bpfTcxAttach(native.bpfProgLoad('sched_cls', dropProgram()), ifindex, false);
    return 'ready';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

parentPort?.postMessage(attach(workerData as SinkOptions));
// The link goes with the descriptors, these with the process: the namespace is removed before.
parentPort?.on('message', () => parentPort?.close());
