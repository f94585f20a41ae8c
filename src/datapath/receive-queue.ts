/**
 * Receiving: TPACKET_V2 rings that are read in place, AF_XDP sockets whose memory is, and TAP
 * descriptors that are read into the slab.
 *
 *     ring slot (slotBytes)
 *     | status | len | snaplen | mac(16) net(16) | sec | nsec | tci(16) tpid(16) | - |   32 bytes
 *     | sockaddr_ll ... reserve | virtio_net_hdr 10 | frame at `mac` ...
 *
 *     slots:   ... free | held (given to the engine) | ready | free ...
 *                       ^ tail                       ^ head
 *
 * A slot goes back to the kernel after the batch was sent. A frame that is larger than its slot is
 * queued on the socket as a whole (TP_STATUS_COPY) and fetched into the slab. Tags that the kernel
 * stripped are put back here, before anything looks at the frame.
 *
 * Source: Documentation/networking/packet_mmap.rst, linux/if_packet.h.
 */
// hot path
import type { PacketIo } from '../native/binding.js';
import { ETH_TYPE_VLAN_8021Q } from '../packet/flow-layout.js';
import { DropReason } from './drop-reasons.js';
import { TX_BATCH } from './egress.js';
import type { Engine } from './engine.js';
import { type FrameMemory, HEADROOM, MAX_FRAME_LEN } from './frame-memory.js';
import { PORT_STATS_STRIDE, PS_RX_DROPPED, type SharedStats } from './shared-stats.js';
import { markUnfinished } from './unfinished-checksum.js';
import { pushVlan } from './vlan-edit.js';

const TP_STATUS_USER = 1 << 0;
const TP_STATUS_COPY = 1 << 1;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
/** Words of struct tpacket2_hdr that may be overwritten once they were read. */
const SLOT_HEADER_BYTES = 32;

export const KIND_RING = 1;
export const KIND_TAP = 2;
export const KIND_XDP = 3;

/** XDP_PACKET_HEADROOM: before each frame in the memory of an AF_XDP socket. */
const XDP_HEADROOM = 256;

/** Memory order of ring slots needs a fence where loads and stores may pass each other. */
const NEEDS_FENCE = process.arch !== 'x64';

/** One queue of one port. Fields are numbers only: it is read on the packet path. */
export class ReceiveQueue {
  /** Next slot to read, first slot held. */
  head = 0;
  tail = 0;
  held = 0;
  /** Rounds since it gave a frame. */
  idleRounds = 0;
  active = false;

  constructor(
    readonly kind: number,
    readonly portNo: number,
    readonly fd: number,
    /** Arena offset of the ring. */
    readonly ringOffset: number,
    readonly ringBytes: number,
    readonly slots: number,
    readonly slotBytes: number,
  ) {}
}

/** Who takes received frames: an engine, or what stands before it. */
export type FrameSink = Pick<Engine, 'receive'>;

/** Reads queues into the engine. */
export class Receiver {
  /** Index in the vectors where tapRead puts its answers. */
  private readonly tapVector: number;

  constructor(
    private readonly engine: FrameSink,
    private readonly memory: FrameMemory,
    private readonly io: PacketIo,
    private readonly offsets: Int32Array,
    private readonly lengths: Int32Array,
    private readonly stats: SharedStats,
  ) {
    this.tapVector = offsets.length - TX_BATCH;
  }

  /** Gives up to `budget` (at most TX_BATCH) frames of a queue to the engine; returns how many. */
  receive(queue: ReceiveQueue, budget: number): number {
    if (queue.kind === KIND_RING) return this.ring(queue, budget);
    return queue.kind === KIND_XDP ? this.xdp(queue, budget) : this.tap(queue, budget);
  }

  /** Gives the slots that the engine has seen back to the kernel: after the batch was sent. */
  release(queue: ReceiveQueue): void {
    if (queue.held === 0) return;
    if (queue.kind === KIND_XDP) {
      this.io.xskRelease(queue.fd);
      queue.held = 0;
      return;
    }
    if (NEEDS_FENCE) this.io.fence();
    const i32 = this.memory.i32;
    const slotWords = queue.slotBytes >>> 2;
    const first = queue.ringOffset >>> 2;
    let slot = queue.tail;
    for (let n = queue.held; n > 0; n--) {
      i32[first + slot * slotWords] = 0;
      slot = slot + 1 === queue.slots ? 0 : slot + 1;
    }
    queue.tail = slot;
    queue.held = 0;
  }

