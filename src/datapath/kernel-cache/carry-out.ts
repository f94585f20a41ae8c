/**
 * Assembles what becomes of a frame whose entry is known: counters, then the entry's steps.
 *
 * r6: the frame, r7: the table, r9: the entry; its TCP flags on the stack. Ends at the label
 * `drop` when no step let it go.
 */
import { type Assembler, DW, FRAME, type Register, reg, W } from './assembler.js';
import {
  CLONE_REDIRECT,
  F_INGRESS,
  KTIME_GET_COARSE_NS,
  PACKET_HOST,
  REDIRECT,
  REDIRECT_PEER,
  SKB_CHANGE_TYPE,
  SKB_LEN,
  SKB_MARK,
  SKB_PRIORITY,
  SKB_STORE_BYTES,
  SKB_VLAN_POP,
  SKB_VLAN_PRESENT,
  SKB_VLAN_PUSH,
} from './kernel.js';
import * as at from './layout.js';
import { FLAGS } from './parse-frame.js';

/** Counts the packet and goes through the steps of the entry at r9. */
export function carryOut(asm: Assembler): void {
  frameLength(asm, 2, 'counted');
  asm.mov(4, 1);
  counter(asm, 3, at.E_IN_PORT, at.PORTS_MAX, at.PORT_SHIFT, at.OFF_PORTS);
  asm.atomicAdd(3, 0, 4);
  asm.atomicAdd(3, 8, 2);
  counter(asm, 8, at.E_SLOT, at.FLOWS_MAX, at.FLOW_SHIFT, at.OFF_FLOWS);
  asm.atomicAdd(8, 0, 4);
  asm.atomicAdd(8, 8, 2);
  asm.call(KTIME_GET_COARSE_NS);
  asm.store(DW, 8, 16, reg(0));
  keepFlags(asm);
  // What the sender's own stack thought of the frame is none of the switch's affair.
  asm.mov(1, 0);
  asm.store(W, 6, SKB_MARK, reg(1));
  asm.store(W, 6, SKB_PRIORITY, reg(1));
  for (let i = 0; i < at.STEPS_MAX; i++) step(asm, i);
}

/** Adds the packet's TCP flags to those of the flow (counters at r8), if anybody asks for them. */
function keepFlags(asm: Assembler): void {
  asm.load(W, 1, FRAME, FLAGS);
  asm.jumpIf('eq', 1, 0, 'flagged');
  asm.load(W, 2, 9, at.E_IN_PORT);
  asm.alu('rsh', 2, 31);
  asm.jumpIf('eq', 2, 0, 'flagged');
  asm.load(W, 3, 8, at.F_TCP_FLAGS);
  asm.mov(2, reg(3));
  asm.alu('or', 2, reg(1));
  asm.jumpIf('eq', 2, reg(3), 'flagged');
  asm.atomicOr(8, at.F_TCP_FLAGS, 1);
  asm.label('flagged');
}

/** `dst`: the address of the counters that a word of the entry numbers. */
function counter(
  asm: Assembler,
  dst: Register,
  word: number,
  count: number,
  shift: number,
  base: number,
): void {
  asm.load(W, dst, 9, word);
  asm.alu('and', dst, count - 1);
  asm.alu('lsh', dst, shift);
  asm.alu('add', dst, reg(7));
  asm.alu('add', dst, base);
}

/** `dst`: the frame's length with its tag; r3 is lost. */
function frameLength(asm: Assembler, dst: Register, name: string): void {
  asm.load(W, dst, 6, SKB_LEN);
  asm.load(W, 3, 6, SKB_VLAN_PRESENT);
  asm.jumpIf('eq', 3, 0, name);
  asm.alu('add', dst, 4);
  asm.label(name);
}

