/**
 * Executes action programs (action-program.ts) on the packet at hand, without allocating.
 *
 * State of the packet while it runs: its frame (off, len), the lowest offset that may be used in
 * front of it (floor), a pending trunc, and the metadata words of the key. Bodies (clone, sample,
 * recirc) run by recursion, at most MAX_DEPTH deep; what they change is put back from a row of
 * saved state:
 *
 *     saved[savedDepth * 8 ...] = off len floor trunc | recirc_id dp_hash skb_priority pkt_mark
 */
// hot path
import { CLASS_OTHER, ETH_HEADER_LEN, type FlowExtractor } from '../packet/extract.js';
import {
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  W_DP_HASH,
  W_IN_PORT,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
} from '../packet/flow-layout.js';
import * as op from './action-program.js';
import { CutOutput } from './cut-output.js';
import { DropReason } from './drop-reasons.js';
import type { DropWitness } from './drop-witness.js';
import type { Egress } from './egress.js';
import { hashL4, hashSymL4 } from './flow-hash.js';
import { type FrameMemory, HEADROOM } from './frame-memory.js';
import { HeaderEditor } from './header-edit.js';
import { METER_DROP, METER_PASS, type MeterTable } from './meter-table.js';
import { MPLS_LABEL_LEN, popMpls, pushMpls } from './mpls-edit.js';
import { SampleCountdown } from './sample-countdown.js';
import { BOND_BUCKETS, C_LOST, C_RECIRC, type SharedStats } from './shared-stats.js';
import { UPCALL_ACTION, type UpcallSink } from './upcall-sink.js';
import { popVlan, pushVlan } from './vlan-edit.js';

/** Who classifies a packet again (the engine). */
export interface Recirculator {
  /** The time of the batch, ms. */
  readonly nowMs: number;
  /** Looks the packet in `executor` up and runs what it finds. */
  recirculate(depth: number): void;
}

const SAVED_STRIDE = 8;
/** Bytes in front of a frame that pushing a tag needs: the tag and the virtio header. */
const PUSH_ROOM = 14;

/** The interpreter of one worker. */
export class ActionExecutor {
  /** The frame. */
  off = 0;
  len = 0;
  /** The lowest offset that headers pushed in front of the frame may reach. */
  floor = 0;
  /** The extractor's key is not that of the frame as it is now. */
  keyStale = false;
  /** parseRest has been done for the frame as it is now. */
  keyFull = false;
  /** Metadata words of the key are other than zero. */
  metaDirty = false;

  private trunc = 0;
  readonly countdown = new SampleCountdown();
  private readonly saved = new Int32Array(SAVED_STRIDE * (op.MAX_DEPTH + 1));
  private savedDepth = 0;
  private readonly editor: HeaderEditor;
  private readonly cut: CutOutput;

  constructor(
    private readonly memory: FrameMemory,
    private readonly flow: FlowExtractor,
    private readonly egress: Egress,
    private readonly stats: SharedStats,
    private readonly sink: UpcallSink,
    private readonly recirculator: Recirculator,
    private readonly meters: MeterTable,
    private readonly witness: DropWitness,
  ) {
    this.editor = new HeaderEditor(memory, flow);
    this.cut = new CutOutput(memory, egress);
  }

  /** Sets the packet at hand; its key is to be parsed by the caller. */
  start(off: number, len: number, floor: number): void {
    this.off = off;
    this.len = len;
    this.floor = floor;
    this.trunc = 0;
    this.keyStale = false;
    this.keyFull = false;
    if (this.metaDirty) {
      const key = this.flow.key;
      key[W_RECIRC_ID] = 0;
      key[W_DP_HASH] = 0;
      key[W_SKB_PRIORITY] = 0;
      key[W_PKT_MARK] = 0;
      this.metaDirty = false;
    }
  }

