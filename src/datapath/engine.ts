/**
 * The forwarding engine of one worker: a frame goes in, deferred outputs and upcalls come out.
 *
 *     frame -> parse -> exact-match cache -> megaflow table -> program -> egress (deferred)
 *                                  \-> nothing matches -> upcall
 *
 * It knows nothing of threads, sockets or rings: worker-loop.ts feeds it from real devices,
 * dpif-dummy.ts from memory. All state is preallocated; `receive` and `endBatch` allocate nothing.
 *
 * Flows live in slots, numbered by the main thread. A slot's counters are in shared memory.
 */
// hot path

import type { PacketIo } from '../native/binding.js';
import { ETH_HEADER_LEN, FlowExtractor } from '../packet/extract.js';
import {
  W_DP_HASH,
  W_IN_PORT,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
  W_TCP_FLAGS,
  W_TP,
} from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import { DropReason } from './drop-reasons.js';
import { DropWitness } from './drop-witness.js';
import { Egress } from './egress.js';
import { ExactMatchCache } from './exact-cache.js';
import { ActionExecutor, type Recirculator } from './execute-actions.js';
import { type FrameMemory, MAX_FRAME_LEN } from './frame-memory.js';
import { type MaskedKey, MegaflowTable } from './megaflow-table.js';
import type { MeterTable } from './meter-table.js';
import {
  C_CACHE_HIT,
  C_LOST,
  C_MASK_HIT,
  C_MASKS,
  C_MEGAFLOW_HIT,
  C_MISS,
  FLOW_STATS_STRIDE,
  FS_BYTES,
  FS_PACKETS,
  FS_TCP_FLAGS,
  FS_USED_MS,
  PORT_STATS_STRIDE,
  PS_RX_BYTES,
  PS_RX_ERRORS,
  PS_RX_PACKETS,
  type SharedStats,
} from './shared-stats.js';
import { UPCALL_MISS, type UpcallSink } from './upcall-sink.js';

const NO_PROGRAM: ActionProgram = new Int32Array(1);
/** Megaflow look-ups between two rankings of the subtables. */
const RANK_INTERVAL = 16_384;

/** Words of a key that a frame does not carry itself. */
export const EXECUTE_METADATA = [
  W_RECIRC_ID,
  W_IN_PORT,
  W_DP_HASH,
  W_SKB_PRIORITY,
  W_PKT_MARK,
] as const;

export interface EngineOptions {
  memory: FrameMemory;
  io: PacketIo;
  /** The vectors that `io` was made with. */
  offsets: Int32Array;
  lengths: Int32Array;
  stats: SharedStats;
  maxPorts: number;
  flowSlots: number;
  sink: UpcallSink;
  meters: MeterTable;
  cacheEntries?: number;
}

/** One worker's tables and interpreter. */
export class Engine implements Recirculator {
  readonly extractor: FlowExtractor;
  readonly egress: Egress;
  readonly witness: DropWitness;
  readonly executor: ActionExecutor;
  /** The time that flow statistics get (ms, a small integer, not 0): set it once per batch. */
  nowMs = 0;

  private readonly table = new MegaflowTable();
  private readonly cache: ExactMatchCache;
  private readonly stats: SharedStats;
  private readonly memory: FrameMemory;
  private readonly sink: UpcallSink;
  private readonly slotGeneration: Int32Array;
  private readonly slotTcpFlags: Int8Array;
  /** By slot, as many as were ever used. */
  private readonly programs: ActionProgram[] = [];
  private readonly keys: (MaskedKey | undefined)[] = [];
  private lookupsToRank = RANK_INTERVAL;

  constructor(options: EngineOptions) {
    const { memory, stats, flowSlots } = options;
    this.memory = memory;
    this.stats = stats;
    this.sink = options.sink;
    this.extractor = new FlowExtractor(memory.view);
    this.egress = new Egress(options.io, options.offsets, options.lengths, stats, options.maxPorts);
    this.witness = new DropWitness(stats, options.sink);
    this.egress.witness = this.witness;
    this.executor = new ActionExecutor(
      memory,
      this.extractor,
      this.egress,
      stats,
      options.sink,
      this,
      options.meters,
      this.witness,
    );
    this.slotGeneration = new Int32Array(flowSlots);
    this.slotTcpFlags = new Int8Array(flowSlots);
    this.cache = new ExactMatchCache(this.slotGeneration, options.cacheEntries);
  }

  /**
   * Forwards a received frame. It is copied nowhere: its memory must stay until endBatch.
   * @param off of its first byte; its virtio header stands before it
   * @param floor lowest offset that pushed headers may reach
   */
  receive(off: number, len: number, inPort: number, floor: number): void {
    const ports = this.stats.ports;
    const base = inPort * PORT_STATS_STRIDE;
    if (len < ETH_HEADER_LEN || len > MAX_FRAME_LEN) {
      ports[base + PS_RX_ERRORS] += 1;
      this.receiveOdd(off, len, inPort);
      return;
    }
    ports[base + PS_RX_PACKETS] += 1;
    ports[base + PS_RX_BYTES] += len;
    this.executor.start(off, len, floor);
    const extractor = this.extractor;
    extractor.key[W_IN_PORT] = inPort;
    const cls = extractor.parseL2(off, len);
    if (this.cache.needsRest[cls] !== 0) {
      extractor.parseRest();
      this.executor.keyFull = true;
    }
    this.classify(cls, 0);
  }

