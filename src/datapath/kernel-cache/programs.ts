/**
 * The programs that forward in the kernel, assembled for one table (layout.ts).
 *
 *     frame on a veth ─> packet socket's filter ── hit ──> decision, not queued ──┐
 *                               │ miss                                            │ same CPU,
 *                               └─> ring ─> worker (TypeScript)                   │ same frame
 *                        tc ingress ── decision? ── yes: steps of the entry <─────┘
 *                               └── no: drop (the worker has it)
 *
 *     frame of the host on a TAP ─> tc egress ── hit: steps of the entry
 *                               └── miss: on to the TAP's reader, the worker
 *
 * The filter alone looks up, and leaves what it found for the other program: between both nothing
 * else can happen on that CPU, so a frame is never forwarded twice nor lost between the two.
 * An entry that is not active yet is a miss until nothing can be overtaken (way-over.ts).
 *
 * What a frame may be: Ethernet II without tags in its bytes (the kernel has taken the outer one
 * out), IPv4 without options and fragments, IPv6 without extension headers; whatever is unusual is
 * a miss, and the worker's. No decision is taken here: entries are megaflows, written by the main
 * thread.
 */
import { Assembler, DW, FRAME, reg, W } from './assembler.js';
import { carryOut } from './carry-out.js';
import { GET_SMP_PROCESSOR_ID, TC_SHOT, TC_UNSPEC } from './kernel.js';
import * as at from './layout.js';
import { FLAGS, LENGTH, parse } from './parse-frame.js';
import { lookup } from './search-table.js';
import { ifActive, landed, passOn, SAVED_CONTEXT, saveContext, shed } from './way-over.js';

/** A socket filter's answer: the whole frame. */
const FILTER_WHOLE = -1;

/** Filter of the packet socket of a receive queue: what hits is not queued. */
export function filterProgram(mapFd: number, queue: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  decisionOf(asm);
  saveContext(asm);
  asm.store(W, 8, 0, 0);
  parse(asm, 'miss');
  lookup(asm, 'miss', 'hit');
  asm.label('hit');
  shortEnough(asm, 'miss');
  ifActive(asm, 'ring', 'passed');
  asm.load(W, 1, FRAME, FLAGS);
  asm.store(W, 8, 4, reg(1));
  asm.alu('add', 2, 1);
  asm.store(W, 8, 0, reg(2));
  asm.label('unqueued');
  asm.mov(0, 0);
  asm.exit();
  shed(asm);
  asm.jump('unqueued');
  asm.label('miss');
  passOn(asm);
  asm.label('passed');
  asm.store(W, 8, 8, queue + 1);
  asm.mov(0, FILTER_WHOLE);
  asm.exit();
  return asm.assemble();
}

/** tc ingress of the same interface: carries out what the filter decided. */
export function ingressProgram(mapFd: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  decisionOf(asm);
  asm.load(W, 9, 8, 0);
  asm.load(W, 1, 8, 8);
  asm.store(W, 8, 0, 0);
  asm.store(W, 8, 8, 0);
  asm.jumpIf('eq', 9, 0, 'queued');
  asm.load(W, 1, 8, 4);
  asm.store(W, FRAME, FLAGS, reg(1));
  asm.alu('sub', 9, 1);
  asm.alu('and', 9, at.ENTRIES - 1);
  asm.alu('lsh', 9, at.ENTRY_SHIFT);
  asm.alu('add', 9, reg(7));
  asm.alu('add', 9, at.OFF_ENTRIES);
  carryOut(asm);
  asm.jump('drop');
  asm.label('queued');
  asm.jumpIf('eq', 1, 0, 'drop');
  landed(asm);
  asm.label('drop');
  asm.mov(0, TC_SHOT);
  asm.exit();
  return asm.assemble();
}

/** tc egress of a TAP: what the host sends. */
export function tapProgram(mapFd: number): Uint8Array {
  const asm = new Assembler();
  prologue(asm, mapFd);
  saveContext(asm);
  parse(asm, 'miss');
  lookup(asm, 'miss', 'hit');
  asm.label('hit');
  shortEnough(asm, 'miss');
  ifActive(asm, 'queue', 'passed');
  asm.load(DW, 6, FRAME, SAVED_CONTEXT);
  asm.mov(9, reg(3));
  carryOut(asm);
  asm.label('drop');
  asm.mov(0, TC_SHOT);
  asm.exit();
  shed(asm);
  asm.jump('drop');
  asm.label('miss');
  passOn(asm);
  asm.label('passed');
  asm.mov(0, TC_UNSPEC);
  asm.exit();
  return asm.assemble();
}

/** r6: the frame. r7: the table. */
function prologue(asm: Assembler, mapFd: number): void {
  asm.mov(6, reg(1));
  asm.mapValue(7, mapFd, 0);
}

/** r3, the entry: whether its outputs take a frame of this length. */
function shortEnough(asm: Assembler, otherwise: string): void {
  asm.load(W, 1, FRAME, LENGTH);
  asm.load(W, 4, 3, at.E_LENGTH_MAX);
  asm.jumpIf('gt', 1, reg(4), otherwise);
}

/** r8: this CPU's decision. */
function decisionOf(asm: Assembler): void {
  asm.call(GET_SMP_PROCESSOR_ID);
  asm.alu('and', 0, at.CPUS_MAX - 1);
  asm.alu('lsh', 0, at.DECISION_SHIFT);
  asm.mov(8, reg(7));
  asm.alu('add', 8, reg(0));
}