  /** Runs the program from `pc` to its OP_END. */
  run(program: Int32Array, pc: number, depth: number): void {
    for (;;) {
      switch (program[pc]) {
        case op.OP_END:
          return;
        case op.OP_OUTPUT:
          this.output(program[pc + 1]);
          pc += 2;
          break;
        case op.OP_DROP:
          this.drop(program[pc + 1]);
          pc += 2;
          break;
        case op.OP_COPY:
          if (!this.copy()) return;
          pc += 1;
          break;
        case op.OP_PUSH_VLAN:
          if (!this.pushVlan(program[pc + 1])) return;
          pc += 2;
          break;
        case op.OP_POP_VLAN:
          this.popVlan();
          pc += 1;
          break;
        default:
          pc = this.rare(program, pc, depth);
          if (pc < 0) return;
      }
    }
  }

  /** Makes the key whole and current, for whoever needs more than the look-up did. */
  ensureKey(): void {
    if (this.keyStale) {
      this.flow.parse(this.off, this.len);
      this.keyStale = false;
      this.keyFull = true;
    } else if (!this.keyFull) {
      this.flow.parseRest();
      this.keyFull = true;
    }
  }

  /** Everything but the commonest actions; the next pc, or -1 when the packet is gone. */
  private rare(program: Int32Array, pc: number, depth: number): number {
    switch (program[pc]) {
      case op.OP_USERSPACE:
        this.userspace(program, pc + 1);
        return pc + 1 + op.COOKIE_WORDS;
      case op.OP_TRUNC:
        this.trunc = Math.max(program[pc + 1], ETH_HEADER_LEN);
        return pc + 2;
      case op.OP_CLONE:
        this.body(program, pc + 2, depth);
        return pc + 2 + program[pc + 1];
      case op.OP_SAMPLE:
        if (this.countdown.take(program, pc + 1)) this.body(program, pc + 4, depth);
        return pc + 4 + program[pc + 3];
      case op.OP_CHECK_LEN: {
        const second = pc + 3 + program[pc + 2];
        this.body(program, this.len > program[pc + 1] ? pc + 3 : second + 1, depth);
        return second + 1 + program[second];
      }
      case op.OP_HASH: {
        this.ensureKey();
        const key = this.flow.key;
        const basis = program[pc + 2];
        key[W_DP_HASH] = program[pc + 1] === 0 ? hashL4(key, basis) : hashSymL4(key, basis);
        this.metaDirty = true;
        return pc + 3;
      }
      case op.OP_RECIRC:
        this.recirc(program[pc + 1], depth);
        return pc + 2;
      case op.OP_LB_OUTPUT:
        this.lbOutput(program[pc + 1], program[pc + 2]);
        return pc + 3;
      case op.OP_PUSH_MPLS:
        return this.pushMpls(program[pc + 1], program[pc + 2]) ? pc + 3 : -1;
      case op.OP_POP_MPLS:
        this.popMpls(program[pc + 1]);
        return pc + 2;
      case op.OP_METER:
        return this.metered(program[pc + 1]) ? pc + 2 : -1;
      case op.OP_SET_META: {
        const key = this.flow.key;
        const word = program[pc + 1];
        key[word] = (key[word] & ~program[pc + 3]) | program[pc + 2];
        this.metaDirty = true;
        return pc + 4;
      }
      default:
        return this.setHeader(program, pc);
    }
  }

  private setHeader(program: Int32Array, pc: number): number {
    const off = this.off;
    // Positions, not key words, are what the editor needs: VLAN changes keep them right.
    switch (program[pc]) {
      case op.OP_SET_VLAN:
        this.editor.setVlan(off, this.len, program[pc + 1], program[pc + 2]);
        this.keyStale = true;
        return pc + 3;
      case op.OP_SET_MPLS:
        this.editor.setMpls(program[pc + 1], program[pc + 2], off + this.len);
        this.keyStale = true;
        return pc + 3;
      case op.OP_SET_ETH:
        this.editor.setEth(off, program, pc + 1);
        this.keyStale = true;
        return pc + 1 + 2 * op.SET_ETH_WORDS;
      case op.OP_SET_IPV4:
        this.editor.setIpv4(off, program, pc + 1);
        this.keyStale = true;
        return pc + 1 + 2 * op.SET_IPV4_WORDS;
      case op.OP_SET_IPV6:
        this.editor.setIpv6(off, program, pc + 1);
        this.keyStale = true;
        return pc + 1 + 2 * op.SET_IPV6_WORDS;
      case op.OP_SET_PORTS:
        this.editor.setPorts(off, program[pc + 1], program[pc + 2], program[pc + 3]);
        this.keyStale = true;
        return pc + 4;
      case op.OP_SET_ARP:
        this.editor.setArp(program, pc + 1, off + this.len);
        this.keyStale = true;
        return pc + 1 + 2 * op.SET_ARP_WORDS;
      case op.OP_SET_ND:
        this.editor.setNd(off, program, pc + 1);
        this.keyStale = true;
        return pc + 1 + 2 * op.SET_ND_WORDS;
      default:
        // The compiler emits no other: a program that has one ends here.
        return -1;
    }
  }