  private ring(queue: ReceiveQueue, budget: number): number {
    const ready = this.readySlots(queue, budget);
    if (ready === 0) return 0;
    if (NEEDS_FENCE) this.io.fence();
    const slots = queue.slots;
    let taken = 0;
    let slot = queue.head;
    while (taken < ready && this.slot(queue, queue.ringOffset + slot * queue.slotBytes)) {
      taken++;
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
    queue.head = slot;
    queue.held += taken;
    return taken;
  }

  /**
   * How many slots from head on the kernel has filled. Also brings their headers into the cache.
   */
  private readySlots(queue: ReceiveQueue, budget: number): number {
    const i32 = this.memory.i32;
    const slotWords = queue.slotBytes >>> 2;
    const first = queue.ringOffset >>> 2;
    const most = Math.min(budget, queue.slots - queue.held);
    let slot = queue.head;
    let n = 0;
    while (n < most && (i32[first + slot * slotWords] & TP_STATUS_USER) !== 0) {
      n++;
      slot = slot + 1 === queue.slots ? 0 : slot + 1;
    }
    return n;
  }

  /** Forwards the frame in the slot at `base`; false when the batch must end before it. */
  private slot(queue: ReceiveQueue, base: number): boolean {
    const i32 = this.memory.i32;
    const word = base >>> 2;
    const status = i32[word];
    let len = i32[word + 1];
    let off = base + (i32[word + 3] & 0xffff);
    let floor = base + SLOT_HEADER_BYTES;
    const tag = i32[word + 6];
    if ((status & TP_STATUS_COPY) !== 0) {
      if (!this.memory.rxHasRoom) return false;
      off = this.memory.rxOffset;
      floor = off - HEADROOM;
      len = this.io.recvCopy(queue.fd, off, MAX_FRAME_LEN);
      if (len < 0) {
        this.drop(queue.portNo, DropReason.rxCopyFailed);
        return true;
      }
      this.memory.rxCommit(len);
    } else if (i32[word + 2] !== len) {
      this.drop(queue.portNo, DropReason.rxTruncated);
      return true;
    }
    if ((status & TP_STATUS_VLAN_VALID) !== 0 && len >= 12) {
      const tpid = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? tag >>> 16 : ETH_TYPE_VLAN_8021Q;
      off = pushVlan(this.memory.view, off, (tpid << 16) | (tag & 0xffff));
      len += 4;
    }
    this.engine.receive(off, len, queue.portNo, floor);
    return true;
  }

  private tap(queue: ReceiveQueue, budget: number): number {
    const { memory, tapVector } = this;
    const start = memory.rxOffset - HEADROOM;
    const headroom = HEADROOM - 10;
    const n = this.io.tapRead(queue.fd, start, memory.rxEnd, headroom, budget, tapVector);
    if (n <= 0) return 0;
    const last = tapVector + n - 1;
    memory.rxCommitTo(this.offsets[last] + this.lengths[last]);
    for (let i = tapVector; i <= last; i++) {
      const off = this.offsets[i];
      this.engine.receive(off, this.lengths[i], queue.portNo, off - HEADROOM);
    }
    return n;
  }

  private xdp(queue: ReceiveQueue, budget: number): number {
    const { memory, tapVector } = this;
    const n = this.io.xskReceive(queue.fd, queue.ringOffset, budget, tapVector);
    if (n <= 0) return 0;
    queue.held += n;
    for (let i = tapVector; i < tapVector + n; i++) {
      const off = this.offsets[i];
      const len = this.lengths[i];
      markUnfinished(memory.view, off, len);
      this.engine.receive(off, len, queue.portNo, off - XDP_HEADROOM);
    }
    return n;
  }

  private drop(portNo: number, reason: number): void {
    this.stats.drops[reason] += 1;
    this.stats.ports[portNo * PORT_STATS_STRIDE + PS_RX_DROPPED] += 1;
  }
}