  /** Counts a frame that is none. */
  private receiveOdd(off: number, len: number, inPort: number): void {
    const isShort = len < ETH_HEADER_LEN;
    this.stats.drops[isShort ? DropReason.rxInvalidPacket : DropReason.frameTooLong] += 1;
    if (isShort && this.witness.watches) {
      this.witness.show(DropReason.rxInvalidPacket, inPort, off, len);
    }
  }

  /** Recirculator: the executor's packet again, with its current key. */
  recirculate(depth: number): void {
    this.executor.ensureKey();
    this.classify(this.extractor.cls, depth);
  }

  /**
   * Runs a program on a frame outside of the tables (packet-out, or a packet that was sent up).
   * @param metadata a key whose metadata words (EXECUTE_METADATA, in_port) the packet has
   */
  execute(
    off: number,
    len: number,
    floor: number,
    metadata: Int32Array,
    program: ActionProgram,
  ): void {
    if (len < ETH_HEADER_LEN || len > MAX_FRAME_LEN) {
      this.stats.drops[DropReason.rxInvalidPacket] += 1;
      return;
    }
    this.executor.start(off, len, floor);
    for (const word of EXECUTE_METADATA) this.extractor.key[word] = metadata[word];
    this.executor.metaDirty = true;
    this.extractor.parseL2(off, len);
    this.executor.run(program, 0, 0);
  }

  /** Classifies a packet again that missed when it was received (it is counted already). */
  reinject(off: number, len: number, floor: number, metadata: Int32Array): void {
    this.executor.start(off, len, floor);
    this.extractor.key[W_IN_PORT] = metadata[W_IN_PORT];
    const cls = this.extractor.parseL2(off, len);
    this.extractor.parseRest();
    this.executor.keyFull = true;
    this.classify(cls, 0);
  }

  countDrop(reason: number): void {
    this.stats.drops[reason] += 1;
  }

  /** Sends what waits and empties the slab. Nothing refers to any frame after it. */
  endBatch(): void {
    if (this.egress.pending) this.egress.flush();
    this.memory.rxReset();
    this.memory.copyReset();
  }

  /** Installs a flow in a slot that is free, or replaces the program of one that is not. */
  flowPut(slot: number, key: MaskedKey, program: ActionProgram): void {
    while (this.keys.length <= slot) {
      this.keys.push(undefined);
      this.programs.push(NO_PROGRAM);
    }
    this.programs[slot] = program;
    if (this.keys[slot]) return;
    this.keys[slot] = key;
    // Whoever consults ports has parsed the flags, too.
    const parsed = key.words.includes(W_TCP_FLAGS) || key.words.includes(W_TP);
    this.slotTcpFlags[slot] = parsed ? 1 : 0;
    if (this.table.insert(key, slot)) this.cache.setUnion(this.table.unions);
    this.stats.counters[C_MASKS] = this.table.masks;
  }

  /** Replaces the program of an installed flow; statistics stay. Unknown slots are ignored. */
  flowModify(slot: number, program: ActionProgram): void {
    if (this.keys[slot]) this.programs[slot] = program;
  }

  /** Removes a flow. Its counters are not touched any more. Unknown slots are ignored. */
  flowDel(slot: number): void {
    const key = this.keys[slot];
    if (!key) return;
    this.keys[slot] = undefined;
    this.programs[slot] = NO_PROGRAM;
    this.slotGeneration[slot] += 1;
    if (this.table.remove(key)) this.cache.setUnion(this.table.unions);
    this.stats.counters[C_MASKS] = this.table.masks;
  }

  /** Looks the packet at hand up (key parsed as far as the cache needs) and runs its actions. */
  private classify(cls: number, depth: number): void {
    const key = this.extractor.key;
    let slot = this.cache.lookup(key, cls);
    if (slot >= 0) {
      this.stats.counters[C_CACHE_HIT] += 1;
    } else {
      slot = this.lookupMegaflow(cls);
      if (slot < 0) {
        this.miss();
        return;
      }
    }
    const flows = this.stats.flows;
    const base = slot * FLOW_STATS_STRIDE;
    flows[base + FS_PACKETS] += 1;
    flows[base + FS_BYTES] += this.executor.len;
    flows[base + FS_USED_MS] = this.nowMs;
    if (this.slotTcpFlags[slot] !== 0) {
      flows[base + FS_TCP_FLAGS] = flows[base + FS_TCP_FLAGS] | (key[W_TCP_FLAGS] >>> 16);
    }
    this.executor.run(this.programs[slot], 0, depth);
  }

  private lookupMegaflow(cls: number): number {
    const slot = this.table.lookup(this.extractor.key, cls);
    const counters = this.stats.counters;
    counters[C_MASK_HIT] += this.table.probes;
    if (--this.lookupsToRank === 0) {
      this.lookupsToRank = RANK_INTERVAL;
      this.table.rank();
    }
    if (slot < 0) return -1;
    counters[C_MEGAFLOW_HIT] += 1;
    this.cache.insert(this.extractor.key, cls, slot);
    return slot;
  }

  private miss(): void {
    const executor = this.executor;
    this.stats.counters[C_MISS] += 1;
    executor.ensureKey();
    const sent = this.sink.upcall(
      UPCALL_MISS,
      executor.off,
      executor.len,
      this.extractor.key,
      NO_PROGRAM,
      0,
    );
    if (!sent) {
      this.stats.counters[C_LOST] += 1;
      this.stats.drops[DropReason.upcallQueueFull] += 1;
    }
  }
}