  private output(port: number): void {
    const maxLen = this.trunc;
    // Frames with MPLS labels, which may have to be cut, are of class OTHER.
    if (maxLen === 0 && this.flow.cls !== CLASS_OTHER && this.egress.cuts[port] !== 1) {
      this.egress.output(port, this.off, this.len);
      return;
    }
    this.trunc = 0;
    this.cut.output(this, port, maxLen);
  }

  private userspace(program: Int32Array, cookieAt: number): void {
    this.ensureKey();
    let len = this.len;
    if (this.trunc !== 0 && this.trunc < len) len = this.trunc;
    this.trunc = 0;
    if (!this.sink.upcall(UPCALL_ACTION, this.off, len, this.flow.key, program, cookieAt)) {
      this.stats.counters[C_LOST] += 1;
      this.stats.drops[DropReason.upcallQueueFull] += 1;
    }
  }

  /** Counts the packet as dropped, and shows it where that is wanted. */
  private drop(reason: number): void {
    this.stats.drops[reason] += 1;
    if (this.witness.watches) {
      this.witness.show(reason, this.flow.key[W_IN_PORT], this.off, this.len);
    }
  }

  /** Sends by the port of the bucket that the packet hashes to. */
  private lbOutput(slot: number, basis: number): void {
    this.ensureKey();
    const at = slot * BOND_BUCKETS + (hashL4(this.flow.key, basis) & (BOND_BUCKETS - 1));
    const port = this.stats.bondPorts[at];
    if (port < 0) {
      this.drop(DropReason.pipeline);
      return;
    }
    this.stats.bondBytes[at] += this.len;
    this.output(port);
  }

  private recirc(id: number, depth: number): void {
    const key = this.flow.key;
    this.ensureKey();
    key[W_RECIRC_ID] = id;
    this.metaDirty = true;
    this.stats.counters[C_RECIRC] += 1;
    if (depth >= op.MAX_DEPTH) this.drop(DropReason.recursionTooDeep);
    else this.recirculator.recirculate(depth + 1);
  }

  private body(program: Int32Array, pc: number, depth: number): void {
    if (depth >= op.MAX_DEPTH) {
      this.drop(DropReason.recursionTooDeep);
      return;
    }
    const saved = this.saved;
    const key = this.flow.key;
    const base = this.savedDepth * SAVED_STRIDE;
    saved[base] = this.off;
    saved[base + 1] = this.len;
    saved[base + 2] = this.floor;
    saved[base + 3] = this.trunc;
    saved[base + 4] = key[W_RECIRC_ID];
    saved[base + 5] = key[W_DP_HASH];
    saved[base + 6] = key[W_SKB_PRIORITY];
    saved[base + 7] = key[W_PKT_MARK];
    this.savedDepth++;
    this.run(program, pc, depth + 1);
    this.savedDepth--;
    this.off = saved[base];
    this.len = saved[base + 1];
    this.floor = saved[base + 2];
    this.trunc = saved[base + 3];
    key[W_RECIRC_ID] = saved[base + 4];
    key[W_DP_HASH] = saved[base + 5];
    key[W_SKB_PRIORITY] = saved[base + 6];
    key[W_PKT_MARK] = saved[base + 7];
    // The body may have parsed or changed another frame: find the layers of this one again.
    this.flow.parseL2(this.off, this.len);
    this.keyStale = false;
    this.keyFull = false;
  }

  /** Room for one more header in front of the frame, in a copy if need be; false: it is dropped. */
  private roomToPush(): boolean {
    if (this.off - PUSH_ROOM < this.floor && !this.copy()) return false;
    if (this.off - PUSH_ROOM >= this.floor) return true;
    this.drop(DropReason.noHeadroom);
    return false;
  }