function step(asm: Assembler, i: number): void {
  const next = `step${i + 1}`;
  const to = (operation: string) => `step${i}-${operation}`;
  if (i > 0) asm.label(`step${i}`);
  asm.load(W, 8, 9, at.E_STEPS + 8 * i);
  asm.mov(1, reg(8));
  asm.alu('and', 1, 0xff);
  asm.jumpIf('eq', 1, at.STEP_END, 'drop');
  asm.jumpIf('le', 1, at.STEP_PASS_LAST, to('output'));
  asm.jumpIf('eq', 1, at.STEP_PUSH_VLAN, to('push'));
  asm.jumpIf('eq', 1, at.STEP_POP_VLAN, to('pop'));
  asm.jumpIf('eq', 1, at.STEP_SET_DL_DST, to('dst'));
  asm.jumpIf('eq', 1, at.STEP_SET_DL_SRC, to('src'));
  asm.load(W, 1, 9, at.E_STEPS + 8 * i + 4);
  asm.alu('and', 1, at.DROP_REASONS_MAX - 1);
  asm.alu('lsh', 1, 3);
  asm.alu('add', 1, reg(7));
  asm.alu('add', 1, at.OFF_DROPS);
  asm.mov(2, 1);
  asm.atomicAdd(1, 0, 2);
  asm.jump('drop');

  asm.label(to('output'));
  asm.mov(5, reg(8));
  asm.alu('rsh', 5, 8);
  asm.alu('and', 5, at.PORTS_MAX - 1);
  asm.alu('lsh', 5, at.PORT_SHIFT);
  asm.alu('add', 5, reg(7));
  asm.alu('add', 5, at.OFF_PORTS);
  frameLength(asm, 2, to('length'));
  asm.mov(4, 1);
  asm.jumpIf('eq', 1, at.STEP_PASS_LAST, to('pass'));
  asm.atomicAdd(5, 16, 4);
  asm.atomicAdd(5, 24, 2);
  asm.load(W, 2, 9, at.E_STEPS + 8 * i + 4);
  asm.mov(3, 0);
  asm.jumpIf('lt', 1, at.STEP_DELIVER, to('way'));
  asm.mov(3, F_INGRESS);
  asm.label(to('way'));
  asm.jumpIf('eq', 1, at.STEP_OUTPUT_LAST, to('last'));
  asm.jumpIf('eq', 1, at.STEP_DELIVER_LAST, to('last'));
  asm.mov(1, reg(6));
  asm.call(CLONE_REDIRECT);
  asm.jump(next);
  asm.label(to('last'));
  asm.mov(1, reg(2));
  asm.mov(2, reg(3));
  asm.call(REDIRECT);
  asm.exit();

  // No device sends it, none receives it: the host's stack takes it up as its interface's own.
  asm.label(to('pass'));
  asm.atomicAdd(5, 32, 4);
  asm.atomicAdd(5, 40, 2);
  asm.mov(1, reg(6));
  asm.mov(2, PACKET_HOST);
  asm.call(SKB_CHANGE_TYPE);
  asm.load(W, 1, 9, at.E_STEPS + 8 * i + 4);
  asm.mov(2, 0);
  asm.call(REDIRECT_PEER);
  asm.exit();

  asm.label(to('push'));
  asm.load(W, 3, 9, at.E_STEPS + 8 * i + 4);
  asm.mov(2, reg(3));
  asm.alu('rsh', 2, 16);
  asm.swap16(2);
  asm.alu('and', 3, 0xffff);
  asm.mov(1, reg(6));
  asm.call(SKB_VLAN_PUSH);
  asm.jumpIf('ne', 0, 0, 'drop');
  asm.jump(next);
  asm.label(to('pop'));
  asm.mov(1, reg(6));
  asm.call(SKB_VLAN_POP);
  asm.jumpIf('ne', 0, 0, 'drop');
  asm.jump(next);
  for (const [name, from, offset] of [
    ['dst', at.E_DL_DST, 0],
    ['src', at.E_DL_SRC, 6],
  ] as const) {
    asm.label(to(name));
    asm.mov(1, reg(6));
    asm.mov(2, offset);
    asm.mov(3, reg(9));
    asm.alu('add', 3, from);
    asm.mov(4, 6);
    asm.mov(5, 0);
    asm.call(SKB_STORE_BYTES);
    asm.jumpIf('ne', 0, 0, 'drop');
    if (name === 'dst') asm.jump(next);
  }
  if (i === at.STEPS_MAX - 1) asm.label(next);
}
