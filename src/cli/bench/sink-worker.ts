/**
 * Counts the generator's frames at the sink's interface, and drops them there, behind its packet
 * sockets: its stack would answer each of them that has its address. The interface's own counters
 * do not see what the kernel forwards into a TAP, and take a burst that comes whole for one frame.
 *
 * `workerData` is a SinkOptions; 'ready' is posted once that is so, or else why it cannot be
 * (Linux 6.6 is needed). It holds for as long as the thread is there.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Assembler, B, FRAME, H, reg, W } from '../../datapath/kernel-cache/assembler.js';
import {
  SKB_GSO_SIZE,
  SKB_LEN,
  SKB_LOAD_BYTES,
  TC_SHOT,
  TC_UNSPEC,
} from '../../datapath/kernel-cache/kernel.js';
import { loadNative } from '../../native/binding.js';
import { LOAD_PORT, PROBE_PORT } from './udp-frame.js';

export interface SinkOptions {
  namespacePath: string;
  ifindex: number;
  /** A BPF array whose first 8 bytes count the frames. */
  mapFd: number;
  /** What is sent by the interface, in place of what it receives. */
  egress: boolean;
}

const UDP = 17;
/** A frame's first bytes, up to the ports behind an IPv6 header. */
const HEAD_BYTES = 58;
const HEAD = -64;
/** Where a frame without tags says what it is. */
const TYPE = HEAD + 12;
const VERSIONS = [
  { type: 0x0800, protocol: HEAD + 23, port: HEAD + 36, headers: 42 },
  { type: 0x86dd, protocol: HEAD + 20, port: HEAD + 56, headers: 62 },
];

/** r6: the frame, r7: bytes before a payload. */
function countingProgram({ mapFd, egress }: SinkOptions): Uint8Array {
  const asm = new Assembler();
  asm.mov(6, reg(1));
  asm.mov(2, 0);
  asm.mov(3, reg(FRAME));
  asm.alu('add', 3, HEAD);
  asm.mov(4, HEAD_BYTES);
  asm.call(SKB_LOAD_BYTES);
  asm.jumpIf('ne', 0, 0, 'other');
  asm.load(H, 2, FRAME, TYPE);
  asm.swap16(2);
  for (const { type, protocol, port, headers } of VERSIONS) {
    asm.jumpIf('ne', 2, type, `not-${type}`);
    asm.mov(7, headers);
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
  framesOf(asm);
  asm.mapValue(3, mapFd, 0);
  asm.atomicAdd(3, 0, 1);
  // A sender would take what is dropped on its way out for an error: it ends in a full queue.
  asm.mov(0, egress ? TC_UNSPEC : TC_SHOT);
  asm.exit();
  return asm.assemble();
}

/** r1: frames that a burst has, which was not cut: as many as its payload makes. */
function framesOf(asm: Assembler): void {
  asm.mov(1, 1);
  asm.load(W, 2, 6, SKB_GSO_SIZE);
  asm.jumpIf('eq', 2, 0, 'one');
  asm.load(W, 1, 6, SKB_LEN);
  asm.alu('sub', 1, reg(7));
  asm.alu('add', 1, reg(2));
  asm.alu('sub', 1, 1);
  asm.alu('div', 1, reg(2));
  asm.label('one');
}

function attach(options: SinkOptions): string {
  const { namespacePath, ifindex, egress } = options;
  const native = loadNative();
  native.setns(namespacePath);
  try {
    const program = native.bpfProgLoad('sched_cls', countingProgram(options));
    native.bpfTcxAttach(program, ifindex, egress);
    return 'ready';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

parentPort?.postMessage(attach(workerData as SinkOptions));
// The link goes with the descriptors, these with the process: the namespace is removed before.
parentPort?.on('message', () => parentPort?.close());