  private pushMpls(lse: number, ethType: number): boolean {
    if (!this.roomToPush()) return false;
    this.off = pushMpls(this.memory.view, this.off, this.flow.l3, lse, ethType);
    this.len += MPLS_LABEL_LEN;
    this.reparse();
    return true;
  }

  private popMpls(ethType: number): void {
    const { flow } = this;
    const type = this.memory.view.getUint16(flow.l3 - 2);
    const isMpls = type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MCAST;
    if (!isMpls || this.off + this.len - flow.l3 < MPLS_LABEL_LEN) return;
    this.off = popMpls(this.memory.view, this.off, flow.l3, ethType);
    this.len -= MPLS_LABEL_LEN;
    this.reparse();
  }

  /** What is behind the Ethernet type is something else now. */
  private reparse(): void {
    this.flow.parse(this.off, this.len);
    this.keyStale = false;
    this.keyFull = true;
  }

  /** Asks a meter; false: the packet is dropped. */
  private metered(id: number): boolean {
    const level = this.meters.police(id, this.len, this.recirculator.nowMs);
    if (level === METER_PASS) return true;
    if (level === METER_DROP) {
      this.drop(DropReason.meter);
      return false;
    }
    this.ensureKey();
    this.editor.raiseDropPrecedence(this.off, level);
    this.keyStale = true;
    return true;
  }

  private pushVlan(tag: number): boolean {
    if (!this.roomToPush()) return false;
    this.off = pushVlan(this.memory.view, this.off, tag);
    this.len += 4;
    this.keyStale = true;
    return true;
  }

  private popVlan(): void {
    const view = this.memory.view;
    if (this.len < 18) return;
    const type = view.getUint16(this.off + 12);
    if (type !== 0x8100 && type !== 0x88a8) return;
    this.off = popVlan(view, this.off);
    this.len -= 4;
    this.keyStale = true;
  }

  /** Moves the packet to a copy of its frame that nobody else refers to; false: it is dropped. */
  private copy(): boolean {
    const to = this.alloc(this.len);
    if (to < 0) return false;
    this.memory.copyFrame(this.off, to, this.len);
    const delta = to - this.off;
    this.flow.l3 += delta;
    if (this.flow.l4 >= 0) {
      this.flow.l4 += delta;
      this.flow.l4End += delta;
    }
    this.off = to;
    this.floor = to - HEADROOM;
    // parseRest would read the old place.
    if (!this.keyFull) this.keyStale = true;
    return true;
  }

  /** Space for a copy; sends what waits when there is none left. -1 (counted): there is none. */
  alloc(len: number): number {
    let off = this.memory.copyAlloc(len);
    if (off >= 0) return off;
    this.egress.flush();
    this.rescueLiveFrames();
    off = this.memory.copyAlloc(len);
    if (off < 0) this.stats.drops[DropReason.copySpace] += 1;
    return off;
  }

  /** Moves the frames that are still needed to the other half of the copy area. */
  private rescueLiveFrames(): void {
    const { memory, saved } = this;
    memory.copyFlip();
    for (let depth = 0; depth < this.savedDepth; depth++) {
      const base = depth * SAVED_STRIDE;
      const off = saved[base];
      if (!memory.inCopyArea(off)) continue;
      saved[base] = this.moved(off, saved[base + 1]);
      saved[base + 2] = saved[base] - HEADROOM;
    }
    if (!memory.inCopyArea(this.off)) return;
    const off = this.moved(this.off, this.len);
    const delta = off - this.off;
    this.off = off;
    this.floor = off - HEADROOM;
    this.flow.l3 += delta;
    if (this.flow.l4 >= 0) {
      this.flow.l4 += delta;
      this.flow.l4End += delta;
    }
    if (!this.keyFull) this.keyStale = true;
  }

  private moved(off: number, len: number): number {
    // MAX_DEPTH + 1 frames of any length fit in one half, so this finds room.
    const to = this.memory.copyAlloc(len);
    this.memory.copyFrame(off, to, len);
    return to;
  }
}
