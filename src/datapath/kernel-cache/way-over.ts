/**
 * Assembles how a flow goes over from workers to the kernel: without overtaking what workers have.
 *
 *     filter ── passed += 1 ──> ring ──> worker: the ring is empty, all is sent: done = landed
 *                                 └─ tc ingress: landed += 1
 *
 *     held ─ a while ─> awaits ─ a frame finds passed = landed = done ─────────────> active
 *                          └──── the ring never empties: sheds ─ what was in it is sent ──┘
 *
 * `passed` is counted before a frame is in the ring, `landed` after: where both are equal, none is
 * in between. A worker reads `landed` before it finds its ring empty, so nothing of what it says
 * is done can still wait. A frame of an entry that is not active goes to the worker like any miss;
 * the first one that finds nothing before it makes the entry active. It does so by exchanging the
 * state that it read, which any frame that went to a ring meanwhile has changed.
 *
 * TAPs have no program behind their queue: there `done` counts the frames that workers have sent,
 * and must equal `passed`.
 *
 * An active entry costs one load and one branch more.
 */
import { DropReason } from '../drop-reasons.js';
import { type Assembler, DW, FRAME, type Register, reg, W } from './assembler.js';
import { SKB_IFINDEX } from './kernel.js';
import * as at from './layout.js';
import { NUMBER } from './search-table.js';

/** On the stack: the frame (r6), while registers are short. */
export const SAVED_CONTEXT = -144;

export function saveContext(asm: Assembler): void {
  asm.store(DW, FRAME, SAVED_CONTEXT, reg(6));
}

/** `dst`: the interface's part of `order`; `context` holds the frame. */
function orderOf(asm: Assembler, dst: Register, context: Register): void {
  asm.load(W, dst, context, SKB_IFINDEX);
  asm.alu('and', dst, at.ORDER_SLOTS - 1);
  asm.alu('lsh', dst, at.ORDER_SHIFT);
  asm.alu('add', dst, reg(7));
  asm.alu('add', dst, at.OFF_ORDER);
}

/**
 * Goes on with r2 and r3 (number and address of the entry) as they were if the kernel may forward
 * the frame; otherwise to `passed`, or to the label `shed` when a worker must not have it either.
 * @param from where workers get frames from: a ring, or the queue of a TAP
 */
export function ifActive(asm: Assembler, from: 'ring' | 'queue', passed: string): void {
  asm.load(W, 1, 3, at.E_STATE);
  asm.mov(4, reg(1));
  asm.alu('and', 4, at.ENTRY_STATES);
  asm.jumpIf('eq', 4, at.ENTRY_ACTIVE, 'active');
  asm.mov(9, reg(3));
  asm.load(DW, 4, FRAME, SAVED_CONTEXT);
  orderOf(asm, 5, 4);
  asm.mov(4, reg(1));
  asm.alu('and', 4, at.ENTRY_STATES);
  asm.jumpIf('eq', 4, at.ENTRY_HELD, 'busy');
  nothingWaits(asm, from, 'busy');
  asm.mov(0, reg(1));
  asm.mov(3, at.ENTRY_ACTIVE);
  asm.compareExchange32(9, at.E_STATE, 3);
  asm.jumpIf32('eq', 0, reg(1), 'won');
  asm.label('busy');
  asm.alu('and', 1, at.ENTRY_STATES);
  asm.jumpIf('eq', 1, at.ENTRY_SHEDS, 'shed');
  // Counted before the state is changed: who finds the state as it was finds the frame counted.
  asm.mov(3, 1);
  asm.atomicAdd(5, at.O_PASSED, 3, W);
  asm.mov(3, at.ENTRY_FRAME);
  asm.fetchAdd32(9, at.E_STATE, 3);
  asm.alu('and', 3, at.ENTRY_STATES);
  asm.jumpIf('ne', 3, at.ENTRY_ACTIVE, passed);
  // Another CPU has made it active meanwhile.
  asm.mov(3, -1);
  asm.atomicAdd(5, at.O_PASSED, 3, W);
  asm.label('won');
  asm.load(DW, 2, FRAME, NUMBER);
  asm.mov(3, reg(9));
  asm.label('active');
}

/**
 * r5: the interface's part of `order`; r0 and r2 to r4 are lost. Differences are gathered, not
 * branched upon: the verifier follows every branch.
 */
function nothingWaits(asm: Assembler, from: 'ring' | 'queue', otherwise: string): void {
  asm.load(W, 0, 5, at.O_PASSED);
  asm.mov(2, 0);
  for (let queue = 0; queue < at.RX_QUEUES_MAX; queue++) {
    asm.load(W, 3, 5, at.O_DONE + 4 * queue);
    asm.alu32('sub', 0, reg(3));
    if (from === 'queue') continue;
    asm.load(W, 4, 5, at.O_LANDED + 4 * queue);
    asm.alu32('xor', 4, reg(3));
    asm.alu('or', 2, reg(4));
  }
  asm.alu('or', 2, reg(0));
  asm.jumpIf('ne', 2, 0, otherwise);
}

/** Counts a frame that is about to go to a worker. */
export function passOn(asm: Assembler): void {
  asm.load(DW, 4, FRAME, SAVED_CONTEXT);
  orderOf(asm, 5, 4);
  asm.mov(3, 1);
  asm.atomicAdd(5, at.O_PASSED, 3, W);
}

/** r1: receive queue + 1, r6: the frame, which is in the ring by now, or found no room there. */
export function landed(asm: Assembler): void {
  orderOf(asm, 5, 6);
  asm.alu('sub', 1, 1);
  asm.alu('and', 1, at.RX_QUEUES_MAX - 1);
  asm.alu('lsh', 1, 2);
  asm.alu('add', 5, reg(1));
  asm.mov(3, 1);
  asm.atomicAdd(5, at.O_LANDED, 3, W);
}

/** Counts a frame that nobody gets. */
export function shed(asm: Assembler): void {
  asm.label('shed');
  asm.mov(1, reg(7));
  asm.alu('add', 1, at.OFF_DROPS + 8 * DropReason.handOver);
  asm.mov(2, 1);
  asm.atomicAdd(1, 0, 2);
}
